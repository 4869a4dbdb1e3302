/** An exporter whose release op forgets to free. */
import { physAddr } from '@dmabuf-lab/core/base';
import type { DmaHeap, HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { defineDriver } from '@dmabuf-lab/core/driver';
import { SgTable } from '@dmabuf-lab/core/memory';
import { filter, parameters, plan, ports } from './filter.js';

const SIZE_BYTES = 1 << 24;

export default defineDriver({
  name: 'ledger',
  parameters,
  ports,
  plan,
  memory: {
    sizeBytes: () => SIZE_BYTES,
    openHeap({ heap, window }): DmaHeap {
      let usedBytes = 0;
      const page = ({ sgTable }: HeapAllocation): SgTable => sgTable;
      return {
        name: heap,
        ops: {
          ...{ mapDmaBuf: page, mmap: page, vmap: page, vunmap: () => {}, release: () => {} },
          ...{ beginCpuAccess: () => 0, endCpuAccess: () => 0 },
        },
        traits: () => ({ name: heap, windows: [window], contiguous: true, alignmentBytes: 4096, cost: 0 }),
        allocate(sizeBytes) {
          const lengthBytes = Math.ceil(sizeBytes / 4096) * 4096;
          const sgTable = new SgTable([{ address: physAddr(window.base + usedBytes), lengthBytes }]);
          usedBytes += lengthBytes;
          return { heap, sgTable, chunksByOrder: new Map() };
        },
        adopt: () => {
          throw new Error('nothing is kept from life to life');
        },
        free: () => {},
        stats: () => ({
          ...{ sizeBytes: SIZE_BYTES, usedBytes, peakBytes: usedBytes, freeBytes: SIZE_BYTES - usedBytes },
          ...{ largestFreeRunBytes: SIZE_BYTES - usedBytes, allocations: 0 },
        }),
      };
    },
  },
  *run(ctx) {
    yield* filter(ctx);
  },
});
