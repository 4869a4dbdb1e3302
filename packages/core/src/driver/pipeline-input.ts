import { attempt, ErrnoError, isErrno, type Nanoseconds, type Task, type WordPark } from '../base/index.js';
import { type DmaFence, fenceStatus } from '../sync/index.js';
import type { InputPort } from './driver-port.js';
import type { FrameFormat } from './frame-format.js';
import { type FrameHolder, linkHolder } from './frame-words.js';
import { LatencySample } from './latency-sample.js';
import { PipelineFrame } from './pipeline-frame.js';
import type { PipelineJob } from './pipeline-job.js';
import type { LinkSpec, PortParts } from './port-parts.js';
import { RING_ENDED, type RingEntry, type RingWords } from './ring-words.js';

/** Who has lent a frame that leaves by an output without a pool. */
export const HANDED_OVER: unique symbol = Symbol('handed over');

/** An input of a pipeline: the end of a link's ring. */
export class PipelineInput implements InputPort {
  readonly #ring: RingWords;
  readonly #held = new Set<number>();
  #cut = false;
  /** From the push of the producer to the take, of every frame. */
  readonly latencies = new LatencySample();

  constructor(
    private readonly parts: PortParts,
    readonly link: LinkSpec,
  ) {
    this.#ring = parts.tables.ring(link.index);
  }

  /** As whom this input holds frames. */
  get #holder(): FrameHolder {
    return linkHolder(this.link.consumer);
  }

  get format(): FrameFormat {
    return this.link.format;
  }

  *take(): Task<PipelineFrame | undefined> {
    this.parts.services.clock.now();
    for (;;) {
      const entry = yield* attempt((): RingEntry | undefined | WordPark => {
        if (this.#cut) return undefined;
        const result = this.#ring.takeStep();
        return result === RING_ENDED ? undefined : result;
      });
      if (entry === undefined) return undefined;
      const frame = this.#receive(entry);
      if (frame !== undefined) return frame;
    }
  }

  tryTakeReady(): PipelineFrame | undefined {
    this.parts.services.clock.now();
    if (this.#cut) return undefined;
    const { frames, timelines } = this.parts.tables;
    const entry = this.#ring.tryTake((row) => {
      const fence = frames.acquireFence(row);
      return fence === undefined || fenceStatus(timelines, fence) !== 0;
    });
    return entry && this.#receive(entry);
  }

  get ended(): boolean {
    return this.#cut || this.#ring.ended;
  }

  release(frame: PipelineFrame, after?: PipelineJob): void {
    this.#surrender(frame, 'release');
    const { timelines } = this.parts.tables;
    const fence = after?.fence;
    this.#giveBack(frame, fence !== undefined && fenceStatus(timelines, fence) === 0 ? fence : undefined);
  }

  #giveBack(frame: PipelineFrame, pending: DmaFence | undefined): void {
    this.parts.tables.frames.setReleaseFence(frame.row, this.link.consumer, pending);
    frame.release(this.parts.services.clock.now());
  }

  #surrender(frame: PipelineFrame, op: string): void {
    if (frame.surrender(this)) {
      this.#held.delete(frame.row);
      return;
    }
    throw new ErrnoError('EINVAL', op, `Cannot ${op} frame ${frame.sequence} of ${this.link.to}: it is not held`);
  }

  drop(frame: PipelineFrame): void {
    this.#surrender(frame, 'drop');
    this.parts.statistics.dropped.add(frame.sequence);
    this.#giveBack(frame, undefined);
  }

  /** A frame goes on to an output of this driver: its reference with it. */
  handOver(frame: PipelineFrame): void {
    this.#surrender(frame, 'hand over');
    frame.lend(() => {
      frame.surrender(HANDED_OVER);
      this.#giveBack(frame, undefined);
    }, HANDED_OVER);
  }

  get heldCount(): number {
    return this.#held.size;
  }

  // ---- for the actor of the driver ----

  open(): void {
    this.#cut = false;
    this.#ring.enable();
  }

  /** Ends the stream for this consumer only: `take` returns undefined from now on. */
  cut(): void {
    this.#cut = true;
    this.#ring.nudge();
  }

  /** Leaves the link: nothing is pushed any more, and what was is released. */
  *leave(): Task<void> {
    this.#ring.disable();
    this.#drain();
    yield* attempt(() => {
      this.#drain();
      return this.#ring.quietStep();
    });
    this.#drain();
    if (!this.#ring.isDamaged) return;
    // The stream was ended by that. What the ring carried nobody can take out: nothing of it is held from here on.
    const { services, tables, statistics } = this.parts;
    statistics.count('endedEIO');
    const isCarried = (row: number): boolean => !this.#held.has(row);
    tables.frames.reclaimHolds(this.link.pool, this.#holder, services.clock.now(), isCarried);
  }

  #drain(): void {
    const { frames } = this.parts.tables;
    for (let entry = this.#ring.tryTake(); entry !== undefined; entry = this.#ring.tryTake()) {
      this.parts.statistics.dropped.add(frames.sequence(entry.frame));
      frames.setReleaseFence(entry.frame, this.link.consumer, undefined);
      frames.release(this.link.pool, entry.frame, this.#holder, this.parts.services.clock.now(), this.#ring);
    }
  }

  /** @returns undefined when the frame's row was overwritten: no driver sees it */
  #receive(entry: RingEntry): PipelineFrame | undefined {
    const nowNs = this.parts.services.clock.now();
    const frame = this.#frameAt(entry.frame, nowNs);
    if (frame === undefined) {
      this.parts.statistics.count('refusedEIO');
      this.parts.tables.frames.reclaimHold(this.link.pool, entry.frame, this.#holder, nowNs);
      return undefined;
    }
    this.latencies.add(Math.max(0, nowNs - entry.pushedNs));
    this.#held.add(entry.frame);
    this.parts.statistics.tookFrame();
    frame.lend(() => this.drop(frame), this);
    return frame;
  }

  #frameAt(row: number, nowNs: Nanoseconds): PipelineFrame | undefined {
    const { frames } = this.parts.tables;
    try {
      return new PipelineFrame(frames, this.link.pool, row, this.format, this.#holder, nowNs, this.#ring);
    } catch (error) {
      if (!isErrno(error, 'EIO')) throw error;
      return undefined;
    }
  }
}
