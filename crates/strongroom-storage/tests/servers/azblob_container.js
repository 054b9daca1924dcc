// azblob_container.js PORT NAME: creates a container in Azurite, by a request signed with its well-known key.
const crypto = require("node:crypto");
const [port, name] = process.argv.slice(2);
const account = "devstoreaccount1";
const key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-12-02" };
const signed = [
  "PUT",
  ...Array(11).fill(""), // the standard headers, none of which is sent
  ...Object.entries(headers).map(([header, value]) => `${header}:${value}`),
  `/${account}/${account}/${name}`,
  "restype:container",
].join("\n");
const signature = crypto.createHmac("sha256", Buffer.from(key, "base64")).update(signed).digest("base64");
headers.Authorization = `SharedKey ${account}:${signature}`;
fetch(`http://127.0.0.1:${port}/${account}/${name}?restype=container`, { method: "PUT", headers }).then(async (answer) => {
  if (answer.status !== 201) {
    console.error(`creating the container: HTTP ${answer.status}`, await answer.text());
    process.exit(1);
  }
});
