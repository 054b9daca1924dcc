/**
 * The contract of storages, clusters and codecs as tests: one call in an adapter's own tests.
 *
 * ```js
 * import { storageContract } from 'strongroom/testing';
 * test('it keeps the contract', () => storageContract(new MyStorage()));
 * ```
 */

import assert from 'node:assert/strict';

import * as native from '../native.js';
import type { Cluster, Codec, Maybe, Storage } from './adapters.js';
import { take } from './errors.js';
import { fixturePort, nativeCodec, nativeStorage } from './port.js';

function judge(broken: string | null | undefined): void {
  if (broken !== null && broken !== undefined) assert.fail(broken);
}

/**
 * Checks every promise of a storage below `prefix`, where nothing may be yet. Moves about 50 MB. Rejects with an `AssertionError` with the promise
 * that is broken.
 */
export async function storageContract(storage: Storage, prefix = 'contract/'): Promise<void> {
  judge(take(await native.storageContract(nativeStorage(storage), prefix)));
}

/** Checks every promise of a codec. `binding` is what it notices: changed bytes, or frames in a wrong place too. */
export async function codecContract(codec: Codec, binding: 'none' | 'bytes' | 'place' = 'none'): Promise<void> {
  judge(take(await native.codecContract(nativeCodec(codec), binding)));
}

/** What `clusterContract` needs beside the cluster itself: a way to fill it, and to look into it. */
export interface ClusterFixture {
  readonly cluster: Cluster;
  /** Writes something new, and replaces and deletes something that is there. The same seed does the same. */
  change(seed: number): Maybe<void>;
  /** Everything that a backup must bring back, comparable: `part/whatever names it` to its bytes. */
  contents(): Maybe<{ [name: string]: Uint8Array }>;
  /** Another cluster of this kind that holds nothing and can be restored into. */
  freshTarget(): Maybe<ClusterFixture>;
}

/** Checks every promise of a cluster, as far as its capabilities say that it makes them. */
export async function clusterContract(fixture: ClusterFixture): Promise<void> {
  const [port, capabilities] = fixturePort(fixture);
  judge(take(await native.clusterContract(port, capabilities)));
}
