/**
 * Memory behind the planes of a device that masters the bus: it attaches to the dma-bufs that user space queues.
 *
 * A dma-buf is attached and mapped at QBUF, and stays so until another takes its place at that index, or the buffers are
 * freed; STREAMOFF does not unmap it. Source: drivers/media/common/videobuf2/videobuf2-dma-contig.c, videobuf2-dma-sg.c, v6.12.
 */
import { ErrnoError, isErrno, type Task } from '@dmabuf-lab/core/base';
import {
  type DataDirection,
  DmaBufCaller,
  mapAttachmentUnlocked,
  type ObjectMapping,
  unmapAttachmentUnlocked,
} from '@dmabuf-lab/core/dma-buf';
import type { DmaBufAttachment, DmaBufFile } from '../../files/dma-buf.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { type Page, type PageAllocator, pageRuns } from '../../kernel/pages.js';
import { OwnMemory, type PlaneMemory, type Vb2MemOps } from './vb2-memory.js';

export interface DmaMemoryOptions {
  /** The device, as the lists of attachments name it. */
  readonly device: string;
  /** Of the queue. Source: vb2_queue.dma_dir. */
  readonly direction: DataDirection;
  /** The device cannot gather: memory has to be one run. Source: videobuf2-dma-contig; without it videobuf2-dma-sg. */
  readonly isContiguous: boolean;
  /** Where the buffers of MMAP come from; from the kernel's pages when absent. */
  readonly pages?: PageAllocator;
}

/** How the queue of a device comes to its memory. Source: vb2_dma_contig_memops, vb2_dma_sg_memops. */
export function dmaMemOps(kernel: SimulatedKernel, options: DmaMemoryOptions): Vb2MemOps {
  const { isContiguous, pages } = options;
  return {
    allocate: (lengthBytes) => allocate(kernel, lengthBytes, isContiguous, pages),
    importDmaBuf: (buffer, lengthBytes) => importDmaBuf(kernel, buffer, lengthBytes, options),
  };
}

/** @throws ErrnoError ENOMEM, also where pages are there but lie apart. Source: vb2_dc_alloc, vb2_dma_sg_alloc. */
function allocate(
  kernel: SimulatedKernel,
  lengthBytes: number,
  isContiguous: boolean,
  pages: PageAllocator = kernel.pages,
): OwnMemory {
  const name = isContiguous ? 'videobuf2_dma_contig' : 'videobuf2_dma_sg';
  const memory = new OwnMemory(kernel, pages, name, lengthBytes);
  if (!isContiguous || pageRuns(memory.pages).length <= 1) return memory;
  memory.put();
  throw new ErrnoError('ENOMEM', 'VIDIOC_REQBUFS', `Cannot allocate ${lengthBytes} bytes in one run`);
}

/**
 * Attaches and maps.
 *
 * @throws ErrnoError EFAULT when it is too small, or scattered where the device needs one run; EINVAL when it cannot be
 *   mapped; what its exporter says to the attach
 * Source: vb2_dc_attach_dmabuf, vb2_dc_map_dmabuf.
 */
function* importDmaBuf(
  kernel: SimulatedKernel,
  buffer: DmaBufFile,
  lengthBytes: number,
  { device, direction, isContiguous }: DmaMemoryOptions,
): Task<PlaneMemory> {
  const refuse = (code: 'EFAULT' | 'EINVAL', reason: string): ErrnoError =>
    new ErrnoError(code, 'VIDIOC_QBUF', `Cannot import the dma-buf for ${device}: ${reason}`);
  if (buffer.sizeBytes < lengthBytes)
    throw refuse('EFAULT', `it has ${buffer.sizeBytes} bytes, fewer than ${lengthBytes}`);
  const caller = new DmaBufCaller(device);
  const attachment = buffer.attach(device);
  let mapping: ObjectMapping<readonly Page[]>;
  try {
    mapping = yield* mapAttachmentUnlocked(caller, attachment, direction);
  } catch (error) {
    buffer.detach(attachment);
    throw isErrno(error) ? refuse('EINVAL', error.message) : error;
  }
  const pages = mapping.touch(direction === 'to-device' ? 'read' : 'write');
  const runs = pageRuns(pages);
  if (isContiguous && runs[0].length < lengthBytes) {
    yield* letGo(buffer, caller, attachment, mapping);
    throw refuse('EFAULT', `its pages lie in ${runs.length} runs, and the device needs one of ${lengthBytes} bytes`);
  }
  function* unmap(): Task<void> {
    yield* letGo(buffer, caller, attachment, mapping);
    buffer.drop();
  }
  const put = (): void => {
    buffer.hold(); // until it is unmapped, which waits for the lock
    kernel.startNow('vb2_unmap_dmabuf', unmap());
  };
  return { pages, users: 0, put };
}

/** Source: vb2_dc_unmap_dmabuf, vb2_dc_detach_dmabuf. */
function* letGo(
  buffer: DmaBufFile,
  caller: DmaBufCaller,
  attachment: DmaBufAttachment,
  mapping: ObjectMapping<readonly Page[]>,
): Task<void> {
  yield* unmapAttachmentUnlocked(caller, mapping);
  buffer.detach(attachment);
}
