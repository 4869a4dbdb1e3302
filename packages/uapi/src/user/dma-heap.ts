/** Allocation from a heap by name, as a program does it. */
import type { Task } from '@dmabuf-lab/core/base';
import { DMA_HEAP_IOCTL_ALLOC } from '../abi/dma-heap.js';
import { O } from '../abi/fcntl.js';
import type { Process } from '../kernel/process.js';

/** Opens `/dev/dma_heap/NAME`. @returns a descriptor @throws ErrnoError ENOENT, EMFILE */
export function openHeap(process: Process, name: string): number {
  return process.open(`/dev/dma_heap/${name}`, O.RDWR | O.CLOEXEC);
}

/**
 * Allocates a dma-buf.
 *
 * @param lengthBytes rounded up to whole pages
 * @param flags of its descriptor: `O.RDWR`, `O.RDONLY`, `O.CLOEXEC`
 * @returns its descriptor
 * @throws ErrnoError EINVAL, ENOMEM, EMFILE, EBADF, ENOTTY
 * Source: DMA_HEAP_IOCTL_ALLOC, include/uapi/linux/dma-heap.h, v6.12.
 */
export function* allocateFromHeap(
  process: Process,
  heap: number,
  lengthBytes: number,
  flags: number = O.RDWR | O.CLOEXEC,
): Task<number> {
  const { fd } = yield* process.command(heap, DMA_HEAP_IOCTL_ALLOC, { len: BigInt(lengthBytes), fd_flags: flags });
  return fd;
}
