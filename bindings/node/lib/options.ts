/** What is asked of a repository, and the JSON that every language sends for it. */

import { Backup } from './catalogue.js';
import type { Codec } from './adapters.js';
import type { Place, StorageLike } from './cluster.js';
import { invalid } from './errors.js';
import { type MomentLike, momentToJson } from './moment.js';
import type { Plan } from './plan.js';
import { Committed } from './reports.js';
import { type Json, snake } from './told.js';

/** Some names, or one. */
export type Names = string | readonly string[];
/** A backup: its id, or what tells of it. */
export type BackupId = string | Backup | Committed;
/** Some backups, or one. */
export type BackupIds = BackupId | readonly BackupId[];
/** Milliseconds, or text such as `30d`. */
export type SpanLike = number | string;
/** Bytes, or text such as `8MiB`. */
export type SizeLike = number | string;

/** How fast a job may be, and what cancels it. */
export interface PaceOptions {
  /** Move at most so many bytes a second. */
  limitRate?: SizeLike;
  /** Move at most so many records a second. */
  limitRecords?: number;
  /** Work on so many pieces at once. */
  parallel?: number;
}

/** What cancels a job. */
export interface Cancellable {
  signal?: AbortSignal;
}

/** Which parts of which cluster. */
export interface SubjectOptions {
  /** Only these keyspaces or namespaces. */
  part?: Names;
  /** Only these tables or sets. */
  table?: Names;
  /** The cluster, by name or id, where the repository holds those of several. */
  cluster?: string;
}

/** Which moment or backup. At most one of `at`, `exactly`, `backup` and `run`; none: the newest state. */
export interface TargetOptions extends SubjectOptions {
  /** The newest state at or before this moment. */
  at?: MomentLike;
  /** Exactly this moment. */
  exactly?: MomentLike;
  /** The state of this backup. */
  backup?: BackupId;
  /** If the moment can't be reached, take the nearest earlier one instead of refusing. */
  nearestEarlier?: boolean;
}

export interface PlanOptions extends TargetOptions {
  /** The states of this run's backups. */
  run?: string;
  /** All parts reach the same moment. */
  together?: boolean;
  /** Only backups that a check has found whole. */
  verifiedOnly?: boolean;
  /** Backups with missing ranges may be used. */
  allowPartial?: boolean;
  /** Parts without any chain may be left out. */
  allowMissingParts?: boolean;
}

export interface BackupOptions extends PaceOptions, Cancellable {
  part?: Names;
  table?: Names;
  /** `auto` (the default): incremental where the chain allows it, else a base. */
  kind?: 'auto' | 'base' | 'incremental';
  /** Codecs of this backup, in place of the repository's. */
  codecs?: string;
  /** The first incremental after a base starts at that base. */
  noBridging?: boolean;
  /** Say what would be stored, and store nothing. */
  dryRun?: boolean;
  /** Accept a cluster whose fingerprint changed. */
  acceptFingerprint?: boolean;
}

export interface ResumeOptions extends PaceOptions, Cancellable {
  codecs?: string;
  /** The process that began it is surely dead. */
  takeOver?: boolean;
}

export interface RestoreOptions extends TargetOptions, PaceOptions, Cancellable {
  /** In place of what is chosen. */
  plan?: Plan;
  run?: string;
  /** Empty the target's parts first. */
  truncate?: boolean;
  /** What becomes of what is there already. */
  conflict?: 'replace' | 'keep' | 'newer';
  /** Restore parts under other names. */
  rename?: { readonly [part: string]: string };
  /** Leave out what has expired at this moment. */
  now?: MomentLike;
  noDefinitions?: boolean;
  noData?: boolean;
  definitionsLast?: boolean;
  /** Plan and check everything, and restore nothing. */
  dryRun?: boolean;
  /** How the source is proven first. */
  proof?: 'check' | 'hash' | 'stage';
  /** Where everything is brought to first. */
  staging?: StorageLike;
  /** Where it is written down how far it came, so that it can go on. */
  journal?: StorageLike;
  /** Go on with this unfinished restore of the journal. */
  session?: string;
  takeOver?: boolean;
  acceptFingerprint?: boolean;
}

