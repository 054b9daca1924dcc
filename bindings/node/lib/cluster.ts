/** Clusters: any one by its URL, and embedded ones record by record. */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import * as native from '../native.js';
import { Cluster, type Codec, Storage } from './adapters.js';
import { readTopology, type Topology } from './catalogue.js';
import { StrongroomError, invalid, take } from './errors.js';
import { type MomentLike, momentToJson } from './moment.js';
import { nativeCluster, nativeCodec, nativeStorage } from './port.js';
import { type Json } from './told.js';
import { type Key, Record, toJson, type Value } from './value.js';

/** A folder or file as text or as a `file:` URL, another URL, or a name in the profiles. */
export type Place = string | URL;

/** Where backups rest: a place, or a storage of your own. */
export type StorageLike = Place | Storage;

/** A cluster that is opened, one of your own, its name in the profiles, its URL, or the file of an embedded one as a `file:` URL. */
export type ClusterLike = string | URL | AnyCluster | Cluster;

/** @internal */
export function placeOf(place: Place): string {
  return place instanceof URL ? (place.protocol === 'file:' ? fileURLToPath(place) : place.href) : place;
}

/** @internal */
export function storageAt(where: StorageLike): string | native.Storage {
  return where instanceof Storage ? nativeStorage(where) : placeOf(where);
}

/** @internal */
export function session(profiles?: Place, codecs: Iterable<Codec> = []): native.Session {
  const own = Array.from(codecs, nativeCodec);
  return take(native.Session.open(profiles === undefined ? undefined : placeOf(profiles), own));
}

/** @internal */
export function party(cluster: ClusterLike): string | native.Cluster {
  if (cluster instanceof AnyCluster) return cluster.native;
  if (cluster instanceof Cluster) return nativeCluster(cluster);
  if (cluster instanceof URL && cluster.protocol === 'file:') return `embedded:${fileURLToPath(cluster)}`;
  return cluster instanceof URL ? cluster.href : cluster;
}

function names(some: string | readonly string[] | undefined): string[] | undefined {
  return some === undefined ? undefined : typeof some === 'string' ? [some] : [...some];
}

/** What every open cluster tells. */
export abstract class AnyCluster {
  /** @internal */
  readonly native: native.Cluster;

  /** @internal */
  constructor(opened: native.Cluster) {
    this.native = opened;
  }

  /** Who it is and what it holds. */
  async describe(): Promise<Topology> {
    return readTopology(JSON.parse(take(await this.native.describe())));
  }

  /** What it can do. */
  capabilities(): Json {
    return JSON.parse(take(this.native.capabilities()));
  }

