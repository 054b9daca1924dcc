/** What jobs come to, and what a repository holds. */

import { errorOf, StrongroomError } from './errors.js';
import { Moment, momentOf } from './moment.js';
import { type Json, list, named, reads } from './told.js';

/** The counters of a job at one moment. Totals are estimates until the end, and never below what is done. */
export class Progress {
  /** `preparing`, `moving`, `finishing` or `over`. */
  declare readonly phase: 'preparing' | 'moving' | 'finishing' | 'over';
  declare readonly pieces: number;
  declare readonly piecesTotal: number;
  declare readonly records: number;
  /** Bytes moved, before the codecs. */
  declare readonly plainBytes: number;
  declare readonly plainBytesTotal: number;
  declare readonly storedBytes: number;
  declare readonly reusedBytes: number;
  declare readonly bytesPerSecond: number;
  declare readonly permille: number;
  declare readonly elapsedMicros: number;
  declare readonly remainingMicros?: number;

  /** How much is done, 0 to 1. */
  get fraction(): number {
    return this.permille / 1000;
  }

  toString(): string {
    return `${this.phase} ${Math.round(this.fraction * 100)} %: ${this.records} records, ${this.plainBytes} bytes`;
  }
}
/** @internal */
export const readProgress = reads(Progress);

/** Every change after `from` up to `until` is in, none after `settled`. A base has no `from`. */
export class Window {
  declare readonly from?: Moment;
  declare readonly until: Moment;
  declare readonly settled: Moment;
}
/** @internal */
export const readWindow = reads(Window, { from: momentOf, until: momentOf, settled: momentOf });

/** A point: every change up to `until` is in, none after `settled`. */
export class Reached {
  declare readonly until: Moment;
  declare readonly settled: Moment;

  /** Whether no change is in doubt. */
  get isExact(): boolean {
    return this.until.micros === this.settled.micros;
  }
}
/** @internal */
export const readReached = reads(Reached, { until: momentOf, settled: momentOf });

/** Counts and sizes. */
export class Totals {
  declare readonly records: number;
  declare readonly deletes: number;
  declare readonly definitions: number;
  declare readonly pieces: number;
  declare readonly objects: number;
  declare readonly plainBytes: number;
  declare readonly storedBytes: number;
  declare readonly reusedBytes: number;
}
const readTotals = reads(Totals);

/** A backup that exists. */
export class Committed {
  /** Its id. */
  declare readonly backup: string;
  declare readonly kind: string;
  declare readonly window: Window;
  declare readonly manifest: string;
  declare readonly totals: Totals;
  declare readonly resumedPieces: number;
  declare readonly restorable?: Reached;
  declare readonly bridges?: string;
}
const readCommitted = reads(Committed, { window: readWindow, totals: readTotals, restorable: readReached });

/** What a backup would store. */
export class Estimate {
  declare readonly kind: string;
  declare readonly window: Window;
  declare readonly pieces: number;
  declare readonly piecesOfUnknownSize: number;
  declare readonly plainBytes: number;
}
const readEstimate = reads(Estimate, { window: readWindow });

/** What became of one part. */
export class PartReport {
  declare readonly part: string;
  declare readonly reason?: string;
  declare readonly outcome: Json;
  declare readonly warnings?: readonly string[];

  /** The backup, if it exists. */
  get backup(): Committed | undefined {
    const made: Json = this.outcome.committed ?? this.outcome.already;
    return made === undefined ? undefined : readCommitted(made);
  }

  /** What would be stored, of a dry run. */
  get estimate(): Estimate | undefined {
    return this.outcome.estimated === undefined ? undefined : readEstimate(this.outcome.estimated);
  }

  /** What it failed by. */
  get error(): StrongroomError | undefined {
    const failed: Json = this.outcome.failed;
    return failed === undefined ? undefined : errorOf({ code: failed.kind, message: failed.what, causes: [] });
  }
}

/** What a backup came to: each part by itself. */
export class BackupReport {
  declare readonly run: string;
  declare readonly parts: readonly PartReport[];
  declare readonly warnings: readonly string[];

  /** The backups that exist now. */
  get backups(): Committed[] {
    return this.parts.flatMap((part) => part.backup ?? []);
  }
}
/** @internal */
export const readBackupReport = reads(BackupReport, { parts: list(reads(PartReport)) });

/** What the writes of a restore did, or of one piece. */
export class Applied {
  declare readonly written: number;
  declare readonly deleted: number;
  declare readonly kept: number;
  declare readonly expired: number;
  declare readonly filtered: number;
  declare readonly definitions: number;
}

