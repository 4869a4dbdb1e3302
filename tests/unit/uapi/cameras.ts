/** What tests do with video nodes that import dma-bufs. */
import type { Task } from '@dmabuf-lab/core/base';
import {
  O,
  type Process,
  V4L2_BUF_TYPE,
  V4L2_MEMORY,
  VIDIOC_DQBUF,
  VIDIOC_QBUF,
  VIDIOC_REQBUFS,
  VIDIOC_STREAMOFF,
  VIDIOC_STREAMON,
} from '@dmabuf-lab/uapi';

const MEMORY = V4L2_MEMORY.DMABUF;

/** Takes any pages: writes by the processor. */
export const ANY_CAMERA = '/dev/video0';
/** Needs memory in one piece. */
export const CONTIGUOUS_CAMERA = '/dev/video4';
/** Of a picture as the machine sets cameras up: 320x180 YUYV. */
export const FRAME_BYTES = 115_200;

/** A video node with room for imported buffers. */
export class Camera {
  private constructor(
    private readonly process: Process,
    readonly fd: number,
    private readonly type: number,
  ) {}

  /** Capture when absent. */
  static *open(process: Process, path: string, type: number = V4L2_BUF_TYPE.VIDEO_CAPTURE, count = 4): Task<Camera> {
    const camera = new Camera(process, process.open(path, O.RDWR | O.CLOEXEC), type);
    yield* camera.reqbufs(count);
    return camera;
  }

  *reqbufs(count: number): Task<void> {
    yield* this.process.command(this.fd, VIDIOC_REQBUFS, { type: this.type, memory: MEMORY, count });
  }

  *queue(index: number, buffer: number): Task<void> {
    const given = { type: this.type, memory: MEMORY, index, m: BigInt(buffer), bytesused: FRAME_BYTES };
    yield* this.process.command(this.fd, VIDIOC_QBUF, given);
  }

  /** Waits for a frame. @returns its index */
  *dequeue(): Task<number> {
    const { index } = yield* this.process.command(this.fd, VIDIOC_DQBUF, { type: this.type, memory: MEMORY });
    return index;
  }

  *stream(on: boolean): Task<void> {
    yield* this.process.command(this.fd, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, { value: this.type });
  }
}
