/** What an open file has of an encoder: its two queues, its formats, and its run of the driver. Source: struct v4l2_m2m_ctx, v6.12. */
import type { DeviceStatistics } from '@dmabuf-lab/core/driver';
import { V4L2_BUF_FLAG as FLAG, V4L2_BUF_TYPE, V4L2_CAP, V4L2_FIELD } from '../../../abi/videodev2.js';
import { H264_FORMAT, type PixelFormat } from '../../v4l2/pixel-formats.js';
import { type Vb2Buffer, vb2Error } from '../../v4l2/vb2-buffer.js';
import { dmaMemOps } from '../../v4l2/vb2-dma-memory.js';
import type { Vb2Ops } from '../../v4l2/vb2-ops.js';
import { Vb2Queue } from '../../v4l2/vb2-queue.js';
import type { VideoFormat } from '../../v4l2/video-format.js';
import { CAPTURE_OFFSETS, type FrameInterval, type VideoNode } from '../../v4l2/video-node.js';
import type { NodeContextParts } from '../node-context.js';
import { type CoderFormats, type CoderPlan, nearestInterval } from './coder-formats.js';
import { type CoderBuffers, CoderJobs, type CoderResult } from './coder-jobs.js';
import { DrainState } from './drain-state.js';
import { DriverRun } from './driver-run.js';
import type { JobTurns } from './job-turns.js';
import {
  type DriverFailure,
  intervalOf,
  MAX_BUFFERS,
  NO_CONTROLS,
  pixelFormatOf,
  planeSizes,
  STREAMING_IO,
  type VideoDeviceOptions,
  videoFormatOf,
} from './video-device.js';

/** What all open files of an encoder share. */
export interface EncoderDevice {
  readonly options: VideoDeviceOptions;
  readonly parts: NodeContextParts;
  readonly plan: CoderPlan;
  readonly turns: JobTurns;
  readonly statistics: DeviceStatistics;
  readonly failures: DriverFailure[];
  readonly running: Set<DriverRun>;
  /** Of its open files. */
  readonly contexts: Set<EncoderContext>;
  isUnbound: boolean;
}

export class EncoderContext implements VideoNode, CoderBuffers {
  readonly driver: string;
  readonly card: string;
  readonly busInfo: string;
  readonly deviceCapabilities = V4L2_CAP.VIDEO_M2M | V4L2_CAP.STREAMING;
  readonly capabilities = V4L2_CAP.VIDEO_M2M | V4L2_CAP.STREAMING;
  readonly queue: Vb2Queue;
  readonly sourceQueue: Vb2Queue;
  readonly controls = NO_CONTROLS;
  readonly media = undefined;
  readonly connector = undefined;
  readonly #drain: DrainState;
  #formats: CoderFormats;
  /** Queued and not done, oldest first; the picture of a running job is the first. */
  readonly #sources: Vb2Buffer[] = [];
  readonly #targets: Vb2Buffer[] = [];
  #sourceSequence = 0;
  #targetSequence = 0;
  #stream: { readonly run: DriverRun; readonly jobs: CoderJobs } | undefined;

