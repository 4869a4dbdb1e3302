/** Getting the memory of a buffer ready, by the memory of its queue. Source: __buf_prepare, videobuf2-core.c, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import { V4L2_MEMORY } from '../../abi/videodev2.js';
import { DmaBufFile } from '../../files/dma-buf.js';
import type { Process } from '../../kernel/process.js';
import { type GivenPlane, type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import type { PlaneMemory } from './vb2-memory.js';

const OP = 'VIDIOC_QBUF';

/** What preparing needs beside the buffer. */
export interface PrepareContext {
  /** V4L2_MEMORY. */
  readonly memory: number;
  /** Whose descriptors the planes name; absent where the kernel itself queues. */
  readonly process: Process | undefined;
  /** How the queue takes a dma-buf. Source: vb2_mem_ops.attach_dmabuf, map_dmabuf. @throws ErrnoError */
  readonly importDmaBuf: (buffer: DmaBufFile, lengthBytes: number) => Task<PlaneMemory>;
  /** The driver looks at it. Source: vb2_ops.buf_prepare. @throws ErrnoError */
  readonly accept: (buffer: Vb2Buffer) => void;
}

/** Waits only where a dma-buf is being moved. @throws ErrnoError EINVAL, EFAULT, and what the driver says */
export function* prepareBuffer(buffer: Vb2Buffer, context: PrepareContext): Task<void> {
  switch (context.memory) {
    case V4L2_MEMORY.MMAP:
      prepareMmap(buffer, context);
      break;
    case V4L2_MEMORY.DMABUF:
      yield* prepareDmaBuf(buffer, context);
      break;
    default:
      prepareUserPointer(buffer);
  }
}

/** Source: __prepare_mmap. */
function prepareMmap(buffer: Vb2Buffer, { accept }: PrepareContext): void {
  buffer.timestampNs = 0n;
  for (const [i, plane] of buffer.planes.entries()) {
    plane.usedBytes = buffer.given[i]?.usedBytes ?? 0;
    plane.dataOffset = buffer.given[i]?.dataOffset ?? 0;
  }
  accept(buffer);
}

/**
 * Memory that user space has allocated is not taken: there are no pages to pin behind an address here.
 *
 * Source: __prepare_userptr, whose checks and whose effect of a failure are kept.
 */
function prepareUserPointer(buffer: Vb2Buffer): never {
  buffer.timestampNs = 0n;
  const short = buffer.planes.some((plane, i) => buffer.given[i].lengthBytes < plane.minLengthBytes);
  for (const plane of buffer.planes) Object.assign(plane, { lengthBytes: 0, m: 0n });
  if (short) throw vb2Error('EINVAL', OP, 'the user memory is shorter than the format needs');
  throw vb2Error('EFAULT', OP, 'nothing is mapped at the user pointer');
}

/** Source: __prepare_dmabuf. Whatever fails, the planes lose the dma-bufs that they had. */
function* prepareDmaBuf(buffer: Vb2Buffer, context: PrepareContext): Task<void> {
  const { process, accept } = context;
  buffer.timestampNs = 0n;
  const given = buffer.given.map((plane) => ({ ...plane }));
  try {
    const files = filesOf(buffer, given, process);
    const isSame = buffer.planes.every(
      (plane, i) => plane.dmaBuf === files[i] && plane.lengthBytes === given[i].lengthBytes,
    );
    if (!isSame) yield* acquire(buffer, given, files, context);
    for (const [i, plane] of buffer.planes.entries()) Object.assign(plane, given[i]);
    accept(buffer);
  } catch (error) {
    buffer.releaseMemory();
    throw error;
  }
}

/** The dma-bufs that the planes name; lengths that are not given become theirs. */
function filesOf(buffer: Vb2Buffer, given: GivenPlane[], process: Process | undefined): DmaBufFile[] {
  return buffer.planes.map(({ minLengthBytes }, i) => {
    const fd = Number(BigInt.asIntN(32, given[i].m));
    const file = process?.fds.has(fd) === true ? process.fds.file(fd, OP) : undefined;
    if (!(file instanceof DmaBufFile)) throw vb2Error('EINVAL', OP, `descriptor ${fd} of plane ${i} is no dma-buf`);
    if (given[i].lengthBytes === 0) given[i].lengthBytes = file.sizeBytes;
    const { lengthBytes } = given[i];
    if (lengthBytes >= minLengthBytes) return file;
    throw vb2Error('EINVAL', OP, `plane ${i} needs ${minLengthBytes} bytes, got ${lengthBytes}`);
  });
}

/**
 * Imports anew; a dma-buf that several planes name is imported once.
 *
 * All are held first. Where one cannot be imported, it and those after it stay held for ever: a leak of v6.12, which user
 * space can see by the count in fdinfo.
 */
function* acquire(
  buffer: Vb2Buffer,
  given: readonly GivenPlane[],
  files: readonly DmaBufFile[],
  { importDmaBuf }: PrepareContext,
): Task<void> {
  buffer.releaseMemory();
  for (const file of files) file.hold();
  for (const [i, plane] of buffer.planes.entries()) {
    const twin = buffer.planes.slice(0, i).find(({ dmaBuf }) => dmaBuf === files[i]);
    plane.memory = twin?.memory ?? (yield* importDmaBuf(files[i], given[i].lengthBytes));
    plane.isDuplicate = twin !== undefined;
    plane.dmaBuf = files[i];
  }
}
