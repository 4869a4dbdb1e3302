/** The machine on which cases run: memory, heaps and devices as the recorded kernel has them. */

import type { CallSites, WordIndex } from '@dmabuf-lab/core/base';
import { type CpuCacheOptions, DmaBufRules, type DmaBufRulesOptions } from '@dmabuf-lab/core/dma-buf';
import { PhysicalMemory, type PhysicalMemoryHandle } from '@dmabuf-lab/core/memory';
import { CACHE_MAINTENANCE_PAGE_NS, SystemHeap } from '@dmabuf-lab/heaps';
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
  type PageAllocator,
  SimulatedKernel,
} from '@dmabuf-lab/uapi';
import { pagesFrom } from './pages-from.js';
import { addProgramNodes, CMA_WINDOW, wear } from './program-nodes.js';
import { setUpVideoNode } from './video-nodes.js';

/** Memory of the machine that cases are recorded on. */
export const MACHINE_WINDOWS = [{ name: 'ram', base: 0, sizeBytes: 960 * 2 ** 20 }];

/** Memory of the machine that programs run on. */
export const PROGRAM_WINDOWS = [...MACHINE_WINDOWS, CMA_WINDOW];

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

export interface MachineOptions {
  /** Which kernel dma-bufs follow, and what becomes of violations that Linux does not check. Default: like Linux 6.12. */
  readonly rules?: DmaBufRulesOptions;
  /**
   * `recorded`: the nodes of the machine that cases are recorded on. `all`: those too that it does not have, on the memory of
   * `PROGRAM_WINDOWS`. Default `recorded`.
   */
  readonly nodes?: 'recorded' | 'all';
  /** Devices do not see what is in the cache of the CPU, nor the CPU what they write past it. Default: they do. */
  readonly nonCoherent?: boolean;
  /** Finds out which line of a program has made what it leaves open. Default: nobody does. */
  readonly callSites?: CallSites;
}

/** Of a board whose devices do not snoop; maintenance costs what heaps charge for it in scenarios. */
const CPU_CACHE: CpuCacheOptions = {
  isCoherent: false,
  cleanNsPerPage: CACHE_MAINTENANCE_PAGE_NS,
  invalidateNsPerPage: CACHE_MAINTENANCE_PAGE_NS,
};

/** Starts a kernel on the memory of a machine: nothing is allocated, all devices are idle. */
export function startKernel(
  host: KernelHost,
  memory: PhysicalMemoryHandle,
  changedWord: WordIndex,
  options: MachineOptions = {},
): SimulatedKernel {
  const { nodes = 'recorded' } = options;
  const started = startRecorded(host, memory, changedWord, options);
  if (nodes === 'all') addProgramNodes(started.kernel, started.ram, started.heap);
  return started.kernel;
}

/** A machine that programs run on. */
export interface ProgramMachine {
  readonly kernel: SimulatedKernel;
  /** Memory in one piece. */
  readonly contiguousPages: PageAllocator;
}

/** As `startKernel` with the nodes `all`, for those who add more. */
export function startProgramMachine(
  host: KernelHost,
  memory: PhysicalMemoryHandle,
  changedWord: WordIndex,
  options: Omit<MachineOptions, 'nodes'> = {},
): ProgramMachine {
  const { kernel, ram, heap } = startRecorded(host, memory, changedWord, { ...options, nodes: 'all' });
  return { kernel, contiguousPages: addProgramNodes(kernel, ram, heap) };
}

function startRecorded(
  host: KernelHost,
  memory: PhysicalMemoryHandle,
  changedWord: WordIndex,
  { rules, nodes = 'recorded', nonCoherent = false, callSites }: MachineOptions,
): { readonly kernel: SimulatedKernel; readonly ram: PhysicalMemory; readonly heap: SystemHeap } {
  const ram = PhysicalMemory.open(memory);
  const [{ base, sizeBytes }] = MACHINE_WINDOWS;
  const heap = new SystemHeap('system', ram, { base, sizeBytes });
  if (nodes === 'all') wear(heap);
  const pages = pagesFrom(heap, ram);
  const kernel = new SimulatedKernel(host, {
    changedWord,
    pages,
    addressOf: (memory) => ram.addressOf(memory),
    dmaBufRules: new DmaBufRules(rules),
    ...(callSites && { callSites }),
    ...(nonCoherent && { cpuCache: CPU_CACHE }),
  });
  addHeapNode(kernel, { name: 'system', scattered: true, ...pages });
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
  return { kernel, ram, heap };
}
