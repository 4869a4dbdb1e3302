/** The context of the driver under test: passes everything on, and has every call of the driver noted. */
import { ErrnoError, type Nanoseconds, type RandomStream, type Task, type TraceEvent } from '../base/index.js';
import type {
  Access,
  Artefact,
  DriverContext,
  Frame,
  InputPort,
  Job,
  JobOptions,
  Lane,
  OutputPort,
  Payload,
  PortDeclarations,
  ServiceTime,
} from '../driver/index.js';
import type { CheckedFrame } from './checked-frame.js';
import { CheckedJob } from './checked-job.js';
import { CheckedInput, CheckedOutput, type IsPending } from './checked-ports.js';
import type { Monitor } from './monitor.js';
import type { Place } from './place.js';
import { Shortages } from './shortages.js';

export class CheckedContext implements DriverContext {
  readonly ports: Readonly<Record<string, never>>;
  readonly #outputs: CheckedOutput[] = [];
  readonly #shortages: Shortages;

  constructor(
    private readonly monitor: Monitor,
    private readonly inner: DriverContext,
    declared: PortDeclarations,
    isPending: IsPending,
    private readonly beganNs: Nanoseconds,
  ) {
    const hasInput = Object.keys(inner.ports).some((name) => declared[name].direction === 'in');
    // On threads a device has begun a little late before it can look at the clock.
    const earliestNs = hasInput || inner.runtime === 'threads' ? 0 : beganNs;
    this.#shortages = new Shortages(monitor.options.shortages);
    const ports: Record<string, InputPort | OutputPort> = {};
    for (const [name, port] of Object.entries(inner.ports) as [string, InputPort | OutputPort | undefined][]) {
      if (port === undefined) continue;
      if (declared[name].direction === 'in') {
        ports[name] = new CheckedInput(monitor, name, port as InputPort, isPending);
      } else {
        const output = new CheckedOutput(monitor, name, port as OutputPort, earliestNs, this.#shortages);
        this.#outputs.push(output);
        ports[name] = output;
      }
    }
    this.ports = ports as never;
  }

  get parameters(): unknown {
    return this.inner.parameters;
  }

  get device(): string {
    return this.inner.device;
  }

  get payload(): Payload {
    return this.inner.payload;
  }

  get runtime(): 'threads' | 'virtual' {
    return this.inner.runtime;
  }

  get backPressured(): boolean {
    return this.inner.backPressured;
  }

  get durationNs(): Nanoseconds {
    return this.inner.durationNs;
  }

  get tracing(): boolean {
    return this.inner.tracing;
  }

  now(): Nanoseconds {
    this.monitor.call('ctx.now');
    return this.inner.now();
  }

  random(name: string): RandomStream {
    this.monitor.call('ctx.random');
    return this.inner.random(name);
  }

  lane(): Lane {
    this.monitor.call('ctx.lane');
    return this.inner.lane();
  }

  sleepUntil(timeNs: Nanoseconds): Task<void> {
    return this.#wait('ctx.sleepUntil', this.inner.sleepUntil(timeNs));
  }

  beat(timeNs: Nanoseconds): Task<void> {
    return this.#wait('ctx.beat', this.inner.beat(timeNs));
  }

  tick(timeNs: Nanoseconds): Task<boolean> {
    const place = this.monitor.call('ctx.tick');
    if (timeNs < this.beganNs && this.inner.runtime === 'virtual') {
      const what = `the tick at ${timeNs} ns is waited for, and the device began at ${this.beganNs} ns`;
      this.monitor.findings.add('first-tick', what, place);
    }
    return this.monitor.waiting('ctx.tick', place, this.inner.tick(timeNs));
  }

  external<T>(promise: PromiseLike<T>, what: string): Task<T> {
    return this.#wait('ctx.external', this.inner.external(promise, what));
  }

  parallel(tasks: readonly Task<void>[]): Task<void> {
    for (const task of tasks) this.monitor.pending.stepped(task);
    const driven = tasks.map((task) => this.monitor.drive(task));
    return this.#wait('ctx.parallel', this.inner.parallel(driven));
  }

  begin(lane: Lane, accesses: readonly Access[], options?: JobOptions): Task<Job> {
    const place = this.#beginning('ctx.begin', accesses);
    return this.monitor.waiting('ctx.begin', place, this.#begin(lane, accesses, options, place));
  }

  *#begin(
    lane: Lane,
    accesses: readonly Access[],
    options: JobOptions | undefined,
    place: Place | undefined,
  ): Task<Job> {
    if (this.#noMemory()) throw new ErrnoError('ENOMEM', 'dma_buf_map_attachment', 'Cannot map: no memory (a test)');
    const job = yield* this.inner.begin(lane, uncheck(accesses), options);
    return this.#checked(job, accesses, options, place);
  }

  tryBegin(lane: Lane, accesses: readonly Access[], options?: JobOptions): Task<Job | undefined> {
    const place = this.#beginning('ctx.tryBegin', accesses);
    return this.monitor.waiting('ctx.tryBegin', place, this.#tryBegin(lane, accesses, options, place));
  }

  *#tryBegin(
    lane: Lane,
    accesses: readonly Access[],
    options: JobOptions | undefined,
    place: Place | undefined,
  ): Task<Job | undefined> {
    if (this.#noMemory()) return undefined;
    const job = yield* this.inner.tryBegin(lane, uncheck(accesses), options);
    return job && this.#checked(job, accesses, options, place);
  }

  serve(job: Job, time: ServiceTime, random: RandomStream): Task<void> {
    return this.#wait('ctx.serve', this.inner.serve((job as CheckedJob).inner, time, random));
  }

  seal(job: Job, frame: Frame): void {
    const place = this.monitor.call('ctx.seal');
    const [work, checked] = [job as CheckedJob, frame as CheckedFrame];
    work.sealed(checked, place);
    if (work.hasEnded) return;
    work.publish(checked);
    this.inner.seal(work.inner, checked.inner);
    work.refresh(checked);
  }

  verify(job: Job, frame: Frame): boolean {
    const place = this.monitor.call('ctx.verify');
    const [work, checked] = [job as CheckedJob, frame as CheckedFrame];
    if (work.hasEnded) {
      this.monitor.findings.add('memory', `${checked.text} is verified after its job has ended`, place);
      return false;
    }
    work.publish(checked);
    return this.inner.verify(work.inner, checked.inner);
  }

  count(name: string, by?: number): void {
    this.monitor.call('ctx.count');
    this.inner.count(name, by);
  }

  sequence(name: string, sequence: number): void {
    this.monitor.call('ctx.sequence');
    this.inner.sequence(name, sequence);
  }

  dropped(sequence: number): void {
    this.monitor.call('ctx.dropped');
    this.inner.dropped(sequence);
  }

  arrived(what: string, frame: Frame): void {
    this.monitor.call('ctx.arrived');
    this.inner.arrived(what, frame);
  }

  artefact(artefact: Artefact): void {
    this.monitor.call('ctx.artefact');
    this.inner.artefact(artefact);
  }

  trace(name: string, startNs: Nanoseconds, durationNs?: Nanoseconds, args?: TraceEvent['args']): void {
    this.monitor.call('ctx.trace');
    this.inner.trace(name, startNs, durationNs, args);
  }

  /** The driver has ended. */
  endStay(thrown: boolean): void {
    for (const output of this.#outputs) output.endStay(thrown);
  }

  #wait<T>(call: string, task: Task<T>): Task<T> {
    return this.monitor.waiting(call, this.monitor.call(call), task);
  }

  #beginning(call: string, accesses: readonly Access[]): Place | undefined {
    const place = this.monitor.call(call);
    this.monitor.mayWait(call, place);
    for (const { frame } of accesses) {
      const checked = frame as CheckedFrame;
      if (checked.gone === undefined) continue;
      const what = `a job is begun on ${checked.text} after it was ${checked.gone.how}`;
      this.monitor.findings.add('frames', what, place);
    }
    return place;
  }

  #checked(
    job: Job,
    accesses: readonly Access[],
    options: JobOptions | undefined,
    place: Place | undefined,
  ): CheckedJob {
    const known = accesses.map(({ frame, write }) => ({ frame: frame as CheckedFrame, write }));
    const now = (): Nanoseconds => this.inner.now();
    return new CheckedJob(this.monitor, job, known, options?.publish !== false, place, this.monitor.current, now);
  }

  #noMemory(): boolean {
    return this.#shortages.isShort('begin');
  }
}

function uncheck(accesses: readonly Access[]): Access[] {
  return accesses.map(({ frame, write }) => ({ frame: (frame as CheckedFrame).inner, write }));
}
