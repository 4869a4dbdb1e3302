/**
 * What a program does with a video node: queues of buffers, formats, frame intervals.
 *
 * Source: include/uapi/linux/videodev2.h, v6.12.
 */
import { isErrno, type Nanoseconds, type Task } from '@dmabuf-lab/core/base';
import { O, POLL } from '../abi/fcntl.js';
import * as abi from '../abi/videodev2.js';
import { decodeFormat, encodeFormat } from '../devices/v4l2/video-format.js';
import type { Process } from '../kernel/process.js';

/** One way through a node: a capture gives pictures, an output takes them. */
export interface VideoQueue {
  /** Descriptor of the node. */
  readonly fd: number;
  readonly direction: 'capture' | 'output';
  /** Whether each plane of a picture is memory of its own. */
  readonly isMultiplanar: boolean;
}

/** A node that has been opened. */
export interface VideoDevice {
  readonly fd: number;
  readonly driver: string;
  readonly card: string;
  readonly busInfo: string;
  readonly capture?: VideoQueue;
  readonly output?: VideoQueue;
}

/** Whose memory the buffers are: the queue's own, or dma-bufs that the program gives. */
export type VideoMemory = 'mmap' | 'dmabuf';

/** A picture format. */
export interface VideoPicture {
  /** Four characters, such as `NV12`. */
  readonly fourcc: string;
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** Of each plane of memory: one, unless the queue is multi-planar. */
  readonly planes: readonly { readonly strideBytes: number; readonly sizeBytes: number }[];
}

/** Opens a node such as `/dev/video0`. @throws ErrnoError ENOENT, ENODEV, EMFILE */
export function* openVideo(
  process: Process,
  path: string,
  options: { readonly nonblocking?: boolean } = {},
): Task<VideoDevice> {
  const fd = process.open(path, O.RDWR | O.CLOEXEC | (options.nonblocking === true ? O.NONBLOCK : 0));
  const { driver, card, bus_info: busInfo, device_caps } = yield* process.command(fd, abi.VIDIOC_QUERYCAP, {});
  const has = (bits: number): boolean => (device_caps & bits) !== 0;
  const { VIDEO_CAPTURE, VIDEO_CAPTURE_MPLANE, VIDEO_OUTPUT, VIDEO_OUTPUT_MPLANE, VIDEO_M2M, VIDEO_M2M_MPLANE } =
    abi.V4L2_CAP;
  const isMultiplanar = has(VIDEO_CAPTURE_MPLANE | VIDEO_OUTPUT_MPLANE | VIDEO_M2M_MPLANE);
  const isBoth = has(VIDEO_M2M | VIDEO_M2M_MPLANE);
  const queue = (direction: VideoQueue['direction']): VideoQueue => ({ fd, direction, isMultiplanar });
  return {
    fd,
    driver,
    card,
    busInfo,
    ...((isBoth || has(VIDEO_CAPTURE | VIDEO_CAPTURE_MPLANE)) && { capture: queue('capture') }),
    ...((isBoth || has(VIDEO_OUTPUT | VIDEO_OUTPUT_MPLANE)) && { output: queue('output') }),
  };
}

const typeOf = ({ direction, isMultiplanar }: VideoQueue): number => {
  const { VIDEO_CAPTURE, VIDEO_OUTPUT, VIDEO_CAPTURE_MPLANE, VIDEO_OUTPUT_MPLANE } = abi.V4L2_BUF_TYPE;
  if (direction === 'capture') return isMultiplanar ? VIDEO_CAPTURE_MPLANE : VIDEO_CAPTURE;
  return isMultiplanar ? VIDEO_OUTPUT_MPLANE : VIDEO_OUTPUT;
};

const MEMORY: Readonly<Record<VideoMemory, number>> = {
  mmap: abi.V4L2_MEMORY.MMAP,
  dmabuf: abi.V4L2_MEMORY.DMABUF,
};

// --- formats ---------------------------------------------------------------------------------------------------------

