/** The machine on which cases run: memory, heaps and devices as the recorded kernel has them. */

import type { WordIndex } from '@dmabuf-lab/core/base';
import { DmaBufRules, type DmaBufRulesOptions } from '@dmabuf-lab/core/dma-buf';
import { PhysicalMemory, type PhysicalMemoryHandle, type Run } from '@dmabuf-lab/core/memory';
import { SystemHeap } from '@dmabuf-lab/heaps';
import {
  addBochsNode,
  addHeapNode,
  addMemoryNodes,
  addTmpfs,
  addUdmabufNode,
  addVgemNodes,
  addVirtioGpuNodes,
  addVividNodes,
  type KernelHost,
  PAGE_BYTES,
  type Page,
  type PageRun,
  SimulatedKernel,
  V4L2_FIELD,
  type VividDevice,
  v4l2Fourcc,
} from '@dmabuf-lab/uapi';

export const MACHINE_WINDOWS = [{ name: 'ram', base: 0, sizeBytes: 960 * 2 ** 20 }];

/** What a case can need and this machine has. */
export const MACHINE_HAS: readonly string[] = [
  'heap',
  'udmabuf',
  'vgem',
  'bochs',
  'virtio_gpu',
  'syncobj',
  'vivid-cap',
  'vivid-out',
  'vivid-cap-mp',
  'media',
];

/** Of what vivid leaves to chance. */
const VIVID_SEED = 1;

/**
 * Starts a kernel on the memory of a machine: nothing is allocated, all devices are idle.
 *
 * @param rules which kernel dma-bufs follow, and what becomes of violations that Linux does not check
 */
export function startKernel(
  host: KernelHost,
  memory: PhysicalMemoryHandle,
  changedWord: WordIndex,
  rules: DmaBufRulesOptions = {},
): SimulatedKernel {
  const ram = PhysicalMemory.open(memory);
  const [{ base, sizeBytes }] = MACHINE_WINDOWS;
  const heap = new SystemHeap('system', ram, { base, sizeBytes });
  const allocate = (count: number): PageRun => {
    const allocation = heap.allocate(count * PAGE_BYTES, { zero: true });
    return { pages: pagesOf(ram, allocation.sgTable.runs), free: () => heap.free(allocation) };
  };
  const kernel = new SimulatedKernel(host, {
    changedWord,
    pages: { allocate },
    dmaBufRules: new DmaBufRules(rules),
  });
  addHeapNode(kernel, { name: 'system', scattered: true, allocate });
  addMemoryNodes(kernel);
  addTmpfs(kernel, '/tmp');
  for (const folder of ['/proc', '/sys']) kernel.addFolder(folder);
  addUdmabufNode(kernel);
  addVgemNodes(kernel, '/dev/dri/card0', '/dev/dri/renderD128');
  const single = addVividNodes(kernel, { number: 0, isMultiplanar: false, seed: VIVID_SEED });
  const multi = addVividNodes(kernel, { number: 1, isMultiplanar: true, seed: VIVID_SEED });
  for (const node of [single.capture, single.output, multi.capture]) setUpVideoNode(node);
  addBochsNode(kernel, '/dev/dri/card1');
  addVirtioGpuNodes(kernel, '/dev/dri/card2', '/dev/dri/renderD129');
  return kernel;
}

/** As recorded cases find a node: small pictures, which come often. */
function setUpVideoNode(node: VividDevice['capture'] | VividDevice['output']): void {
  const { colorspace } = node.getFormat();
  const picture = { width: 320, height: 180, pixelformat: v4l2Fourcc('YUYV'), field: V4L2_FIELD.NONE, colorspace };
  node.setFormat({ ...picture, planes: [], planeCount: 0 });
  if ('setInterval' in node) node.setInterval({ numerator: 1, denominator: 60 });
}

function pagesOf(memory: PhysicalMemory, runs: readonly Run[]): Page[] {
  return runs.flatMap(({ address, lengthBytes }) => {
    const bytes = memory.view(address, lengthBytes);
    return Array.from({ length: lengthBytes / PAGE_BYTES }, (_, i) =>
      bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES),
    );
  });
}
