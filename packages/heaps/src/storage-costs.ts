import { type Nanoseconds, NS_PER_SECOND } from '@dmabuf-lab/core/base';
import type { StorageCosts } from '@dmabuf-lab/core/dma-buf';
import { allocationCostNs, DEFAULT_ALLOCATION_COSTS, zeroCostNs } from './allocation-cost.js';

export interface Bandwidths {
  readonly copyBytesPerSecond: number;
  readonly zeroBytesPerSecond: number;
}

/** What the exporter asks for: the costs of allocating, zeroing and copying, in integer nanoseconds. */
export function storageCosts({ copyBytesPerSecond, zeroBytesPerSecond }: Bandwidths): StorageCosts {
  const costs = { ...DEFAULT_ALLOCATION_COSTS, zeroBytesPerSecond };
  return {
    allocationNs: (allocation): Nanoseconds => allocationCostNs(allocation, costs),
    zeroNs: (sizeBytes): Nanoseconds => zeroCostNs(sizeBytes, costs),
    copyNs: (sizeBytes): Nanoseconds => Math.ceil(sizeBytes / (copyBytesPerSecond / NS_PER_SECOND)),
  };
}
