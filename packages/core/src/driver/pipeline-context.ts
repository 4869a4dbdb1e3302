/** A driver's context in a pipeline: turns, jobs and lanes on the words of shared memory. */
import {
  attempt,
  EventClass,
  type Nanoseconds,
  type Task,
  timelineSlot,
  type WordIndex,
  WordPark,
} from '../base/index.js';
import { Timeline } from '../sync/index.js';
import type { PortDeclarations, Ports } from './define-driver.js';
import { DeviceContext, type DeviceContextParts } from './device-context.js';
import type { Access, JobOptions } from './driver-port.js';
import type { PipelineFrame } from './pipeline-frame.js';
import { type JobParts, PipelineJob } from './pipeline-job.js';
import { PipelineLane } from './pipeline-lane.js';
import type { Artefact } from './statistics.js';

/** What the context is made of; the driver's actor puts it together. */
export interface ContextParts extends JobParts, DeviceContextParts {
  readonly stopWord: WordIndex;
  readonly firstTimeline: number;
  readonly timelineCount: number;
  reached(timeNs: Nanoseconds): void;
}

export class PipelineContext<
  Parameters = unknown,
  Declared extends PortDeclarations = PortDeclarations,
> extends DeviceContext<Parameters, Declared> {
  readonly #lanes: PipelineLane[] = [];
  #lanesInUse = 0;
  #stay = 0;
  #leaving = false;

  constructor(
    private readonly parts: ContextParts,
    parameters: Parameters,
    ports: Ports<Declared>,
  ) {
    super(parts, parameters, ports);
  }

  override lane(): PipelineLane {
    const index = this.#lanesInUse;
    this.#lanesInUse += 1;
    if (index < this.#lanes.length) return this.#lanes[index]; // of an earlier stay of the device
    if (index >= this.parts.timelineCount) {
      throw new Error(`${this.device} asked for more than ${this.parts.timelineCount} lanes`);
    }
    const timeline = new Timeline(this.parts.tables.timelines, timelineSlot(this.parts.firstTimeline + index));
    const lane = new PipelineLane(timeline);
    this.#lanes.push(lane);
    return lane;
  }

  override *tick(timeNs: Nanoseconds): Task<boolean> {
    const { words } = this.parts.services;
    const { stopWord } = this.parts;
    if (this.#leaving || timeNs >= this.parts.durationNs || words.load(stopWord) !== 0) return false;
    const stopped: boolean = yield new WordPark(stopWord, 0, 'the next tick', timeNs, EventClass.Source);
    if (stopped || this.#leaving) return false;
    this.parts.reached(timeNs);
    return true;
  }

  override begin(
    lane: PipelineLane,
    accesses: readonly Access<PipelineFrame>[],
    options?: JobOptions,
  ): Task<PipelineJob> {
    return PipelineJob.begin(this.parts, lane, accesses, options);
  }

  override *parallel(tasks: readonly Task<void>[]): Task<void> {
    let running = tasks.length;
    const { jobs } = this.parts.tables;
    const counted = function* (task: Task<void>): Task<void> {
      yield* task;
      running -= 1;
      jobs.countEnded();
    };
    for (const [i, task] of tasks.entries()) this.parts.services.spawn(`lane ${i + 1}`, counted(task));
    yield* attempt(() => jobs.whenStep(() => running === 0));
  }

  override artefact(artefact: Artefact): void {
    const name = this.#stay < 2 ? artefact.name : artefact.name.replace(/(?=\.[^.]*$)/, `-${this.#stay}`);
    super.artefact({ ...artefact, name });
  }

  // ---- for the actor of the driver ----

  /** The device is there, for the first time or again. */
  beginStay(): void {
    this.#stay += 1;
    this.#lanesInUse = 0;
    this.#leaving = false;
  }

  /** The device is to leave: a source has no further tick. */
  leave(): void {
    this.#leaving = true;
  }

  /** Fences handed out and not signalled. */
  get pendingFences(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.timeline.pending, 0);
  }
}
