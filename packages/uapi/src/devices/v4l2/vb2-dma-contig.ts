/**
 * Memory for devices that need it in one piece. Source: drivers/media/common/videobuf2/videobuf2-dma-contig.c, v6.12.
 */
import { ErrnoError, isErrno, type Task } from '@dmabuf-lab/core/base';
import { type DataDirection, DmaBufCaller } from '@dmabuf-lab/core/dma-buf';
import { PAGE_BYTES } from '../../abi/fcntl.js';
import type { DmaBufAttachment, DmaBufFile, DmaBufMapping } from '../../files/dma-buf.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { Page, PageAllocator } from '../../kernel/pages.js';
import { OwnMemory, type PlaneMemory, type Vb2MemOps } from './vb2-memory.js';

export interface DmaContigOptions {
  /** Of its constraints. */
  readonly device: string;
  /** Pages that follow each other. */
  readonly pages: PageAllocator;
  /** What messages call the queue. */
  readonly who: string;
  /** Of what the device does with buffers. */
  readonly direction: DataDirection;
}

export function dmaContigMemOps(kernel: SimulatedKernel, options: DmaContigOptions): Vb2MemOps {
  return {
    allocate: (lengthBytes) => new OwnMemory(kernel, options.pages, 'videobuf2_dma_contig', lengthBytes),
    importDmaBuf: (buffer, lengthBytes) => importDmaBuf(kernel, buffer, lengthBytes, options),
  };
}

/**
 * Attaches the device and maps the buffer for it. It stays mapped, and with that where it is, until another buffer takes its
 * index, or REQBUFS(0).
 *
 * @throws ErrnoError EFAULT when it is too short or not in one piece, EINVAL when it cannot be mapped, and what the exporter
 *   says to the attach
 * Source: vb2_dc_attach_dmabuf, vb2_dc_map_dmabuf.
 */
function* importDmaBuf(
  kernel: SimulatedKernel,
  buffer: DmaBufFile,
  lengthBytes: number,
  { device, who, direction }: DmaContigOptions,
): Task<PlaneMemory> {
  const refuse = (code: 'EFAULT' | 'EINVAL', reason: string): ErrnoError =>
    new ErrnoError(code, 'VIDIOC_QBUF', `Cannot import the dma-buf: ${reason}`);
  if (buffer.sizeBytes < lengthBytes)
    throw refuse('EFAULT', `it has ${buffer.sizeBytes} bytes, fewer than ${lengthBytes}`);
  const attachment = buffer.attach(device);
  const caller = new DmaBufCaller(who);
  let mapping: DmaBufMapping;
  try {
    mapping = yield* buffer.lockAndMap(caller, attachment, direction);
    caller.unlock(buffer.reservation);
  } catch (error) {
    buffer.detach(attachment);
    if (!isErrno(error)) throw error;
    throw refuse('EINVAL', error.message);
  }
  const pages = mapping.touch('read');
  const put = (): void => {
    buffer.hold(); // until it is detached, which waits where it is being moved
    kernel.startNow('vb2_dc_detach_dmabuf', detach(kernel, caller, buffer, attachment, mapping));
  };
  const inOnePiece = contiguousBytes(pages);
  if (inOnePiece >= lengthBytes) return { pages, users: 0, sharedAs: [buffer], put };
  put();
  throw refuse('EFAULT', `contiguous chunk is too small ${inOnePiece}/${lengthBytes}`);
}

function* detach(
  kernel: SimulatedKernel,
  caller: DmaBufCaller,
  buffer: DmaBufFile,
  attachment: DmaBufAttachment,
  mapping: DmaBufMapping,
): Task<void> {
  const unmap = (): void => buffer.object.unmapAttachment(caller, mapping);
  yield* caller.locked(buffer.reservation, () => kernel.charged(unmap));
  buffer.detach(attachment);
  buffer.drop();
}

/** Bytes from the beginning that follow each other in memory. Source: vb2_dc_get_contiguous_size. */
function contiguousBytes(pages: readonly Page[]): number {
  const breakAt = pages.findIndex(({ buffer, byteOffset }, i) => {
    const before = i === 0 ? undefined : pages[i - 1];
    return before !== undefined && (before.buffer !== buffer || before.byteOffset + PAGE_BYTES !== byteOffset);
  });
  return (breakAt < 0 ? pages.length : breakAt) * PAGE_BYTES;
}
