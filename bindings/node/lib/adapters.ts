/**
 * Your own adapters: extend `Storage`, `Cluster` or `Codec`, and hand it over in place of a URL. Methods may be plain or async, except
 * those of codecs. Throw an error of Node.js (`ENOENT`, `ENOSPC` and so on) or a `StrongroomError`: both keep their meaning.
 * `strongroom/testing` has the contract of each as a test.
 */

import type { Moment, MomentLike } from './moment.js';

/** What a method gives, plain or async. */
export type Maybe<T> = T | Promise<T>;
/** Bytes, whole or one chunk after the other. */
export type Chunks = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** What a storage knows of an object. */
export interface ObjectMeta {
  key: string;
  size: number;
  modified?: Date;
}

/** An object being written. Nothing is visible before `finish`. */
export interface Upload {
  /** Takes the next bytes. */
  write(chunk: Buffer): Maybe<void>;
  /** Makes the object visible, durably. Throws `EEXIST` or `ALREADY_EXISTS` if it had to be new and is there. */
  finish(): Maybe<ObjectMeta>;
  /** Gives it up: it never existed. */
  abort?(): Maybe<void>;
}

/** Where backups rest: five methods. */
export abstract class Storage {
  /** Begins an object. With `create-new`, of several racers exactly one wins; what is there stays. */
  abstract create(key: string, mode: 'create-new' | 'overwrite'): Maybe<Upload>;
  /**
   * The bytes of an object, or those from the first up to before the second number. Throws `NOT_FOUND` (or `ENOENT`), and
   * `INVALID` (or a `RangeError`) for a range that reaches past the end.
   */
  abstract read(key: string, range: readonly [number, number] | undefined): Maybe<Chunks>;
  /** Size and time of an object. Throws `NOT_FOUND` only when it is not there. */
  abstract stat(key: string): Maybe<ObjectMeta>;
  /** Every object whose key begins with `prefix`, which is empty or ends with `/`. */
  abstract list(prefix: string): Maybe<Iterable<ObjectMeta> | AsyncIterable<ObjectMeta>>;
  /** Deletes an object. A missing one is no error. */
  abstract delete(key: string): Maybe<void>;
}

/** What a cluster can do. */
export interface Capabilities {
  /** Hands out the changes since a moment. */
  incremental?: boolean;
  /** Hands out deletes too. */
  deletesSeen?: boolean;
  /** Can empty what a restore is about to fill. */
  truncate?: boolean;
  /** How many pieces it likes to have read or written at once; 0 = no opinion. */
  parallelism?: number;
}

/** What a part holds: its tables with their counts, where they are told cheaply. */
export interface Part {
  tables?: { readonly [name: string]: number | null };
  records?: number;
  bytes?: number;
}

/** Who a cluster is, and what it holds. `id` is a UUID that is the cluster's own for ever. */
export interface Description {
  id: string;
  name: string;
  parts: { readonly [name: string]: Part };
  fingerprint?: string;
  version?: string;
}

/** What of a part is meant. What is left out means everything. */
export interface Filter {
  tables?: readonly string[];
  bins?: readonly string[];
  partitions?: readonly number[];
  expression?: string;
}

/** What shall be frozen: `parts` with their filters, or all; and for each incremental since when. */
export interface FreezeRequest {
  parts: { readonly [part: string]: Filter } | undefined;
  since: { readonly [part: string]: Moment };
}

/** An independently readable unit of a backup: any process that reaches the cluster can read it from this alone. */
export interface PieceSpec {
  name: string;
  kind?: 'schema' | 'data' | 'deletes' | 'log';
  bytes?: number;
  /** What it needs to be read, as JSON can tell it. */
  detail?: any;
  place?: string;
  group?: string;
  content?: string;
}

/** One frozen part: every change up to `until` is in, none after `settled`. `from` is that of an incremental. */
export interface FrozenPart {
  part: string;
  until: MomentLike;
  pieces: readonly PieceSpec[];
  from?: MomentLike | undefined;
  /** Left out: the same as `until`. */
  settled?: MomentLike;
  /** `cover`: from any state in the window, the last write wins. `exact` (the default): only onto what came before. */
  applies?: 'cover' | 'exact';
  deletes?: 'seen' | 'unseen';
  filter?: Filter;
  missing?: readonly string[];
  notes?: readonly string[];
}

