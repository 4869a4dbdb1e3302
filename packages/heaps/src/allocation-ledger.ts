import { ErrnoError } from '@dmabuf-lab/core/base';
import type { HeapAllocation, HeapStats, StoredAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, pageAlign } from '@dmabuf-lab/core/memory';
import { type PageRange, pageRangeOf } from './page-range.js';

/** Why a heap has no room: too little is free, it is in pieces, or no piece has an aligned start early enough. */
export type NoRoomReason = 'exhausted' | 'fragmented' | 'misaligned';

/**
 * What every heap keeps of its allocations: which are out and what stands behind them, the bytes in use and their peak.
 *
 * Allocations are known by identity, so a copy of one cannot be freed.
 */
export class AllocationLedger<Backing> {
  readonly #live = new Map<HeapAllocation, Backing>();
  #usedBytes = 0;
  #peakBytes = 0;

  constructor(readonly heap: string) {}

  get allocations(): number {
    return this.#live.size;
  }

  /** Books an allocation as out. */
  add(allocation: HeapAllocation, backing: Backing): void {
    this.#live.set(allocation, backing);
    this.#usedBytes += allocation.takenBytes ?? allocation.sgTable.lengthBytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
  }

  /**
   * Books an allocation as back.
   *
   * @returns what stands behind it
   * @throws ErrnoError EINVAL when it is not out: freed before, or another heap's
   */
  remove(allocation: HeapAllocation): Backing {
    const backing = this.#live.get(allocation);
    if (backing === undefined) {
      const reason =
        allocation.heap === this.heap
          ? 'it is not out, so it has been freed before'
          : `it belongs to heap ${allocation.heap}`;
      throw new ErrnoError('EINVAL', 'dma_heap_free', `Cannot free an allocation of heap ${this.heap}: ${reason}`, {
        heap: this.heap,
        allocationHeap: allocation.heap,
      });
    }
    this.#live.delete(allocation);
    this.#usedBytes -= allocation.takenBytes ?? allocation.sgTable.lengthBytes;
    return backing;
  }

  stats(sizeBytes: number, freeBytes: number, largestFreeRunBytes: number): HeapStats {
    return {
      sizeBytes,
      usedBytes: this.#usedBytes,
      peakBytes: this.#peakBytes,
      freeBytes,
      largestFreeRunBytes,
      allocations: this.#live.size,
    };
  }
}

/**
 * The ranges of pages of an allocation of an earlier life, in buffer order.
 *
 * @throws ErrnoError EINVAL when it is another heap's
 */
export function rangesToAdopt(heap: string, stored: StoredAllocation): PageRange[] {
  if (stored.heap !== heap || stored.runs.length === 0) {
    const reason = stored.heap === heap ? 'it has no pages' : `it belongs to heap ${stored.heap}`;
    const message = `Cannot take over an allocation in heap ${heap}: ${reason}`;
    throw new ErrnoError('EINVAL', 'dma_heap_adopt', message, { heap, allocationHeap: stored.heap });
  }
  return stored.runs.map((run) => pageRangeOf({ base: run.address, sizeBytes: run.lengthBytes }, 'a run'));
}

/** The error of pages that are to be taken over and are not free. */
export function notFree(heap: string, runs: StoredAllocation['runs']): ErrnoError {
  const message = `Cannot take over an allocation in heap ${heap}: not all of its pages are free pages of the heap`;
  return new ErrnoError('EBUSY', 'dma_heap_adopt', message, { heap, runs });
}

/**
 * The pages that a buffer of that size takes.
 *
 * @throws ErrnoError EINVAL when the size is not a positive integer
 */
export function pagesOfRequest(heap: string, sizeBytes: number): number {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes > 0) return pageAlign(sizeBytes) / PAGE_SIZE;
  const message = `Cannot allocate from heap ${heap}: the size must be a positive integer, got ${sizeBytes}`;
  throw new ErrnoError('EINVAL', 'dma_heap_alloc', message, { heap, requestedBytes: sizeBytes });
}

/** The error of a heap that has no room. */
export function noRoom(heap: string, requestedBytes: number, stats: HeapStats, alignmentBytes: number): ErrnoError {
  const { freeBytes, largestFreeRunBytes } = stats;
  const why = whyNoRoom(requestedBytes, stats);
  const text = {
    exhausted: `it is exhausted: free ${freeBytes} bytes, and the largest free run is ${largestFreeRunBytes}`,
    fragmented: `it is fragmented: free ${freeBytes} bytes, but the largest free run is ${largestFreeRunBytes}`,
    misaligned:
      `no free run holds it from a start aligned to ${alignmentBytes}: free ${freeBytes} bytes, ` +
      `and the largest free run is ${largestFreeRunBytes}`,
  }[why];
  return new ErrnoError(
    'ENOMEM',
    'dma_heap_alloc',
    `Cannot allocate ${requestedBytes} bytes from heap ${heap}: ${text}`,
    { heap, requestedBytes, freeBytes, largestFreeRunBytes, alignmentBytes, reason: why },
  );
}

/** What is free is whole pages, so it makes no difference that the request may end inside one. */
function whyNoRoom(requestedBytes: number, stats: HeapStats): NoRoomReason {
  if (stats.freeBytes < requestedBytes) return 'exhausted';
  return stats.largestFreeRunBytes < requestedBytes ? 'fragmented' : 'misaligned';
}
