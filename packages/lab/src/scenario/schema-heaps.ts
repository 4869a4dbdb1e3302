/** The heaps of a scenario or a board: one mapping a heap, by kind. */
import { z } from 'zod';
import { address, cost, name, positiveSize, powerOfTwo, size } from './schema-values.js';

const heapName = name.meta({ description: 'of the heap, as in /dev/dma_heap' });
const heapCost = cost('how scarce it is: the cheapest heap that suits is taken').optional();
const windowOfRegion = name.meta({ description: 'the memory window that the region lies in' });
const windows = z
  .union([name, z.array(name).min(1).max(64)])
  .meta({ description: 'the memory window, or a list of windows, that its pages come from' });
const region = {
  window: windowOfRegion,
  base: address('first byte of the region, a multiple of 4096'),
  size: positiveSize('length of the region, a multiple of 4096'),
};
const cache = z.enum(['cached', 'uncached']);

const agedSchema = z
  .strictObject({
    keep: z.number().min(0).max(1).default(0.5).meta({
      description: 'fraction of the aged region that other users hold, so that what is free is scattered; 0 to 1',
    }),
    region: positiveSize('how much of the zone is aged, from its start; the whole zone when absent').optional(),
    seed: z.int().min(0).optional().meta({ description: 'which pages the others hold; 1 when absent' }),
  })
  .meta({ description: 'wears the heap before the run, as on a machine that has been up for a while' });

const poolSchema = z
  .strictObject({
    limit: positiveSize('most that it keeps'),
    fill: size('what it holds, zeroed, before the run').prefault(0),
  })
  .meta({ description: 'keeps zeroed pages ready, by order' });

const scattered = {
  window: windows,
  cost: heapCost,
  pool: poolSchema.optional(),
  deferredFree: z.boolean().optional().meta({
    description: 'freed pages are zeroed later, in the background, and go to the pool; straight back under pressure',
  }),
  cache: cache.optional().meta({
    description: 'how the CPU sees its pages; fresh pages of an uncached heap are converted, those of its pool are not',
  }),
};

const systemHeapSchema = z
  .strictObject({
    name: heapName,
    kind: z.literal('system').meta({ description: 'scattered pages: all of its windows but the regions in them' }),
    ...scattered,
    aged: agedSchema.optional(),
  })
  .meta({ description: 'a heap of scattered pages' });

const dma32HeapSchema = z
  .strictObject({
    name: heapName,
    kind: z.literal('system-dma32').meta({ description: 'scattered pages below 4 GiB' }),
    ...scattered,
  })
  .meta({ description: 'a heap of scattered pages that 32 bits reach; it shares them with the system heap' });

const contigHeapSchema = z
  .strictObject({
    name: heapName,
    kind: z.literal('system-contig').meta({ description: 'contiguous runs of up to 4MiB from the page allocator' }),
    window: windows,
    cost: heapCost,
    below4GiB: z.boolean().optional().meta({ description: 'only pages that 32 bits reach' }),
  })
  .meta({ description: 'a heap of contiguous runs without a region of its own' });

const cmaHeapSchema = z
  .strictObject({
    name: heapName,
    kind: z.literal('cma').meta({ description: 'contiguous runs out of a region of its own' }),
    ...region,
    alignmentOrder: z.int().min(0).max(20).default(8).meta({
      description: 'runs are aligned to their size, but to no more than 2^alignmentOrder pages; 8 is 1MiB',
    }),
    cost: heapCost,
  })
  .meta({ description: 'a heap of contiguous runs' });

const carveoutHeapSchema = z
  .strictObject({
    name: heapName,
    kind: z.literal('carveout').meta({ description: 'contiguous runs out of memory that the system never had' }),
    ...region,
    cost: heapCost,
    cache: cache.optional().meta({ description: 'how the CPU sees it; uncached when absent' }),
  })
  .meta({ description: 'a heap of contiguous runs, aligned to pages only' });

const chunkHeapSchema = z
  .strictObject({
    name: heapName,
    kind: z.literal('chunk').meta({ description: 'whole chunks of one size' }),
    ...region,
    chunk: positiveSize('of one chunk, a power of two from 4KiB').refine(
      (bytes) => bytes >= 4096 && powerOfTwo(bytes),
      'expected a power of two from 4KiB',
    ),
    cost: heapCost,
  })
  .meta({ description: 'a heap of aligned chunks, for MMUs that map large pages only' });

const protectedHeapSchema = z
  .strictObject({
    name: heapName,
    kind: z.literal('protected').meta({ description: 'contiguous runs that only devices allowed in may map' }),
    ...region,
    cost: heapCost,
  })
  .meta({ description: 'memory that the CPU cannot access' });

const deviceLocalHeapSchema = z
  .strictObject({
    name: heapName,
    kind: z.literal('device-local').meta({ description: 'the memory of one device, behind PCIe' }),
    window: name.meta({ description: 'the memory window that it is, at the addresses of its BAR' }),
    owner: name.meta({ description: 'the device that reaches all of it' }),
    visible: size('how much of it, from the start, the CPU and peers see; all when absent').optional(),
    peers: z
      .record(name, z.int().min(0))
      .default({})
      .meta({ description: 'bridges on the way from each device that can reach it; others cannot' }),
    cost: heapCost,
  })
  .meta({ description: 'device-local memory, such as VRAM' });

/** The heaps of a scenario or a board. */
export const heapsSchema = z
  .array(
    z.discriminatedUnion('kind', [
      systemHeapSchema,
      dma32HeapSchema,
      contigHeapSchema,
      cmaHeapSchema,
      carveoutHeapSchema,
      chunkHeapSchema,
      protectedHeapSchema,
      deviceLocalHeapSchema,
    ]),
  )
  .min(1)
  .max(64)
  .meta({ description: 'where buffers can lie; with several that suit, the first of the least scarce is taken' });
