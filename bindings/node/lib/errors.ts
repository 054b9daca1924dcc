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
  advice?: string;
  causes: string[];
  raised?: number;
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

  toJSON(): { code: ErrorCode; message: string; advice?: string | undefined; causes: readonly string[] } {
    const { code, message, advice, causes } = this;
    return { code, message, advice, causes };
  }

  override toString(): string {
    const told = this.advice === undefined ? this.message : `${this.message} (${this.advice})`;
    return [`${this.name} [${this.code}]: ${told}`, ...this.causes].join('\n  because: ');
  }
}

/** @internal */
export function errorOf(failure: Failure, cause?: unknown): StrongroomError {
  const { code, message, advice, causes } = failure;
  const thrown = cause ?? (failure.raised === undefined ? undefined : raised.get(failure.raised));
  return new StrongroomError(code as ErrorCode, message, { advice, causes, cause: thrown });
}

/** What adapters threw lately, by number: the native half carries the number, and here it is found again. */
const raised = new Map<number, unknown>();
const KEPT = 256;
let last = 0;

/** What errors of Node.js mean, by their `code`. */
const CODES: { readonly [code: string]: ErrorCode } = {
  ENOENT: 'NOT_FOUND',
  ENOTDIR: 'NOT_FOUND',
  EEXIST: 'ALREADY_EXISTS',
  EACCES: 'DENIED',
  EPERM: 'DENIED',
  EROFS: 'DENIED',
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
  ABORT_ERR: 'CANCELLED',
};

function meant(error: unknown): ErrorCode {
  const code: unknown = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string' && Object.hasOwn(CODES, code)) return CODES[code] as ErrorCode;
  // Other errors of the system: connections, devices.
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return 'UNAVAILABLE';
  return error instanceof RangeError || error instanceof TypeError || error instanceof SyntaxError ? 'INVALID' : 'INTERNAL';
}

/**
 * What an adapter threw, as data.
 * @internal
 */
export function failureOf(error: unknown): Failure {
  raised.set(++last, error);
  raised.delete(last - KEPT);
  if (error instanceof StrongroomError) {
    const advice = error.advice === undefined ? {} : { advice: error.advice };
    return { code: error.code, message: error.message, ...advice, causes: [], raised: last };
  }
  return { code: meant(error), message: error instanceof Error ? `${error.name}: ${error.message}` : String(error), causes: [], raised: last };
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
