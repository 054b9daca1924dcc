type Answer<T> = T | Failure
type Place = string | Storage
type Party = string | Cluster

/**
 * Which binding artifact the generated loader actually loaded: `'native'` for
 * a native addon, otherwise the `platformArchABI` of the WASI flavor. Every
 * flavor napi-rs can build is listed, because `NAPI_RS_NATIVE_LIBRARY_PATH`
 * can point the loader at a WASI artifact this package does not build itself.
 */
export declare const __napiBindingTarget: 'native' | 'wasm32-wasi' | 'wasm32-wasip1'

/** The bytes of a piece, one chunk after the other. */
export declare class Body {
  /** The next bytes; nothing after the last ones. */
  next(): Promise<Answer<Buffer | undefined | null>>
}

/** A cluster, until it is closed. */
export declare class Cluster {
  /** A cluster written in JavaScript, with what it can do as JSON: see `lib/port.ts`. */
  static of(port: (adapter: number, method: string, argument: string, bytes?: Buffer | null, body?: Body | null) => Promise<Told>, capabilities: string): Answer<Cluster>
  /** Who it is and what it holds, as JSON. */
  describe(): Promise<Answer<string>>
  /** What it can do, as JSON. */
  capabilities(): Answer<string>
  /** Lets go of it, and of the file of a state that is looked into. What works with it goes on to its end. */
  close(): void
  /** Its records, which only an embedded one gives. */
  records(): Answer<Records>
}

/** A codec. */
export declare class Codec {
  /** A codec written in JavaScript, with its name. */
  static of(id: string, port: (method: string, argument: string, bytes?: Buffer | null) => Told): Answer<Codec>
}

/** The events of a job, for one listener. */
export declare class Events {
  /** The next event as JSON; nothing after the last one. */
  next(): Promise<Answer<string | undefined | null>>
}

/** A running job. When nothing holds it any more it is cancelled. */
export declare class Job {
  /** What it does, in one word. */
  get name(): string
  /** Whether it has ended. */
  get done(): boolean
  /** Asks it to end. */
  cancel(): void
  /** The counters, as JSON. */
  progress(): string
  /** Ends when the job has, with its outcome. */
  ended(): Promise<Outcome>
  /** Its events from now on. */
  events(): Events
}

/** Where the records of an embedded cluster are written and read. */
export declare class Records {
  /** Writes records, `[key, bins]` each, in one transaction. `expires` is in seconds since 1970; nothing: never. */
  put(namespace: string, set: string | undefined | null, rows: string, expires?: number | undefined | null): Promise<Answer<undefined>>
  /** Deletes records by their keys, in one transaction. Gives how many were there. */
  delete(namespace: string, set: string | undefined | null, keys: string): Promise<Answer<number>>
  /** Deletes every record, leaving tombstones. Gives how many were there. */
  empty(namespace: string, sets?: Array<string> | undefined | null): Promise<Answer<number>>
  /** One record by its key; nothing: it is not there. */
  get(namespace: string, set: string | undefined | null, key: string, now?: string | undefined | null): Promise<Answer<string | undefined | null>>
  /** All records, as they are now. */
  scan(namespace: string, sets?: Array<string> | undefined | null, now?: string | undefined | null): Promise<Answer<Scan>>
  /** The namespaces with their sets and counts, as JSON. */
  namespaces(): Promise<Answer<string>>
  /** One hash over all records of a namespace, wherever they are: the same for the same records. */
  hash(namespace: string): Promise<Answer<string>>
}

