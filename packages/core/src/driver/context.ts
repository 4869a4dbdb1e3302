/** What a driver sees of the world: its turn's clock, ports, jobs, random numbers, trace, and nothing else. */
import {
  attempt,
  EventClass,
  external,
  isErrno,
  type Nanoseconds,
  type RandomStream,
  sleepUntil,
  type Task,
  TimePark,
  type TraceEvent,
  timelineSlot,
  type WordIndex,
  WordPark,
} from '../base/index.js';
import { Timeline } from '../sync/index.js';
import type { PortDeclarations, Ports } from './define-driver.js';
import type { Frame } from './frame.js';
import { type Access, Job, type JobOptions, type JobParts } from './job.js';
import { Lane } from './lane.js';
import { badStamps, imageChecksum, type Payload, writeStamps } from './payload.js';
import { type ServiceTime, serviceNs } from './service-time.js';
import type { Artefact } from './statistics.js';

/** What the context is made of; the driver's actor puts it together. */
export interface ContextParts extends JobParts {
  readonly stopWord: WordIndex;
  readonly payload: Payload;
  readonly durationNs: Nanoseconds;
  readonly firstTimeline: number;
  readonly timelineCount: number;
  readonly runtime: 'threads' | 'virtual';
  reached(timeNs: Nanoseconds): void;
}

export class DriverContext<Parameters = unknown, Declared extends PortDeclarations = PortDeclarations> {
  readonly #lanes: Lane[] = [];
  #lanesInUse = 0;
  #stay = 0;
  #leaving = false;

  constructor(
    private readonly parts: ContextParts,
    readonly parameters: Parameters,
    readonly ports: Ports<Declared>,
  ) {}

  /** Name of the device. */
  get device(): string {
    return this.parts.services.name;
  }

  get payload(): Payload {
    return this.parts.payload;
  }

  /** Which runtime this is; only for choosing between equivalent libraries, never for behaviour. */
  get runtime(): 'threads' | 'virtual' {
    return this.parts.runtime;
  }

  /** Whether sources are held back by consumers instead of by the clock. */
  get backPressured(): boolean {
    return this.parts.services.backPressured;
  }

  /** How long the scenario lasts. */
  get durationNs(): Nanoseconds {
    return this.parts.durationNs;
  }

  /** Model time in integer nanoseconds. */
  now(): Nanoseconds {
    return this.parts.services.clock.now();
  }

  /** A named stream of random numbers. */
  random(name: string): RandomStream {
    return this.parts.services.random(name);
  }

