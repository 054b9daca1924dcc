/** Errors: real ones, with the code that they have in every language, and what to do. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EmbeddedCluster, Repository, StrongroomError } from 'strongroom';

import { begun, folder } from './temporary.mjs';

test('an error is an Error with code, advice and the caller in its stack', async (t) => {
  const path = await folder(t);
  async function theCaller() {
    await Repository.open(`${path}/nothing`);
  }
  await assert.rejects(theCaller, (error) => {
    assert.ok(error instanceof StrongroomError && error instanceof Error);
    assert.equal(error.code, 'NOT_FOUND');
    assert.match(error.stack, /theCaller/);
    assert.match(String(error), /NOT_FOUND/);
    return true;
  });
});

test('each kind of failure has its code', async (t) => {
  const { cluster, repository, path } = await begun(t);
  await assert.rejects(Repository.init(`${path}/backups`), { code: 'ALREADY_EXISTS' });
  await assert.rejects(Repository.init(`${path}/other`, { codecs: 'brotli' }), { code: 'UNSUPPORTED' });
  await assert.rejects(EmbeddedCluster.open(`${path}/nothing.redb`), { code: 'NOT_FOUND' });
  await assert.rejects(repository.plan(), { code: 'NOT_FOUND' });
  await repository.backup(cluster);
  await assert.rejects(repository.plan({ at: '2001-01-01T00:00:00Z' }), { code: 'BROKEN_CHAIN' });
  await assert.rejects(repository.plan({ at: 'yesterday' }), { code: 'INVALID' });
  await assert.rejects(repository.backup('embedded:/nowhere/app.redb'), { code: 'NOT_FOUND' });
  await assert.rejects(repository.restore(`embedded:${path}/x.redb`, { noData: true, noDefinitions: true }), { code: 'INVALID' });
});

test('an option that is not there is no default', async (t) => {
  const { cluster, repository } = await begun(t);
  assert.throws(() => repository.backup(cluster, { dryrun: true }), (error) => {
    assert.equal(error.code, 'INVALID');
    assert.match(error.message, /backup has no option 'dryrun'/);
    assert.match(error.advice, /dryRun/);
    return true;
  });
  await assert.rejects(repository.plan({ nearest: true }), { code: 'INVALID' });
  await assert.rejects(repository.plan({ at: new Date('x') }), { code: 'INVALID' });
});

test('no secret of a URL is in an error', async () => {
  const url = 's3://bucket/x?endpoint=http://127.0.0.1:1&access_key_id=AKID&secret_access_key=hush-hush&retries=0';
  await assert.rejects(Repository.open(url), (error) => !`${error}${error.stack}${JSON.stringify(error)}`.includes('hush-hush'));
});
