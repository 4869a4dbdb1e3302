/** Memory for drivers that work by the processor. Source: drivers/media/common/videobuf2/videobuf2-vmalloc.c, v6.12. */
import { ErrnoError, isErrno, type Task } from '@dmabuf-lab/core/base';
import { DmaBufCaller, vmapUnlocked, vunmapUnlocked } from '@dmabuf-lab/core/dma-buf';
import type { DmaBufFile } from '../../files/dma-buf.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { Page } from '../../kernel/pages.js';
import { OwnMemory, type PlaneMemory, type Vb2MemOps } from './vb2-memory.js';

/** @param who what messages call the queue */
export function vmallocMemOps(kernel: SimulatedKernel, who: string): Vb2MemOps {
  return {
    allocate: (lengthBytes) => new OwnMemory(kernel, kernel.pages, 'videobuf2_vmalloc', lengthBytes),
    importDmaBuf: (buffer, lengthBytes) => importDmaBuf(kernel, buffer, lengthBytes, who),
  };
}

/**
 * The memory of a dma-buf, mapped for the CPU. The driver does not attach. While it is mapped the storage stays where it is.
 *
 * @throws ErrnoError EFAULT
 * Source: vb2_vmalloc_attach_dmabuf, vb2_vmalloc_map_dmabuf.
 */
function* importDmaBuf(
  kernel: SimulatedKernel,
  buffer: DmaBufFile,
  lengthBytes: number,
  who: string,
): Task<PlaneMemory> {
  const refuse = (reason: string): ErrnoError =>
    new ErrnoError('EFAULT', 'VIDIOC_QBUF', `Cannot import the dma-buf: ${reason}`);
  if (buffer.sizeBytes < lengthBytes) throw refuse(`it has ${buffer.sizeBytes} bytes, fewer than ${lengthBytes}`);
  const caller = new DmaBufCaller(who);
  let pages: readonly Page[];
  try {
    pages = yield* vmapUnlocked(caller, buffer.object);
  } catch (error) {
    if (!isErrno(error)) throw error;
    throw refuse(error.message);
  }
  function* unmap(): Task<void> {
    yield* vunmapUnlocked(caller, buffer.object, pages);
    buffer.drop();
  }
  const put = (): void => {
    buffer.hold(); // until it is unmapped, which waits where it is being moved
    kernel.startNow('vb2_vmalloc_unmap_dmabuf', unmap());
  };
  return { pages, users: 0, put };
}
