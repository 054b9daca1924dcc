/** What there is: backups, pins, clusters and repositories. */

import { StrongroomError } from './errors.js';
import { Moment, momentOf } from './moment.js';
import { readWindow, type Window } from './reports.js';
import { type Json, list, reads } from './told.js';

/** A check that found a backup whole. */
export class Verified {
  declare readonly when: Moment;
  declare readonly depth: string;
}

/** Counts and sizes of a backup in the catalogue. */
export class Size {
  declare readonly records: number;
  declare readonly deletes: number;
  declare readonly objects: number;
  declare readonly plainBytes: number;
  declare readonly storedBytes: number;
}

/** What keeps a backup from being deleted. */
export class Pin {
  declare readonly kind: string;
  declare readonly reason: string;
  declare readonly until?: Moment;
  declare readonly by?: string;
  declare readonly set?: Moment;
}
/** @internal */
export const readPin = reads(Pin, { until: momentOf, set: momentOf });

/** A backup in the catalogue. */
export class Backup {
  declare readonly id: string;
  declare readonly run: string;
  declare readonly kind: string;
  declare readonly part: string;
  declare readonly cluster: string;
  declare readonly window: Window;
  declare readonly status: string;
  declare readonly size: Size;
  declare readonly verified?: Verified;
  declare readonly created: Moment;
  declare readonly parent?: string;
  declare readonly timeline: string;
  declare readonly manifest: string;
  declare readonly codecs: readonly string[];
  declare readonly pins: readonly Pin[];
  declare readonly applies: string;
  declare readonly deletes: string;
  declare readonly filter: Json;
  declare readonly missing: Json;
  declare readonly nodes: Json;
  declare readonly keys: readonly string[];
  declare readonly copies: Json;
}

/** A run that has begun backups and not committed them: running, or to be resumed. */
export class Unfinished {
  declare readonly run: string;
  declare readonly begun: Moment;
  declare readonly backups: number;
}

/** The backups of a repository, oldest first: iterate over it, or look into `backups`. */
export class Catalogue {
  declare readonly backups: readonly Backup[];
  declare readonly unfinished: readonly Unfinished[];
  declare readonly complete: boolean;
  declare readonly quarantined: readonly Json[];
  declare readonly damaged: readonly string[];
  declare readonly condemned: readonly string[];

  [Symbol.iterator](): Iterator<Backup> {
    return this.backups[Symbol.iterator]();
  }

  /** How many backups there are. */
  get length(): number {
    return this.backups.length;
  }

  /** The backup of that id. */
  get(backup: string): Backup {
    const found = this.backups.find((one) => one.id === backup);
    if (found === undefined) throw new StrongroomError('NOT_FOUND', `no backup '${backup}' in the catalogue`);
    return found;
  }
}
/** @internal */
export const readCatalogue = reads(Catalogue, {
  backups: list(
    reads(Backup, {
      window: readWindow,
      size: reads(Size),
      verified: reads(Verified, { when: momentOf }),
      created: momentOf,
      pins: list(readPin),
    }),
  ),
  unfinished: list(reads(Unfinished, { begun: momentOf })),
});

/** What a repository is. */
export class RepositoryInfo {
  /** Its id. */
  declare readonly repository: string;
  declare readonly created: Moment;
  /** The codecs of new backups. */
  declare readonly codecs: readonly string[];
}
/** @internal */
export const readRepositoryInfo = reads(RepositoryInfo, { created: momentOf });

/** Who a cluster is. */
export class ClusterIdentity {
  declare readonly id: string;
  declare readonly name: string;
  declare readonly fingerprint: string;
}
/** @internal */
export const readClusterIdentity = reads(ClusterIdentity);

/** What a cluster is made of. */
export class Topology {
  declare readonly identity: ClusterIdentity;
  declare readonly version: string;
  declare readonly nodes: readonly Json[];
  declare readonly parts: Readonly<Record<string, Json>>;
}
/** @internal */
export const readTopology = reads(Topology, { identity: readClusterIdentity });
