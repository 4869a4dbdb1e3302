/**
 * Memory behind the planes of a device that masters the bus: it attaches to the dma-bufs that user space queues.
 *
 * Source: drivers/media/common/videobuf2/videobuf2-dma-contig.c and videobuf2-dma-sg.c, v6.12.
 */
import { ErrnoError, isErrno, type Task } from '@dmabuf-lab/core/base';
import { type DataDirection, DmaBufCaller } from '@dmabuf-lab/core/dma-buf';
import type { DmaBufAttachment, DmaBufFile, DmaBufMapping } from '../../files/dma-buf.js';
import { type ReachProblem, reachProblem } from '../../kernel/device-reach.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { type Page, type PageAllocator, pageRuns } from '../../kernel/pages.js';
import { OwnMemory, type PlaneMemory, type Vb2MemOps } from './vb2-memory.js';

export interface DmaMemoryOptions {
  /** The device, as lists of attachments and its constraints name it. */
  readonly device: string;
  /** What messages call the queue; the device when absent. */
  readonly who?: string;
  /** Of what the device does with buffers. Source: vb2_queue.dma_dir. */
  readonly direction: DataDirection;
  /** The device cannot gather: memory has to be one run. Source: videobuf2-dma-contig; without it videobuf2-dma-sg. */
  readonly isContiguous: boolean;
  /** Where the buffers of MMAP come from; from the kernel's pages when absent. */
  readonly pages?: PageAllocator;
}

/** How the queue of a device comes to its memory. Source: vb2_dma_contig_memops, vb2_dma_sg_memops. */
export function dmaMemOps(kernel: SimulatedKernel, options: DmaMemoryOptions): Vb2MemOps {
  return {
    allocate: (lengthBytes) => allocate(kernel, lengthBytes, options),
    importDmaBuf: (buffer, lengthBytes) => importDmaBuf(kernel, buffer, lengthBytes, options),
  };
}

/** @throws ErrnoError ENOMEM, also where pages are there but lie apart. Source: vb2_dc_alloc, vb2_dma_sg_alloc. */
function allocate(
  kernel: SimulatedKernel,
  lengthBytes: number,
  { isContiguous, pages = kernel.pages }: DmaMemoryOptions,
): OwnMemory {
  const exporterName = isContiguous ? 'videobuf2_dma_contig' : 'videobuf2_dma_sg';
  const memory = new OwnMemory(kernel, pages, exporterName, lengthBytes);
  if (!isContiguous || pageRuns(memory.pages).length <= 1) return memory;
  memory.put();
  throw new ErrnoError('ENOMEM', 'VIDIOC_REQBUFS', `Cannot allocate ${lengthBytes} bytes in one run`);
}

/**
 * Attaches the device and maps the buffer for it. It stays mapped, and with that where it is, until another buffer takes its
 * index, or REQBUFS(0); STREAMOFF does not unmap it.
 *
 * @throws ErrnoError EFAULT when it is too short, or scattered where the device needs one run; EINVAL when it cannot be
 *   mapped; what the exporter says to the attach
 * Source: vb2_dc_attach_dmabuf, vb2_dc_map_dmabuf.
 */
function* importDmaBuf(
  kernel: SimulatedKernel,
  buffer: DmaBufFile,
  lengthBytes: number,
  { device, who = device, direction, isContiguous }: DmaMemoryOptions,
): Task<PlaneMemory> {
  const refuse = (code: 'EFAULT' | 'EINVAL', reason: string): ErrnoError =>
    new ErrnoError(code, 'VIDIOC_QBUF', `Cannot import the dma-buf for ${device}: ${reason}`);
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
    throw isErrno(error) ? refuse('EINVAL', error.message) : error;
  }
  const pages = mapping.touch(direction === 'to-device' ? 'read' : 'write');
  const put = (): void => {
    buffer.hold(); // until it is detached, which waits where it is being moved
    kernel.startNow('vb2_unmap_dmabuf', letGo(kernel, caller, buffer, attachment, mapping));
  };
  const problem = buffer.isMovable ? undefined : addressProblem(kernel, pages, device);
  if (problem !== undefined) {
    put();
    throw refuse('EINVAL', problem.message);
  }
  const runs = pageRuns(pages);
  if (!isContiguous || runs[0].length >= lengthBytes) return { pages, users: 0, sharedAs: [buffer], put };
  put();
  throw refuse('EFAULT', `its pages lie in ${runs.length} runs, and the device needs one of ${lengthBytes} bytes`);
}

/** As the mapping finds it; that memory is in one piece matters up to the length of the plane only, and is looked at apart. */
function addressProblem(kernel: SimulatedKernel, pages: readonly Page[], device: string): ReachProblem | undefined {
  return reachProblem(kernel, pages, { ...kernel.deviceNamed(device), contiguous: false });
}

/** Source: vb2_dc_unmap_dmabuf, vb2_dc_detach_dmabuf. */
function* letGo(
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
