/** What a restore will do, what can be restored: answers of the planner. */

import { type MomentLike, Moment, momentOf, momentToJson } from './moment.js';
import { type Reached, readReached, readWindow, type Window } from './reports.js';
import { type Json, list, named, type Reader, reads } from './told.js';

/** One backup that is applied. */
export class Step {
  declare readonly step: number;
  declare readonly backup: string;
  declare readonly kind: string;
  declare readonly window: Window;
  declare readonly apply: Json;
  declare readonly deletes: string;
  declare readonly verified?: string;
  declare readonly manifest: string;
  declare readonly copy: Json;
  declare readonly bytes: number;
  declare readonly plainBytes: number;
  declare readonly records: number;
  declare readonly objects: number;
  declare readonly requests: number;
}

/** What is done for one part. */
export class PartPlan {
  declare readonly filter: Json;
  declare readonly timeline: string;
  declare readonly reached: Reached;
  declare readonly steps: readonly Step[];
}

/** What people should know of a plan. */
export class PlanWarning {
  declare readonly code: string;
  declare readonly part?: string;
  declare readonly message: string;

  toString(): string {
    return this.message;
  }
}

/** Sums over a plan's steps. */
export class PlanTotals {
  declare readonly steps: number;
  declare readonly bytes: number;
  declare readonly plainBytes: number;
  declare readonly records: number;
  declare readonly objects: number;
  declare readonly requests: number;
  declare readonly cost: number;
  declare readonly unverified: number;
  declare readonly deletesUnseen: number;
}

/** What a restore will do, before anything is touched. `JSON.stringify` of it is the JSON that every language reads. */
export class Plan {
  declare readonly format: number;
  declare readonly cluster: string;
  declare readonly request: Json;
  declare readonly generation: Json;
  declare readonly parts: Readonly<Record<string, PartPlan>>;
  declare readonly reached: Reached;
  declare readonly groups: Json;
  declare readonly stages: Json;
  declare readonly checks: Json;
  declare readonly codecs: readonly string[];
  declare readonly keys: readonly string[];
  declare readonly refused: Json;
  declare readonly totals: PlanTotals;
  declare readonly warnings: readonly PlanWarning[];
  declare readonly hash: string;

  /** A plan from its JSON, as text or as read. */
  static from(json: string | object): Plan {
    return readPlan(typeof json === 'string' ? JSON.parse(json) : json);
  }

  /** Every step of every part, in the order of their numbers. */
  get steps(): Array<[part: string, step: Step]> {
    const steps = Object.entries(this.parts).flatMap(([name, part]) =>
      part.steps.map((step): [string, Step] => [name, step]),
    );
    return steps.sort((one, other) => one[1].step - other[1].step);
  }

  toString(): string {
    const lines = Object.entries(this.parts).flatMap(([name, part]) => [
      `part '${name}': reaches ${part.reached.until.toISOString()}`,
      ...part.steps.map(
        (step) =>
          `  ${step.step}. ${step.kind} ${step.backup}, until ${step.window.until.toISOString()}, ${step.records} records`,
      ),
    ]);
    return [...lines, ...this.warnings.map((warning) => `warning: ${warning.message}`)].join('\n');
  }
}
/** @internal */
export const readPlan = reads(Plan, {
  parts: named(reads(PartPlan, { reached: readReached, steps: list(reads(Step, { window: readWindow })) })),
  reached: readReached,
  totals: reads(PlanTotals),
  warnings: list(reads(PlanWarning)),
});

/** An answer that comes with its words. */
function withText<T>(read: Reader<T>): Reader<T> {
  return ([value, text]: [Json, string]) => read({ ...value, text });
}

/** Why a request gives its plan, or none. `String()` of it is the explanation in words, with a drawing. */
export class Explanation {
  declare readonly refusal?: Json;
  declare readonly text: string;

  toString(): string {
    return this.text;
  }
}
/** @internal */
export const readExplanation = withText(reads(Explanation));

/** Whether a moment can be restored, and why not. */
export class Check {
  declare readonly verdict: string;
  declare readonly message: string;
  declare readonly reached?: Reached;
  declare readonly reason?: string;
  declare readonly error?: string;
  declare readonly text: string;

  /** Whether it can be restored. */
  get isPossible(): boolean {
    return this.verdict !== 'refused';
  }

  toString(): string {
    return this.text;
  }
}
/** @internal */
export const readCheck = withText(reads(Check, { reached: readReached }));

/** Moments, both ends included. Without `until` there is no end. */
export class Span {
  declare readonly from: Moment;
  declare readonly until?: Moment;

  /** Whether a moment lies in it. */
  has(moment: MomentLike): boolean {
    const asked = momentToJson(moment);
    const micros = BigInt(typeof asked === 'string' ? Date.parse(asked) * 1000 : (asked ?? 0));
    return this.from.micros <= micros && (this.until === undefined || micros <= this.until.micros);
  }
}

/** Moments that can be asked for, and what they reach. */
export class RestoreWindow extends Span {
  declare readonly oldest: Reached;
  declare readonly newest: Reached;
  declare readonly points: number;
}

/** Moments that are refused although something was backed up. */
export class Gap extends Span {
  declare readonly after?: Reached;
  declare readonly before?: Reached;
  declare readonly reason: string;
  declare readonly detail: string;
  declare readonly stranded: number;
}

/** The windows and gaps of one part, oldest first. */
export class PartWindows {
  declare readonly windows: readonly RestoreWindow[];
  declare readonly gaps: readonly Gap[];
}

/** What can be restored. */
export class Windows {
  declare readonly cluster: string;
  declare readonly parts: Readonly<Record<string, PartWindows>>;
  declare readonly together: readonly Span[];
  declare readonly newest?: Moment;
  declare readonly complete: boolean;
  declare readonly text: string;

  /** Whether every part can be restored at or before a moment. */
  has(moment: MomentLike): boolean {
    return this.together.some((span) => span.has(moment));
  }

  toString(): string {
    return this.text;
  }
}
const ends = { from: momentOf, until: momentOf };
/** @internal */
export const readWindows = withText(
  reads(Windows, {
    parts: named(
      reads(PartWindows, {
        windows: list(reads(RestoreWindow, { ...ends, oldest: readReached, newest: readReached })),
        gaps: list(reads(Gap, { ...ends, after: readReached, before: readReached })),
      }),
    ),
    together: list(reads(Span, ends)),
    newest: momentOf,
  }),
);
