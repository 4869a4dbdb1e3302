/**
 * Between `struct v4l2_buffer` of user space and buffers of a queue.
 *
 * Source: drivers/media/common/videobuf2/videobuf2-v4l2.c, v6.12.
 */
import type { v4l2Buffer, v4l2Plane } from '../../abi/videodev2.js';
import {
  V4L2_BUF_FLAG as FLAG,
  V4L2_BUF_FLAG_TIMESTAMP_MASK,
  V4L2_BUF_FLAG_TSTAMP_SRC_MASK,
  V4L2_FIELD,
  V4L2_MEMORY,
  VIDEO_MAX_PLANES,
} from '../../abi/videodev2.js';
import { type GivenPlane, type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import type { Vb2QueueOptions } from './vb2-ops.js';
import type { Vb2Queue } from './vb2-queue.js';

/** A v4l2_buffer with the planes that it points to. */
export interface UserBuffer extends ReturnType<typeof v4l2Buffer.decode> {
  /** Absent for single-planar types, and where the pointer is null. */
  planes?: ReturnType<typeof v4l2Plane.decode>[];
}

/** Flags that the queue sets. Source: V4L2_BUFFER_MASK_FLAGS. */
const QUEUE_FLAGS =
  FLAG.MAPPED |
  FLAG.QUEUED |
  FLAG.DONE |
  FLAG.ERROR |
  FLAG.PREPARED |
  FLAG.IN_REQUEST |
  FLAG.REQUEST_FD |
  V4L2_BUF_FLAG_TIMESTAMP_MASK;
/** Flags that only an output buffer brings. Source: V4L2_BUFFER_OUT_FLAGS. */
const OUTPUT_FLAGS = FLAG.PFRAME | FLAG.BFRAME | FLAG.KEYFRAME | FLAG.TIMECODE | FLAG.M2M_HOLD_CAPTURE_BUF;
const CACHE_HINTS = FLAG.NO_CACHE_INVALIDATE | FLAG.NO_CACHE_CLEAN;
const NS_PER_S = 1_000_000_000n;
const NS_PER_US = 1000n;
const US_PER_S = 1_000_000n;

/** Source: __verify_planes_array. @throws ErrnoError EINVAL */
export function verifyPlanes(queue: Vb2Queue, buffer: Vb2Buffer, given: UserBuffer, op: string): void {
  if (!queue.options.isMultiplanar) return;
  const wanted = buffer.planes.length;
  if (given.planes === undefined || given.length < wanted || given.length > VIDEO_MAX_PLANES)
    throw vb2Error('EINVAL', op, `the buffer has ${wanted} planes, got room for ${given.length}`);
}

/**
 * What user space says of a buffer that it queues.
 *
 * Source: vb2_fill_vb2_v4l2_buffer. @throws ErrnoError EINVAL
 */
export function takeUserBuffer(queue: Vb2Queue, buffer: Vb2Buffer, given: UserBuffer, op: string): void {
  const { isOutput, isMultiplanar } = queue.options;
  given.flags &= ~CACHE_HINTS;
  buffer.given = [];
  if (isOutput) verifyLengths(queue, buffer, given, op);
  if (isOutput && given.field === V4L2_FIELD.ALTERNATE)
    throw vb2Error('EINVAL', op, 'the field of a buffer is top or bottom, not alternate');
  buffer.sequence = 0;
  buffer.requestFd = -1;
  buffer.given = buffer.planes.map((_, i) => givenPlane(queue, buffer, given, i));
  buffer.flags = given.flags & ~QUEUE_FLAGS;
  if (!isOutput || !copiesTimestamps(queue.options)) buffer.flags &= ~V4L2_BUF_FLAG_TSTAMP_SRC_MASK;
  if (isOutput) {
    buffer.flags &= ~(FLAG.TIMECODE | FLAG.M2M_HOLD_CAPTURE_BUF);
    buffer.field = given.field;
  } else {
    buffer.flags &= ~(OUTPUT_FLAGS | FLAG.LAST);
  }
  if (isMultiplanar) return;
  buffer.given[0].dataOffset = 0;
}

function givenPlane(queue: Vb2Queue, buffer: Vb2Buffer, given: UserBuffer, i: number): GivenPlane {
  const source = given.planes?.[i] ?? { ...given, data_offset: 0 };
  const isOwn = queue.memory === V4L2_MEMORY.MMAP;
  const { m, lengthBytes } = isOwn ? buffer.planes[i] : { m: source.m, lengthBytes: source.length };
  if (!queue.options.isOutput) return { m, lengthBytes, usedBytes: 0, dataOffset: 0 };
  const usedBytes = source.bytesused === 0 ? lengthBytes : source.bytesused;
  return { m, lengthBytes, usedBytes, dataOffset: source.data_offset };
}

/** Whether time stamps go with a picture through the device. Source: vb2_queue.copy_timestamp. */
function copiesTimestamps({ timestampFlags = FLAG.TIMESTAMP_MONOTONIC }: Vb2QueueOptions): boolean {
  return (timestampFlags & V4L2_BUF_FLAG_TIMESTAMP_MASK) === FLAG.TIMESTAMP_COPY;
}

/** Times that user space gives with a picture go with it. Source: __copy_timestamp. */
export function copyTimestamp(queue: Vb2Queue, buffer: Vb2Buffer, given: UserBuffer): void {
  if (!queue.options.isOutput) return;
  if (copiesTimestamps(queue.options)) buffer.timestampNs = (given.tv_sec * US_PER_S + given.tv_usec) * NS_PER_US;
  if ((given.flags & FLAG.TIMECODE) === 0) return;
  buffer.flags |= FLAG.TIMECODE;
  buffer.timecode = given.timecode;
}

/** What is used of a plane fits into it. Source: __verify_length. @throws ErrnoError EINVAL */
function verifyLengths(queue: Vb2Queue, buffer: Vb2Buffer, given: UserBuffer, op: string): void {
  for (const [i, plane] of buffer.planes.entries()) {
    const source = given.planes?.[i] ?? { ...given, data_offset: 0 };
    const { memory, options } = queue;
    const isGiven = memory === V4L2_MEMORY.USERPTR || (options.isMultiplanar && memory === V4L2_MEMORY.DMABUF);
    const length = isGiven ? source.length : plane.lengthBytes;
    if (source.bytesused > length) throw vb2Error('EINVAL', op, `${source.bytesused} bytes are used of ${length}`);
    const used = source.bytesused === 0 ? length : source.bytesused;
    if (source.data_offset > 0 && source.data_offset >= used)
      throw vb2Error('EINVAL', op, `the data offset ${source.data_offset} is beyond the ${used} bytes used`);
  }
}

/** Seconds round down where the nanoseconds have gone over 2^63. Source: v4l2_buffer_set_timestamp, ns_to_timespec64, v6.12. */
function timeOf(timestampNs: bigint): Pick<UserBuffer, 'tv_sec' | 'tv_usec'> {
  const ns = BigInt.asIntN(64, timestampNs);
  const inSecond = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
  return { tv_sec: (ns - inSecond) / NS_PER_S, tv_usec: inSecond / NS_PER_US };
}

/** Tells user space of a buffer. Source: __fill_v4l2_buffer. */
export function fillUserBuffer(queue: Vb2Queue, buffer: Vb2Buffer, given: UserBuffer): void {
  const { type, isMultiplanar } = queue.options;
  const { index, field, sequence } = buffer;
  Object.assign(given, { index, type, field, sequence, memory: queue.memory, bytesused: 0, reserved2: 0 });
  given.flags = flagsOf(queue, buffer);
  Object.assign(given, timeOf(buffer.timestampNs));
  given.timecode = { ...buffer.timecode };
  given.request_fd = Math.max(buffer.requestFd, 0);
  if (isMultiplanar) {
    given.length = buffer.planes.length;
    for (const [i, plane] of buffer.planes.entries()) Object.assign(given.planes?.[i] ?? {}, planeOf(plane));
    return;
  }
  const { bytesused, length, m } = planeOf(buffer.planes[0]);
  Object.assign(given, { bytesused, length, m });
}

function planeOf({ usedBytes, lengthBytes, m, dataOffset }: GivenPlane) {
  return { bytesused: usedBytes, length: lengthBytes, m, data_offset: dataOffset, reserved: [] };
}

function flagsOf({ options }: Vb2Queue, buffer: Vb2Buffer): number {
  const { timestampFlags = FLAG.TIMESTAMP_MONOTONIC } = options;
  let flags = (buffer.flags & ~QUEUE_FLAGS) | (timestampFlags & V4L2_BUF_FLAG_TIMESTAMP_MASK);
  if (!copiesTimestamps(options))
    flags = (flags & ~V4L2_BUF_FLAG_TSTAMP_SRC_MASK) | (timestampFlags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK);
  const { state } = buffer;
  if (state === 'queued' || state === 'active') flags |= FLAG.QUEUED;
  if (state === 'in request') flags |= FLAG.IN_REQUEST;
  if (state === 'error') flags |= FLAG.ERROR;
  if (state === 'done' || state === 'error') flags |= FLAG.DONE;
  const isIdle = state === 'dequeued' || state === 'in request';
  if (isIdle && buffer.synced && buffer.prepared) flags |= FLAG.PREPARED;
  if (buffer.isInUse) flags |= FLAG.MAPPED;
  if (buffer.requestFd >= 0) flags |= FLAG.REQUEST_FD;
  return flags >>> 0;
}