/** What a restore did. */
export class RestoreReport {
  declare readonly session: string;
  declare readonly plan: string;
  declare readonly parts: Readonly<Record<string, Reached>>;
  declare readonly applied: Applied;
  declare readonly proof: string;
  declare readonly planWarnings: readonly Json[];
  declare readonly warnings: readonly string[];
  declare readonly dryRun: boolean;
}
/** @internal */
export const readRestoreReport = reads(RestoreReport, { parts: named(readReached), applied: reads(Applied) });

/** Something that is missing or damaged. */
export class Finding {
  declare readonly key: string;
  declare readonly kind: string;
  declare readonly problem: string;
}
const readFindings = list(reads(Finding));

/** One backup that was looked at. */
export class VerifiedBackup {
  declare readonly backup: string;
  declare readonly part: string;
  declare readonly objects: number;
  declare readonly bytes: number;
  declare readonly findings: readonly Finding[];
}

/** What a check found. */
export class VerifyReport {
  declare readonly depth: string;
  declare readonly backups: readonly VerifiedBackup[];
  declare readonly warnings: readonly string[];
  declare readonly unusable?: readonly Finding[];

  /** Whether nothing is missing or damaged. */
  get isWhole(): boolean {
    return (this.unusable ?? []).length === 0 && this.backups.every((backup) => backup.findings.length === 0);
  }
}
/** @internal */
export const readVerifyReport = reads(VerifyReport, {
  backups: list(reads(VerifiedBackup, { findings: readFindings })),
  unusable: readFindings,
});

/** A backup that was not copied. */
export class LeftOut {
  declare readonly backup: string;
  declare readonly part: string;
  declare readonly kind: string;
  declare readonly why: string;
  declare readonly findings?: readonly Finding[];
}

/** A backup whose chain is not whole at the destination. */
export class Unreachable {
  declare readonly backup: string;
  declare readonly part: string;
  declare readonly why: string;
}

/** What was copied, and what was not. */
export class CopyReport {
  declare readonly backups: readonly string[];
  declare readonly copied: number;
  declare readonly deleted: number;
  declare readonly objects: number;
  declare readonly present: number;
  declare readonly bytes: number;
  declare readonly warnings: readonly string[];
  declare readonly leftOut?: readonly LeftOut[];
  declare readonly unreachable?: readonly Unreachable[];

  /** Whether everything that was asked for is there now, and can be restored from there. */
  get isWhole(): boolean {
    return (this.leftOut ?? []).length === 0 && (this.unreachable ?? []).length === 0;
  }
}
/** @internal */
export const readCopyReport = reads(CopyReport, {
  leftOut: list(reads(LeftOut, { findings: readFindings })),
  unreachable: list(reads(Unreachable)),
});

/** What is condemned now. */
export class Condemned {
  declare readonly backups: readonly Json[];
  declare readonly unfinished: readonly Json[];
  declare readonly content: Json;
  declare readonly bytes: number;
  declare readonly due?: Moment;
  declare readonly spared: Json;
}

/** What was condemned before and is deleted now. */
export class Swept {
  declare readonly backups: readonly string[];
  declare readonly unfinished: readonly string[];
  declare readonly content: Json;
  declare readonly lists: Json;
  declare readonly objects: number;
  declare readonly bytes: number;
  declare readonly nextDue?: Moment;
  declare readonly notes: Json;
  declare readonly spared: Json;
}

/** What a prune did, or would do. `retention` says of each point why it stays or goes. */
export class PruneReport {
  declare readonly dryRun: boolean;
  declare readonly condemned: Condemned;
  declare readonly deleted: Swept;
  declare readonly warnings: readonly string[];
  declare readonly retention?: Json;
  declare readonly refusal?: Json;
}
/** @internal */
export const readPruneReport = reads(PruneReport, {
  condemned: reads(Condemned, { due: momentOf }),
  deleted: reads(Swept, { nextDue: momentOf }),
});

/** What a merge made. */
export class SynthesizeReport {
  declare readonly run: string;
  declare readonly part: string;
  declare readonly backup: string;
  declare readonly madeFrom: readonly string[];
  declare readonly window: Window;
  declare readonly totals: Totals;
  declare readonly restorable?: Reached;
  declare readonly resumedPieces: number;
  declare readonly warnings: readonly string[];
}
/** @internal */
export const readSynthesizeReport = reads(SynthesizeReport, {
  window: readWindow,
  totals: readTotals,
  restorable: readReached,
});
