import { ErrnoError } from '@dmabuf-lab/core/base';
import type { HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, pageAlign } from '@dmabuf-lab/core/memory';

/** Keeps the books of a heap: what is out, how much, and the most it ever was. */
export class HeapAccounts<Backing> {
  readonly #out = new Map<HeapAllocation, Backing>();
  usedBytes = 0;
  peakBytes = 0;

  constructor(private readonly heap: string) {}

  get allocations(): number {
    return this.#out.size;
  }

  /** Pages of a request. @throws ErrnoError EINVAL when the size is not positive */
  pagesOf(sizeBytes: number): number {
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0) {
      throw new ErrnoError('EINVAL', 'dma_heap_alloc', `Cannot allocate from ${this.heap}: size ${sizeBytes} bytes`);
    }
    return pageAlign(sizeBytes) / PAGE_SIZE;
  }

  add(allocation: HeapAllocation, backing: Backing): void {
    this.#out.set(allocation, backing);
    this.usedBytes += allocation.sgTable.lengthBytes;
    this.peakBytes = Math.max(this.peakBytes, this.usedBytes);
  }

  /** Takes an allocation off the books. @throws ErrnoError EINVAL when it is not out */
  remove(allocation: HeapAllocation): Backing {
    const backing = this.#out.get(allocation);
    if (backing === undefined) {
      throw new ErrnoError(
        'EINVAL',
        'dma_heap_free',
        `Cannot free an allocation of ${allocation.heap} in ${this.heap}: it is not out (freed twice, or another heap's)`,
      );
    }
    this.#out.delete(allocation);
    this.usedBytes -= allocation.sgTable.lengthBytes;
    return backing;
  }
}

/** The refusal of a heap without room. */
export function outOfMemory(
  heap: string,
  requestedBytes: number,
  freeBytes: number,
  largestFreeRunBytes: number,
): ErrnoError {
  const fragmented = freeBytes >= requestedBytes;
  const why = fragmented
    ? `${freeBytes} bytes are free, but the largest free run is ${largestFreeRunBytes} (fragmented)`
    : `only ${freeBytes} bytes are free (exhausted)`;
  return new ErrnoError('ENOMEM', 'dma_heap_alloc', `Cannot allocate ${requestedBytes} bytes from ${heap}: ${why}`, {
    heap,
    requestedBytes,
    freeBytes,
    largestFreeRunBytes,
  });
}
