/** Jobs: awaited for their report, iterated over for their events. */

import type * as native from '../native.js';
import { errorOf, take } from './errors.js';
import { type Progress, readProgress } from './reports.js';
import type { Reader } from './told.js';

/**
 * A running job. `await` it for its report; iterate over it with `for await` for its progress. Once nothing waits for it, a
 * failure is an unhandled rejection, as of any promise.
 */
export class Job<T> implements PromiseLike<T>, AsyncIterable<Progress> {
  readonly #native: native.Job;
  readonly #report: Promise<T>;

  /** @internal */
  constructor(job: native.Job, read: Reader<T>, signal?: AbortSignal) {
    this.#native = job;
    this.#report = this.#wait(read, signal);
  }

  async #wait(read: Reader<T>, signal?: AbortSignal): Promise<T> {
    const cancel = () => this.#native.cancel();
    if (signal?.aborted) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    const { report, failure } = await this.#native.ended();
    signal?.removeEventListener('abort', cancel);
    const told = report === undefined || report === null ? undefined : read(JSON.parse(report));
    if (failure !== undefined && failure !== null) {
      const cause: unknown = failure.code === 'CANCELLED' && signal?.aborted ? signal.reason : undefined;
      const error = errorOf(failure, cause);
      if (told !== undefined) error.report = told;
      throw error;
    }
    return told as T;
  }

  /** What it does, in one word. */
  get name(): string {
    return this.#native.name;
  }

  /** Whether it has ended. */
  get done(): boolean {
    return this.#native.done;
  }

  /** The counters now. */
  get progress(): Progress {
    return readProgress(JSON.parse(this.#native.progress()));
  }

  /** Asks it to end. It rejects with `CANCELLED` unless it was done already. */
  cancel(): void {
    this.#native.cancel();
  }

  /** As of the promise of its report. */
  then<A = T, B = never>(
    fulfilled?: ((report: T) => A | PromiseLike<A>) | null,
    rejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#report.then(fulfilled, rejected);
  }

  /** As of the promise of its report. */
  catch<B = never>(rejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.#report.catch(rejected);
  }

  /** As of the promise of its report. */
  finally(ended?: (() => void) | null): Promise<T> {
    return this.#report.finally(ended);
  }

  /**
   * Its events: the counters whenever one has changed, and at the end, where it throws if the job failed. Leaving the loop does
   * not end the job.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Progress, void, undefined> {
    this.#report.catch(() => {}); // it is thrown at the end
    const events = this.#native.events();
    for (;;) {
      const told = take(await events.next());
      if (told === null || told === undefined) break;
      yield readProgress(JSON.parse(told));
    }
    await this.#report;
  }
}
