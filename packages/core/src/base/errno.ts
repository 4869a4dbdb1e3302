/**
 * Operating errors, as the kernel names them.
 *
 * An error is recognised by its `code`, never by `instanceof`: on the way to another thread an error loses its class
 * and its own properties, so it crosses as an `ErrorRecord` and is rebuilt on the other side.
 */

/** The errno values that dmabuf-lab uses. Source: include/uapi/asm-generic/errno-base.h and errno.h, v6.12. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EPIPE: 32,
  ERANGE: 34,
  EDEADLK: 35,
  ENOSYS: 38,
  ELOOP: 40,
  EBADR: 53,
  ENODATA: 61,
  ETIME: 62,
  EPROTO: 71,
  EOVERFLOW: 75,
  EBADFD: 77,
  EOPNOTSUPP: 95,
  ENOBUFS: 105,
  ETIMEDOUT: 110,
  EALREADY: 114,
  ESTALE: 116,
  ECANCELED: 125,
  EOWNERDEAD: 130,
} as const;

export type ErrnoCode = keyof typeof ERRNO;

/** Facts about an error that a program may want: plain data, so that it can cross to another thread. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** An operating error: something that can happen in a correct program and that the caller handles. */
export class ErrnoError extends Error {
  override readonly name = 'ErrnoError';
  /** The negative errno, as kernel functions return it. */
  readonly errno: number;

  constructor(
    readonly code: ErrnoCode,
    /** The operation that failed, e.g. `dma_buf_attach`. */
    readonly op: string,
    message: string,
    readonly details: ErrorDetails = {},
  ) {
    super(message);
    this.errno = -ERRNO[code];
  }
}

/** An error as plain data. */
export interface ErrorRecord {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
  readonly op?: string;
  readonly details?: ErrorDetails;
}

/** Turns anything thrown into plain data that survives cloning to another thread. */
export function toErrorRecord(error: unknown): ErrorRecord {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { code, op, details } = error as Partial<ErrnoError>;
  return { name: error.name, message: error.message, stack: error.stack, code, op, details };
}

/** Rebuilds an error from its record; an `ErrnoError` comes back as one, with its code, errno, op and details. */
export function fromErrorRecord(record: ErrorRecord): Error {
  if (record.code !== undefined && Object.hasOwn(ERRNO, record.code)) {
    const error = new ErrnoError(record.code as ErrnoCode, record.op ?? '', record.message, record.details);
    if (record.stack !== undefined) error.stack = record.stack;
    return error;
  }
  const error = new Error(record.message);
  error.name = record.name;
  if (record.stack !== undefined) error.stack = record.stack;
  return error;
}

/** Whether something thrown is an operating error with one of the given codes (any code, when none is given). */
export function isErrno(error: unknown, ...codes: ErrnoCode[]): error is ErrnoError {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code !== 'string' || !Object.hasOwn(ERRNO, code)) return false;
  return codes.length === 0 || codes.includes(code as ErrnoCode);
}
