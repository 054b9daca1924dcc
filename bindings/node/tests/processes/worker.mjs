/** Counts the records of a repository in a thread of its own. */

import { parentPort, workerData } from 'node:worker_threads';

import { Repository } from 'strongroom';

const repository = await Repository.open(workerData);
const state = await repository.inspect();
let records = 0;
for await (const batch of state.batches('app')) records += batch.length;
state.close();
parentPort.postMessage(records);
