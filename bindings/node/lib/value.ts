/** Keys and values of records: what the native half sends as JSON without loss, and back. */

import { invalid } from './errors.js';
import { momentOf, type Moment } from './moment.js';
import type { Json } from './told.js';

/** What a record is known by. Integers beyond 2^53 are `bigint`. */
export type Key = number | bigint | string | Uint8Array;

/** The value of a bin, or within a list or map. A `number` without a fraction is written as an integer. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Value[]
  | Map<Value, Value>
  | { [name: string]: Value }
  | Typed;

/** A value that JavaScript has no word for, such as GeoJSON: its type, and its bytes or text. It is read, never written. */
export class Typed {
  constructor(
    readonly type: string,
    readonly value: string | Uint8Array,
  ) {}
}

/** @internal */
export function toJson(value: unknown): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : { d: Number.isNaN(value) ? 'NaN' : value > 0 ? 'inf' : '-inf' };
    case 'bigint':
      return { i: value.toString() };
    case 'object':
      break;
    default:
      throw refused(typeof value);
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return { b: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  if (Array.isArray(value)) return value.map(toJson);
  if (value instanceof Map) return { m: [...value].map(([key, one]) => [toJson(key), toJson(one)]) };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    return { m: Object.entries(value).map(([key, one]) => [key, toJson(one)]) };
  }
  throw refused(value.constructor.name);
}

function refused(what: string): Error {
  return invalid(
    `a value of type ${what}`,
    'a value is a number, bigint, string, Uint8Array, boolean, array, Map or plain object; leave out what has none',
  );
}

/** @internal */
export function ofJson(value: Json): Value {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(ofJson);
  if (value.i !== undefined) return BigInt(value.i);
  if (value.d !== undefined) return Number(value.d.replace('inf', 'Infinity'));
  if (value.b !== undefined) return Buffer.from(value.b, 'base64');
  if (value.t !== undefined) return new Typed(value.t[0], ofJson(value.t[1]) as string | Uint8Array);
  const pairs = (value.m as [Json, Json][]).map(([key, one]): [Value, Value] => [ofJson(key), ofJson(one)]);
  // An object would put keys that look like numbers first, and take one for the prototype.
  const plain = pairs.every(([key]) => typeof key === 'string' && key !== '__proto__' && !/^\d+$/.test(key));
  return plain ? (Object.fromEntries(pairs) as { [name: string]: Value }) : new Map(pairs);
}

/** A record. */
export class Record {
  /** The namespace it is in. */
  readonly namespace: string;
  /** The set it is in, if any. */
  readonly set: string | undefined;
  /** What a server knows it by, in hexadecimal digits. */
  readonly digest: string;
  /** How often it was written. */
  readonly generation: number;
  readonly #key: Json;
  readonly #expires: number | null;
  readonly #bins: { [name: string]: Json };

  /** @internal */
  constructor(row: Json) {
    [this.namespace, , , this.digest, this.generation] = row;
    this.set = row[1] ?? undefined;
    this.#key = row[2];
    this.#expires = row[5];
    this.#bins = row[6];
  }

  /** The user key, where it is stored. */
  get key(): Key | undefined {
    return this.#key === null ? undefined : (ofJson(this.#key) as Key);
  }

  /** When it expires; `undefined`: never. */
  get expires(): Moment | undefined {
    return this.#expires === null ? undefined : momentOf(this.#expires * 1_000_000);
  }

  /** Its values by name. */
  get bins(): { [name: string]: Value } {
    return Object.fromEntries(Object.entries(this.#bins).map(([name, value]) => [name, ofJson(value)]));
  }

  /** The value of a bin. */
  get(name: string): Value | undefined {
    return Object.hasOwn(this.#bins, name) ? ofJson(this.#bins[name]) : undefined;
  }

  toJSON(): unknown {
    const { namespace, set, key, digest, generation, expires, bins } = this;
    return { namespace, set, key, digest, generation, expires, bins };
  }
}
