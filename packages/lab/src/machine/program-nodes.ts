/** What programs find beyond the machine that cases are recorded on: memory in one piece, and whoever needs it. */
import { RandomStream } from '@dmabuf-lab/core/base';
import type { DmaHeap } from '@dmabuf-lab/core/dma-buf';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { CmaHeap, type SystemHeap } from '@dmabuf-lab/heaps';
import {
  addCenallocNode,
  addHeapNode,
  addVividNodes,
  type PageAllocator,
  type SimulatedKernel,
} from '@dmabuf-lab/uapi';
import { pagesFrom } from './pages-from.js';
import { setUpVideoNode } from './video-nodes.js';

/** The region of the heap `reserved`, as the CMA area of `cma=64M` is called. Source: dma_contiguous_reserve, v6.12. */
export const CMA_WINDOW = { name: 'cma', base: 2 ** 30, sizeBytes: 64 * 2 ** 20 };

/** Of a move from heap to heap: that of the scenarios when they say nothing. */
const COPY_BYTES_PER_SECOND = 4e9;
const VIVID_SEED = 1;
/** Where others hold every second page, so that buffers are in one piece by constraint and not by luck. */
const WORN_BYTES = 64 * 2 ** 20;
const WORN_SEED = 1;

/** Makes the free pages of a heap those of a machine that has been up for a while. Before the first allocation. */
export function wear(system: SystemHeap): void {
  system.age({ keep: 0.5, regionBytes: WORN_BYTES, random: new RandomStream(WORN_SEED, 'heap.system.aged') });
}

/** @returns where memory in one piece comes from */
export function addProgramNodes(kernel: SimulatedKernel, memory: PhysicalMemory, system: DmaHeap): PageAllocator {
  const cma = new CmaHeap('reserved', memory, CMA_WINDOW);
  const contiguousPages = pagesFrom(cma, memory);
  addHeapNode(kernel, { name: 'reserved', scattered: false, sharedOnly: true, ...contiguousPages });
  addCenallocNode(kernel, { heaps: [system, cma], memory, copyBytesPerSecond: COPY_BYTES_PER_SECOND });
  const { capture, output } = addVividNodes(kernel, {
    number: 2,
    isMultiplanar: false,
    seed: VIVID_SEED,
    contiguousPages,
  });
  for (const node of [capture, output]) setUpVideoNode(node);
  return contiguousPages;
}
