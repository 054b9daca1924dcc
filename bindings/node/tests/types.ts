/** What a user's program in TypeScript may rely on: compiled strictly against the declarations that are shipped. */

import {
  type BackupReport,
  EmbeddedCluster,
  type Job,
  type Key,
  type Moment,
  Plan,
  type Progress,
  Repository,
  StrongroomError,
  type Value,
} from 'strongroom';

export async function nightly(repository: Repository, signal: AbortSignal): Promise<Moment> {
  const job: Job<BackupReport> = repository.backup('aerospike://127.0.0.1:3000', { kind: 'auto', part: ['test'], signal });
  for await (const event of job) {
    const told: Progress = event;
    console.log(told.fraction.toFixed(2));
  }
  const report = await job;
  const [made] = report.backups;
  if (made === undefined) throw new StrongroomError('INTERNAL', 'nothing was made');
  const plan: Plan = await repository.plan({ at: made.window.until });
  await repository.restore('embedded:drill.redb', { plan: Plan.from(JSON.stringify(plan)) });
  return made.window.until;
}

export async function look(path: URL): Promise<Array<[Key | undefined, Value | undefined]>> {
  using cluster = await EmbeddedCluster.open(path, { readOnly: true });
  const found: Array<[Key | undefined, Value | undefined]> = [];
  for await (const record of cluster.scan('test')) found.push([record.key, record.get('n')]);
  return found;
}

export async function refused(repository: Repository): Promise<void> {
  // @ts-expect-error an option that is not there
  await repository.plan({ nearest: true });
  // @ts-expect-error a kind that is not there
  await repository.backup('x', { kind: 'full' });
  // @ts-expect-error a hold needs a reason
  await repository.hold('id', {});
}
