/** Allocation by the constraints of devices, as a program does it. Source: see `abi/cenalloc.ts`. */
import type { Task } from '@dmabuf-lab/core/base';
import { CENALLOC_IOCTL_CREATE } from '../abi/cenalloc.js';
import { O } from '../abi/fcntl.js';
import type { Process } from '../kernel/process.js';

export interface CreateConstrainedOptions {
  /** Of the first byte as devices see it: a power of two, at most 4 GiB. Default: that of the heap. */
  readonly alignmentBytes?: number;
  /** Of its descriptor: `O.RDWR`, `O.RDONLY`, `O.CLOEXEC`. Default: read and write, closed on exec. */
  readonly flags?: number;
}

/** Where a buffer lies, as its fdinfo tells. */
export interface BufferPlacement {
  /** Name of the heap; undefined while there is no storage, or where the exporter does not tell. */
  readonly heap: string | undefined;
  /** In one sentence. */
  readonly why: string | undefined;
  /** Devices that are attached, and that it was placed for. */
  readonly devices: readonly string[];
  /** How often it has moved. */
  readonly moves: number;
}

/** Opens `/dev/cenalloc`. @returns a descriptor @throws ErrnoError ENOENT where the machine has none, EMFILE */
export function openCenalloc(process: Process): number {
  return process.open('/dev/cenalloc', O.RDWR | O.CLOEXEC);
}

/**
 * Makes a dma-buf without storage: the devices that have attached by its first map decide where it lies.
 *
 * @param lengthBytes rounded up to whole pages
 * @returns its descriptor
 * @throws ErrnoError EINVAL, EMFILE, EBADF, ENOTTY
 */
export function* createConstrained(
  process: Process,
  cenalloc: number,
  lengthBytes: number,
  { alignmentBytes = 0, flags = O.RDWR | O.CLOEXEC }: CreateConstrainedOptions = {},
): Task<number> {
  const given = { len: BigInt(lengthBytes), align: BigInt(alignmentBytes), fd_flags: flags };
  const { fd } = yield* process.command(cenalloc, CENALLOC_IOCTL_CREATE, given);
  return fd;
}

/** Where a buffer lies and why, from /proc/self/fdinfo. @throws ErrnoError EBADF */
export function placementOf(process: Process, buffer: number): BufferPlacement {
  const { heap, why, placed_for: placedFor = '', moves = 0 } = process.fds.file(buffer, 'open').fdinfo();
  const text = (value: string | number | undefined): string | undefined =>
    value === undefined ? undefined : String(value);
  const devices = String(placedFor).split(', ').filter(Boolean);
  return { heap: text(heap), why: text(why), devices, moves: Number(moves) };
}
