/** /dev/dma_heap/NAME: allocation from a heap that the caller names. Source: drivers/dma-buf/dma-heap.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { DMA_HEAP_IOCTL_ALLOC, dmaHeapAllocationData } from '../abi/dma-heap.js';
import { O, PAGE_BYTES } from '../abi/fcntl.js';
import { IOC, ioctlDirection, ioctlNr, ioctlSize } from '../abi/ioctl.js';
import { type DmaBufExporter, DmaBufFile } from '../files/dma-buf.js';
import { addDeviceNode, DeviceFile, type DeviceNode } from '../kernel/device-file.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import type { IoctlCall } from '../kernel/open-file.js';
import type { PageRun } from '../kernel/pages.js';
import type { Process } from '../kernel/process.js';

const VALID_FD_FLAGS = O.CLOEXEC | O.ACCMODE;
const MAX_BYTES = 2n ** 64n;

/** What a heap node allocates from. */
export interface HeapNode {
  readonly name: string;
  /** Zeroed pages. @throws ErrnoError ENOMEM */
  allocate(pages: number): PageRun;
  /** Whether a private mapping of several pages is refused, since pages are mapped one by one. */
  readonly scattered: boolean;
  /** Private mappings are refused altogether. Source: cma_heap_mmap. Absent = they are not. */
  readonly sharedOnly?: boolean;
}

export function addHeapNode(kernel: SimulatedKernel, heap: HeapNode): void {
  addDeviceNode(kernel, `/dev/dma_heap/${heap.name}`, (node, flags) => new HeapFile(kernel, heap, node, flags));
}

class HeapFile extends DeviceFile {
  constructor(
    private readonly kernel: SimulatedKernel,
    private readonly heap: HeapNode,
    node: DeviceNode,
    flags: number,
  ) {
    super(node, flags);
  }

  /** Type letter and size of the number are not looked at: whatever is missing is zero, whatever is too much is ignored. */
  override *ioctl({ process, command, argument }: IoctlCall): Task<number> {
    const op = DMA_HEAP_IOCTL_ALLOC.name;
    if (ioctlNr(command) !== 0) throw new ErrnoError('EINVAL', op, `Cannot do ioctl ${ioctlNr(command)} of a heap`);
    const direction = ioctlDirection(command);
    const size = ioctlSize(command);
    const given = (direction & IOC.write) === 0 ? new Uint8Array(0) : process.user.read(argument, size, op);
    const whole = new Uint8Array(Math.max(size, dmaHeapAllocationData.size));
    whole.set(given);
    const data = dmaHeapAllocationData.decode(whole);
    data.fd = this.#allocate(process, data);
    whole.set(dmaHeapAllocationData.encode(data));
    if ((direction & IOC.read) !== 0) process.user.write(argument, whole.subarray(0, size), op);
    return 0;
  }

  #allocate(
    process: Process,
    { len, fd, fd_flags, heap_flags }: ReturnType<typeof dmaHeapAllocationData.decode>,
  ): number {
    const refuse = (what: string): ErrnoError =>
      new ErrnoError('EINVAL', DMA_HEAP_IOCTL_ALLOC.name, `Cannot allocate from heap ${this.heap.name}: ${what}`);
    if (fd !== 0) throw refuse(`fd must be 0, got ${fd}`);
    if ((fd_flags & ~VALID_FD_FLAGS) !== 0) throw refuse(`fd_flags 0x${fd_flags.toString(16)} are not valid`);
    if (heap_flags !== 0n) throw refuse(`heap_flags must be 0, got 0x${heap_flags.toString(16)}`);
    const pages = ((len + BigInt(PAGE_BYTES - 1)) % MAX_BYTES) / BigInt(PAGE_BYTES);
    if (pages === 0n) throw refuse(`the length ${len} is no length`);
    const run = this.heap.allocate(Number(pages));
    const buffer = new DmaBufFile(this.kernel, heapExporter(this.heap, run), fd_flags & O.ACCMODE);
    return process.install(buffer, fd_flags);
  }
}

/** Source: system_heap_buf_ops, drivers/dma-buf/heaps/system_heap.c. */
function heapExporter(heap: HeapNode, run: PageRun): DmaBufExporter {
  return {
    name: heap.name,
    sizeBytes: run.pages.length * PAGE_BYTES,
    release: () => run.free(),
    vmap: () => run.pages,
    mmap: (vma) => {
      if (heap.sharedOnly === true && !vma.shared) {
        throw new ErrnoError('EINVAL', 'mmap', `Cannot map privately: buffers of heap ${heap.name} are shared`);
      }
      const isCopyOnWrite = !vma.shared && vma.mayWrite;
      if (isCopyOnWrite && heap.scattered && vma.count > 1) {
        throw new ErrnoError('EINVAL', 'mmap', 'Cannot map privately: pages are mapped one by one (remap_pfn_range)');
      }
      vma.fixedLength = true;
      vma.pager = { page: (index) => run.pages[index] };
    },
  };
}
