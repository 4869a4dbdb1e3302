/** Source: include/uapi/linux/dma-heap.h, v6.12. */
import { iowr } from './ioctl.js';
import { struct, u32, u64 } from './struct.js';

export const dmaHeapAllocationData = struct('dma_heap_allocation_data', {
  len: u64,
  fd: u32,
  fd_flags: u32,
  heap_flags: u64,
});

export const DMA_HEAP_IOCTL_ALLOC = iowr('DMA_HEAP_IOCTL_ALLOC', 'H', 0, dmaHeapAllocationData);
