/**
 * Protected memory: a region that the CPU may not touch and that only devices which are allowed in may map.
 *
 * The secure world zeroes it; here the pages are zeroed as those of any heap, though no CPU of the scenario ever sees them.
 *
 * Source: the protected heaps of OP-TEE (tee_shm_alloc of a protected pool) and of MediaTek, on the lists since 2023, not in
 * v6.12; drivers/gpu/drm/… mmap of them fails.
 */
import type { AddressWindow, HeapTraits } from '@dmabuf-lab/core/constraints';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { ProtectedOps } from './buf-ops.js';
import { RegionHeap } from './region-heap.js';

export class ProtectedHeap extends RegionHeap {
  readonly ops: ProtectedOps;

  /** @param cost scarcity; 2 when absent */
  constructor(name: string, memory: PhysicalMemory, region: AddressWindow, cost = 2) {
    super(name, memory, region, 0, cost);
    this.ops = new ProtectedOps(name, (storage) => this.free(storage));
  }

  override traits(sizeBytes: number): HeapTraits {
    return { ...super.traits(sizeBytes), protected: true };
  }
}
