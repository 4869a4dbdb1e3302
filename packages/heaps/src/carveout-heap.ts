/**
 * The carveout heap: memory that the kernel has never had, handed out first fit, aligned to pages and no more.
 *
 * Source: ion_carveout_heap.c (gen_pool_alloc with the page shift), v5.10. It is scarcer than CMA, whose pages the system
 * uses meanwhile, but no alignment is lost.
 */
import type { AddressWindow } from '@dmabuf-lab/core/constraints';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type CacheState, PageOps } from './buf-ops.js';
import { RegionHeap } from './region-heap.js';

export interface CarveoutHeapOptions {
  /** Scarcity; 2 when absent. */
  readonly cost?: number;
  /** How the CPU sees it; uncached when absent, as ION mapped carveouts write-combined. */
  readonly cache?: CacheState;
}

export class CarveoutHeap extends RegionHeap {
  readonly ops: PageOps;

  constructor(name: string, memory: PhysicalMemory, region: AddressWindow, options: CarveoutHeapOptions = {}) {
    super(name, memory, region, 0, options.cost ?? 2);
    this.ops = new PageOps(name, (storage) => this.free(storage), options.cache ?? 'uncached');
  }
}
