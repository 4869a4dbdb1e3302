/**
 * The driver port: the world as a driver sees it. Interfaces only.
 *
 * A driver runs wherever these are implemented: in a pipeline, where frames are words of shared memory
 * (`pipeline-context.ts`), and behind a device node, where user space queues the buffers (`uapi`).
 */
import type { Nanoseconds, RandomStream, Task, TraceEvent } from '../base/index.js';
import type { PortDeclarations, Ports } from './define-driver.js';
import type { FrameFormat } from './frame-format.js';
import type { Payload } from './payload.js';
import type { ServiceTime } from './service-time.js';
import type { Artefact } from './statistics.js';

/** A generator's own timeline: its jobs end in the order in which they began. A device that serves k at once owns k. */
export interface Lane {
  /** Fences published and not signalled yet. */
  readonly owed: number;
}

/**
 * A buffer in one use of it: what a driver takes from a port, works on, and hands on or releases.
 *
 * Declared with `using`, it goes back unused at the end of its scope if the driver has it still: one that was taken is dropped
 * and counted, one that was acquired is cancelled.
 */
export interface Frame extends Disposable {
  readonly format: FrameFormat;
  /** Which buffer it lies in: the same number in each use of it. */
  readonly bufferNumber: number;
  /** Sequence number that its source gave it; a dropped frame has one too. Source: v4l2_buffer.sequence, v6.12. */
  readonly sequence: number;
  /** When its source captured it. */
  readonly capturedNs: Nanoseconds;
  /** Sum over the image, where the payload is pixels. */
  checksum: number;
  /** Errno that its content ended with, 0 when it is good. */
  error: number;
  /**
   * Of a bitstream: what its writer says of it. A node tells user space; a pipeline does not carry it, and a reader there
   * finds zeros behind the stream.
   */
  coded?: CodedFrame;

  /** Says what it holds. Only on a frame that was acquired from the driver's own pool and is not handed on yet. */
  describe(sequence: number, capturedNs: Nanoseconds): void;

  /** Lets consumers have it before its content is complete: they wait for the job's fence, if it published one. */
  readyAfter(job: Job): void;
}

/** A frame of a bitstream. */
export interface CodedFrame {
  readonly usedBytes: number;
  /** Decoding can begin with it. */
  readonly isKeyFrame: boolean;
}

/** Where frames arrive. A frame taken is the driver's until it releases it. */
export interface InputPort {
  readonly format: FrameFormat;
  /** Whether no frame will come any more. */
  readonly ended: boolean;

  /** Waits for the next frame. @returns undefined at the end of the stream */
  take(): Task<Frame | undefined>;

  /** Takes the next frame if there is one whose content is complete; does not wait. */
  tryTakeReady(): Frame | undefined;

  /**
   * Gives a frame back.
   *
   * @param after the job whose end allows its buffer to be written again; absent when that may be at once
   * @throws ErrnoError EINVAL when the frame is not held
   */
  release(frame: Frame, after?: Job): void;

  /** Gives a frame back unused: it counts as dropped by this device. */
  drop(frame: Frame): void;

  /** The frame leaves by an output instead of going back: its reference goes with it. @throws ErrnoError EINVAL when it is not held */
  handOver(frame: Frame): void;
}

/** Where frames leave. An output owns buffers, or passes on frames that came in (then it has none). */
export interface OutputPort {
  readonly format: FrameFormat;

  /** Waits for a buffer to draw into, and for those who read it last. */
  acquire(lane: Lane): Task<Frame>;

  /**
   * Takes a free buffer at a source's tick. Where time is paced a source cannot wait: the frame is lost.
   *
   * @returns undefined when none is free: the caller drops the frame
   */
  acquireForTick(lane: Lane): Task<Frame | undefined>;

  /** Gives a frame back that was acquired and not pushed, and the room that was kept for it. @throws ErrnoError EINVAL when it is not the driver's */
  cancel(frame: Frame): void;

  /**
   * Hands a frame to every consumer that wants it. The caller's reference is gone.
   *
   * @throws ErrnoError EINVAL when the caller has none; ENOBUFS when a link whose policy is `error` was full: that link has not got
   * the frame, which counts as dropped there, and all others have
   */
  push(frame: Frame): Task<void>;

  /**
   * Waits for room and keeps it for a push: for those who must not wait once they owe a fence. Places are kept for the output, not
   * for a lane: where one lane asks, all that push there have to, or one may take the place that another has asked for.
   */
  room(): Task<void>;
}

/** A buffer of a job, and what the device does with it. */
export interface Access<F extends Frame = Frame> {
  readonly frame: F;
  readonly write: boolean;
}

