/**
 * Memory of a device on the bus, such as an on-chip SRAM, from which its driver exports buffers: contiguous runs, behind ops of
 * which the driver may bring its own.
 *
 * Context: owner-actor; never blocks.
 */
import type { DmaBufOps } from '@dmabuf-lab/core/dma-buf';
import type { MemoryPlace } from '@dmabuf-lab/core/driver';
import { type CacheState, PageOps } from './buf-ops.js';
import { RegionHeap } from './region-heap.js';

export interface DriverHeapOptions {
  /** Runs are aligned to their size, but to no more than 2 to the power of this many pages. Default 0. */
  readonly alignmentOrder?: number;
  /** Scarcity for the placement solver. Default 3, as device-local memory. */
  readonly cost?: number;
  /** Of the CPU's mappings. Default `uncached`. */
  readonly cache?: CacheState;
  /**
   * The ops that the driver has of its own; the others are those of plain pages, which `base` has. An own op that does not
   * call its counterpart in `base` keeps its books itself.
   */
  readonly ops?: (base: DmaBufOps) => Partial<DmaBufOps>;
}

/** A heap over `MemoryPlace`: what `DriverMemory.openHeap` returns where runs of pages will do. */
export class DriverHeap extends RegionHeap {
  readonly ops: DmaBufOps;

  /** @throws ErrnoError EINVAL when the window is not whole pages; EFAULT when no memory backs it */
  constructor({ heap, memory, window }: MemoryPlace, options: DriverHeapOptions = {}) {
    const { alignmentOrder = 0, cost = 3, cache = 'uncached', ops } = options;
    super(heap, memory, window, alignmentOrder, cost);
    const base = new PageOps(heap, (storage) => this.free(storage), cache);
    this.ops = ops === undefined ? base : mergeOps(base, ops(base));
  }
}

function mergeOps(base: DmaBufOps, own: Partial<DmaBufOps>): DmaBufOps {
  return {
    attach: own.attach?.bind(own) ?? ((storage, device) => base.attach?.(storage, device)),
    detach: own.detach?.bind(own) ?? ((storage, device) => base.detach?.(storage, device)),
    pin: own.pin?.bind(own) ?? ((storage) => base.pin?.(storage)),
    unpin: own.unpin?.bind(own) ?? ((storage) => base.unpin?.(storage)),
    mapDmaBuf: own.mapDmaBuf?.bind(own) ?? ((storage, device) => base.mapDmaBuf(storage, device)),
    unmapDmaBuf: own.unmapDmaBuf?.bind(own) ?? ((storage, device) => base.unmapDmaBuf?.(storage, device)),
    beginCpuAccess: own.beginCpuAccess?.bind(own) ?? ((storage, direction) => base.beginCpuAccess(storage, direction)),
    endCpuAccess: own.endCpuAccess?.bind(own) ?? ((storage, direction) => base.endCpuAccess(storage, direction)),
    mmap: own.mmap?.bind(own) ?? ((storage) => base.mmap(storage)),
    vmap: own.vmap?.bind(own) ?? ((storage) => base.vmap(storage)),
    vunmap: own.vunmap?.bind(own) ?? ((storage) => base.vunmap(storage)),
    release: own.release?.bind(own) ?? ((storage) => base.release(storage)),
  };
}