  constructor(private readonly device: EncoderDevice) {
    const { options, plan } = device;
    this.driver = options.driver.name;
    this.card = options.name;
    this.busInfo = `platform:${options.name}`;
    this.#formats = plan.initial;
    this.queue = this.#makeQueue(V4L2_BUF_TYPE.VIDEO_CAPTURE);
    this.sourceQueue = this.#makeQueue(V4L2_BUF_TYPE.VIDEO_OUTPUT);
    this.#drain = new DrainState({
      queue: this.queue,
      lastSource: () => this.#sources.at(-1),
      takeTarget: () => this.#targets.shift(),
      nextSequence: () => this.#nextTargetSequence(),
    });
  }

  #makeQueue(type: number): Vb2Queue {
    const { name, isContiguous = false, pages } = this.device.options;
    const isOutput = type === V4L2_BUF_TYPE.VIDEO_OUTPUT;
    const { kernel } = this.device.parts;
    const direction = isOutput ? 'to-device' : 'from-device';
    const memory = dmaMemOps(kernel, { device: name, direction, isContiguous, pages });
    return new Vb2Queue(
      kernel,
      {
        name: `${name} ${isOutput ? 'output' : 'capture'}`,
        type,
        isOutput,
        isMultiplanar: false,
        maxBuffers: MAX_BUFFERS,
        minBuffers: 1,
        ioModes: STREAMING_IO,
        memory,
        timestampFlags: FLAG.TIMESTAMP_COPY,
        firstOffset: isOutput ? 0 : CAPTURE_OFFSETS,
      },
      isOutput ? this.#sourceOps() : this.#targetOps(),
    );
  }

  get isUnbound(): boolean {
    return this.device.isUnbound;
  }

  get isUnplugged(): boolean {
    return this.device.isUnbound;
  }

  opened(): void {
    this.device.contexts.add(this);
  }

  closed(): void {
    this.device.contexts.delete(this);
  }

  selectConnector(): void {}

  // --- formats -------------------------------------------------------------------------------------------------------

  formatsOf({ options }: Vb2Queue): readonly PixelFormat[] {
    if (!options.isOutput) return [H264_FORMAT];
    const { plan, options: device } = this.device;
    return plan.fourccs.map((fourcc) => pixelFormatOf(device.driver, { ...this.#formats.source, fourcc }));
  }

  getFormat({ options }: Vb2Queue): VideoFormat {
    return this.#told(this.#formats, options.isOutput);
  }

  #told({ source, target }: CoderFormats, isOutput: boolean): VideoFormat {
    const format = isOutput ? source : target;
    return videoFormatOf(format, pixelFormatOf(this.device.options.driver, format).fourcc);
  }

  tryFormat(wanted: VideoFormat, { options }: Vb2Queue): VideoFormat {
    return this.#told(options.isOutput ? this.#nearest(wanted) : this.#formats, options.isOutput);
  }

  /** The format of pictures decides that of the bitstream. */
  setFormat(wanted: VideoFormat, queue: Vb2Queue): VideoFormat {
    const isBusy = queue.options.isOutput ? this.sourceQueue.isBusy || this.queue.isBusy : this.queue.isBusy;
    if (isBusy) throw vb2Error('EBUSY', 'VIDIOC_S_FMT', 'buffers are allocated');
    if (queue.options.isOutput) this.#formats = this.#nearest(wanted);
    return this.getFormat(queue);
  }

  #nearest({ width, height, pixelformat, planes }: VideoFormat): CoderFormats {
    const { plan } = this.device;
    const formats = this.formatsOf(this.sourceQueue);
    const known = formats.findIndex(({ fourcc }) => fourcc === pixelformat);
    return plan.nearest(
      plan.fourccs[Math.max(0, known)],
      { width, height },
      this.#formats.source.rate,
      planes[0]?.bytesperline,
    );
  }

  get interval(): FrameInterval {
    return intervalOf(this.#formats.source);
  }

  /** For the next stream. */
  setInterval(wanted: FrameInterval): FrameInterval {
    const { numerator: den, denominator: num } = nearestInterval(wanted);
    const rate = { num, den };
    const { source, target } = this.#formats;
    this.#formats = { source: { ...source, rate }, target: { ...target, rate } };
    return this.interval;
  }

  // --- the queues ----------------------------------------------------------------------------------------------------

  #sourceOps(): Vb2Ops {
    return {
      queueSetup: (wanted) => planeSizes(wanted, this.#formats.source.sizeBytes),
      validateOutput: (buffer) => {
        if (buffer.field === V4L2_FIELD.ANY) buffer.field = V4L2_FIELD.NONE;
        if (buffer.field !== V4L2_FIELD.NONE) throw vb2Error('EINVAL', 'VIDIOC_QBUF', 'pictures are whole frames');
      },
      prepare: (buffer) => checkLength(buffer, this.#formats.source.sizeBytes),
      enqueue: (buffer) => {
        this.#sources.push(buffer);
        this.#schedule();
      },
      startStreaming: () => {
        this.#sourceSequence = 0;
        this.#drain.sourcesStart();
        this.#start();
      },
      stopStreaming: () => {
        this.#stop();
        for (const buffer of this.#sources.splice(0)) this.sourceQueue.done(buffer, 'error');
        this.#drain.sourcesStop();
      },
    };
  }

  #targetOps(): Vb2Ops {
    return {
      queueSetup: (wanted) => planeSizes(wanted, this.#formats.target.sizeBytes),
      prepare: (buffer) => checkLength(buffer, this.#formats.target.sizeBytes),
      enqueue: (buffer) => {
        this.#targets.push(buffer);
        if (this.queue.streaming) this.#drain.targetCame();
        this.#schedule();
      },
      startStreaming: () => {
        this.#targetSequence = 0;
        this.#start();
      },
      stopStreaming: () => {
        this.#stop();
        for (const buffer of this.#targets.splice(0)) this.queue.done(buffer, 'error');
        this.#drain.targetsStop();
      },
    };
  }

  /** The driver runs while both queues stream. */
  #start(): void {
    if (!this.queue.started || !this.sourceQueue.started) return;
    const { parts, options, plan, statistics } = this.device;
    const { kernel, contents } = parts;
    const { source: sourceFormat, target: targetFormat } = this.#formats;
    const jobs = new CoderJobs({ kernel, contents, statistics, sourceFormat, targetFormat, buffers: this });
    const run = new DriverRun({
      parts,
      driver: options.driver,
      parameters: options.parameters,
      ports: { [plan.inputPort]: jobs.input, [plan.outputPort]: jobs.output },
      running: this.device.running,
      ended: () => this.#fail(run, new Error('the driver has returned while the queues stream')),
      failed: (error) => this.#fail(run, error),
    });
    this.#stream = { run, jobs };
    run.start();
    this.#schedule();
  }

  /** A job that runs has lost its buffers; its picture and its capture buffer are queued as before. */
  #stop(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.device.turns.leave(this);
    if (stream === undefined) return;
    const { run, jobs } = stream;
    if (jobs.isRunning) run.cancel();
    else run.finish();
    const target = jobs.close();
    if (target !== undefined) this.#targets.unshift(target);
    this.device.parts.kernel.changed();
  }

  #fail(run: DriverRun, error: Error): void {
    if (this.#stream?.run !== run) return;
    const { failures, parts, turns } = this.device;
    failures.push({ timeNs: parts.kernel.now(), error });
    turns.leave(this);
    this.sourceQueue.fail();
    this.queue.fail();
  }

  // --- jobs ----------------------------------------------------------------------------------------------------------

  /** Source: __v4l2_m2m_try_queue. */
  get #hasJob(): boolean {
    const isOn = this.#stream !== undefined && !this.queue.error && !this.#drain.hasStopped;
    return isOn && this.#sources.length > 0 && this.#targets.length > 0;
  }

  #schedule(): void {
    if (this.#hasJob) this.device.turns.wants(this);
    else if (this.#stream?.jobs.isRunning !== true) this.device.turns.leave(this);
  }

  nextSource(): Vb2Buffer | undefined {
    return this.#hasJob && this.device.turns.has(this) ? this.#sources[0] : undefined;
  }

  takeTarget(): Vb2Buffer | undefined {
    return this.#targets.shift();
  }

  putBackTarget(buffer: Vb2Buffer): void {
    this.#targets.unshift(buffer);
  }

  /** Source: v4l2_m2m_buf_done_and_job_finish, v4l2_m2m_buf_copy_metadata. */
  jobEnded({ source, isDropped, target }: CoderResult): void {
    this.#sources.splice(this.#sources.indexOf(source), 1);
    source.sequence = this.#sourceSequence;
    this.#sourceSequence += 1;
    const isLast = this.#drain.isLast(source);
    if (target !== undefined) {
      const { buffer, frame } = target;
      const { usedBytes, isKeyFrame } = frame.coded ?? { usedBytes: 0, isKeyFrame: false };
      buffer.timestampNs = source.timestampNs;
      buffer.timecode = source.timecode;
      const copied = source.flags & (FLAG.TIMECODE | FLAG.TSTAMP_SRC_SOE);
      buffer.flags |= copied | (isKeyFrame ? FLAG.KEYFRAME : FLAG.PFRAME);
      buffer.field = V4L2_FIELD.NONE;
      buffer.sequence = this.#nextTargetSequence();
      buffer.planes[0].usedBytes = usedBytes;
    }
    this.sourceQueue.done(source, isDropped ? 'error' : 'done');
    if (isLast) this.#drain.end(target?.buffer);
    if (target !== undefined) this.queue.done(target.buffer, target.frame.error === 0 ? 'done' : 'error');
    this.device.turns.leave(this);
    this.#schedule();
  }

  #nextTargetSequence(): number {
    this.#targetSequence += 1;
    return this.#targetSequence - 1;
  }

  /** Where the queues do not stream there is nothing to drain. Source: vicodec_encoder_cmd. */
  encoderCommand(command: number): void {
    if (!this.queue.streaming || !this.sourceQueue.streaming) return;
    this.#drain.command(command);
    this.#schedule();
  }
}

/** @throws ErrnoError EINVAL */
function checkLength({ planes: [{ lengthBytes }] }: Vb2Buffer, sizeBytes: number): void {
  if (lengthBytes >= sizeBytes) return;
  throw vb2Error('EINVAL', 'VIDIOC_QBUF', `the buffer has ${lengthBytes} bytes of ${sizeBytes}`);
}
