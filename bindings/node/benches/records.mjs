/** How many records a second JavaScript iterates over: `node bindings/node/benches/records.mjs [RECORDS]`, with the addon built for release. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { EmbeddedCluster, Repository } from 'strongroom';

/** Calls it three times, and prints the best. */
async function measure(what, records, work) {
  let best = Infinity;
  for (let turn = 0; turn < 3; turn++) {
    const began = performance.now();
    if ((await work()) !== records) throw new Error(what);
    best = Math.min(best, performance.now() - began);
  }
  console.log(`${what}: ${Math.round((records / best) * 1000).toLocaleString('en')} records/s`);
}

const records = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'strongroom-bench-'));
try {
  const app = await EmbeddedCluster.open(join(folder, 'app.redb'), { create: true });
  for (let start = 0; start < records; start += 50_000) {
    const keys = Array.from({ length: Math.min(50_000, records - start) }, (_, index) => start + index);
    await app.putMany('users', keys.map((key) => [key, { age: key % 90, name: `user ${key}` }]));
  }
  const repository = await Repository.init(join(folder, 'backups'));
  await repository.backup(app);
  const state = await repository.inspect();
  const counted = async (count) => {
    let found = 0;
    for await (const batch of state.batches('users')) found += count(batch);
    return found;
  };
  await measure('batches', records, () => counted((batch) => batch.length));
  await measure('batches, one bin read', records, () => counted((batch) => batch.filter((record) => record.get('age') >= 0).length));
  await measure('one after the other', records, async () => {
    let found = 0;
    for await (const record of state.scan('users')) found += record.generation >= 0 ? 1 : 0;
    return found;
  });
  state.close();
} finally {
  rmSync(folder, { recursive: true });
}
