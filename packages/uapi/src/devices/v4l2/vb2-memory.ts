/**
 * Memory behind the planes of video buffers: their own, or that of dma-bufs which user space has queued.
 *
 * Source: drivers/media/common/videobuf2/videobuf2-core.c and videobuf2-vmalloc.c, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { O, PAGE_BYTES } from '../../abi/fcntl.js';
import { DmaBufFile } from '../../files/dma-buf.js';
import type { VmaRequest } from '../../kernel/address-space.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { type Page, type PageAllocator, type PageRun, pageAligned, pagesFor } from '../../kernel/pages.js';

/** What a driver fills, and what the queue gives back. Source: struct vb2_mem_ops. */
export interface PlaneMemory {
  readonly pages: readonly Page[];
  /** The queue, mappings and dma-bufs that share it; 0 where nobody counts. Source: vb2_mem_ops.num_users. */
  readonly users: number;
  /** The queue needs it no more. */
  put(): void;
}

/** How a queue gets memory. Source: struct vb2_mem_ops, include/media/videobuf2-core.h. */
export interface Vb2MemOps {
  /** Memory of its own. @throws ErrnoError ENOMEM */
  allocate(lengthBytes: number): OwnMemory;
  /** That of a dma-buf, ready for the device until `put`. @throws ErrnoError EFAULT, and what the exporter says */
  importDmaBuf(buffer: DmaBufFile, lengthBytes: number): Task<PlaneMemory>;
}

/** Memory that the queue has allocated. It lives on where it is mapped or exported: buffers are orphaned, not freed. */
export class OwnMemory implements PlaneMemory {
  users = 1;
  readonly #run: PageRun;

  /**
   * @param exporterName of dma-bufs of it
   * @throws ErrnoError ENOMEM
   */
  constructor(
    private readonly kernel: SimulatedKernel,
    pages: PageAllocator,
    private readonly exporterName: string,
    private readonly lengthBytes: number,
  ) {
    this.#run = pages.allocate(pagesFor(lengthBytes));
  }

  get pages(): readonly Page[] {
    return this.#run.pages;
  }

  /** Source: vb2_vmalloc_put, vb2_dc_put. */
  put(): void {
    this.users -= 1;
    if (this.users === 0) this.#run.free();
  }

  /** Maps it from its beginning, whatever offset was asked for. Source: vb2_vmalloc_mmap. @throws ErrnoError EINVAL */
  mmap(vma: VmaRequest): void {
    if (vma.count > this.pages.length)
      throw new ErrnoError('EINVAL', 'mmap', `Cannot map ${vma.count} pages: the buffer has ${this.pages.length}`);
    const { first } = vma;
    vma.fixedLength = true;
    vma.pager = { page: (index) => this.pages[index - first] };
    vma.onOpen = () => {
      this.users += 1;
    };
    vma.onClose = () => this.put();
    this.users += 1;
  }

  /** Source: vb2_vmalloc_get_dmabuf. @param flags access mode of the file */
  export(flags: number): DmaBufFile {
    this.users += 1;
    return new DmaBufFile(
      this.kernel,
      {
        name: this.exporterName,
        sizeBytes: pageAligned(this.lengthBytes),
        mmap: (vma) => this.mmap(vma),
        vmap: () => this.pages,
        release: () => this.put(),
      },
      flags & O.ACCMODE,
    );
  }
}

/** Overwrites the beginning of memory with one line of bytes, again and again. */
export function fillWithLines(pages: readonly Page[], lengthBytes: number, line: Uint8Array): void {
  for (let at = 0; at < lengthBytes; ) {
    const from = at % PAGE_BYTES;
    const inLine = at % line.length;
    const count = Math.min(PAGE_BYTES - from, line.length - inLine, lengthBytes - at);
    pages[Math.floor(at / PAGE_BYTES)].set(line.subarray(inLine, inLine + count), from);
    at += count;
  }
}

/** Copies bytes out of memory. */
export function readPages(pages: readonly Page[], offset: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  eachPart(offset, lengthBytes, (page, from, count, at) => bytes.set(pages[page].subarray(from, from + count), at));
  return bytes;
}

/** Copies bytes into memory. */
export function writePages(pages: readonly Page[], offset: number, bytes: Uint8Array): void {
  eachPart(offset, bytes.length, (page, from, count, at) => pages[page].set(bytes.subarray(at, at + count), from));
}

function eachPart(
  offset: number,
  lengthBytes: number,
  use: (page: number, from: number, count: number, at: number) => void,
): void {
  for (let at = 0; at < lengthBytes; ) {
    const from = (offset + at) % PAGE_BYTES;
    const count = Math.min(PAGE_BYTES - from, lengthBytes - at);
    use(Math.floor((offset + at) / PAGE_BYTES), from, count, at);
    at += count;
  }
}
