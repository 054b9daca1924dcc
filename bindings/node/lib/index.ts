/** Backs up and restores database clusters: chains of backups that are proven before they are used. */

import * as fs from 'node:fs/promises';

import * as native from '../native.js';
import { session } from './cluster.js';
import { take } from './errors.js';

export * from './adapters.js';
export * from './catalogue.js';
export {
  type AnyCluster,
  type ClusterLike,
  EmbeddedCluster,
  Inspection,
  OpenCluster,
  type Place,
  type ScanOptions,
  type StorageLike,
} from './cluster.js';
export { type ErrorCode, StrongroomError } from './errors.js';
export { Job } from './job.js';
export { Moment, type MomentLike } from './moment.js';
export type {
  BackupId,
  BackupIds,
  BackupOptions,
  Cancellable,
  CopyOptions,
  DeleteOptions,
  InspectOptions,
  Names,
  OpenOptions,
  PaceOptions,
  PinOptions,
  PlanOptions,
  PruneOptions,
  RestoreOptions,
  ResumeOptions,
  RetentionPolicy,
  SizeLike,
  SpanLike,
  SubjectOptions,
  SynthesizeOptions,
  TargetOptions,
  VerifyOptions,
} from './options.js';
export * from './plan.js';
export * from './reports.js';
export { Repository } from './repository.js';
export type { Json } from './told.js';
export { type Key, Record, Typed, type Value } from './value.js';

/** The version of this package. */
export const version: string = native.VERSION;

/**
 * Writes a new key into a file that must not exist, readable by its owner alone. Keep a copy of it elsewhere: what it seals
 * cannot be read without it.
 */
export async function newKey(path: string | URL): Promise<void> {
  const file = await fs.open(path, 'wx', 0o600);
  try {
    await file.writeFile(take(session().newKey()));
    await file.sync();
  } finally {
    await file.close();
  }
}
