/** What a program does with memory of its own: memfds and eventfds, and dma-bufs of their pages. */
import type { Task } from '@dmabuf-lab/core/base';
import { F_SEAL, MFD, O } from '../abi/fcntl.js';
import { UDMABUF_CREATE, UDMABUF_FLAGS } from '../abi/udmabuf.js';
import { EventFile } from '../files/eventfd.js';
import { addSealsTo, MemfdFile } from '../files/memfd.js';
import type { Process } from '../kernel/process.js';

/** What may not be done with a memfd any more. */
export type MemfdSeal = 'seal' | 'shrink' | 'grow' | 'write' | 'future-write' | 'exec';

const SEALS: Readonly<Record<MemfdSeal, number>> = {
  seal: F_SEAL.SEAL,
  shrink: F_SEAL.SHRINK,
  grow: F_SEAL.GROW,
  write: F_SEAL.WRITE,
  'future-write': F_SEAL.FUTURE_WRITE,
  exec: F_SEAL.EXEC,
};

/**
 * memfd_create(2) and ftruncate(2): a file in memory that can be sealed.
 *
 * @returns its descriptor @throws ErrnoError EMFILE, EINVAL
 */
export function createMemfd(process: Process, name: string, sizeBytes: number): number {
  const fd = process.install(MemfdFile.create(process.kernel, name, MFD.CLOEXEC | MFD.ALLOW_SEALING), O.CLOEXEC);
  process.truncate(fd, BigInt(sizeBytes));
  return fd;
}

/** F_ADD_SEALS. @throws ErrnoError EPERM, EINVAL, EBUSY */
export function sealMemfd(process: Process, memfd: number, ...seals: readonly MemfdSeal[]): void {
  const bits = seals.reduce((sum, seal) => sum | SEALS[seal], 0);
  addSealsTo(process.fds.file(memfd, 'fcntl'), bits);
}

/**
 * A dma-buf of pages of a memfd, which must be sealed against shrinking and not against writing.
 *
 * @param offsetBytes whole pages @param sizeBytes whole pages
 * @returns its descriptor @throws ErrnoError EINVAL, EBADF, EMFILE
 * Source: UDMABUF_CREATE, include/uapi/linux/udmabuf.h, v6.12. The number of the descriptor is what the call returns.
 */
export function* createUdmabuf(
  process: Process,
  udmabuf: number,
  memfd: number,
  offsetBytes: number,
  sizeBytes: number,
): Task<number> {
  const { number, struct } = UDMABUF_CREATE;
  const given = { memfd, flags: UDMABUF_FLAGS.CLOEXEC, offset: BigInt(offsetBytes), size: BigInt(sizeBytes) };
  const address = process.user.put(struct.encode(given));
  try {
    return yield* process.ioctl(udmabuf, number, address);
  } finally {
    process.user.drop(address);
  }
}

/** eventfd(2), nonblocking. @returns its descriptor @throws ErrnoError EMFILE */
export function createEventFd(process: Process): number {
  return process.install(new EventFile(process.kernel, O.NONBLOCK), O.CLOEXEC);
}

/** Opens `/dev/udmabuf`. @throws ErrnoError ENOENT, EMFILE */
export function openUdmabuf(process: Process): number {
  return process.open('/dev/udmabuf', O.RDWR | O.CLOEXEC);
}
