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

export interface VideoNode {
  readonly driver: string;
  readonly card: string;
  readonly busInfo: string;
  /** V4L2_CAP of this node, and of all nodes of its device. */
  readonly deviceCapabilities: number;
  readonly capabilities: number;
  readonly queue: Vb2Queue;
  readonly formats: readonly PixelFormat[];
  readonly controls: VideoControls;
  /** Whose requests buffers may be part of. */
  readonly media: MediaDevice | undefined;
  /** The device has been unplugged. Source: video_is_registered. */
  readonly isUnplugged: boolean;
  /** Selected input, or output. */
  readonly connector: number;
  /** @throws ErrnoError EINVAL, EBUSY */
  selectConnector(index: number): void;
  getFormat(): VideoFormat;
  /** @returns the nearest that the device can do */
  tryFormat(wanted: VideoFormat): VideoFormat;
  /** @throws ErrnoError EBUSY */
  setFormat(wanted: VideoFormat): VideoFormat;
  readonly interval: FrameInterval;
  /** Absent = VIDIOC_S_PARM is not there. @returns the nearest that the device can do */
  setInterval?(wanted: FrameInterval): FrameInterval;
  opened(): void;
  closed(): void;
}
