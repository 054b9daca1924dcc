/** Moments: dates to the microsecond, as backups tell them. */

import { invalid } from './errors.js';

/** A moment in a request: a `Date`, RFC 3339 text such as `2026-11-22T23:01:58Z`, or microseconds since 1970. */
export type MomentLike = Date | string | bigint;

const PER_MILLISECOND = 1000n;

/** A `Date` that keeps its microseconds, so that a moment that was told can be asked for. */
export class Moment extends Date {
  /** Microseconds since 1970, UTC. */
  readonly micros: bigint;

  constructor(micros: bigint) {
    super(Number((micros - (((micros % PER_MILLISECOND) + PER_MILLISECOND) % PER_MILLISECOND)) / PER_MILLISECOND));
    this.micros = micros;
  }

  /** As RFC 3339, to the microsecond. */
  override toISOString(): string {
    const rest = ((this.micros % PER_MILLISECOND) + PER_MILLISECOND) % PER_MILLISECOND;
    const text = super.toISOString();
    return rest === 0n ? text : `${text.slice(0, -1)}${rest.toString().padStart(3, '0')}Z`;
  }

  override toJSON(): string {
    return this.toISOString();
  }
}

/** @internal */
export function momentOf(micros: number): Moment {
  return new Moment(BigInt(micros));
}

/** @internal */
export function momentToJson(moment: MomentLike | undefined): number | string | undefined {
  if (moment === undefined || typeof moment === 'string') return moment;
  if (typeof moment === 'bigint') return Number(moment);
  if (moment instanceof Moment) return Number(moment.micros);
  const millis = moment.getTime();
  if (Number.isNaN(millis)) throw invalid('an invalid Date', 'give one that is a moment');
  return millis * 1000;
}
