/** Errors: one class, with the code that each has in every language. */

/** The codes, as `docs/names.md` lists them. */
export type ErrorCode =
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'INVALID'
  | 'UNSUPPORTED'
  | 'DENIED'
  | 'UNAVAILABLE'
  | 'NO_SPACE'
  | 'CORRUPT'
  | 'BROKEN_CHAIN'
  | 'CANCELLED'
  | 'INTERNAL';

/** What went wrong, as the native half tells it. */
export interface Failure {
  code: string;
  message: string;
  advice?: string | undefined;
  causes: string[];
}

/** Whatever goes wrong in strongroom. */
export class StrongroomError extends Error {
  override readonly name: string = 'StrongroomError';
  /** The same in every language. */
  readonly code: ErrorCode;
  /** What to do, where that is known. */
  readonly advice: string | undefined;
  /** Why, one line each, from the outermost. */
  readonly causes: readonly string[];
  /** What the job did before it failed, where there is something. */
  report?: unknown;

  constructor(code: ErrorCode, message: string, about: { advice?: string | undefined; causes?: readonly string[]; cause?: unknown } = {}) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.code = code;
    this.advice = about.advice;
    this.causes = about.causes ?? [];
  }

  /** Whether the same call may succeed later with nothing changed. */
  get isRetryable(): boolean {
    return this.code === 'UNAVAILABLE';
  }

  override toString(): string {
    const told = this.advice === undefined ? this.message : `${this.message} (${this.advice})`;
    return [`${this.name} [${this.code}]: ${told}`, ...this.causes].join('\n  because: ');
  }
}

/** @internal */
export function errorOf(failure: Failure): StrongroomError {
  return new StrongroomError(failure.code as ErrorCode, failure.message, failure);
}

/** @internal */
export function invalid(message: string, advice: string): StrongroomError {
  return new StrongroomError('INVALID', message, { advice });
}

function isFailure(answer: unknown): answer is Failure {
  return typeof answer === 'object' && answer !== null && 'code' in answer && 'causes' in answer;
}

/**
 * What the native half answered; throws what went wrong.
 * @internal
 */
export function take<T>(answer: T): Exclude<T, Failure> {
  if (isFailure(answer)) throw errorOf(answer);
  return answer as Exclude<T, Failure>;
}
