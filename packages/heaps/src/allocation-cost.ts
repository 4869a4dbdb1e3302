/**
 * What an allocation costs in model time.
 *
 * Parameters of the model, not measurements: of the size that a mid-range Arm board shows. A scenario may set others.
 */
import type { Nanoseconds } from '@dmabuf-lab/core/base';
import type { HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import { CONTIGUOUS_RUN } from './region-heap.js';

export interface AllocationCosts {
  /** Of one block from the page allocator, by order. An order that is not listed costs as the next larger that is. */
  readonly perChunkNs: Readonly<Record<number, Nanoseconds>>;
  /** Of one contiguous run: finding it, and per page isolating it. */
  readonly perRunNs: Nanoseconds;
  readonly perRunPageNs: Nanoseconds;
  readonly zeroBytesPerSecond: number;
  /** Of one block from a page pool, whatever its order. */
  readonly perPooledNs: Nanoseconds;
  /** Of one page whose cache state changes: its mapping, and its share of flushing. */
  readonly perConvertedPageNs: Nanoseconds;
}

/** 60 ns a pooled block, 150 ns a converted page; 250 ns, 600 ns and 2 us a block of order 0, 4 and 8; 20 us a contiguous run and 30 ns a page of it; zeroing 8 GB/s. */
export const DEFAULT_ALLOCATION_COSTS: AllocationCosts = {
  perChunkNs: { 0: 250, 4: 600, 8: 2000 },
  perRunNs: 20_000,
  perRunPageNs: 30,
  zeroBytesPerSecond: 8e9,
  perPooledNs: 60,
  perConvertedPageNs: 150,
};

/**
 * Time that finding the pages takes; zeroing them is apart, since a move does without.
 *
 * @returns nanoseconds, an integer
 */
export function allocationCostNs(
  allocation: Pick<HeapAllocation, 'sgTable' | 'chunksByOrder' | 'pooledByOrder' | 'convertedPages'>,
  costs: AllocationCosts = DEFAULT_ALLOCATION_COSTS,
): Nanoseconds {
  const { sgTable, chunksByOrder, pooledByOrder = new Map<number, number>(), convertedPages = 0 } = allocation;
  let ns = convertedPages * costs.perConvertedPageNs;
  for (const blocks of pooledByOrder.values()) ns += blocks * costs.perPooledNs;
  for (const [order, chunks] of chunksByOrder) {
    if (order !== CONTIGUOUS_RUN) ns += chunks * chunkCostNs(order, costs);
    else ns += chunks * costs.perRunNs + (sgTable.lengthBytes / PAGE_SIZE) * costs.perRunPageNs;
  }
  return Math.round(ns);
}

/**
 * Time that zeroing takes.
 *
 * @returns nanoseconds, rounded up
 */
export function zeroCostNs(sizeBytes: number, costs: AllocationCosts = DEFAULT_ALLOCATION_COSTS): Nanoseconds {
  return Math.ceil(sizeBytes / (costs.zeroBytesPerSecond / 1e9));
}

function chunkCostNs(order: number, { perChunkNs }: AllocationCosts): Nanoseconds {
  if (perChunkNs[order] !== undefined) return perChunkNs[order];
  const listed = Object.keys(perChunkNs)
    .map(Number)
    .sort((a, b) => a - b);
  return perChunkNs[listed.find((one) => one > order) ?? listed[listed.length - 1]] ?? 0;
}
