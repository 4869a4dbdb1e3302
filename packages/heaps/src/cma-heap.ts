/**
 * The CMA heap: one contiguous run a buffer, from a region set aside at boot.
 *
 * Source: drivers/dma-buf/heaps/cma_heap.c, v6.12: alignment by the order of the size, at most CONFIG_CMA_ALIGNMENT;
 * zeroed pages. Differs: ENOMEM says whether the region is exhausted or in pieces.
 */
import type { AddressWindow } from '@dmabuf-lab/core/constraints';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { PageOps } from './buf-ops.js';
import { CMA_ALIGNMENT_ORDER } from './contiguous-allocator.js';
import { RegionHeap } from './region-heap.js';

export class CmaHeap extends RegionHeap {
  readonly ops: PageOps;

  /** As `RegionHeap`; aligned to 1 MiB at most, and of scarcity 2, when nothing else is said. */
  constructor(
    name: string,
    memory: PhysicalMemory,
    region: AddressWindow,
    alignmentOrder = CMA_ALIGNMENT_ORDER,
    cost = 2,
  ) {
    super(name, memory, region, alignmentOrder, cost);
    this.ops = new PageOps(name, (storage) => this.free(storage));
  }
}