export interface InspectOptions extends TargetOptions, PaceOptions {
  run?: string;
}

export interface VerifyOptions extends PaceOptions, Cancellable {
  /** Only these backups. */
  backups?: BackupIds;
  /** How deep; `hash` is the default. */
  depth?: 'exists' | 'hash' | 'decode';
}

export interface CopyOptions extends PaceOptions, Cancellable {
  /** Only these backups, and the chains they need. */
  backups?: BackupIds;
}

/** What a prune keeps of each part. Without a rule it keeps every point. */
export interface RetentionPolicy {
  /** The newest so many points. */
  keepLast?: number;
  /** Every point younger than this. */
  keepWithin?: SpanLike;
  /** The last point of each of the newest so many hours that have one; the same for the others. */
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  /** Where days begin, such as `Europe/Berlin`. */
  zone?: string;
  /** Every moment of this last span stays restorable. */
  pointInTime?: SpanLike;
  /** The oldest of these points go until a part takes no more bytes than this. */
  maxSize?: SizeLike;
  /** The newest so many bases stay in any case. */
  minRedundancy?: number;
  /** How long backups that no restore can use are kept. */
  keepUnusable?: SpanLike;
}

export interface PruneOptions extends Cancellable {
  /** In place of the profile's. */
  policy?: RetentionPolicy;
  /** Parts with a policy of their own. */
  partPolicies?: { readonly [part: string]: RetentionPolicy };
  cluster?: string;
  /** How long what is condemned stays. */
  grace?: SpanLike;
  /** Give up backups that were begun longer ago than this. */
  unfinishedAfter?: SpanLike;
  dryRun?: boolean;
}

export interface DeleteOptions extends Cancellable {
  /** What could not be restored without them as well. */
  cascade?: boolean;
  /** Even a part's last point. */
  last?: boolean;
  grace?: SpanLike;
  dryRun?: boolean;
}

export interface SynthesizeOptions extends PaceOptions, Cancellable {
  part?: string;
  at?: MomentLike;
  backup?: BackupId;
  cluster?: string;
  codecs?: string;
  /** Go on with this interrupted run. */
  run?: string;
  takeOver?: boolean;
}

export interface PinOptions {
  reason?: string;
  /** When it ends by itself. */
  until?: MomentLike;
  /** Who sets it; left out: the user of the process. */
  by?: string;
}

export interface OpenOptions {
  /** Codecs of new backups: none, lz4, zstd or zstd:LEVEL, each may be followed by the names of `ownCodecs` and by ,seal. */
  codecs?: string;
  /** Names of keys in the profiles. */
  keys?: Names;
  /** The file of the profiles. */
  profiles?: Place;
  /** Written by you: what they wrote can be read, and their names may stand among `codecs`, as in `zstd,mine,seal`. */
  ownCodecs?: Iterable<Codec>;
}

const SUBJECT = ['part', 'table', 'cluster'] as const;
const TARGET = [...SUBJECT, 'at', 'exactly', 'backup', 'nearestEarlier'] as const;
const PACE = ['limitRate', 'limitRecords', 'parallel'] as const;
const OPEN = ['codecs', 'keys', 'profiles', 'ownCodecs'] as const;
const PIN = ['reason', 'until', 'by'] as const;

/**
 * What each operation takes: its arguments, and the names of its options.
 * @internal
 */
