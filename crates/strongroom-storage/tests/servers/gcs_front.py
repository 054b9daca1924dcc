#!/usr/bin/env python3
"""gcs_front.py PORT BACKEND_PORT TOKEN: adds to fake-gcs-server what it lacks.

It checks the bearer token (401 otherwise) and the condition of a read on a generation (412), and it answers the XML multipart
uploads that large unconditional writes use: start, part, complete, abort, and the listing of those under way. It gives the token
away as Google's own services do: to a machine that asks its metadata, and for a workload's identity ("a workload").
Everything else is passed on.
"""
import hashlib
import http.client
import http.server
import json
import re
import sys
import threading
import urllib.parse
import uuid

PORT, BACKEND, TOKEN = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
MIN_PART = 5 << 20
# Not passed on: they belong to one connection, or are set anew.
HOP = {"host", "connection", "content-length", "transfer-encoding", "date", "server"}
uploads = {}
lock = threading.Lock()
local = threading.local()


class Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            if len(body) < size:
                raise ConnectionError("the request was cut")
            return body
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_xml(self, status, text, headers=()):
        self.answer(status, f'<?xml version="1.0"?>{text}'.encode(), [("Content-Type", "application/xml"), *headers])

    def handle_request(self):
        try:
            body = self.read_body()
        except (ConnectionError, ValueError):
            self.close_connection = True
            return None
        address = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(address.query, keep_blank_values=True)
        if address.path == "/computeMetadata/v1/instance/service-accounts/default/token":
            return self.give_token(self.headers.get("Metadata-Flavor") == "Google")
        if address.path == "/v1/token":
            form = urllib.parse.parse_qs(body.decode())
            return self.give_token(form.get("subject_token") == ["a workload"])
        # The address to continue an upload at is an authority of its own.
        trusted = address.path.startswith("/_internal") or "upload_id" in query
        if not trusted and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            error = {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}
            return self.answer(401, json.dumps({"error": error}).encode(), [("Content-Type", "application/json")])
        if "uploads" in query:
            return self.start_or_list(address, query)
        if "uploadId" in query:
            return self.continue_upload(address, query, body)
        return self.pass_on(body)

    def give_token(self, known):
        if not known:
            return self.answer(403, b'{"error": "invalid_grant"}', [("Content-Type", "application/json")])
        token = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
        return self.answer(200, json.dumps(token).encode(), [("Content-Type", "application/json")])

    def start_or_list(self, address, query):
        key = urllib.parse.unquote(address.path).split("/", 2)[-1]
        if self.command == "GET":
            prefix = query.get("prefix", [""])[0]
            with lock:
                found = [name for name, upload in uploads.items() if upload["key"].startswith(prefix)]
            found = "".join(f"<Upload><UploadId>{name}</UploadId></Upload>" for name in found)
            return self.answer_xml(200, f"<ListMultipartUploadsResult>{found}</ListMultipartUploadsResult>")
        name = uuid.uuid4().hex
        with lock:
            uploads[name] = {"key": key, "parts": {}}
        result = f"<UploadId>{name}</UploadId>"
        return self.answer_xml(200, f"<InitiateMultipartUploadResult>{result}</InitiateMultipartUploadResult>")

    def continue_upload(self, address, query, body):
        name = query["uploadId"][0]
        upload = uploads.get(name)
        if upload is None:
            return self.answer_xml(404, "<Error><Code>NoSuchUpload</Code></Error>")
        parts = upload["parts"]
        if self.command == "PUT":
            parts[int(query["partNumber"][0])] = body
            return self.answer(200, headers=[("ETag", f'"{hashlib.md5(body).hexdigest()}"')])
        if self.command == "DELETE":
            with lock:
                uploads.pop(name, None)
            return self.answer(204)
        numbers = [int(number) for number in re.findall(r"<PartNumber>(\d+)</PartNumber>", body.decode())]
        if any(number not in parts for number in numbers):
            return self.answer_xml(400, "<Error><Code>InvalidPart</Code></Error>")
        if any(len(parts[number]) < MIN_PART for number in numbers[:-1]):
            return self.answer_xml(400, "<Error><Code>EntityTooSmall</Code></Error>")
        _, bucket, key = address.path.split("/", 2)
        whole = b"".join(parts[number] for number in numbers)
        status, _, told = self.ask("POST", f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={key}", whole, {})
        if status != 200:
            return self.answer(status, told)
        with lock:
            uploads.pop(name, None)
        generation = json.loads(told).get("generation", "1")
        tag = [("ETag", f'"{generation}"'), ("x-goog-generation", str(generation))]
        return self.answer_xml(200, "<CompleteMultipartUploadResult></CompleteMultipartUploadResult>", tag)

    def ask(self, method, path, body, headers):
        """One request to the server behind; once more if the kept connection was closed meanwhile."""
        for attempt in (0, 1):
            connection = getattr(local, "connection", None) or http.client.HTTPConnection("127.0.0.1", BACKEND)
            local.connection = connection
            try:
                connection.request(method, path, body, headers | {"Host": f"127.0.0.1:{BACKEND}"})
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except (http.client.HTTPException, OSError):
                local.connection = None
                if attempt:
                    raise
        raise AssertionError

    def pass_on(self, body):
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        if body or self.command in ("POST", "PUT"):
            headers["Content-Length"] = str(len(body))
        status, told, answer = self.ask(self.command, self.path, body, headers)
        # The server behind checks this condition for writes only.
        wanted = re.search(r"[?&]ifGenerationMatch=(\d+)", self.path)
        generation = {name.lower(): value for name, value in told}.get("x-goog-generation")
        if self.command == "GET" and wanted and generation and wanted[1] != generation:
            error = {"code": 412, "message": "Precondition Failed", "errors": [{"reason": "conditionNotMet"}]}
            return self.answer(412, json.dumps({"error": error}).encode(), [("Content-Type", "application/json")])
        self.send_response(status)
        length = str(len(answer))
        for name, value in told:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            if name.lower() in HOP:
                continue
            if name.lower() == "location":
                value = value.replace(f"127.0.0.1:{BACKEND}/", self.headers["Host"] + "/")
            self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)
        return None

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = handle_request


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", PORT), Front).serve_forever()
