/** What the tests share: a folder, a cluster with a history, and a repository. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { EmbeddedCluster, Repository } from 'strongroom';

/** A folder that goes when the test has ended. */
export async function folder(t) {
  const path = await mkdtemp(join(tmpdir(), 'strongroom-node-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** An embedded cluster with a hundred records, and an empty repository. */
export async function begun(t) {
  const path = await folder(t);
  const cluster = await EmbeddedCluster.open(join(path, 'app.redb'), { create: true });
  const rows = Array.from({ length: 100 }, (_, number) => [number, { value: number }]);
  await cluster.putMany('app', rows, { set: 'users' });
  const repository = await Repository.init(join(path, 'backups'));
  return { path, cluster, repository, file: (name) => join(path, name) };
}
