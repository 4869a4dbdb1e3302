/** The exporter's port: what a kind of memory does when its buffers are attached, mapped, accessed and released. */
import type { Nanoseconds } from '../base/index.js';
import type { DeviceConstraints } from '../constraints/index.js';
import type { SgTable } from '../memory/index.js';
import type { HeapAllocation } from './dma-heap.js';

/** What the CPU is going to do. Source: enum dma_data_direction as dma_buf_begin_cpu_access takes it, v6.12. */
export type CpuAccessDirection = 'read' | 'write' | 'read-write';

/**
 * Called by the exporter actor alone, which serialises the calls of one buffer. No call waits: what takes model time says
 * how much, and the exporter spends it. A call that throws has changed nothing.
 *
 * With deferred allocation a device attaches before there is storage: `attach` comes when storage is chosen, once for each
 * attached device, and again after a move, for the new storage (`detach` for the old).
 *
 * Source: struct dma_buf_ops, include/linux/dma-buf.h, v6.12. Differs: the storage is an argument, since a buffer may
 * change it; mmap and vmap return the pages, as views of them are the caller's business.
 */
export interface DmaBufOps {
  /** Optional. May refuse a device. @throws ErrnoError EPERM (protected), EOPNOTSUPP (no peer-to-peer path) */
  attach?(storage: HeapAllocation, device: DeviceConstraints): void;
  /** Optional. The counterpart of a successful `attach`. */
  detach?(storage: HeapAllocation, device: DeviceConstraints): void;
  /** Optional. The storage may not move or be evicted until `unpin`; nests. */
  pin?(storage: HeapAllocation): void;
  unpin?(storage: HeapAllocation): void;
  /**
   * Mandatory. The pages as they are for this device: for device-local memory a peer gets addresses in the visible window.
   *
   * @throws ErrnoError EPERM, EOPNOTSUPP as `attach`; EIO for a device that is not attached
   */
  mapDmaBuf(storage: HeapAllocation, device: DeviceConstraints): SgTable;
  /** Optional. The counterpart of `mapDmaBuf`. */
  unmapDmaBuf?(storage: HeapAllocation, device: DeviceConstraints): void;
  /**
   * Mandatory. Makes what devices wrote visible to the CPU.
   *
   * @returns model time of the cache maintenance, in nanoseconds
   * @throws ErrnoError EPERM where the CPU has no access
   */
  beginCpuAccess(storage: HeapAllocation, direction: CpuAccessDirection): Nanoseconds;
  /** Mandatory. Makes what the CPU wrote visible to devices; as `beginCpuAccess`. */
  endCpuAccess(storage: HeapAllocation, direction: CpuAccessDirection): Nanoseconds;
  /** Mandatory. @returns pages that user space may map. @throws ErrnoError EPERM (protected), EINVAL (not visible) */
  mmap(storage: HeapAllocation): SgTable;
  /** Mandatory. @returns pages that the kernel may map; counted until `vunmap`. @throws ErrnoError as `mmap` */
  vmap(storage: HeapAllocation): SgTable;
  vunmap(storage: HeapAllocation): void;
  /** Mandatory. The last reference is gone: frees the storage, or queues it to be freed. */
  release(storage: HeapAllocation): void;
}