/** An open repository. */
export declare class Repository {
  /** What it is, as JSON. */
  info(): string
  /** Its backups. */
  catalogue(of: string): Promise<Answer<string>>
  /** The clusters whose backups are here. */
  clusters(): Promise<Answer<string>>
  /** A plan. */
  plan(choice: string): Promise<Answer<string>>
  /** Why a plan is as it is: `[explanation, its text]`. */
  explain(choice: string): Promise<Answer<string>>
  /** Whether a moment can be restored: `[check, its text]`. */
  check(choice: string): Promise<Answer<string>>
  /** Which moments can be restored: `[windows, their text]`. */
  windows(of: string): Promise<Answer<string>>
  /** Sets pins or holds. */
  pin(pinning: string): Promise<Answer<string>>
  /** Takes pins or holds off: gives those that were. */
  unpin(backups: string, hold: boolean, by: string): Promise<Answer<string>>
  /** Begins a backup. */
  backup(cluster: Party, options: string, codecs?: string | undefined | null): Job
  /** Goes on with an interrupted backup. */
  resume(cluster: Party, options: string, codecs?: string | undefined | null): Job
  /** Begins a restore of a plan, or of what is chosen. Nothing of the target is made before there is a plan. */
  restore(into: Party, plan: string | undefined | null, choice: string, options: string, journal?: Place | undefined | null, staging?: Place | undefined | null): Job
  /** Restores what is chosen into a file of its own, to be looked into. */
  inspect(choice: string, pace: string): Promise<Answer<Cluster>>
  /** Begins a check. */
  verify(options: string): Job
  /** Begins a copy. */
  copy(to: Place, options: string): Job
  /** Begins a prune by a policy. */
  prune(options: string): Job
  /** Begins to delete backups by their ids. */
  delete(options: string): Job
  /** Begins to merge a chain into a new base. */
  synthesize(options: string, codecs?: string | undefined | null): Job
}

/** Records, one batch after the other. */
export declare class Scan {
  /** The next records as JSON, at most so many; none: that was all. */
  batch(most: number): Promise<Answer<string>>
}

/** Profiles, and what is opened with them. */
export declare class Session {
  /** With the profiles of a file, or without any, and with codecs written in JavaScript. */
  static open(profiles: string | undefined | null, codecs: Array<Codec>): Answer<Session>
  /** Makes a repository, with reader keys by name. */
  init(place: Place, codecs: string | undefined | null, keys: Array<string>): Promise<Answer<Repository>>
  /** Opens a repository; `keys` are those of its profile where none is named. */
  repository(place: Place, codecs: string | undefined | null, keys: Array<string>): Promise<Answer<Repository>>
  /** Opens a cluster: `access` is `read`, `write` or `create`, which concerns embedded ones. */
  cluster(name: string, access: string): Promise<Answer<Cluster>>
  /** Opens a storage. */
  storage(name: string): Answer<Storage>
  /** The text of a new key. */
  newKey(): Answer<string>
}

/** A storage. */
export declare class Storage {
  /** A storage written in JavaScript: see `lib/port.ts`. */
  static of(port: (adapter: number, method: string, argument: string, bytes?: Buffer | null, body?: Body | null) => Promise<Told>): Storage
}

/** The contract of clusters: `port` is both the cluster and what fills it, looks into it, and makes another one. */
export declare function clusterContract(port: (adapter: number, method: string, argument: string, bytes?: Buffer | null, body?: Body | null) => Promise<Told>, capabilities: string): Promise<Answer<string | undefined | null>>

/** The contract of codecs: `binding` is what this one notices, `none`, `bytes` or `place`. */
export declare function codecContract(codec: Codec, binding: string): Promise<Answer<string | undefined | null>>

/** Every code, in the order of the documentation. */
export declare function codes(): Array<string>

/** What went wrong. */
export interface Failure {
  /** The same in every language. */
  code: string
  /** What happened. */
  message: string
  /** What to do. */
  advice?: string
  /** Why, one line each, from the outermost. */
  causes: Array<string>
  /** What an adapter threw, by its number. */
  raised?: number
}

/** How a job ended: both where something of it failed and the rest was done. */
export interface Outcome {
  /** Its report, as JSON. */
  report?: string
  /** What went wrong. */
  failure?: Failure
}

/** An address without its secrets, to be shown. */
export declare function redact(place: string): string

/** The contract of storages. */
export declare function storageContract(storage: Storage, prefix: string): Promise<Answer<string | undefined | null>>

/** What a call came to. */
export interface Told {
  /** What the adapter threw. */
  failure?: Failure
  /** An answer: JSON, or the name of something that goes on, such as an upload. */
  text?: string
  /** Bytes, one chunk of several. */
  bytes?: Buffer
}

/** The version of the package. */
export declare const VERSION: string
