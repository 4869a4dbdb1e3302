import { ErrnoError } from './errno.js';

/**
 * Shared memory for control words.
 *
 * @param what it is for, as it stands in the message
 * @throws ErrnoError ENOMEM when the host has not so much; nothing has been taken
 */
export function sharedBytes(sizeBytes: number, what: string): SharedArrayBuffer {
  return orNoMemory(sizeBytes, what, () => new SharedArrayBuffer(sizeBytes));
}

/** Takes memory of the host. @throws ErrnoError ENOMEM where JavaScript has a RangeError */
export function orNoMemory<T>(sizeBytes: number, what: string, take: () => T): T {
  try {
    return take();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `Cannot take ${sizeBytes} bytes of memory for ${what}: the host has not so much to give`;
    throw new ErrnoError('ENOMEM', 'mmap', message, { sizeBytes });
  }
}
