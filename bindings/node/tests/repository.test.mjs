/** A repository through its life: every call once, and what it gives. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';

import { EmbeddedCluster, Inspection, Moment, newKey, OpenCluster, Plan, Repository } from 'strongroom';

import { begun, folder } from './temporary.mjs';

test('a history comes back at each of its moments', async (t) => {
  const { cluster, repository, file } = await begun(t);
  const first = await repository.backup(cluster);
  assert.equal(first.backups[0].kind, 'base');
  assert.equal(first.backups[0].totals.records, 100);
  const then = await cluster.hash('app');
  await cluster.delete('app', [1, 2], { set: 'users' });
  await cluster.put('app', 'new', { value: 1 }, { set: 'orders' });
  const now = await cluster.hash('app');
  cluster.close();
  await assert.rejects(cluster.hash('app'), { code: 'INVALID' });
  await assert.rejects(repository.backup(cluster), { code: 'INVALID' });
  const second = await repository.backup(`embedded:${file('app.redb')}`);
  assert.equal(second.backups[0].kind, 'incremental');

  const moment = first.backups[0].window.until;
  assert.ok(moment instanceof Moment && moment instanceof Date);
  for (const at of [moment, moment.toISOString(), moment.micros]) {
    const target = file(`then-${typeof at}.redb`);
    const report = await repository.restore(`embedded:${target}`, { at });
    assert.equal(report.parts.app.until.micros, moment.micros);
    assert.equal(report.applied.written, 100);
    assert.equal(await (await EmbeddedCluster.open(target)).hash('app'), then);
  }
  await repository.restore(new URL(`file:${file('now.redb')}`));
  assert.equal(await (await EmbeddedCluster.open(file('now.redb'))).hash('app'), now);
});

test('the planner answers', async (t) => {
  const { cluster, repository, file } = await begun(t);
  await repository.backup(cluster);
  await cluster.put('app', 1, { value: -1 }, { set: 'users' });
  const { backups } = await repository.backup(cluster);
  const catalogue = await repository.catalogue();
  assert.deepEqual([...catalogue].map((backup) => backup.kind), ['base', 'incremental']);
  assert.equal(catalogue.get(backups[0].backup).parent, catalogue.backups[0].id);
  assert.equal((await repository.catalogue({ part: 'other' })).length, 0);
  assert.deepEqual((await repository.clusters()).map((one) => one.id), [catalogue.backups[0].cluster]);

  const plan = await repository.plan();
  assert.deepEqual(plan.steps.map(([part, step]) => [part, step.kind]), [['app', 'base'], ['app', 'incremental']]);
  assert.match(String(plan), /0\. base/);
  const sent = Plan.from(JSON.stringify(plan));
  assert.deepEqual(JSON.stringify(sent), JSON.stringify(plan));
  await repository.restore(`embedded:${file('planned.redb')}`, { plan: sent });
  assert.equal(await (await EmbeddedCluster.open(file('planned.redb'))).hash('app'), await cluster.hash('app'));

  const windows = await repository.windows();
  assert.ok(windows.has(plan.reached.until) && !windows.has(new Date(0)));
  assert.match(String(windows), /app/);
  assert.ok((await repository.check({ at: plan.reached.until })).isPossible);
  const refused = await repository.check({ at: new Date('2001-01-01') });
  assert.ok(!refused.isPossible && refused.message.length > 0);
  assert.match(String(await repository.explain()), /base/);
});

test('backups are checked, copied, pinned, deleted and merged', async (t) => {
  const { cluster, repository, file } = await begun(t);
  const first = await repository.backup(cluster, { kind: 'base' });
  await cluster.put('app', 1, { value: -1 }, { set: 'users' });
  const second = await repository.backup(cluster);
  const checked = await repository.verify({ depth: 'decode' });
  assert.ok(checked.isWhole && checked.backups.length === 2);
  const copied = await repository.copy(file('elsewhere'));
  assert.ok(copied.isWhole && copied.copied === 2);
  assert.equal((await Repository.open(file('elsewhere'))).info.repository, repository.info.repository);

  const pin = await repository.pin(first.backups, { reason: 'migration', by: 'me' });
  assert.deepEqual([pin.kind, pin.reason, pin.by], ['pin', 'migration', 'me']);
  await repository.hold(second.backups[0], { reason: 'court', by: 'law' });
  await assert.rejects(repository.release(second.backups[0], { by: 'me' }), { code: 'DENIED' });
  const dry = await repository.prune({ policy: { keepLast: 1, keepWithin: 0 }, dryRun: true, grace: '1d' });
  assert.deepEqual(dry.condemned.backups, []);
  assert.equal((await repository.unpin(first.backups)).length, 1);
  assert.equal((await repository.release(second.backups[0], { by: 'law' })).length, 1);

  const merged = await repository.synthesize({ part: 'app' });
  assert.deepEqual(merged.madeFrom, [first.backups[0].backup, second.backups[0].backup]);
  const refused = repository.delete(first.backups);
  await assert.rejects(refused, { code: 'BROKEN_CHAIN' });
  const gone = await repository.delete(second.backups, { dryRun: true });
  assert.equal(gone.condemned.backups.length, 1);
});

test('a state is looked into', async (t) => {
  const { cluster, repository } = await begun(t);
  const first = await repository.backup(cluster);
  await cluster.empty('app');
  await repository.backup(cluster);
  const state = await repository.inspect({ backup: first.backups[0], table: 'users' });
  assert.ok(state instanceof Inspection);
  assert.equal((await state.get('app', 7, { set: 'users' })).get('value'), 7);
  let records = 0;
  for await (const batch of state.batches('app', { batch: 30 })) records += batch.length;
  assert.equal(records, 100);
  state.close();
});

test('a sealed repository opens with its key alone', async (t) => {
  const path = await folder(t);
  await newKey(`${path}/ops.key`);
  await assert.rejects(newKey(`${path}/ops.key`), { code: 'EEXIST' });
  const profiles = `${path}/strongroom.toml`;
  await writeFile(
    profiles,
    `[repositories.main]\nurl = "file:${path}/sealed"\ncodecs = "zstd,seal"\nkeys = ["ops"]\n[keys.ops]\nfile = "${path}/ops.key"\n`,
  );
  const cluster = await EmbeddedCluster.open(`${path}/app.redb`, { create: true });
  await cluster.put('app', 1, { secret: 'x' });
  const repository = await Repository.init('main', { profiles });
  await repository.backup(cluster);
  assert.match(repository.info.codecs.join(), /^zstd,seal:/);
  await assert.rejects(Repository.open(`${path}/sealed`), { code: 'DENIED' });
  assert.equal((await (await Repository.open('main', { profiles })).catalogue()).length, 1);
});

test('a cluster tells what it is', async (t) => {
  const { cluster, file } = await begun(t);
  assert.deepEqual((await cluster.namespaces()).app.sets, { users: 100 });
  cluster.close();
  const opened = await OpenCluster.open(`embedded:${file('app.redb')}`);
  assert.deepEqual(Object.keys((await opened.describe()).parts), ['app']);
  assert.equal(typeof opened.capabilities(), 'object');
});
