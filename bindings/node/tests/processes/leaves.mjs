/** leaves.mjs WAY CLUSTER REPOSITORY: a process that ends in a way of its own while a job runs. */

import { EmbeddedCluster, Repository } from 'strongroom';

const [way, file, where] = process.argv.slice(2);
const cluster = await EmbeddedCluster.open(file);
const repository = await Repository.init(where);
if (way === 'open-state') {
  await repository.backup(cluster);
  await repository.inspect();
} else if (way === 'whole') {
  // Nobody awaits it at the top level: the process lives until it has ended.
  repository.backup(cluster).then((report) => console.log('ended', report.backups.length));
} else {
  const job = repository.backup(cluster, { limitRate: '1KiB' });
  for await (const event of job) {
    if (event.plainBytes > 0) break;
  }
  if (way === 'exit') process.exit(0);
  throw new Error('thrown on purpose');
}