/** The formats that a queue knows, the driver's favourite first. */
export function* listVideoFormats(
  process: Process,
  queue: VideoQueue,
): Task<{ fourcc: string; description: string }[]> {
  const formats: { fourcc: string; description: string }[] = [];
  for (let index = 0; ; index += 1) {
    try {
      const found = yield* process.command(queue.fd, abi.VIDIOC_ENUM_FMT, { type: typeOf(queue), index });
      formats.push({ fourcc: abi.v4l2FourccText(found.pixelformat), description: found.description });
    } catch (error) {
      if (isErrno(error, 'EINVAL')) return formats;
      throw error;
    }
  }
}

export function* getVideoFormat(process: Process, queue: VideoQueue): Task<VideoPicture> {
  return pictureOf(yield* process.command(queue.fd, abi.VIDIOC_G_FMT, { type: typeOf(queue) }));
}

/**
 * Sets a format.
 *
 * @param wanted strides and sizes may be left to the driver
 * @returns the nearest that the device can do, which it has now @throws ErrnoError EBUSY while the queue has buffers
 */
export function* setVideoFormat(
  process: Process,
  queue: VideoQueue,
  wanted: Omit<VideoPicture, 'planes'> & Partial<Pick<VideoPicture, 'planes'>>,
): Task<VideoPicture> {
  return pictureOf(yield* process.command(queue.fd, abi.VIDIOC_S_FMT, formatOf(queue, wanted)));
}

/** As `setVideoFormat`, without setting it. */
export function* tryVideoFormat(
  process: Process,
  queue: VideoQueue,
  wanted: Omit<VideoPicture, 'planes'> & Partial<Pick<VideoPicture, 'planes'>>,
): Task<VideoPicture> {
  return pictureOf(yield* process.command(queue.fd, abi.VIDIOC_TRY_FMT, formatOf(queue, wanted)));
}

function formatOf(
  queue: VideoQueue,
  { fourcc, widthPixels: width, heightPixels: height, planes = [] }: Parameters<typeof setVideoFormat>[2],
): ReturnType<typeof encodeFormat> {
  const given = planes.length === 0 ? [{ strideBytes: 0, sizeBytes: 0 }] : planes;
  return encodeFormat(typeOf(queue), {
    width,
    height,
    pixelformat: abi.v4l2Fourcc(fourcc),
    field: abi.V4L2_FIELD.ANY,
    colorspace: 0,
    planes: given.map(({ strideBytes, sizeBytes }) => ({ bytesperline: strideBytes, sizeimage: sizeBytes })),
    planeCount: given.length,
  });
}

function pictureOf(given: Parameters<typeof decodeFormat>[0]): VideoPicture {
  const { width, height, pixelformat, planes } = decodeFormat(given);
  return {
    fourcc: abi.v4l2FourccText(pixelformat),
    widthPixels: width,
    heightPixels: height,
    planes: planes.map(({ bytesperline, sizeimage }) => ({ strideBytes: bytesperline, sizeBytes: sizeimage })),
  };
}

/** Seconds from frame to frame, as a fraction. */
export interface FrameSeconds {
  readonly numerator: number;
  readonly denominator: number;
}

export function* getFrameInterval(process: Process, queue: VideoQueue): Task<FrameSeconds> {
  const found = yield* process.command(queue.fd, abi.VIDIOC_G_PARM, { type: typeOf(queue) });
  return { numerator: found.numerator, denominator: found.denominator };
}

/** @returns the nearest that the device can do @throws ErrnoError ENOTTY when it has no choice */
export function* setFrameInterval(process: Process, queue: VideoQueue, wanted: FrameSeconds): Task<FrameSeconds> {
  const found = yield* process.command(queue.fd, abi.VIDIOC_S_PARM, { type: typeOf(queue), ...wanted });
  return { numerator: found.numerator, denominator: found.denominator };
}

// --- streaming -------------------------------------------------------------------------------------------------------

/** Every picture of a queue goes through one of its buffers. @returns how many there are @throws ErrnoError EBUSY, EINVAL, ENOMEM */
export function* requestBuffers(process: Process, queue: VideoQueue, memory: VideoMemory, count: number): Task<number> {
  const given = { type: typeOf(queue), memory: MEMORY[memory], count };
  return (yield* process.command(queue.fd, abi.VIDIOC_REQBUFS, given)).count;
}