export interface JobOptions {
  /** Publish a fence. Off for scan-out, which pins what it shows and adds none. Default on. */
  readonly publish?: boolean;
}

/**
 * A device works on a set of buffers: they are mapped, and those who would conflict wait for its fence.
 *
 * Declared with `using`, it ends with ECANCELED at the end of its scope if it has not ended before: no way out of a driver leaves
 * a fence unsignalled or a buffer mapped.
 */
export interface Job extends Disposable {
  readonly startNs: Nanoseconds;
  /** How long the device waited for storage: the stall that a move causes. */
  readonly stalledNs: Nanoseconds;
  /** DMA segments and bytes of all buffers of the job, for a bandwidth model. */
  readonly transfer: { readonly bytes: number; readonly segments: number };

  /** The pages of a buffer of the job: one view a run. */
  segments(frame: Frame): readonly Uint8Array[];

  /**
   * Ends the job: signals its fence, with an error if it failed, and unmaps. Takes no lock and never waits.
   *
   * @param error what it wrote is bad: whoever waits for its fence learns of it, and so does whoever gets a frame that the driver
   *   has still and hands on afterwards
   */
  end(error?: 'EIO' | 'ECANCELED'): void;
}

/** What a driver sees of the world: its clock, ports, jobs, random numbers, trace, and nothing else. */
export interface DriverContext<Parameters = unknown, Declared extends PortDeclarations = PortDeclarations> {
  readonly parameters: Parameters;
  readonly ports: Ports<Declared>;
  /** Name of the device. */
  readonly device: string;
  readonly payload: Payload;
  /** Which runtime this is; only for choosing between equivalent libraries, never for behaviour. */
  readonly runtime: 'threads' | 'virtual';
  /** Whether sources are held back by consumers instead of by the clock. */
  readonly backPressured: boolean;
  /** How long the scenario lasts. */
  readonly durationNs: Nanoseconds;

  /** Model time in integer nanoseconds. */
  now(): Nanoseconds;
  /** A named stream of random numbers. */
  random(name: string): RandomStream;
  /** One more lane: a generator's own timeline. @throws Error beyond the lanes a device may have (8) */
  lane(): Lane;

  /** Waits until an instant. */
  sleepUntil(timeNs: Nanoseconds): Task<void>;
  /** Waits for a vblank or another beat of the device's own clock. Where time is not paced it does not wait. */
  beat(timeNs: Nanoseconds): Task<void>;
  /** Waits for a source's tick. @returns false when the source is to stop instead */
  tick(timeNs: Nanoseconds): Task<boolean>;
  /** Waits for a promise of the outside world: a file, a native encoder. In virtual time the clock stands still. */
  external<T>(promise: PromiseLike<T>, what: string): Task<T>;
  /** Runs generators side by side; returns when all have ended. */
  parallel(tasks: readonly Task<void>[]): Task<void>;

  /** Begins a job on a set of frames. @throws ErrnoError when storage or content is not to be had */
  begin(lane: Lane, accesses: readonly Access[], options?: JobOptions): Task<Job>;
  /**
   * Begins a job, or finds that the storage of a buffer is not to be had: a move that timed out, no room, a buffer that
   * cannot move. The device goes on without that frame.
   *
   * @returns undefined, counted as `refused` and by errno, when the caller has to give the frame up
   */
  tryBegin(lane: Lane, accesses: readonly Access[], options?: JobOptions): Task<Job | undefined>;
  /** Lets the modelled time of a job pass: it ends at the later of that and its real work. */
  serve(job: Job, time: ServiceTime, random: RandomStream): Task<void>;

  /** Marks what a job has written, so that readers can tell whether they see just that. */
  seal(job: Job, frame: Frame): void;
  /**
   * Checks what a job is about to read.
   *
   * @returns false when it is torn or stale (counted as checksFailed), or its fence has ended with an error (as failedFrames)
   */
  verify(job: Job, frame: Frame): boolean;

  /** Counts something for the report. */
  count(name: string, by?: number): void;
  /** Writes a sequence number into a list of the report. */
  sequence(name: string, sequence: number): void;
  /** A frame was lost here. */
  dropped(sequence: number): void;
  /** A frame has reached an end of the pipeline: its latency since capture. */
  arrived(what: string, frame: Frame): void;
  /** Leaves something for the user: a video, a picture. */
  artefact(artefact: Artefact): void;

  /** Whether a trace is kept: for names that cost something to make. */
  readonly tracing: boolean;
  /** Puts a span or an instant on the device's track of the trace. */
  trace(name: string, startNs: Nanoseconds, durationNs?: Nanoseconds, args?: TraceEvent['args']): void;
}
