/** What a queue of video buffers asks of its driver and its user. Source: include/media/videobuf2-core.h, v6.12. */
import type { Vb2Buffer } from './vb2-buffer.js';
import type { Vb2MemOps } from './vb2-memory.js';

/** What a driver does for its queue. Source: struct vb2_ops. */
export interface Vb2Ops {
  /** @param wanted plane sizes from CREATE_BUFS; none from REQBUFS @returns the sizes to allocate @throws ErrnoError */
  queueSetup(wanted: readonly number[]): readonly number[];
  /** Outputs only: looks at what user space says of the picture. @throws ErrnoError */
  validateOutput?(buffer: Vb2Buffer): void;
  /** @throws ErrnoError */
  prepare(buffer: Vb2Buffer): void;
  /** It goes back to user space. */
  finish?(buffer: Vb2Buffer): void;
  /** It is the driver's, until `Vb2Queue.done`. */
  enqueue(buffer: Vb2Buffer): void;
  /** @throws ErrnoError, after the driver has given all buffers back as queued */
  startStreaming(): void;
  /** The driver gives all buffers back. */
  stopStreaming(): void;
}

/** Ways to get at the pictures. Source: enum vb2_io_modes. */
export const VB2_IO = { MMAP: 0x1, USERPTR: 0x2, READ: 0x4, WRITE: 0x8, DMABUF: 0x10 } as const;
export const ANY_IO = 0x1f;

export interface Vb2QueueOptions {
  /** What messages call it. */
  readonly name: string;
  /** Where its memory comes from. */
  readonly memory: Vb2MemOps;
  /** V4L2_BUF_TYPE. */
  readonly type: number;
  readonly isOutput: boolean;
  readonly isMultiplanar: boolean;
  /** Most buffers. */
  readonly maxBuffers: number;
  /** REQBUFS makes no fewer. */
  readonly minBuffers: number;
  /** VB2_IO; all when absent. */
  readonly ioModes?: number;
  /** V4L2_BUF_FLAG_TIMESTAMP_* and TSTAMP_SRC_*; monotonic, at the end of a frame, when absent. */
  readonly timestampFlags?: number;
  /** What the offsets begin with by which buffers are mapped, bytes; 0 when absent. */
  readonly firstOffset?: number;
}

/** What DQBUF does with the buffer that it gets. */
export interface DequeueSteps {
  /** Before it is taken. @throws ErrnoError; it then stays where it is */
  verify?(buffer: Vb2Buffer): void;
  /** While it still is in the state that the driver left it in. */
  report?(buffer: Vb2Buffer): void;
}
