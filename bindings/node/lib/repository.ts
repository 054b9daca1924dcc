/** Repositories: each method is a call, or begins a job. */

import { userInfo } from 'node:os';

import * as native from '../native.js';
import { Storage } from './adapters.js';
import { type Catalogue, type ClusterIdentity, type Pin, readCatalogue, readClusterIdentity, readPin, readRepositoryInfo, type RepositoryInfo } from './catalogue.js';
import { type ClusterLike, Inspection, party, placeOf, session, storageAt, type StorageLike } from './cluster.js';
import { take } from './errors.js';
import { Job } from './job.js';
import { momentToJson } from './moment.js';
import * as options from './options.js';
import { type Check, type Explanation, type Plan, readCheck, readExplanation, readPlan, readWindows, type Windows } from './plan.js';
import {
  type BackupReport,
  type CopyReport,
  type PruneReport,
  readBackupReport,
  readCopyReport,
  readPruneReport,
  readRestoreReport,
  readSynthesizeReport,
  readVerifyReport,
  type RestoreReport,
  type SynthesizeReport,
  type VerifyReport,
} from './reports.js';
import { type Json, list } from './told.js';

const TOOL = `strongroom for Node.js ${native.VERSION}`;

function user(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}

const { accept, backupIds, choice, names, pace, span, subject } = options;
const text = JSON.stringify as (value: Json) => string;

/** A repository: holds backups, and the catalogue of them. */
export class Repository {
  /** Its id, when it was made, and the codecs of new backups. */
  readonly info: RepositoryInfo;
  readonly #native: native.Repository;
  readonly #where: string;

  private constructor(opened: native.Repository, where: StorageLike) {
    this.#native = opened;
    this.#where = where instanceof Storage ? `a ${where.constructor.name}` : native.redact(placeOf(where));
    this.info = readRepositoryInfo(JSON.parse(opened.info()));
  }

  /** Opens the repository in a folder, at a URL, or of that name in the profiles. */
  static async open(where: StorageLike, some: options.OpenOptions = {}): Promise<Repository> {
    const { codecs, keys, profiles, ownCodecs } = accept('open', some);
    const opened = await session(profiles, ownCodecs).repository(storageAt(where), codecs, names(keys));
    return new Repository(take(opened), where);
  }

  /** Makes a repository where none is. */
  static async init(where: StorageLike, some: options.OpenOptions = {}): Promise<Repository> {
    const { codecs, keys, profiles, ownCodecs } = accept('init', some);
    const made = await session(profiles, ownCodecs).init(storageAt(where), codecs, names(keys));
    return new Repository(take(made), where);
  }

