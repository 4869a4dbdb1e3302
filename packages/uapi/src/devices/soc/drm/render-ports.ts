/**
 * The ports of a GPU's driver behind a node: jobs come as their sources, and each output is the target of the job.
 *
 * Targets are given in the order of takes. A driver may ask for either first: the other half of the job follows.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import type { DeviceStatistics, FrameFormat, InputPort, Job, OutputPort } from '@dmabuf-lab/core/driver';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import type { NodeFrame } from '../node-frame.js';
import type { RenderJob } from './render-job.js';
import type { RenderQueue } from './render-queue.js';

export interface RenderPortParts {
  readonly kernel: SimulatedKernel;
  readonly queue: RenderQueue;
  readonly statistics: DeviceStatistics;
  /** Of the first job; it says what the driver has to do with until it takes one. */
  readonly sourceFormat: FrameFormat;
  readonly targetFormat: FrameFormat;
}

const ENDED = Symbol('ended');

/** Jobs of which the driver has one half. */
export class RenderPorts {
  /** Their targets have been given, their sources not. */
  readonly #sources: RenderJob[] = [];
  /** Their sources have been given, their targets not. */
  readonly #targets: RenderJob[] = [];
  /** Frames on their way from the input to the output. */
  readonly passedOn = new Set<NodeFrame>();
  readonly input: RenderInput;
  readonly output: RenderOutput;

  constructor(readonly parts: RenderPortParts) {
    this.input = new RenderInput(this, parts);
    this.output = new RenderOutput(this, parts);
  }

  /** The next job whose source the driver has not got. */
  takeSource(): RenderJob | undefined {
    const given = this.#sources.shift();
    if (given !== undefined) return given;
    const job = this.#next();
    if (job?.hasTarget) this.#targets.push(job);
    return job;
  }

  /** The next job whose target the driver has not got. */
  takeTarget(): RenderJob | undefined {
    const given = this.#targets.shift();
    if (given !== undefined) return given;
    const job = this.#next();
    if (job !== undefined) this.#sources.push(job);
    return job?.hasTarget ? job : undefined;
  }

  /** No source will come. */
  get isDrained(): boolean {
    return this.parts.queue.isDrained && this.#sources.length === 0;
  }

  #next(): RenderJob | undefined {
    const job = this.parts.queue.take();
    if (job !== undefined) this.parts.statistics.fenceWaitNs += job.waitedNs;
    return job;
  }
}

class RenderInput implements InputPort {
  #format: FrameFormat;
  readonly #held = new Set<NodeFrame>();

  constructor(
    private readonly ports: RenderPorts,
    private readonly parts: RenderPortParts,
  ) {
    this.#format = parts.sourceFormat;
  }

  /** Of the job that was taken last: each may have another. */
  get format(): FrameFormat {
    return this.#format;
  }

  get ended(): boolean {
    return this.ports.isDrained;
  }

  *take(): Task<NodeFrame | undefined> {
    const look = (): NodeFrame | typeof ENDED | undefined => this.tryTakeReady() ?? (this.ended ? ENDED : undefined);
    const found = yield* this.parts.kernel.wait(look, Number.POSITIVE_INFINITY, 'a job');
    return found === ENDED ? undefined : found;
  }

  tryTakeReady(): NodeFrame | undefined {
    const frame = this.ports.takeSource()?.sourceFrame();
    if (frame === undefined) return undefined;
    this.#format = frame.format;
    this.#held.add(frame);
    frame.lend(() => this.drop(frame));
    this.parts.statistics.tookFrame();
    return frame;
  }

  /** Without a job that is still to end, the work is done with that. */
  release(frame: NodeFrame, after?: Job): void {
    frame.surrender();
    if (!this.#held.delete(frame)) {
      throw new ErrnoError('EINVAL', 'release', `Cannot release frame ${frame.sequence}: it is not held`);
    }
    if (after === undefined) frame.work?.end(undefined);
  }

  drop(frame: NodeFrame): void {
    this.parts.statistics.dropped.add(frame.sequence);
    frame.work?.end('ECANCELED');
    this.release(frame);
  }

  /** It leaves by the output, where the job ends. */
  handOver(frame: NodeFrame): void {
    frame.surrender();
    if (this.#held.delete(frame)) this.ports.passedOn.add(frame);
  }
}

class RenderOutput implements OutputPort {
  #format: FrameFormat;

  constructor(
    private readonly ports: RenderPorts,
    private readonly parts: RenderPortParts,
  ) {
    this.#format = parts.targetFormat;
  }

  get format(): FrameFormat {
    return this.#format;
  }

  *acquire(): Task<NodeFrame> {
    const look = (): NodeFrame | undefined => this.#tryAcquire();
    const frame = yield* this.parts.kernel.wait(look, Number.POSITIVE_INFINITY, 'a job with a target');
    return frame as NodeFrame; // there is no time-out
  }

  *acquireForTick(): Task<NodeFrame | undefined> {
    return this.#tryAcquire();
  }

  #tryAcquire(): NodeFrame | undefined {
    const frame = this.ports.takeTarget()?.targetFrame();
    if (frame !== undefined) this.#format = frame.format;
    return frame;
  }

  /** The job ends with its source. */
  cancel(): void {}

  /** User space has the buffer already, and its fence. A frame that was passed on without a job is done. */
  *push(frame: NodeFrame): Task<void> {
    this.parts.statistics.madeFrame();
    if (this.ports.passedOn.delete(frame)) frame.work?.end(undefined);
  }

  /** There is always room: nobody takes frames here. */
  *room(): Task<void> {}
}
