/** Jobs: progress, cancel, and what happens to a process and its threads. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';

import { EmbeddedCluster, Repository, StrongroomError } from 'strongroom';

import { begun } from './temporary.mjs';

const run = promisify(execFile);
const here = new URL('.', import.meta.url).pathname;

test('a job tells how far it is, and then what it came to', async (t) => {
  const { cluster, repository } = await begun(t);
  const job = repository.backup(cluster);
  assert.equal(job.name, 'backup');
  const phases = [];
  for await (const event of job) {
    phases.push(event.phase);
    assert.ok(event.fraction >= 0 && event.fraction <= 1);
  }
  assert.equal(phases.at(-1), 'over');
  assert.equal(phases.filter((phase) => phase === 'over').length, 1);
  assert.ok(job.done && job.progress.records === 100);
  assert.equal((await job).backups.length, 1);
  assert.equal((await job.finally(() => {})).backups.length, 1);
});

test('the events of a job that fails end with its error', async (t) => {
  const { repository } = await begun(t);
  const phases = [];
  const watch = async () => {
    for await (const event of repository.backup('embedded:/nowhere')) phases.push(event.phase);
  };
  await assert.rejects(watch, { code: 'NOT_FOUND' });
  assert.equal(phases.at(-1), 'over');
});

test('a signal cancels in the middle, and nothing half is left', async (t) => {
  const { cluster, repository, path } = await begun(t);
  const rows = Array.from({ length: 2000 }, (_, number) => [`key ${number}`, { text: 'x'.repeat(500) }]);
  await cluster.putMany('app', rows);
  const abort = new AbortController();
  const job = repository.backup(cluster, { limitRate: '64KiB', signal: abort.signal });
  for await (const event of job) {
    if (event.plainBytes > 0) break;
  }
  abort.abort(new Error('enough'));
  await assert.rejects(job, (error) => {
    assert.equal(error.code, 'CANCELLED');
    assert.equal(error.cause.message, 'enough');
    return true;
  });
  assert.equal((await repository.catalogue()).length, 0);
  const early = repository.backup(cluster, { signal: AbortSignal.abort() });
  await assert.rejects(early, { code: 'CANCELLED' });
  const cancelled = repository.restore(`embedded:${path}/x.redb`);
  cancelled.cancel();
  await assert.rejects(cancelled, StrongroomError);
  await repository.backup(cluster);
  assert.ok((await repository.verify({ depth: 'decode' })).isWhole);
});

test('a process waits for the jobs that it has begun, and may leave them', async (t) => {
  const { cluster, file } = await begun(t);
  cluster.close();
  const whole = await run(process.execPath, [`${here}processes/leaves.mjs`, 'whole', file('app.redb'), file('one')]);
  assert.match(whole.stdout, /ended 1/);
  for (const way of ['exit', 'throw', 'open-state']) {
    const left = run(process.execPath, [`${here}processes/leaves.mjs`, way, file('app.redb'), file(way)], {
      env: { ...process.env, TMPDIR: file('') },
    });
    const { code = 0, signal = null } = await left.catch((error) => error);
    assert.deepEqual([code, signal], [way === 'throw' ? 1 : 0, null], way);
    assert.deepEqual((await readdir(file(''))).filter((name) => name.startsWith('strongroom-inspect')), []);
    assert.ok((await (await Repository.open(file(way))).catalogue()).complete);
  }
});

test('workers have repositories of their own', async (t) => {
  const { cluster, repository, file } = await begun(t);
  await repository.backup(cluster);
  const counted = Array.from({ length: 4 }, () => {
    const worker = new Worker(`${here}processes/worker.mjs`, { workerData: file('backups') });
    return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  });
  assert.deepEqual(await Promise.all(counted), [100, 100, 100, 100]);
  // What a worker left behind does not take the runtime of others with it.
  await cluster.put('app', 1, { value: 0 }, { set: 'users' });
  assert.equal((await repository.backup(cluster)).backups.length, 1);
});

test('many jobs at once', async (t) => {
  const { cluster, repository, path } = await begun(t);
  await repository.backup(cluster);
  const restored = Array.from({ length: 20 }, (_, number) => repository.restore(`embedded:${path}/${number}.redb`));
  const reports = await Promise.all([...restored, ...Array.from({ length: 20 }, () => repository.verify())]);
  assert.equal(reports.length, 40);
  assert.equal(await (await EmbeddedCluster.open(`${path}/19.redb`)).hash('app'), await cluster.hash('app'));
});
