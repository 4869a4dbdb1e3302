/**
 * The buffer ioctls of a video node: who may call them, and what they check before the queue does its work.
 *
 * Source: vb2_ioctl_* and what they call in drivers/media/common/videobuf2/videobuf2-v4l2.c, v6.12.
 */
import type { Task } from '@dmabuf-lab/core/base';
import {
  V4L2_BUF_CAP as CAP,
  V4L2_BUF_FLAG as FLAG,
  V4L2_MEMORY,
  VIDEO_MAX_PLANES,
  type v4l2CreateBuffers,
  type v4l2Exportbuffer,
  type v4l2RemoveBuffers,
  type v4l2Requestbuffers,
} from '../../abi/videodev2.js';
import type { OpenFile } from '../../kernel/open-file.js';
import type { Process } from '../../kernel/process.js';
import { type MediaDevice, type MediaRequest, MediaRequestFile } from './media-request.js';
import { type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import { VB2_IO } from './vb2-ops.js';
import type { Vb2Queue } from './vb2-queue.js';
import { queueInRequest } from './vb2-requests.js';
import { exportBuffer } from './vb2-sharing.js';
import { copyTimestamp, fillUserBuffer, takeUserBuffer, type UserBuffer, verifyPlanes } from './vb2-user-buffer.js';
import { decodeFormat } from './video-format.js';

/** The mode that a memory belongs to. */
const IO_MODES: ReadonlyMap<number, number> = new Map([
  [V4L2_MEMORY.MMAP, VB2_IO.MMAP],
  [V4L2_MEMORY.USERPTR, VB2_IO.USERPTR],
  [V4L2_MEMORY.DMABUF, VB2_IO.DMABUF],
]);

/** What a queue can do. Source: vb2_set_flags_and_caps. */
function capabilities({ queue, media }: QueueCall): number {
  const isThere = (mode: number, capability: number): number => (queue.allows(mode) ? capability : 0);
  const memory =
    isThere(VB2_IO.MMAP, CAP.MMAP) | isThere(VB2_IO.USERPTR, CAP.USERPTR) | isThere(VB2_IO.DMABUF, CAP.DMABUF);
  return memory | (media === undefined ? 0 : CAP.REQUESTS) | CAP.ORPHANED_BUFS | CAP.REMOVE_BUFS;
}

/** A call on a queue. */
export interface QueueCall {
  readonly queue: Vb2Queue;
  readonly file: OpenFile;
  readonly process: Process;
  /** Whose requests may be named; absent = none. */
  readonly media: MediaDevice | undefined;
}

function refuseOthers({ queue, file }: QueueCall, op: string): void {
  if (queue.isOwnedByAnother(file)) throw vb2Error('EBUSY', op, 'another open file has the buffers');
}

function refuseFileIo({ queue }: QueueCall, op: string): void {
  if (queue.fileIo.isActive) throw vb2Error('EBUSY', op, 'the queue is in read or write mode');
}

function bufferAt({ queue }: QueueCall, index: number, op: string): Vb2Buffer {
  const buffer = queue.buffers.at(index);
  if (buffer === undefined) throw vb2Error('EINVAL', op, `there is no buffer ${index}`);
  return buffer;
}

function verifyType({ queue }: QueueCall, type: number, op: string): void {
  if (type !== queue.options.type)
    throw vb2Error('EINVAL', op, `the queue has type ${queue.options.type}, got ${type}`);
}

/** Source: vb2_verify_memory_type, without its look at read and write mode. */
function verifyMemory(call: QueueCall, memory: number, type: number, op: string): void {
  const mode = IO_MODES.get(memory);
  if (mode === undefined || !call.queue.allows(mode)) throw vb2Error('EINVAL', op, `there is no memory ${memory}`);
  verifyType(call, type, op);
}

/** Source: vb2_ioctl_reqbufs. */
export function reqbufs(call: QueueCall, given: ReturnType<typeof v4l2Requestbuffers.decode>): void {
  const op = 'VIDIOC_REQBUFS';
  verifyMemory(call, given.memory, given.type, op);
  refuseFileIo(call, op);
  refuseOthers(call, op);
  given.count = call.queue.reqbufs(given.memory, given.count);
  given.capabilities = capabilities(call);
  given.flags = 0;
  call.queue.owner = given.count > 0 ? call.file : undefined;
}

/** Source: vb2_ioctl_create_bufs, vb2_create_bufs. */
export function createBufs(call: QueueCall, given: ReturnType<typeof v4l2CreateBuffers.decode>): void {
  const op = 'VIDIOC_CREATE_BUFS';
  const { queue } = call;
  verifyMemory(call, given.memory, given.format.type, op);
  given.index = queue.buffers.count;
  given.capabilities = capabilities(call) | CAP.MAX_NUM_BUFFERS;
  given.max_num_buffers = queue.options.maxBuffers;
  given.flags = 0;
  if (given.count === 0) return;
  refuseFileIo(call, op);
  refuseOthers(call, op);
  const { planes, planeCount } = decodeFormat(given.format);
  const sizes = planes.map(({ sizeimage }) => sizeimage);
  if (planeCount === 0 || planeCount > VIDEO_MAX_PLANES || sizes.includes(0))
    throw vb2Error('EINVAL', op, `a buffer has 1 to ${VIDEO_MAX_PLANES} planes with a size`);
  const { first, count } = queue.createBufs(given.memory, given.count, sizes);
  given.index = first;
  given.count = count;
  queue.owner = call.file;
}

/** Source: vb2_ioctl_remove_bufs. */
export function removeBufs(call: QueueCall, given: ReturnType<typeof v4l2RemoveBuffers.decode>): void {
  const op = 'VIDIOC_REMOVE_BUFS';
  verifyType(call, given.type, op);
  if (given.count === 0) return;
  refuseOthers(call, op);
  refuseFileIo(call, op);
  call.queue.removeBufs(given.index, given.count);
}

/** Source: vb2_querybuf. */
export function querybuf(call: QueueCall, given: UserBuffer): void {
  const op = 'VIDIOC_QUERYBUF';
  verifyType(call, given.type, op);
  const buffer = bufferAt(call, given.index, op);
  verifyPlanes(call.queue, buffer, given, op);
  fillUserBuffer(call.queue, buffer, given);
}

/** Source: vb2_prepare_buf. */
export function* prepareBuf(call: QueueCall, given: UserBuffer): Task<void> {
  const op = 'VIDIOC_PREPARE_BUF';
  refuseOthers(call, op);
  refuseFileIo(call, op);
  if ((given.flags & FLAG.REQUEST_FD) !== 0) throw vb2Error('EINVAL', op, 'a request cannot be prepared');
  const buffer = bufferAt(call, given.index, op);
  takeBuffer(call, buffer, given, op);
  yield* call.queue.prepareOnly(buffer, call.process);
  fillUserBuffer(call.queue, buffer, given);
}

/** Source: vb2_qbuf. */
export function* qbuf(call: QueueCall, given: UserBuffer): Task<void> {
  const op = 'VIDIOC_QBUF';
  const { queue, process } = call;
  refuseOthers(call, op);
  refuseFileIo(call, op);
  const buffer = bufferAt(call, given.index, op);
  const isInRequest = (given.flags & FLAG.REQUEST_FD) !== 0;
  takeBuffer(call, buffer, given, op, isInRequest);
  if (!isInRequest) {
    if (queue.usesRequests) throw vb2Error('EBUSY', op, 'the queue is used with requests');
    yield* queue.qbuf(buffer, process);
  } else {
    if (call.media === undefined) throw vb2Error('EBADR', op, 'the queue takes no requests');
    if (queue.usesQbuf) throw vb2Error('EBUSY', op, 'the queue is used without requests');
    const request = requestOf(call, given.request_fd, op);
    buffer.requestFd = given.request_fd;
    queueInRequest(queue, buffer, request, process);
  }
  copyTimestamp(queue, buffer, given);
  fillUserBuffer(queue, buffer, given);
}

/** Source: vb2_queue_or_prepare_buf. */
function takeBuffer(call: QueueCall, buffer: Vb2Buffer, given: UserBuffer, op: string, isInRequest = false): void {
  const { queue } = call;
  verifyType(call, given.type, op);
  if (given.memory !== queue.memory)
    throw vb2Error('EINVAL', op, `the buffers have memory ${queue.memory}, got ${given.memory}`);
  verifyPlanes(queue, buffer, given, op);
  if (isInRequest && buffer.state !== 'dequeued')
    throw vb2Error('EINVAL', op, `buffer ${buffer.index} is ${buffer.state}`);
  if (!buffer.prepared) takeUserBuffer(queue, buffer, given, op);
}

/** Source: media_request_get_by_fd. @throws ErrnoError EINVAL, EBUSY */
function requestOf({ process, media }: QueueCall, fd: number, op: string): MediaRequest {
  const file = process.fds.has(fd) ? process.fds.file(fd, op) : undefined;
  if (!(file instanceof MediaRequestFile) || media === undefined || file.request.device !== media)
    throw vb2Error('EINVAL', op, `descriptor ${fd} is no request of this device`);
  const { request } = file;
  if (request.state !== 'idle') throw vb2Error('EBUSY', op, `the request is ${request.state}`);
  return request;
}

/** Source: vb2_dqbuf. */
export function* dqbuf(call: QueueCall, given: UserBuffer): Task<void> {
  const op = 'VIDIOC_DQBUF';
  const { queue, process, file } = call;
  refuseOthers(call, op);
  refuseFileIo(call, op);
  verifyType(call, given.type, op);
  yield* queue.dqbuf(process, file.nonblocking, {
    verify: (buffer) => verifyPlanes(queue, buffer, given, op),
    report: (buffer) => fillUserBuffer(queue, buffer, given),
  });
  if (!queue.options.isOutput && (given.flags & FLAG.LAST) !== 0) queue.lastBufferDequeued = true;
  given.flags &= ~FLAG.DONE;
}

/** Source: vb2_expbuf. */
export function expbuf(call: QueueCall, given: ReturnType<typeof v4l2Exportbuffer.decode>): void {
  const op = 'VIDIOC_EXPBUF';
  refuseOthers(call, op);
  const buffer = bufferAt(call, given.index, op);
  verifyType(call, given.type, op);
  const exported = exportBuffer(call.queue, buffer, given.plane, given.flags);
  given.fd = call.process.install(exported, given.flags);
}

/** Source: vb2_ioctl_streamon, vb2_ioctl_streamoff. */
export function stream(call: QueueCall, type: number, on: boolean): void {
  const op = on ? 'VIDIOC_STREAMON' : 'VIDIOC_STREAMOFF';
  refuseOthers(call, op);
  refuseFileIo(call, op);
  verifyType(call, type, op);
  if (on) call.queue.streamOn();
  else call.queue.streamOff();
}
