/**
 * Backs up once, and prints the nanoseconds on the wall and of processor time that this took: `one-backup.mjs FILE REPOSITORY`.
 *
 * Started by the bench `overhead`, beside the same backup from Rust.
 */

import { OpenCluster, Repository } from 'strongroom';

const [file, folder] = process.argv.slice(2);
const cluster = await OpenCluster.open(`embedded:${file}`);
const repository = await Repository.init(folder);
const [wall, processor] = [process.hrtime.bigint(), process.cpuUsage()];
await repository.backup(cluster);
const spent = process.cpuUsage(processor);
console.log(String(process.hrtime.bigint() - wall), String((spent.user + spent.system) * 1000));