  /** Lets go of it, so that another process may open the file of an embedded one. What works with it goes on to its end. */
  close(): void {
    this.native.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** An open cluster. Most calls take its URL as well, so that it need not be opened before. */
export class OpenCluster extends AnyCluster {
  /**
   * Opens a cluster by its name in the profiles or its URL: `embedded:FILE`, `aerospike://HOST:3000` or
   * `cassandra://HOST:9042`. A live one is asked when it is first used.
   */
  static async open(cluster: string | URL, options: { profiles?: Place } = {}): Promise<OpenCluster> {
    const name = cluster instanceof URL ? cluster.href : cluster;
    return new OpenCluster(take(await session(options.profiles).cluster(name, 'write')));
  }
}

/** Which records are read. */
export interface ScanOptions {
  /** Only these sets. */
  set?: string | readonly string[];
  /** Leaves out what has expired at this moment. */
  now?: MomentLike;
  /** How many records are read at once. */
  batch?: number;
}

/** A record cluster in one file: for a quick start, for restore drills, for looking into backups. */
export class EmbeddedCluster extends AnyCluster {
  readonly path: string;
  readonly #records: native.Records;

  /** @internal */
  constructor(opened: native.Cluster, path: string) {
    super(opened);
    this.#records = take(opened.records());
    this.path = path;
  }

  /** Opens a file. With `create` it is made if it is not there. */
  static async open(path: Place, options: { create?: boolean; readOnly?: boolean } = {}): Promise<EmbeddedCluster> {
    if (options.create && options.readOnly) {
      throw invalid("a file that is made can't be read-only", 'give create or readOnly');
    }
    const access = options.create ? 'create' : options.readOnly ? 'read' : 'write';
    const file = resolve(placeOf(path));
    const name = `embedded:${file.replaceAll('%', '%25')}`;
    return new EmbeddedCluster(take(await session().cluster(name, access)), file);
  }

  /** Writes a record, replacing what is there. */
  put(namespace: string, key: Key, bins: { [name: string]: Value }, options: { set?: string; expires?: Date } = {}): Promise<void> {
    return this.putMany(namespace, [[key, bins]], options);
  }

  /** Writes records in one transaction: all of them, or none. */
  async putMany(
    namespace: string,
    records: Iterable<readonly [Key, { [name: string]: Value }]>,
    options: { set?: string; expires?: Date } = {},
  ): Promise<void> {
    const rows = Array.from(records, ([key, bins]) => [
      toJson(key),
      Object.fromEntries(Object.entries(bins).map(([name, value]) => [name, toJson(value)])),
    ]);
    const expires = options.expires === undefined ? undefined : Math.floor(options.expires.getTime() / 1000);
    take(await this.#records.put(namespace, options.set, JSON.stringify(rows), expires));
  }

  /** One record. Rejects with `NOT_FOUND` if it is not there. */
  async get(namespace: string, key: Key, options: { set?: string; now?: MomentLike } = {}): Promise<Record> {
    const asked = JSON.stringify(toJson(key));
    const found = take(await this.#records.get(namespace, options.set, asked, now(options)));
    if (found === null || found === undefined) {
      const what = typeof key === 'string' ? `'${key}'` : String(key);
      const advice = 'a key belongs to a set';
      throw new StrongroomError('NOT_FOUND', `no record with key ${what} in namespace '${namespace}'`, { advice });
    }
    return new Record(JSON.parse(found));
  }

  /** Deletes records, and says how many were there. */
  async delete(namespace: string, keys: Key | readonly Key[], options: { set?: string } = {}): Promise<number> {
    const some = Array.isArray(keys) ? keys : [keys];
    return take(await this.#records.delete(namespace, options.set, JSON.stringify(some.map(toJson))));
  }

  /** Deletes every record, or those of some sets, and says how many were there. */
  async empty(namespace: string, options: { set?: string | readonly string[] } = {}): Promise<number> {
    return take(await this.#records.empty(namespace, names(options.set)));
  }

  /** All records, in the state of now, whatever is written meanwhile. */
  async *scan(namespace: string, options: ScanOptions = {}): AsyncGenerator<Record, void, undefined> {
    for await (const batch of this.batches(namespace, { batch: 1024, ...options })) yield* batch;
  }

  /** The same in arrays of at most `batch` records: faster than one after the other. */
  async *batches(namespace: string, options: ScanOptions = {}): AsyncGenerator<Record[], void, undefined> {
    const { batch = 4096 } = options;
    if (!Number.isInteger(batch) || batch < 1 || batch > 0xffff_ffff) throw invalid(`batch ${batch}`, 'give a whole number from 1');
    const scan = take(await this.#records.scan(namespace, names(options.set), now(options)));
    for (;;) {
      const rows: Json[] = JSON.parse(take(await scan.batch(batch)));
      if (rows.length === 0) return;
      yield rows.map((row) => new Record(row));
    }
  }

  /** What is in it: by namespace the count of records, by set too, and the indexes. */
  async namespaces(): Promise<{ [name: string]: { records: number; sets: { [name: string]: number }; indexes: string[] } }> {
    return JSON.parse(take(await this.#records.namespaces()));
  }

  /** One hash over all records of a namespace: the same for the same records, wherever they are. */
  async hash(namespace: string): Promise<string> {
    return take(await this.#records.hash(namespace));
  }
}

function now(options: { now?: MomentLike }): string | undefined {
  return options.now === undefined ? undefined : JSON.stringify(momentToJson(options.now));
}

/** A state of a repository, to be looked into: a file that is deleted when this is closed, or when the process ends. */
export class Inspection extends EmbeddedCluster {
  /** @internal */
  constructor(opened: native.Cluster) {
    super(opened, 'a state of a repository');
  }
}
