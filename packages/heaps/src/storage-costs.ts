/** What storage costs in model time. Figures of a mid-range Arm board; a scenario may set the bandwidths. */
import { type Nanoseconds, NS_PER_SECOND } from '@dmabuf-lab/core/base';
import type { HeapAllocation, StorageCosts } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import { CONTIGUOUS_RUN } from './cma-heap.js';

/** Time to take one block from the buddy allocator, by order. */
const BLOCK_NS: Readonly<Record<number, Nanoseconds>> = { 0: 250, 4: 600, 8: 2000 };
/** Finding and isolating a contiguous run: a fixed part, and one a page. */
const RUN_NS = 20_000;
const RUN_PAGE_NS = 30;

export interface Bandwidths {
  readonly copyBytesPerSecond: number;
  readonly zeroBytesPerSecond: number;
}

/** The costs of allocating, zeroing and copying, in integer nanoseconds. */
export function storageCosts({ copyBytesPerSecond, zeroBytesPerSecond }: Bandwidths): StorageCosts {
  const transferNs = (bytes: number, perSecond: number): Nanoseconds => Math.ceil((bytes / perSecond) * NS_PER_SECOND);
  return {
    allocationNs: allocationCostNs,
    zeroNs: (sizeBytes) => transferNs(sizeBytes, zeroBytesPerSecond),
    copyNs: (sizeBytes) => transferNs(sizeBytes, copyBytesPerSecond),
  };
}

/** Time that an allocation took its allocator, without zeroing. */
export function allocationCostNs(allocation: HeapAllocation): Nanoseconds {
  let costNs = 0;
  for (const [order, count] of allocation.chunksByOrder) {
    if (order === CONTIGUOUS_RUN) costNs += RUN_NS + (allocation.sgTable.lengthBytes / PAGE_SIZE) * RUN_PAGE_NS;
    else costNs += count * (BLOCK_NS[order] ?? BLOCK_NS[0] * 2 ** order);
  }
  return costNs;
}
