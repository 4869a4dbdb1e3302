/** What a driver gives a video node. Source: struct video_device, struct v4l2_ioctl_ops, v6.12. */
import type { MediaDevice } from './media-request.js';
import type { PixelFormat } from './pixel-formats.js';
import type { Vb2Queue } from './vb2-queue.js';
import type { VideoFormat } from './video-format.js';

/** Seconds between two frames. Source: struct v4l2_fract. */
export interface FrameInterval {
  readonly numerator: number;
  readonly denominator: number;
}

/** A control as VIDIOC_QUERYCTRL tells of it. */
export interface ControlInfo {
  readonly id: number;
  readonly name: string;
  /** V4L2_CTRL_TYPE. */
  readonly type: number;
  readonly maximum: number;
  readonly flags: number;
}

/** The controls of a node. */
export interface VideoControls {
  /** In rising order of their ids. */
  readonly list: readonly ControlInfo[];
  /** @throws ErrnoError EINVAL, EACCES */
  get(id: number): number;
  /** @returns the value that it has now @throws ErrnoError EINVAL, ERANGE */
  set(id: number, value: number): number;
}

/** What a mem2mem node adds to the offsets of its CAPTURE buffers. Source: DST_QUEUE_OFF_BASE, v4l2-mem2mem.c, v6.12. */
export const CAPTURE_OFFSETS = 2 ** 30;

/** The queues of a node. */
export function queuesOf({ queue, sourceQueue }: VideoNode): Vb2Queue[] {
  return sourceQueue === undefined ? [queue] : [queue, sourceQueue];
}

/** The queue of a node that has buffers of a type; the only one, whatever the type, where there is no choice. */
export function queueOfType({ queue, sourceQueue }: VideoNode, type: number): Vb2Queue {
  return sourceQueue?.options.type === type ? sourceQueue : queue;
}

export interface VideoNode {
  readonly driver: string;
  readonly card: string;
  readonly busInfo: string;
  /** V4L2_CAP of this node, and of all nodes of its device. */
  readonly deviceCapabilities: number;
  readonly capabilities: number;
  /** The only queue, or the CAPTURE queue of a mem2mem device. */
  readonly queue: Vb2Queue;
  /** The OUTPUT queue of a mem2mem device. */
  readonly sourceQueue?: Vb2Queue;
  formatsOf(queue: Vb2Queue): readonly PixelFormat[];
  readonly controls: VideoControls;
  /** Whose requests buffers may be part of. */
  readonly media: MediaDevice | undefined;
  /** The device has been unplugged. Source: video_is_registered. */
  readonly isUnplugged: boolean;
  /** Its driver has been unbound: whoever waits in a call is told so. Absent = it cannot be. */
  readonly isUnbound?: boolean;
  /** Selected input, or output; undefined = the node has none to select. */
  readonly connector: number | undefined;
  /** @throws ErrnoError EINVAL, EBUSY */
  selectConnector(index: number): void;
  getFormat(queue: Vb2Queue): VideoFormat;
  /** @returns the nearest that the device can do */
  tryFormat(wanted: VideoFormat, queue: Vb2Queue): VideoFormat;
  /** @throws ErrnoError EBUSY */
  setFormat(wanted: VideoFormat, queue: Vb2Queue): VideoFormat;
  readonly interval: FrameInterval;
  /** Absent = VIDIOC_S_PARM is not there. @returns the nearest that the device can do */
  setInterval?(wanted: FrameInterval): FrameInterval;
  /** Of encoders: VIDIOC_ENCODER_CMD. @param command V4L2_ENC_CMD, START or STOP @throws ErrnoError EBUSY */
  encoderCommand?(command: number): void;
  opened(): void;
  closed(): void;
}
