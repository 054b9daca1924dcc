/** Live clusters: a real Cassandra node, and the test cluster of Aerospike. One that cannot be started fails the test. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';

import cassandra from 'cassandra-driver';
import { OpenCluster, Repository } from 'strongroom';

import { begun, folder } from './temporary.mjs';

const crates = new URL('../../../crates/', import.meta.url).pathname;
const run = promisify(execFile);

/** Runs a server until the test ends, and gives the lines that it printed before `ready`. */
async function served(t, command, ...more) {
  const server = spawn(command, more.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => server.once('close', resolve));
  t.after(async () => {
    server.stdin.end();
    await ended;
  });
  const lines = [];
  for await (const line of createInterface({ input: server.stdout })) {
    if (line === 'ready') return lines;
    lines.push(line);
  }
  throw new Error(`${command} did not start: ${lines}`);
}

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from({ length: count }, () => new Promise((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
    })),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

test('Aerospike there and back', async (t) => {
  await run('cargo', ['build', '--quiet', '--locked', '--bin', 'aerospike-fake'], { cwd: crates });
  const told = await run('cargo', ['metadata', '--locked', '--no-deps', '--format-version', '1'], { cwd: crates, maxBuffer: 2 ** 26 });
  const [node] = await served(t, `${JSON.parse(told.stdout).target_directory}/debug/aerospike-fake`, 2, 'app', 'bar');
  const { cluster, repository } = await begun(t);
  await cluster.put('app', 'odd', { list: [1, 'a', { b: [2.5] }], bytes: Buffer.from([0, 255]), wide: 2n ** 62n });
  await repository.backup(cluster);
  await repository.restore(`aerospike://${node}`);

  const live = await OpenCluster.open(`aerospike://${node}`);
  const { identity, parts } = await live.describe();
  assert.deepEqual(Object.keys(parts).sort(), ['app', 'bar']);
  const second = await repository.backup(live, { part: 'app' });
  assert.equal(second.backups[0].totals.records, 101);
  const [backup] = second.backups;
  const state = await repository.inspect({ backup, cluster: identity.id });
  assert.equal(await state.hash('app'), await cluster.hash('app'));
  state.close();
  await repository.restore(live, { backup, cluster: identity.id, rename: { app: 'bar' } });
  assert.equal((await repository.backup(live, { part: 'bar' })).backups[0].totals.records, 101);
});

test('Cassandra there and back', async (t) => {
  const [cql, storage, jmx] = await freePorts(3);
  await served(t, `${crates}strongroom-cassandra/tests/servers/cassandra`, cql, storage, jmx);
  const path = await folder(t);
  await writeFile(`${path}/cql`, 'cassandra', { mode: 0o600 });
  await writeFile(`${path}/jmx`, 'testsecret123', { mode: 0o600 });
  const profiles = `${path}/strongroom.toml`;
  await writeFile(
    profiles,
    `[clusters.node.cassandra]\nhost = "127.0.0.1:${cql}"\n` +
      `login = { user = "cassandra", password = { file = "${path}/cql" } }\n` +
      `jmx = { port = ${jmx}, login = { user = "backup", password = { file = "${path}/jmx" } } }\n`,
  );
  const client = new cassandra.Client({
    contactPoints: [`127.0.0.1:${cql}`],
    localDataCenter: 'datacenter1',
    credentials: { username: 'cassandra', password: 'cassandra' },
    socketOptions: { readTimeout: 60_000 },
  });
  t.after(() => client.shutdown());
  const query = (text, ...values) => client.execute(text, values, { prepare: values.length > 0 });
  await query("CREATE KEYSPACE app WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
  await query('CREATE TABLE app.users (id int PRIMARY KEY, name text)');
  for (let id = 0; id < 50; id++) await query('INSERT INTO app.users (id, name) VALUES (?, ?)', id, `user ${id}`);

  const repository = await Repository.init(`${path}/backups`, { profiles });
  const report = await repository.backup('node', { part: 'app' });
  assert.equal(report.backups.length, 1);
  await query('DELETE FROM app.users WHERE id = 1');
  await query("INSERT INTO app.users (id, name) VALUES (99, 'later')");
  await repository.restore('node', { truncate: true });
  const { rows } = await query('SELECT id, name FROM app.users');
  const found = Object.fromEntries(rows.map(({ id, name }) => [id, name]));
  assert.deepEqual(found, Object.fromEntries(Array.from({ length: 50 }, (_, id) => [id, `user ${id}`])));
});