/** What was in a piece: given after its last bytes. */
export class PieceSummary {
  readonly records: number;
  readonly deletes: number;
  readonly definitions: number;
  readonly settled: MomentLike | undefined;

  constructor(told: { records?: number; deletes?: number; definitions?: number; settled?: MomentLike } = {}) {
    this.records = told.records ?? 0;
    this.deletes = told.deletes ?? 0;
    this.definitions = told.definitions ?? 0;
    this.settled = told.settled;
  }
}

/** How a restore is done. */
export interface RestoreSettings {
  truncate: boolean;
  conflict: 'replace' | 'keep' | 'newer';
  rename: { readonly [part: string]: string };
  now: Moment | undefined;
  noDefinitions: boolean;
  noData: boolean;
  definitionsLast: boolean;
}

/** A restore in progress. `detail` is what `Cluster.beginRestore` gave. */
export interface RestoreSession {
  id: string;
  options: RestoreSettings;
  detail: any;
}

/** What became of the records of a piece. */
export interface AppliedCounts {
  written?: number;
  deleted?: number;
  kept?: number;
  expired?: number;
  filtered?: number;
  definitions?: number;
}

/** The bytes of a piece that is restored, to be iterated over to their end. */
export interface PieceBody extends AsyncIterable<Buffer> {
  /** All of them: only for pieces that are known to be small. */
  read(): Promise<Buffer>;
}

/** What is backed up, and restored into: a cluster that hands out and takes in pieces of bytes. */
export abstract class Cluster {
  /** What it can do. Never async. */
  capabilities(): Capabilities {
    return {};
  }

  /** Who it is and what it holds. */
  abstract describe(): Maybe<Description>;

  /** Fixes a state and cuts it into pieces. Throws `BROKEN_CHAIN` for a moment before what it can still tell: a base is needed. */
  abstract freeze(request: FreezeRequest): Maybe<readonly FrozenPart[]>;

  /** The bytes of a piece, then its `PieceSummary`. May be called again for the same piece. */
  abstract read(piece: PieceSpec): Maybe<Iterable<Uint8Array | PieceSummary> | AsyncIterable<Uint8Array | PieceSummary>>;

  /** Lets go of what was frozen. Called on success, failure and cancel; twice is no error. */
  release(_frozen: readonly FrozenPart[]): Maybe<void> {}

  /** Whether the history of a part leads from a state frozen at `until` to now. `undefined`: it can't tell. */
  remembers(_part: string, _until: Moment): Maybe<boolean | undefined> {
    return undefined;
  }

  /** What makes a restore impossible; nothing = go. Changes nothing. */
  checkRestore(_parts: { readonly [part: string]: any }, _options: RestoreSettings): Maybe<readonly string[]> {
    return [];
  }

  /** Begins a restore. The only call that truncates. Gives what it needs to go on, as JSON can tell it. */
  beginRestore(_id: string, _parts: { readonly [part: string]: any }, _options: RestoreSettings): Maybe<unknown> {
    return undefined;
  }

  /** Writes one piece: iterate over `body` to its end. Writing it twice is the same as once. */
  abstract write(session: RestoreSession, step: number, part: string, piece: PieceSpec, body: PieceBody): Maybe<AppliedCounts>;

  /** The barrier after the last piece of a step. Twice is once. */
  sealStep(_session: RestoreSession, _step: number): Maybe<void> {}

  /** Ends a restore, and gives warnings. Twice is once. */
  finishRestore(_session: RestoreSession): Maybe<readonly string[] | void> {}

  /** Gives up a restore and frees what was staged. What was written stays. */
  abortRestore(_session: RestoreSession): Maybe<void> {}
}

/** Codes the frames of one part of a backup, in any order. Never async. */
export interface FrameCoder {
  /** The coded form of a frame of at most 1 MiB and a little more. */
  encode(index: number, last: boolean, plain: Buffer): Uint8Array;
  /** The plain form, at most `limit` bytes. Throws anything for bytes that `encode` did not make. */
  decode(index: number, last: boolean, coded: Buffer, limit: number): Uint8Array;
}

/**
 * How bytes are packed and locked. `id` is its name in every manifest: letters, digits, `-` and `:`. It runs on JavaScript's one thread, so
 * that it costs your event loop what it takes.
 */
export abstract class Codec {
  abstract readonly id: string;
  /** A coder for the frames of one part; `salt` are fresh random bytes of this very writing. */
  abstract begin(repository: string, part: string, salt: Buffer): FrameCoder;
}
