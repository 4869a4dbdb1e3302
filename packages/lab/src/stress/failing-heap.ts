/** The exporter's surroundings in a stress run, with sites at which they fail. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import type { DmaHeap, StorageCosts } from '@dmabuf-lab/core/dma-buf';
import type { FaultSites } from './fault-sites.js';

/** A heap that at times has no room, whatever it has: nothing has been taken then. */
export function failingHeap(heap: DmaHeap, sites: FaultSites): DmaHeap {
  const allocate: DmaHeap['allocate'] = (sizeBytes, options) => {
    if (!sites.fires('heap-allocate')) return heap.allocate(sizeBytes, options);
    const { freeBytes } = heap.stats();
    const message = `Cannot allocate ${sizeBytes} bytes from ${heap.name}: the site heap-allocate has fired`;
    throw new ErrnoError('ENOMEM', 'dma_heap_buffer_alloc', message, { heap: heap.name, freeBytes });
  };
  // The heap's own object with one call replaced: its methods keep their private state.
  return new Proxy(heap, {
    get: (inner, key) => {
      if (key === 'allocate') return allocate;
      const value: unknown = Reflect.get(inner, key, inner);
      return typeof value === 'function' ? value.bind(inner) : value;
    },
  });
}

/** Costs with copies that at times take longer. */
export const lateCopies = (costs: StorageCosts, sites: FaultSites): StorageCosts => ({
  ...costs,
  copyNs: (sizeBytes) => costs.copyNs(sizeBytes) + sites.lateNs('move-copy'),
});
