/**
 * Allocation by the constraints of devices. Linux has no such node: shaped after dma_heap_allocation_data, with the length,
 * alignment and flags of cenalloc_buffer_create.
 *
 * Source: "cenalloc: Constraint-Enabled Allocation helpers for dma-buf", Sumit Semwal, RFC of October 2014, with
 * include/uapi/linux/dma-heap.h, v6.12.
 */
import { iowr } from './ioctl.js';
import { struct, u32, u64 } from './struct.js';

export const cenallocCreate = struct('cenalloc_create', {
  /** Bytes, rounded up to whole pages. */
  len: u64,
  /** Of the first byte as devices see it: 0 or a power of two, at most 4 GiB. */
  align: u64,
  /** In: 0. Out: a descriptor of the dma-buf. */
  fd: u32,
  /** O_CLOEXEC and an access mode. */
  fd_flags: u32,
  /** None are known: 0. */
  flags: u64,
});

export const CENALLOC_IOCTL_CREATE = iowr('CENALLOC_IOCTL_CREATE', 'C', 0, cenallocCreate);
