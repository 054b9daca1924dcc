/** Between the native half and adapters written in JavaScript: it never throws; what an adapter threw is told as data. */

import * as native from '../native.js';
import type * as adapters from './adapters.js';
import { PieceSummary } from './adapters.js';
import { failureOf, invalid, StrongroomError, take } from './errors.js';
import { momentOf, momentToJson } from './moment.js';
import { camel, type Json } from './told.js';

const PAGE = 256;

/** Something that goes on: an upload, or what is iterated over. */
interface Going {
  upload?: adapters.Upload;
  items?: AsyncIterator<unknown> | Iterator<unknown>;
}

/** What goes on, by the name under which the native half asks for it. */
class Goings {
  readonly #goings = new Map<string, Going>();
  #last = 0;

  begin(going: Going): string {
    const name = String(++this.#last);
    this.#goings.set(name, going);
    return name;
  }

  get(name: string): Going {
    const going = this.#goings.get(name);
    if (going === undefined) throw new StrongroomError('INTERNAL', 'what was asked for has ended');
    return going;
  }

  end(name: string): Going | undefined {
    const going = this.#goings.get(name);
    this.#goings.delete(name);
    return going;
  }
}

function iterated(source: unknown): AsyncIterator<unknown> | Iterator<unknown> {
  if (source instanceof Uint8Array) return [source][Symbol.iterator]();
  const some = source as Partial<AsyncIterable<unknown> & Iterable<unknown>> | null | undefined;
  const items = some?.[Symbol.asyncIterator]?.() ?? some?.[Symbol.iterator]?.();
  if (items === undefined) throw invalid('an adapter gave nothing that can be iterated over', 'give an (async) iterable of Buffers');
  return items;
}

function bytesOf(chunk: unknown): Buffer {
  if (!(chunk instanceof Uint8Array)) throw invalid(`an adapter gave ${typeof chunk}`, 'give bytes: a Buffer or Uint8Array');
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function meta(told: adapters.ObjectMeta): Json {
  return { key: told.key, size: told.size, modified: momentToJson(told.modified) };
}

type Method = (argument: Json, bytes: Buffer | null | undefined, body: native.Body | null | undefined) => unknown;
type Methods = { [name: string]: Method };
/** What the native half calls. */
type Port = (
  adapter: number,
  method: string,
  argument: string,
  bytes?: Buffer | null,
  body?: native.Body | null,
) => Promise<native.Told>;

/** The methods of what goes on, the same for every adapter. */
function goingMethods(goings: Goings, item: (value: unknown) => native.Told): Methods {
  return {
    next: async (name: string) => {
      const { items } = goings.get(name);
      const { done, value } = (await items?.next()) ?? { done: true, value: undefined };
      if (done) goings.end(name);
      return done ? {} : item(value);
    },
    giveUp: async (name: string) => {
      const going = goings.end(name);
      await going?.upload?.abort?.();
      await going?.items?.return?.();
    },
  };
}

/** Calls one of several sets of methods, and tells what came of it. */
function portOf(adapter: (number: number) => Methods): Port {
  return async (number, method, argument, bytes, body) => {
    try {
      const called = adapter(number)[method];
      if (called === undefined) throw new StrongroomError('INTERNAL', `an adapter has no method '${method}'`);
      const given = await called(JSON.parse(argument), bytes, body);
      if (given instanceof Told) return given.told;
      return given === undefined ? {} : { text: JSON.stringify(given) };
    } catch (error) {
      return { failure: failureOf(error) };
    }
  };
}

/** Something that is told as it is. */
class Told {
  constructor(readonly told: native.Told) {}
}

function begun(goings: Goings, going: Going): Told {
  return new Told({ text: goings.begin(going) });
}

function chunk(value: unknown): native.Told {
  return { bytes: bytesOf(value) };
}

function wrapped(methods: Methods): Methods {
  const next = methods.next as Method;
  return { ...methods, next: async (...asked) => new Told((await next(...asked)) as native.Told) };
}

function storageMethods(storage: adapters.Storage): Methods {
  const goings = new Goings();
  return {
    ...wrapped(goingMethods(goings, chunk)),
    create: async ([key, mode]) => begun(goings, { upload: await storage.create(key, mode) }),
    write: async (name, bytes) => goings.get(name).upload?.write(bytes ?? Buffer.alloc(0)),
    finish: async (name) => {
      const finished = await (goings.get(name).upload as adapters.Upload).finish();
      goings.end(name);
      return meta(finished);
    },
    read: async ([key, range]) => begun(goings, { items: iterated(await storage.read(key, range ?? undefined)) }),
    stat: async ([key]) => meta(await storage.stat(key)),
    list: async ([prefix]) => begun(goings, { items: iterated(await storage.list(prefix)) }),
    page: async (name) => {
      const { items } = goings.get(name);
      const page: Json[] = [];
      while (page.length < PAGE) {
        const { done, value } = (await items?.next()) ?? { done: true, value: undefined };
        if (done) break;
        page.push(meta(value as adapters.ObjectMeta));
      }
      if (page.length === 0) goings.end(name);
      return page;
    },
    delete: async ([key]) => storage.delete(key),
  };
}

function camelled(told: Json): Json {
  return Object.fromEntries(Object.entries(told).map(([name, value]) => [camel(name), value ?? undefined]));
}

function described(about: adapters.Description): Json {
  const { id, name, parts, fingerprint = '', version = '' } = about;
  const identity = { id: id.replaceAll('-', ''), name, fingerprint };
  const told = Object.entries(parts).map(([part, one]) => [part, { tables: {}, ...one }]);
  return { identity, version, nodes: [{ id: name || 'node' }], parts: Object.fromEntries(told) };
}

/** A moment as microseconds; a text is read by JavaScript, to the millisecond. */
function micros(moment: adapters.FrozenPart['until']): number {
  const told = momentToJson(moment);
  return typeof told === 'number' ? told : Date.parse(told as string) * 1000;
}

function partToJson(part: adapters.FrozenPart): Json {
  const until = micros(part.until);
  const settled = part.settled === undefined ? until : micros(part.settled);
  return {
    part: part.part,
    filter: part.filter ?? {},
    window: { until, settled, ...(part.from === undefined ? {} : { from: micros(part.from) }) },
    applies: part.applies ?? 'exact',
    deletes: part.deletes ?? 'unseen',
    pieces: part.pieces.map((piece) => ({ kind: 'data', ...piece })),
    missing: part.missing ?? [],
    notes: part.notes ?? [],
  };
}

function partFromJson(told: Json): adapters.FrozenPart {
  const { window, ...part } = told;
  const from = window.from === undefined || window.from === null ? undefined : momentOf(window.from);
  return { ...camelled(part), from, until: momentOf(window.until), settled: momentOf(window.settled) };
}

function settings(told: Json): adapters.RestoreSettings {
  const read = camelled(told);
  const defaults = { truncate: false, conflict: 'replace', rename: {}, noDefinitions: false, noData: false, definitionsLast: false };
  return { ...defaults, ...read, now: read.now === undefined ? undefined : momentOf(read.now) };
}

function sessionOf(told: Json): adapters.RestoreSession {
  return { id: told.id, options: settings(told.options), detail: told.detail ?? undefined };
}

function summarised(value: unknown): native.Told {
  if (!(value instanceof PieceSummary)) return chunk(value);
  return { text: JSON.stringify({ ...value, settled: momentToJson(value.settled) }) };
}

function bodyOf(body: native.Body): adapters.PieceBody {
  async function* chunks(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const given = take(await body.next());
      if (given === null || given === undefined) return;
      yield given;
    }
  }
  return {
    [Symbol.asyncIterator]: chunks,
    read: async () => {
      const all: Buffer[] = [];
      for await (const one of chunks()) all.push(one);
      return Buffer.concat(all);
    },
  };
}

function clusterMethods(cluster: adapters.Cluster): Methods {
  const goings = new Goings();
  const going = goingMethods(goings, summarised);
  return {
    ...going,
    // The summary is told with the end of the bytes.
    next: async (name, ...more) => {
      const told = (await (going.next as Method)(name, ...more)) as native.Told;
      if (told.text !== undefined && told.text !== null) goings.end(name);
      return new Told(told);
    },
    describe: async () => described(await cluster.describe()),
    freeze: async ([request]) => {
      const since = Object.entries(request.since as Record<string, number>).map(([part, at]) => [part, momentOf(at)]);
      const found = await cluster.freeze({ parts: request.scope.parts ?? undefined, since: Object.fromEntries(since) });
      return { parts: found.map(partToJson) };
    },
    read: async ([piece]) => begun(goings, { items: iterated(await cluster.read(piece)) }),
    release: async ([frozen]) => cluster.release(frozen.parts.map(partFromJson)),
    remembers: async ([part, until]) => (await cluster.remembers(part, momentOf(until))) ?? null,
    checkRestore: async ([outline, options]) => {
      return { refusals: await cluster.checkRestore(outline.parts, settings(options)), warnings: [] };
    },
    beginRestore: async ([id, outline, options]) => {
      return (await cluster.beginRestore(id, outline.parts, settings(options))) ?? null;
    },
    write: async ([session, step, part, piece], _bytes, body) => {
      const counts = await cluster.write(sessionOf(session), step, part, piece, bodyOf(body as native.Body));
      return { written: 0, deleted: 0, kept: 0, expired: 0, filtered: 0, definitions: 0, ...counts };
    },
    sealStep: async ([session, step]) => cluster.sealStep(sessionOf(session), step),
    finishRestore: async ([session]) => ({ warnings: (await cluster.finishRestore(sessionOf(session))) ?? [] }),
    abortRestore: async ([session]) => cluster.abortRestore(sessionOf(session)),
  };
}

function abilities(cluster: adapters.Cluster): string {
  const { incremental = false, deletesSeen = false, truncate = false, parallelism = 0 } = cluster.capabilities();
  const never = { held_snapshots: false, log_archive: false, fold: false, definitions_last: false };
  return JSON.stringify({ ...never, incremental, deletes_seen: deletesSeen, truncate, parallelism });
}

/** @internal */
export function nativeStorage(storage: adapters.Storage): native.Storage {
  const methods = storageMethods(storage);
  return native.Storage.of(portOf(() => methods));
}

/** @internal */
export function nativeCluster(cluster: adapters.Cluster): native.Cluster {
  const methods = clusterMethods(cluster);
  return take(native.Cluster.of(portOf(() => methods), abilities(cluster)));
}

/**
 * Fixtures of a contract test: the native half asks for each by its number.
 * @internal
 */
export function fixturePort(fixture: FixtureLike): [Port, string] {
  const fixtures: Methods[] = [];
  const add = (one: FixtureLike): number => {
    const methods = clusterMethods(one.cluster);
    return (
      fixtures.push({
        ...methods,
        'fixture.change': async ([seed]) => one.change(seed),
        'fixture.contents': async () => {
          const told = Object.entries(await one.contents());
          return Object.fromEntries(told.map(([name, bytes]) => [name, bytesOf(bytes).toString('base64')]));
        },
        'fixture.freshTarget': async () => add(await one.freshTarget()),
      }) - 1
    );
  };
  add(fixture);
  return [portOf((number) => fixtures[number] ?? {}), abilities(fixture.cluster)];
}

/** What a contract test of clusters needs. */
interface FixtureLike {
  cluster: adapters.Cluster;
  change(seed: number): adapters.Maybe<void>;
  contents(): adapters.Maybe<{ [name: string]: Uint8Array }>;
  freshTarget(): adapters.Maybe<FixtureLike>;
}

/** @internal */
export function nativeCodec(codec: adapters.Codec): native.Codec {
  const coders = new Map<string, adapters.FrameCoder>();
  let last = 0;
  const called = (method: string, argument: Json, bytes: Buffer): native.Told => {
    if (method === 'begin') {
      const [repository, part] = argument;
      const name = String(++last);
      coders.set(name, codec.begin(repository, part, bytes));
      return { text: name };
    }
    const [name, index, ended, limit] = argument;
    const coder = coders.get(name) as adapters.FrameCoder;
    return chunk(method === 'encode' ? coder.encode(index, ended, bytes) : coder.decode(index, ended, bytes, limit));
  };
  return take(
    native.Codec.of(codec.id, (method, argument, bytes) => {
      if (method === 'end') {
        coders.delete(argument);
        return {};
      }
      try {
        return called(method, JSON.parse(argument), bytes ?? Buffer.alloc(0));
      } catch (error) {
        return { failure: failureOf(error) };
      }
    }),
  );
}
