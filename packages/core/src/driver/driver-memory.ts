/** Memory that a driver exports buffers from: its own, behind ops of its own. */
import type { AddressWindow } from '../constraints/index.js';
import type { DmaHeap } from '../dma-buf/index.js';
import type { PhysicalMemory } from '../memory/index.js';

/** Where the memory of a device lies, and what its heap is called. */
export interface MemoryPlace {
  /** Name of the heap: `npu.memory`. */
  readonly heap: string;
  /** Name of the device whose memory it is. */
  readonly device: string;
  readonly memory: PhysicalMemory;
  /** Its pages, at the addresses that everybody sees. */
  readonly window: AddressWindow;
}

/**
 * What makes a driver an exporter. Its outputs draw their buffers from this memory unless the scenario says otherwise.
 *
 * The heap and its `DmaBufOps` are objects of the exporter's actor, not of the driver's: they outlive the driver's death, and
 * share nothing with its generator but the parameters. Source: struct dma_buf_ops of a driver such as amdgpu
 * (amdgpu_dmabuf_ops, amdgpu_dma_buf.c), v6.12. Differs: a driver there allocates in its own calls.
 */
export interface DriverMemory<Parameters> {
  /** Bytes of one device, whole pages of 4096; 0 = this one has none. Pure. */
  sizeBytes(parameters: Parameters): number;
  /** Makes the heap over it. Once for each life of the exporter. */
  openHeap(place: MemoryPlace, parameters: Parameters): DmaHeap;
}
