/** A driver's context in a pipeline: turns, jobs and lanes on the words of shared memory. */
import {
  attempt,
  type CallSites,
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
  /** Finds out which line of the driver has begun a job; absent = nobody wants to know. */
  readonly callSites?: CallSites;
  /** Adds to what the driver throws where it did, before its actor ends; absent = nobody wants to know. */
  readonly located?: (error: unknown) => unknown;
}

export class PipelineContext<
  Parameters = unknown,
  Declared extends PortDeclarations = PortDeclarations,
> extends DeviceContext<Parameters, Declared> {
  readonly #lanes: PipelineLane[] = [];
  #lanesInUse = 0;
  #stay = 0;
  #leaving = false;
  /** Jobs of which it is known where they were begun. */
  readonly #sited = new Set<PipelineJob>();

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
    const { callSites } = this.parts;
    const begun = PipelineJob.begin(this.parts, lane, accesses, options);
    return callSites === undefined ? begun : this.#withSite(begun, callSites.here());
  }

  *#withSite(begun: Task<PipelineJob>, site: string | undefined): Task<PipelineJob> {
    const job = yield* begun;
    job.site = site;
    for (const other of this.#sited) if (other.isOver) this.#sited.delete(other);
    this.#sited.add(job);
    return job;
  }

  override *parallel(tasks: readonly Task<void>[]): Task<void> {
    let running = tasks.length;
    const { located } = this.parts;
    const { jobs } = this.parts.tables;
    const counted = function* (task: Task<void>): Task<void> {
      try {
        yield* task;
      } catch (error) {
        throw located === undefined ? error : located(error);
      }
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

  /** The number of the stay of the device, from 1. */
  get stay(): number {
    return this.#stay;
  }

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

  /** Where the jobs were begun that have not ended, as far as it is known. */
  get openJobSites(): string[] {
    const sites = [...this.#sited].flatMap(({ isOver, site }) => (isOver || site === undefined ? [] : [site]));
    return [...new Set(sites)];
  }

  /** Fences handed out and not signalled. */
  get pendingFences(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.timeline.pending, 0);
  }
}