  /** One more lane: a generator's own timeline. @throws InvariantError beyond the lanes a device may have (8) */
  lane(): Lane {
    const index = this.#lanesInUse;
    this.#lanesInUse += 1;
    if (index < this.#lanes.length) return this.#lanes[index]; // of an earlier stay of the device
    if (index >= this.parts.timelineCount) {
      throw new Error(`${this.device} asked for more than ${this.parts.timelineCount} lanes`);
    }
    const lane = new Lane(new Timeline(this.parts.tables.timelines, timelineSlot(this.parts.firstTimeline + index)));
    this.#lanes.push(lane);
    return lane;
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

  // ---- for the driver ----

  /** Fences handed out and not signalled. */
  get pendingFences(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.timeline.pending, 0);
  }

  /** Waits until an instant. */
  sleepUntil(timeNs: Nanoseconds): Task<void> {
    return sleepUntil(timeNs, 'the clock');
  }

  /** Waits for a vblank or another beat of the device's own clock. Where time is not paced it does not wait. */
  beat(timeNs: Nanoseconds): Task<void> {
    return sleepUntil(timeNs, 'a vblank', EventClass.Source);
  }

  /** Waits for a source's tick. @returns false when the source is to stop instead */
  *tick(timeNs: Nanoseconds): Task<boolean> {
    const { words } = this.parts.services;
    const { stopWord } = this.parts;
    if (this.#leaving || timeNs >= this.parts.durationNs || words.load(stopWord) !== 0) return false;
    const stopped: boolean = yield new WordPark(stopWord, 0, 'the next tick', timeNs, EventClass.Source);
    if (stopped || this.#leaving) return false;
    this.parts.reached(timeNs);
    return true;
  }

  /** Waits for a promise of the outside world: a file, a native encoder. In virtual time the clock stands still. */
  *external<T>(promise: PromiseLike<T>, what: string): Task<T> {
    this.parts.services.clock.now();
    return yield* external(promise, what);
  }

  /** Begins a job on a set of frames; see `Job`. */
  begin(lane: Lane, accesses: readonly Access[], options?: JobOptions): Task<Job> {
    return Job.begin(this.parts, lane, accesses, options);
  }

  /**
   * Begins a job, or finds that the storage of a buffer is not to be had: a move that timed out, no room, a buffer that
   * cannot move. The device goes on without that frame.
   *
   * @returns undefined, counted as `refused` and by errno, when the caller has to give the frame up
   */
  *tryBegin(lane: Lane, accesses: readonly Access[], options?: JobOptions): Task<Job | undefined> {
    try {
      return yield* Job.begin(this.parts, lane, accesses, options);
    } catch (error) {
      if (!isErrno(error, 'ETIMEDOUT', 'EBUSY', 'ENOMEM', 'EINVAL', 'EPERM', 'EOPNOTSUPP', 'ECANCELED')) throw error;
      this.count('refused');
      this.count(`refused${error.code}`);
      if (this.tracing) this.trace(`refused: ${error.code}`, this.now());
      return undefined;
    }
  }

  /** Lets the modelled time of a job pass: it ends at the later of that and its real work. */
  *serve(job: Job, time: ServiceTime, random: RandomStream): Task<void> {
    const { bytes, segments } = time.kind === 'bandwidth' ? job.transfer : { bytes: 0, segments: 0 };
    const serviceTimeNs = serviceNs(time, bytes, segments, random);
    if (serviceTimeNs > 0) yield new TimePark(job.startNs + serviceTimeNs, 'the end of a job');
    this.parts.statistics.serviceNs += this.now() - job.startNs;
  }

  /** Runs generators side by side; returns when all have ended. */
  *parallel(tasks: readonly Task<void>[]): Task<void> {
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

  /** Marks what a job has written, so that readers can tell whether they see just that. */
  seal(job: Job, frame: Frame): void {
    if (this.payload === 'stamp') writeStamps(job.segments(frame), frame.buffer.slot, frame.sequence);
    else if (this.payload === 'pixels') frame.checksum = imageChecksum(job.segments(frame), frame.format);
  }

  /** Checks what a job is about to read. @returns false, counted, when it is torn, stale or failed */
  verify(job: Job, frame: Frame): boolean {
    if (this.payload === 'timing' && frame.error === 0) return true;
    const good = frame.error === 0 && this.#contentIsGood(job, frame);
    this.count(good ? 'checksPassed' : 'checksFailed');
    if (!good) this.sequence('failedChecks', frame.sequence);
    return good;
  }

  #contentIsGood(job: Job, frame: Frame): boolean {
    if (this.payload === 'timing') return true;
    const segments = job.segments(frame);
    if (this.payload === 'stamp') return badStamps(segments, frame.buffer.slot, frame.sequence) === 0;
    return imageChecksum(segments, frame.format) === frame.checksum;
  }

  /** Counts something for the report. */
  count(name: string, by = 1): void {
    this.parts.statistics.count(name, by);
  }

  /** Writes a sequence number into a list of the report. */
  sequence(name: string, sequence: number): void {
    this.parts.statistics.sequence(name, sequence);
  }

  /** A frame was lost here. */
  dropped(sequence: number): void {
    this.parts.statistics.dropped.add(sequence);
  }

  /** A frame has reached an end of the pipeline: its latency since capture. */
  arrived(what: string, frame: Frame): void {
    this.parts.statistics.latency(what, this.now() - frame.capturedNs);
  }

  /** Leaves something for the user: a video, a picture. */
  artefact(artefact: Artefact): void {
    const name = this.#stay < 2 ? artefact.name : artefact.name.replace(/(?=\.[^.]*$)/, `-${this.#stay}`);
    this.parts.statistics.artefacts.push({ ...artefact, name });
  }

  /** Whether a trace is kept: for names that cost something to make. */
  get tracing(): boolean {
    return this.parts.services.trace.enabled;
  }

  /** Puts a span or an instant on the device's track of the trace. */
  trace(name: string, startNs: Nanoseconds, durationNs?: Nanoseconds, args?: TraceEvent['args']): void {
    this.parts.services.trace.add({ track: this.device, name, startNs, durationNs, args });
  }
}