  /** The backups that are there, by the moment that they reach. */
  async catalogue(some: Pick<options.SubjectOptions, 'part' | 'cluster'> = {}): Promise<Catalogue> {
    return readCatalogue(JSON.parse(take(await this.#native.catalogue(text(subject(accept('catalogue', some)))))));
  }

  /** The clusters whose backups are here. */
  async clusters(): Promise<ClusterIdentity[]> {
    return list(readClusterIdentity)(JSON.parse(take(await this.#native.clusters())));
  }

  /** What a restore would do. Without `at`, `exactly`, `backup` or `run`: to the newest state. */
  async plan(some: options.PlanOptions = {}): Promise<Plan> {
    return readPlan(JSON.parse(take(await this.#native.plan(text(choice(accept('plan', some)))))));
  }

  /** Why a plan is as it is, or why there is none. Print it. */
  async explain(some: options.TargetOptions = {}): Promise<Explanation> {
    return readExplanation(JSON.parse(take(await this.#native.explain(text(choice(accept('explain', some)))))));
  }

  /** Whether a moment can be restored. Refusals are answers here, not errors. */
  async check(some: options.TargetOptions = {}): Promise<Check> {
    return readCheck(JSON.parse(take(await this.#native.check(text(choice(accept('check', some)))))));
  }

  /** Which moments can be restored, and where the gaps are. */
  async windows(some: options.SubjectOptions = {}): Promise<Windows> {
    return readWindows(JSON.parse(take(await this.#native.windows(text(subject(accept('windows', some)))))));
  }

  /** Keeps backups, and what they need, whatever the policy says. */
  pin(backups: options.BackupIds, some: options.PinOptions = {}): Promise<Pin> {
    return this.#pin('pin', backups, some);
  }

  /** Puts backups on legal hold: as a pin, and only who set it takes it off. */
  hold(backups: options.BackupIds, some: options.PinOptions & { reason: string }): Promise<Pin> {
    return this.#pin('hold', backups, some);
  }

  async #pin(kind: 'pin' | 'hold', backups: options.BackupIds, some: options.PinOptions): Promise<Pin> {
    const { reason = '', until, by = user() } = accept(kind, some);
    const asked = { backups: backupIds(backups), kind, reason, until: momentToJson(until), by };
    return readPin(JSON.parse(take(await this.#native.pin(text(asked)))));
  }

  /** Takes pins off, and gives those that were. */
  async unpin(backups: options.BackupIds): Promise<Pin[]> {
    return list(readPin)(JSON.parse(take(await this.#native.unpin(text(backupIds(backups)), false, ''))));
  }

  /** Releases backups from legal hold, and gives the holds that were. */
  async release(backups: options.BackupIds, some: Pick<options.PinOptions, 'by'> = {}): Promise<Pin[]> {
    const { by = user() } = accept('release', some);
    return list(readPin)(JSON.parse(take(await this.#native.unpin(text(backupIds(backups)), true, by))));
  }

  /** Backs a cluster up: incremental where the chain allows it, else a base. */
  backup(cluster: ClusterLike, some: options.BackupOptions = {}): Job<BackupReport> {
    const { part, table, kind, codecs, noBridging, dryRun, acceptFingerprint, signal } = accept('backup', some);
    const asked = {
      of: { parts: names(part), tables: names(table) },
      kind,
      no_bridging: noBridging,
      dry_run: dryRun,
      accept_fingerprint: acceptFingerprint,
      pace: pace(some),
      tool: TOOL,
    };
    return new Job(this.#native.backup(party(cluster), text(asked), codecs), readBackupReport, signal);
  }

  /** Goes on with an interrupted backup. */
  resume(cluster: ClusterLike, run: string, some: options.ResumeOptions = {}): Job<BackupReport> {
    const { codecs, takeOver, signal } = accept('resume', some);
    const asked = { run, take_over: takeOver, pace: pace(some), tool: TOOL };
    return new Job(this.#native.resume(party(cluster), text(asked), codecs), readBackupReport, signal);
  }

  /**
   * Restores a plan, or what is chosen, into a cluster. An embedded one is made if it does not exist. With a `journal`, a
   * restore that was interrupted goes on with its `session`.
   */
  restore(into: ClusterLike, some: options.RestoreOptions = {}): Job<RestoreReport> {
    const { plan, journal, staging, signal } = accept('restore', some);
    const asked = {
      truncate: some.truncate,
      conflict: some.conflict,
      rename: some.rename,
      now: momentToJson(some.now),
      no_definitions: some.noDefinitions,
      no_data: some.noData,
      definitions_last: some.definitionsLast,
      dry_run: some.dryRun,
      proof: some.proof,
      session: some.session,
      take_over: some.takeOver,
      accept_fingerprint: some.acceptFingerprint,
      pace: pace(some),
    };
    const places = [journal, staging].map((place) => (place === undefined ? undefined : storageAt(place)));
    const planned = plan === undefined ? undefined : text(plan);
    const job = this.#native.restore(party(into), planned, text(choice(some)), text(asked), places[0], places[1]);
    return new Job(job, readRestoreReport, signal);
  }

  /**
   * Restores what is chosen into a temporary file, to look into its records: `close` it. Only of backups that hold records.
   * `part` and `table` make it quicker.
   */
  async inspect(some: options.InspectOptions = {}): Promise<Inspection> {
    const asked = accept('inspect', some);
    return new Inspection(take(await this.#native.inspect(text(choice(asked)), text(pace(asked)))));
  }

  /** Checks that stored backups are whole. Damage is in the report; it is no error. */
  verify(some: options.VerifyOptions = {}): Job<VerifyReport> {
    const { backups, depth, signal } = accept('verify', some);
    const asked = { backups: backups === undefined ? undefined : backupIds(backups), depth, pace: pace(some) };
    return new Job(this.#native.verify(text(asked)), readVerifyReport, signal);
  }

  /** Copies backups, and the chains they need, to another storage; it becomes a repository as well. */
  copy(to: StorageLike, some: options.CopyOptions = {}): Job<CopyReport> {
    const { backups, signal } = accept('copy', some);
    const asked = { backups: backups === undefined ? undefined : backupIds(backups), pace: pace(some) };
    return new Job(this.#native.copy(storageAt(to), text(asked)), readCopyReport, signal);
  }

  /**
   * Condemns what the policy does not keep, and deletes what was condemned a grace time ago. Without a policy: that of the
   * repository's profile. Every point that stays is planned once more before.
   */
  prune(some: options.PruneOptions = {}): Job<PruneReport> {
    const { policy, partPolicies = {}, cluster, grace, unfinishedAfter, dryRun, signal } = accept('prune', some);
    const parts = Object.entries(partPolicies).map(([part, one]) => [part, options.policy(one)]);
    const asked = {
      policy: policy === undefined ? undefined : options.policy(policy),
      part_policies: Object.fromEntries(parts),
      cluster,
      grace: span(grace),
      unfinished_after: span(unfinishedAfter),
      dry_run: dryRun,
    };
    return new Job(this.#native.prune(text(asked)), readPruneReport, signal);
  }

  /** Condemns backups by their ids, if nothing that stays needs them. */
  delete(backups: options.BackupIds, some: options.DeleteOptions = {}): Job<PruneReport> {
    const { cascade, last, grace, dryRun, signal } = accept('delete', some);
    const asked = { backups: backupIds(backups), cascade, last, grace: span(grace), dry_run: dryRun };
    return new Job(this.#native.delete(text(asked)), readPruneReport, signal);
  }

  /** Merges a chain of record backups of one part into a new base, without touching the cluster. */
  synthesize(some: options.SynthesizeOptions = {}): Job<SynthesizeReport> {
    const { part, at, backup, cluster, codecs, run, takeOver, signal } = accept('synthesize', some);
    const of = choice({ ...defined({ part, at, backup, cluster }) });
    const asked = { choice: of, run, take_over: takeOver, pace: pace(some), tool: TOOL };
    return new Job(this.#native.synthesize(text(asked), codecs), readSynthesizeReport, signal);
  }

  toString(): string {
    return `Repository ${this.info.repository} at ${this.#where}, codecs ${this.info.codecs.join(', ')}`;
  }
}

/** Without what is undefined. */
function defined<T extends object>(some: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(some).filter(([, value]) => value !== undefined)) as never;
}
