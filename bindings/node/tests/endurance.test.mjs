/**
 * Many jobs leave nothing behind, and a piece larger than memory should be takes little of it. `STRONGROOM_JOBS` and
 * `STRONGROOM_PIECE_MIB` make it shorter or longer.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const JOBS = Number(process.env.STRONGROOM_JOBS ?? 10_000);
const PIECE_MIB = Number(process.env.STRONGROOM_PIECE_MIB ?? 2048);
/** A quarter of the piece. */
const LIMIT_MIB = PIECE_MIB / 4;

async function run(program, ...more) {
  const path = new URL(`endurance/${program}`, import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', path, ...more.map(String)]);
  return stdout;
}

test('many jobs leave nothing behind', async () => {
  assert.match(await run('many-jobs.mjs', JOBS), /jobs left/);
});

test('a large piece takes bounded memory', async () => {
  assert.match(await run('large-piece.mjs', PIECE_MIB * 2 ** 20, LIMIT_MIB), /MiB at most/);
});
