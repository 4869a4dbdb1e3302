/** How user space reaches the pages of a queue's own buffers: by mmap, and as dma-bufs. */
import { O } from '../../abi/fcntl.js';
import { V4L2_MEMORY } from '../../abi/videodev2.js';
import type { DmaBufFile } from '../../files/dma-buf.js';
import type { VmaRequest } from '../../kernel/address-space.js';
import { type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import { OwnMemory } from './vb2-memory.js';
import type { Vb2Queue } from './vb2-queue.js';

/** Source: vb2_mmap, videobuf2-core.c, v6.12. @throws ErrnoError EINVAL, EBUSY */
export function mapBuffer(queue: Vb2Queue, vma: VmaRequest, neededProtection: number): void {
  const refuse = (reason: string): Error => vb2Error('EINVAL', 'mmap', reason);
  if (!vma.shared || !vma.mayWrite) throw refuse('the mapping is not shared and writable');
  if ((vma.prot & neededProtection) === 0) throw refuse('the protection does not let the data through');
  if (queue.memory !== V4L2_MEMORY.MMAP) throw refuse('the queue has no buffers of its own');
  if (queue.fileIo.isActive) throw vb2Error('EBUSY', 'mmap', 'the queue is in read or write mode');
  const memory = queue.buffers.planeAtPage(vma.first)?.memory;
  if (!(memory instanceof OwnMemory)) throw refuse('no plane has this offset');
  memory.mmap(vma);
}

/** Source: vb2_core_expbuf, videobuf2-core.c, v6.12. @throws ErrnoError EINVAL, EBUSY */
export function exportBuffer(queue: Vb2Queue, buffer: Vb2Buffer, planeIndex: number, flags: number): DmaBufFile {
  const op = 'VIDIOC_EXPBUF';
  if (queue.memory !== V4L2_MEMORY.MMAP) throw vb2Error('EINVAL', op, 'the queue has no buffers of its own');
  if ((flags & ~(O.CLOEXEC | O.ACCMODE)) !== 0) throw vb2Error('EINVAL', op, `flags 0x${flags.toString(16)}`);
  const memory = buffer.planes[planeIndex]?.memory;
  if (!(memory instanceof OwnMemory)) throw vb2Error('EINVAL', op, `there is no plane ${planeIndex}`);
  if (queue.fileIo.isActive) throw vb2Error('EBUSY', op, 'the queue is in read or write mode');
  return memory.export(flags);
}
