/** Keys and values of records: what is written is read. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Typed } from 'strongroom';

import { begun } from './temporary.mjs';

const VALUES = {
  integer: 5,
  negative: -1,
  largest: 9_007_199_254_740_991,
  beyond: 9_007_199_254_740_993n,
  lowest: -9_223_372_036_854_775_808n,
  double: 1.5,
  infinite: -Infinity,
  text: 'schön \u0000 \u{1F600}',
  empty: '',
  flag: true,
  bytes: Buffer.from([0, 255, 3]),
  list: [1, 'a', [2.5, null], Buffer.from([4])],
  object: { a: 1, b: { c: [true] }, b2: Buffer.from('b') },
  tagged: { b: 'eA==' },
  map: new Map([[1, 'one'], ['two', 2n ** 60n]]),
};

test('values are what they were', async (t) => {
  const { cluster, repository } = await begun(t);
  const bins = Object.entries(VALUES);
  await cluster.put('app', 'all', VALUES);
  await repository.backup(cluster);
  const state = await repository.inspect();
  for (const source of [cluster, state]) {
    const record = await source.get('app', 'all');
    for (const [name, value] of bins) assert.deepEqual(record.get(name), value, name);
    assert.deepEqual(record.bins, VALUES);
    assert.equal(record.get('nothing'), undefined);
  }
  state.close();
});

test('keys are what they were', async (t) => {
  const { cluster } = await begun(t);
  const keys = [7, 2n ** 62n, 1.25, 'text', Buffer.from([1, 2])];
  await cluster.putMany('app', keys.map((key) => [key, { n: 1 }]), { set: 'keys', expires: new Date('2030-01-01') });
  for (const key of keys) {
    const record = await cluster.get('app', key, { set: 'keys' });
    assert.deepEqual(record.key, key);
    assert.equal(record.expires.toISOString(), '2030-01-01T00:00:00.000Z');
    assert.match(record.digest, /^[0-9a-f]{40}$/);
  }
  assert.equal(await cluster.delete('app', keys, { set: 'keys' }), keys.length);
  await assert.rejects(cluster.get('app', 7, { set: 'keys' }), { code: 'NOT_FOUND' });
});

test('what is no value is refused by name', async (t) => {
  const { cluster } = await begun(t);
  for (const [value, told] of [[undefined, 'undefined'], [new Date(), 'Date'], [() => 1, 'function'], [new Typed('geojson', '{}'), 'Typed']]) {
    await assert.rejects(cluster.put('app', 1, { value }), (error) => error.code === 'INVALID' && error.message.includes(told));
  }
  await assert.rejects(cluster.put('app', 1, { value: null }), { code: 'INVALID' });
  await assert.rejects(cluster.put('app', 1, { value: 2n ** 64n }), { code: 'INVALID' });
  await assert.rejects(cluster.put('app', [1], { value: 1 }), { code: 'INVALID' });
  await assert.rejects(cluster.put('app', 1, { a_name_of_more_than_15: 1 }), { code: 'INVALID' });
});