/** @throws ErrnoError EINVAL when there are no buffers */
export function* startStreaming(process: Process, queue: VideoQueue): Task<void> {
  yield* process.command(queue.fd, abi.VIDIOC_STREAMON, { value: typeOf(queue) });
}

/** All buffers are the program's again, and their content is lost. */
export function* stopStreaming(process: Process, queue: VideoQueue): Task<void> {
  yield* process.command(queue.fd, abi.VIDIOC_STREAMOFF, { value: typeOf(queue) });
}

/**
 * Has an encoder do what has been queued and then stop: the last buffer of its capture queue says that it is, and may be empty.
 *
 * @throws ErrnoError EBUSY while it drains already, ENOTTY when the node is no encoder. Source: V4L2_ENC_CMD_STOP.
 */
export function* drainEncoder(process: Process, fd: number): Task<void> {
  yield* process.command(fd, abi.VIDIOC_ENCODER_CMD, { cmd: abi.V4L2_ENC_CMD.STOP });
}

/** Goes on after a drain. @throws ErrnoError EBUSY while it drains, ENOTTY. Source: V4L2_ENC_CMD_START. */
export function* resumeEncoder(process: Process, fd: number): Task<void> {
  yield* process.command(fd, abi.VIDIOC_ENCODER_CMD, { cmd: abi.V4L2_ENC_CMD.START });
}

/** Waits until a buffer can be dequeued. @param timeoutMs negative = for ever @returns whether one can */
export function* waitVideoBuffer(process: Process, { fd, direction }: VideoQueue, timeoutMs: number): Task<boolean> {
  const wanted = direction === 'capture' ? POLL.IN : POLL.OUT;
  const [events] = yield* process.poll([{ fd, events: wanted }], timeoutMs);
  return (events & wanted) !== 0;
}

/** The controls of a node by name, with their values; buttons have none. */
export function* listControls(process: Process, fd: number): Task<Map<string, number | undefined>> {
  const controls = new Map<string, number | undefined>();
  for (const [name, { id, isButton }] of yield* controlIds(process, fd)) {
    controls.set(name, isButton ? undefined : (yield* process.command(fd, abi.VIDIOC_G_CTRL, { id })).value);
  }
  return controls;
}

/**
 * Sets a control by its name, such as vivid's `Percentage of Dropped Buffers`, or presses a button such as `Disconnect`.
 *
 * @returns the value that it has now @throws ErrnoError EINVAL when there is none of that name, ERANGE
 */
export function* setControl(process: Process, fd: number, name: string, value = 1): Task<number> {
  const found = (yield* controlIds(process, fd)).get(name);
  // The kernel refuses a control 0.
  return (yield* process.command(fd, abi.VIDIOC_S_CTRL, { id: found?.id ?? 0, value })).value;
}

function* controlIds(process: Process, fd: number): Task<Map<string, { id: number; isButton: boolean }>> {
  const found = new Map<string, { id: number; isButton: boolean }>();
  for (let last = 0; ; ) {
    try {
      const asked = { id: (last | abi.V4L2_CTRL_FLAG.NEXT_CTRL) >>> 0 };
      const { id, name, type } = yield* process.command(fd, abi.VIDIOC_QUERYCTRL, asked);
      found.set(name, { id, isButton: type === abi.V4L2_CTRL_TYPE.BUTTON });
      last = id;
    } catch (error) {
      if (isErrno(error, 'EINVAL')) return found;
      throw error;
    }
  }
}

/** For `video-buffers.ts`: the numbers of a queue. */
export const queueNumbers = (queue: VideoQueue, memory: VideoMemory): { type: number; memory: number } => ({
  type: typeOf(queue),
  memory: MEMORY[memory],
});

/** When a frame was taken, as v4l2_buffer has it. */
export const timestampNs = ({ tv_sec, tv_usec }: { tv_sec: bigint; tv_usec: bigint }): Nanoseconds =>
  Number(tv_sec * 1_000_000_000n + tv_usec * 1000n);
