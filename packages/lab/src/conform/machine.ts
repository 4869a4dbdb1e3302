/** The machine on which cases run: memory, heaps and devices as the recorded kernel has them. */

import type { WordIndex } from '@dmabuf-lab/core/base';
import { PhysicalMemory, type PhysicalMemoryHandle, type Run } from '@dmabuf-lab/core/memory';
import { SystemHeap } from '@dmabuf-lab/heaps';
import {
  addBochsNode,
  addHeapNode,
  addUdmabufNode,
  addVgemNodes,
  addVirtioGpuNodes,
  type KernelHost,
  PAGE_BYTES,
  type Page,
  type PageRun,
  SimulatedKernel,
} from '@dmabuf-lab/uapi';

export const MACHINE_WINDOWS = [{ name: 'ram', base: 0, sizeBytes: 960 * 2 ** 20 }];

/** What a case can need and this machine has. */
export const MACHINE_HAS: readonly string[] = ['heap', 'udmabuf', 'vgem', 'bochs', 'virtio_gpu', 'syncobj'];

/** Starts a kernel on the memory of a machine: nothing is allocated, all devices are idle. */
export function startKernel(host: KernelHost, memory: PhysicalMemoryHandle, changedWord: WordIndex): SimulatedKernel {
  const ram = PhysicalMemory.open(memory);
  const [{ base, sizeBytes }] = MACHINE_WINDOWS;
  const heap = new SystemHeap('system', ram, { base, sizeBytes });
  const allocate = (count: number): PageRun => {
    const allocation = heap.allocate(count * PAGE_BYTES, { zero: true });
    return { pages: pagesOf(ram, allocation.sgTable.runs), free: () => heap.free(allocation) };
  };
  const kernel = new SimulatedKernel(host, { changedWord, pages: { allocate } });
  addHeapNode(kernel, { name: 'system', scattered: true, allocate });
  addUdmabufNode(kernel);
  addVgemNodes(kernel, '/dev/dri/card0', '/dev/dri/renderD128');
  addBochsNode(kernel, '/dev/dri/card1');
  addVirtioGpuNodes(kernel, '/dev/dri/card2', '/dev/dri/renderD129');
  return kernel;
}

function pagesOf(memory: PhysicalMemory, runs: readonly Run[]): Page[] {
  return runs.flatMap(({ address, lengthBytes }) => {
    const bytes = memory.view(address, lengthBytes);
    return Array.from({ length: lengthBytes / PAGE_BYTES }, (_, i) =>
      bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES),
    );
  });
}