export const OPERATIONS = {
  init: { takes: ['where'], options: OPEN },
  open: { takes: ['where'], options: OPEN },
  catalogue: { takes: [], options: ['part', 'cluster'] },
  clusters: { takes: [], options: [] },
  plan: { takes: [], options: [...TARGET, 'run', 'together', 'verifiedOnly', 'allowPartial', 'allowMissingParts'] },
  explain: { takes: [], options: TARGET },
  check: { takes: [], options: TARGET },
  windows: { takes: [], options: SUBJECT },
  pin: { takes: ['backups'], options: PIN },
  hold: { takes: ['backups'], options: PIN },
  unpin: { takes: ['backups'], options: [] },
  release: { takes: ['backups'], options: ['by'] },
  backup: {
    takes: ['cluster'],
    options: [...PACE, 'part', 'table', 'kind', 'codecs', 'noBridging', 'dryRun', 'acceptFingerprint'],
  },
  resume: { takes: ['cluster', 'run'], options: [...PACE, 'codecs', 'takeOver'] },
  restore: {
    takes: ['into'],
    options: [
      ...TARGET,
      ...PACE,
      'plan',
      'run',
      'truncate',
      'conflict',
      'rename',
      'now',
      'noDefinitions',
      'noData',
      'definitionsLast',
      'dryRun',
      'proof',
      'staging',
      'journal',
      'session',
      'takeOver',
      'acceptFingerprint',
    ],
  },
  inspect: { takes: [], options: [...TARGET, ...PACE, 'run'] },
  verify: { takes: [], options: [...PACE, 'backups', 'depth'] },
  copy: { takes: ['to'], options: [...PACE, 'backups'] },
  prune: { takes: [], options: ['policy', 'partPolicies', 'cluster', 'grace', 'unfinishedAfter', 'dryRun'] },
  delete: { takes: ['backups'], options: ['cascade', 'last', 'grace', 'dryRun'] },
  synthesize: { takes: [], options: [...PACE, 'part', 'at', 'backup', 'cluster', 'codecs', 'run', 'takeOver'] },
} as const satisfies { [operation: string]: { takes: readonly string[]; options: readonly string[] } };

/**
 * Refuses options that an operation does not have, so that a typing error never means the default.
 * @internal
 */
export function accept<T extends object>(operation: keyof typeof OPERATIONS, options: T | undefined): T {
  const known: readonly string[] = OPERATIONS[operation].options;
  for (const name of Object.keys(options ?? {})) {
    if (name !== 'signal' && !known.includes(name)) {
      throw invalid(`${operation} has no option '${name}'`, `it has: ${known.join(', ') || 'none'}`);
    }
  }
  return options ?? ({} as T);
}

/** @internal */
export function names(some: Names | undefined): string[] {
  return some === undefined ? [] : typeof some === 'string' ? [some] : [...some];
}

/** @internal */
export function backupId(backup: BackupId): string {
  if (backup instanceof Committed) return backup.backup;
  return backup instanceof Backup ? backup.id : backup;
}

/** @internal */
export function backupIds(backups: BackupIds): string[] {
  const some = typeof backups === 'string' || backups instanceof Backup || backups instanceof Committed ? [backups] : backups;
  return (some as readonly BackupId[]).map(backupId);
}

/** @internal */
export function span(some: SpanLike | undefined): string | undefined {
  if (typeof some !== 'number') return some;
  if (!Number.isSafeInteger(some) || some < 0) throw invalid(`the span ${some}`, 'give whole milliseconds, and no negative span');
  return `${some}ms`;
}

/** @internal */
export function subject(options: SubjectOptions): Json {
  return { parts: names(options.part), tables: names(options.table), cluster: options.cluster };
}

/** @internal */
export function choice(options: PlanOptions): Json {
  return {
    at: momentToJson(options.at),
    exactly: momentToJson(options.exactly),
    backup: options.backup === undefined ? undefined : backupId(options.backup),
    run: options.run,
    of: subject(options),
    nearest_earlier: options.nearestEarlier,
    together: options.together,
    verified_only: options.verifiedOnly,
    allow_partial: options.allowPartial,
    allow_missing_parts: options.allowMissingParts,
  };
}

/** @internal */
export function pace(options: PaceOptions): Json {
  return { limit_rate: options.limitRate, limit_records: options.limitRecords, parallel: options.parallel };
}

const SPANS: ReadonlySet<string> = new Set(['keepWithin', 'pointInTime', 'keepUnusable']);

/** @internal */
export function policy(some: RetentionPolicy): Json {
  const told = Object.entries(some).map(([name, value]) => [snake(name), SPANS.has(name) ? span(value) : value]);
  return Object.fromEntries(told);
}
