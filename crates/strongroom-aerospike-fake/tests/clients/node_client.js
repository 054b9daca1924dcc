/**
 * node_client.js HOST:PORT...: the official Node.js client writes and reads against the fake.
 *
 * Prints "node client: N checks passed" and ends with 0, or says what differs and ends with 1.
 */

const assert = require('node:assert/strict');

const Aerospike = require('aerospike');

let checks = 0;

function check(what, found, expected) {
  assert.deepEqual(found, expected, what);
  checks++;
}

async function main(addresses) {
  const hosts = addresses.map((address) => ({ addr: address.split(':')[0], port: Number(address.split(':')[1]) }));
  const client = await Aerospike.connect({ hosts, log: { level: Aerospike.log.OFF } });
  check('connected', client.isConnected(), true);

  const bins = { i: -5, f: 1.5, s: 'schön', b: Buffer.from([0, 255]), l: [1, 'a', [2.5]], m: { a: 1, b: [1, 2] }, t: true };
  const keys = [];
  for (let n = 0; n < 100; n++) keys.push(new Aerospike.Key('test', 'node', n), new Aerospike.Key('test', 'node', `key${n}`));
  for (const [number, key] of keys.entries()) {
    await client.put(key, { ...bins, n: number }, {}, new Aerospike.WritePolicy({ key: Aerospike.policy.key.SEND }));
  }
  for (const [number, key] of keys.entries()) {
    const record = await client.get(key);
    check(`record ${key.key}`, { ...record.bins }, { ...bins, n: number });
    check(`generation of ${key.key}`, record.gen, 1);
  }

  // The client works out digests and asks the partitions' masters: a query over all nodes must find each record once.
  const found = (await client.query('test', 'node').results()).map((record) => record.bins.n);
  check('records in a query of the set', found.sort((one, other) => one - other), keys.map((_, number) => number));
  check('records in a query of another set', (await client.query('test', 'nothing').results()).length, 0);

  await assert.rejects(client.get(new Aerospike.Key('test', 'node', 'nobody')), { code: Aerospike.status.ERR_RECORD_NOT_FOUND });
  checks++;
  const create = new Aerospike.WritePolicy({ exists: Aerospike.policy.exists.CREATE });
  await assert.rejects(client.put(keys[0], { x: 1 }, {}, create), { code: Aerospike.status.ERR_RECORD_EXISTS });
  checks++;

  const batch = Array.from({ length: 100 }, (_, n) => ({
    type: Aerospike.batchType.BATCH_WRITE,
    key: new Aerospike.Key('test', 'node batch', n),
    ops: [Aerospike.operations.write('n', n)],
  }));
  const written = await client.batchWrite(batch);
  check('results of a batch', new Set(written.map((one) => one.status)), new Set([Aerospike.status.OK]));
  check('records of a batch', (await client.query('test', 'node batch').results()).length, 100);

  await client.remove(keys[0]);
  check('a record that was removed', await client.exists(keys[0]), false);
  client.close();
}

main(process.argv.slice(2)).then(
  () => console.log(`node client: ${checks} checks passed`),
  (error) => {
    console.log(String(error));
    process.exit(1);
  },
);
