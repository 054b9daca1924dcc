/** The package against `docs/names.md`: operations, options, errors and the fields of what is told. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import * as strongroom from 'strongroom';

import { begun } from './temporary.mjs';

const page = readFileSync(new URL('../../../docs/names.md', import.meta.url), 'utf8');
const require = createRequire(import.meta.url);
const { OPERATIONS } = require('../dist/options.js');
const native = require('../native.js');

/** The names in each cell of a table; a field that is not always there ends with a question mark. */
function table(name) {
  const [, text] = page.match(new RegExp(`<!-- names: ${name} -->\\n((?:\\|.*\\n)+)`));
  return text
    .trim()
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => [...cell.replaceAll('`?', '?`').matchAll(/`([^`]+)`/g)].map(([, found]) => found)),
    );
}

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

test('the operations are those of the table', () => {
  const rows = table('operations');
  assert.deepEqual(rows.map((row) => row[3][0]), rows.map((row) => row[0][0]));
  assert.deepEqual(Object.keys(OPERATIONS).sort(), rows.map((row) => row[0][0]).sort());
  const own = (object) => Object.getOwnPropertyNames(object).filter((name) => !['constructor', 'toString', 'length', 'name', 'prototype'].includes(name));
  const methods = [...own(strongroom.Repository), ...own(strongroom.Repository.prototype)];
  assert.deepEqual(methods.sort(), rows.map((row) => row[0][0]).sort());
});

for (const [operation, { takes, options }] of Object.entries(OPERATIONS)) {
  test(`the options of ${operation} are those of the table`, () => {
    const rows = table('options').filter((row) => row[3].includes(operation));
    assert.deepEqual([...takes, ...options].sort(), rows.map((row) => camel(row[0][0])).sort());
  });
}

test('the errors are those of the table', () => {
  assert.deepEqual(table('errors').map((row) => row[1][0]), native.codes());
});

/** Every object of one of our classes within what was told. */
function* objects(told) {
  if (typeof told !== 'object' || told === null) return;
  if (Object.hasOwn(strongroom, told.constructor.name)) yield told;
  for (const value of Object.values(told)) yield* objects(value);
  if (told instanceof strongroom.PartReport) yield* objects(told.backup);
}

test('the fields are those of the table', async (t) => {
  const { cluster, repository, file } = await begun(t);
  const job = repository.backup(cluster);
  const first = await job;
  await cluster.put('app', 1, { value: 2 }, { set: 'users' });
  const second = await repository.backup(cluster);
  const told = [
    job.progress,
    first,
    second,
    await repository.pin(first.backups, { reason: 'r', by: 'me' }),
    await repository.catalogue(),
    await repository.plan(),
    await repository.clusters(),
    repository.info,
    await repository.restore(`embedded:${file('x.redb')}`),
    await repository.verify(),
    await repository.copy(file('copy')),
    await repository.synthesize({ part: 'app' }),
    await repository.prune({ policy: { keepLast: 1 }, dryRun: true }),
  ];
  const known = new Map(table('fields').map((row) => [row[0][0], row[1]]));
  const seen = new Set();
  for (const one of told.flatMap((one) => [...objects(one)])) {
    const fields = known.get(one.constructor.name);
    if (fields === undefined) continue;
    seen.add(one.constructor.name);
    const names = fields.map((field) => camel(field.replace('?', '')));
    for (const name of Object.keys(one)) assert.ok(names.includes(name), `${one.constructor.name}.${name}`);
    for (const field of fields.filter((field) => !field.endsWith('?'))) {
      const name = camel(field);
      const optional = ['remainingMicros', 'restorable', 'due', 'nextDue', 'retention', 'verified'];
      assert.ok(name in one || optional.includes(name), `${one.constructor.name}.${name}`);
    }
  }
  const missing = [...known.keys()].filter((name) => !seen.has(name) && name !== 'Finding');
  assert.deepEqual(missing, [], 'objects that no call told');
});
