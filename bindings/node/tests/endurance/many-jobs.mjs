/**
 * Runs a number of jobs that end in every way, and fails if memory, threads or files are left behind.
 *
 * Called by `endurance.test.mjs` in a process of its own: `node --expose-gc many-jobs.mjs JOBS`.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

import { EmbeddedCluster, Repository, StrongroomError } from 'strongroom';

import { AsyncStorage, MemoryStorage } from '../memory-storage.mjs';

/** What a round begins: jobs that succeed, one that fails, two that are cancelled, one whose events are left. */
const JOBS_A_ROUND = 10;
/** What allocators may keep for themselves. */
const GROWTH_MIB = 32;
/** The pool of threads that wait grows with what runs at once, and shrinks after seconds. */
const THREADS = 100;

async function round(source, target, storage) {
  const repository = await Repository.init(storage);
  await repository.backup(source, { kind: 'base' });
  for await (const event of repository.verify()) assert.ok(event.permille <= 1000);
  await repository.restore(target, { conflict: 'replace' });
  assert.ok((await repository.copy(new MemoryStorage())).isWhole);
  const state = await repository.inspect();
  state.close();
  await assert.rejects(repository.restore(target, { at: '2001-01-01T00:00:00Z' }), { code: 'BROKEN_CHAIN' });
  const cancelled = repository.backup(source, { limitRate: '1KiB' });
  cancelled.cancel();
  await assert.rejects(cancelled, StrongroomError);
  const abort = new AbortController();
  const left = repository.backup(source, { limitRate: '1KiB', signal: abort.signal });
  for await (const event of left) if (event) break;
  abort.abort();
  await assert.rejects(left, StrongroomError);
  assert.ok((await repository.verify({ depth: 'decode' })).isWhole);
  await repository.prune({ policy: { keepLast: 1 } });
}

/** Memory in MiB, threads and open files, once what is not needed is gone. */
async function left() {
  for (let turn = 0; turn < 5; turn++) {
    globalThis.gc();
    await setImmediate();
  }
  const count = (folder) => readdirSync(`/proc/self/${folder}`).length;
  return [process.memoryUsage.rss() / 2 ** 20, count('task'), count('fd')];
}

const rounds = Math.max(5, Math.floor(Number(process.argv[2]) / JOBS_A_ROUND));
const folder = mkdtempSync(join(tmpdir(), 'strongroom-node-'));
try {
  const source = await EmbeddedCluster.open(join(folder, 'source.redb'), { create: true });
  await source.putMany('app', Array.from({ length: 20 }, (_, number) => [number, { raw: Buffer.alloc(1000) }]));
  const target = await EmbeddedCluster.open(join(folder, 'target.redb'), { create: true });
  let before = [];
  for (let number = 0; number < rounds; number++) {
    if (number === Math.floor(rounds / 5)) before = await left();
    await round(source, target, number % 2 ? new MemoryStorage() : new AsyncStorage());
  }
  const after = await left();
  const told = ['MiB', 'threads', 'files']
    .map((name, index) => `${after[index].toFixed(0)} ${name} (${(after[index] - before[index]).toFixed(1)} more)`)
    .join(', ');
  console.log(`${rounds * JOBS_A_ROUND} jobs left ${told}`);
  assert.ok(after[0] - before[0] < GROWTH_MIB, told);
  assert.ok(after[1] <= THREADS, `threads were left: ${told}`);
  assert.ok(after[2] <= before[2] + 2, `files were left: ${told}`);
} finally {
  rmSync(folder, { recursive: true });
}
