/** Buffers of a video queue, one plane or several. Source: struct v4l2_buffer, include/uapi/linux/videodev2.h, v6.12. */
import type { Nanoseconds, Task } from '@dmabuf-lab/core/base';
import { MAP, O, PROT } from '../abi/fcntl.js';
import * as abi from '../abi/videodev2.js';
import type { Process } from '../kernel/process.js';
import { queueNumbers, timestampNs, type VideoMemory, type VideoQueue } from './video.js';

/** What a program gives with a buffer. */
export interface VideoBufferToQueue {
  readonly index: number;
  readonly memory: VideoMemory;
  /** Dma-bufs of the planes, where the memory is the program's. */
  readonly dmaBufs?: readonly number[];
  /** Of each plane; of outputs. */
  readonly usedBytes?: readonly number[];
  /** Travels with the picture through a codec; of outputs. */
  readonly timestampNs?: Nanoseconds;
}

/** What came back. */
export interface VideoBufferDone {
  readonly index: number;
  /** Of each plane. */
  readonly usedBytes: readonly number[];
  /** Counts pictures, lost ones too. */
  readonly sequence: number;
  readonly timestampNs: Nanoseconds;
  /** The content is damaged. */
  readonly hasError: boolean;
  /** The last of a stream. */
  readonly isLast: boolean;
  readonly isKeyFrame: boolean;
}

type Buffer = ReturnType<typeof abi.v4l2Buffer.decode>;
type Plane = ReturnType<typeof abi.v4l2Plane.decode>;

/** An ioctl with a v4l2_buffer; its planes lie beside it where the queue has several. */
function* bufferCall(
  process: Process,
  { fd, isMultiplanar }: VideoQueue,
  command: typeof abi.VIDIOC_QBUF,
  buffer: Partial<Buffer>,
  planes: readonly Partial<Plane>[],
): Task<{ buffer: Buffer; planes: Plane[] }> {
  if (!isMultiplanar) {
    const [plane] = planes;
    const { bytesused = 0, length = 0, m = 0n } = plane ?? {};
    const done = yield* process.command(fd, command, { ...buffer, bytesused, length, m });
    const { bytesused: used, length: room, m: place } = done;
    return { buffer: done, planes: [{ bytesused: used, length: room, m: place, data_offset: 0, reserved: [] }] };
  }
  const { size } = abi.v4l2Plane;
  const bytes = new Uint8Array(abi.VIDEO_MAX_PLANES * size);
  for (const [i, plane] of planes.entries()) bytes.set(abi.v4l2Plane.encode(plane), i * size);
  const address = process.user.put(bytes);
  try {
    const done = yield* process.command(fd, command, { ...buffer, m: address, length: abi.VIDEO_MAX_PLANES });
    const found = Array.from({ length: done.length }, (_, i) => abi.v4l2Plane.decode(bytes.subarray(i * size)));
    return { buffer: done, planes: found };
  } finally {
    process.user.drop(address);
  }
}

/** Maps the planes of a buffer of the queue's own. @returns their addresses, for `process.memory` @throws ErrnoError EINVAL */
export function* mapVideoBuffer(process: Process, queue: VideoQueue, index: number): Task<number[]> {
  const given = { ...queueNumbers(queue, 'mmap'), index };
  const { planes } = yield* bufferCall(process, queue, abi.VIDIOC_QUERYBUF, given, []);
  const prot = PROT.READ | PROT.WRITE;
  return planes.map(({ length, m }) => process.mmap(queue.fd, BigInt(length), BigInt.asUintN(32, m), prot, MAP.SHARED));
}

/** Shares a plane of a buffer of the queue's own as a dma-buf. @returns its descriptor @throws ErrnoError EINVAL, EMFILE */
export function* exportVideoBuffer(process: Process, queue: VideoQueue, index: number, plane = 0): Task<number> {
  const { type } = queueNumbers(queue, 'mmap');
  const given = { type, index, plane, flags: O.RDWR | O.CLOEXEC };
  return (yield* process.command(queue.fd, abi.VIDIOC_EXPBUF, given)).fd;
}

/**
 * Gives a buffer to the driver. V4L2 waits for no fence of it.
 *
 * @throws ErrnoError EINVAL when it is queued already or a descriptor is no dma-buf, EFAULT, EIO
 */
export function* queueVideoBuffer(process: Process, queue: VideoQueue, given: VideoBufferToQueue): Task<void> {
  const { index, memory, dmaBufs = [], usedBytes = [], timestampNs: ns = 0 } = given;
  const count = Math.max(dmaBufs.length, usedBytes.length, 1);
  const planes = Array.from({ length: count }, (_, i) => ({
    bytesused: usedBytes[i] ?? 0,
    m: BigInt.asUintN(32, BigInt(dmaBufs[i] ?? 0)),
  }));
  const time = { tv_sec: BigInt(Math.floor(ns / 1e9)), tv_usec: BigInt(Math.floor((ns % 1e9) / 1e3)) };
  const buffer = { ...queueNumbers(queue, memory), index, ...time };
  yield* bufferCall(process, queue, abi.VIDIOC_QBUF, buffer, planes);
}

/**
 * Takes a buffer back, and waits for one unless the node is open nonblocking.
 *
 * @throws ErrnoError EAGAIN, EINVAL when the queue does not stream, EIO, EPIPE after the last buffer of a stream
 */
export function* dequeueVideoBuffer(process: Process, queue: VideoQueue, memory: VideoMemory): Task<VideoBufferDone> {
  const given = queueNumbers(queue, memory);
  const { buffer, planes } = yield* bufferCall(process, queue, abi.VIDIOC_DQBUF, given, []);
  const has = (flag: number): boolean => (buffer.flags & flag) !== 0;
  return {
    index: buffer.index,
    usedBytes: planes.map(({ bytesused }) => bytesused),
    sequence: buffer.sequence,
    timestampNs: timestampNs(buffer),
    hasError: has(abi.V4L2_BUF_FLAG.ERROR),
    isLast: has(abi.V4L2_BUF_FLAG.LAST),
    isKeyFrame: has(abi.V4L2_BUF_FLAG.KEYFRAME),
  };
}
