/** Follows one life of a driver: which of its generators is being stepped, what each waits in, what it holds. */
import { ErrnoError, ExternalPark, type Nanoseconds, ReplyPark, type Task, TimePark, WordPark } from '../base/index.js';
import type { Payload } from '../driver/index.js';
import type { CheckedFrame } from './checked-frame.js';
import type { CheckedJob } from './checked-job.js';
import type { Findings } from './findings.js';
import { PendingTasks } from './pending-tasks.js';
import { at, isDriversOwn, Place } from './place.js';
import { ENDLESS_REMEDY, type RuleName } from './rules.js';
import { Traps } from './traps.js';

/**
 * How pages are handed out.
 *
 * `quarantined`  copies in shared memory, as real pages are; poisoned at the end of the job and looked at later
 * `detached`     copies of their own, detached at the end of the job: most touches throw
 * `guarded`      as detached, behind a proxy that notices touches by index as well; not every library takes it
 */
export type PageViews = 'quarantined' | 'detached' | 'guarded';

/** What the monitor of a life is told. */
export interface MonitorOptions {
  readonly views: PageViews;
  readonly payload: Payload;
  /** The rule that an error thrown by the driver breaks. */
  readonly throwing: RuleName;
  /** The rule that a driver breaks which never ends. */
  readonly hanging: RuleName;
  /** What quarantined pages are filled with; absent = 0xa5. */
  readonly poison?: number;
  /**
   * Which calls find no memory, from 0, counted over the life: of `begin` and `tryBegin`, of `acquireForTick`, of `acquire`, which
   * throws as it does when memory was short for long.
   */
  readonly shortages?: { readonly begin?: number; readonly tick?: number; readonly acquire?: number };
  /** Told of each call of the driver, for whoever watches from outside. */
  readonly onCall?: (call: string, place: Place) => void;
}

/** More calls than this without an end of the step: it never ends. */
const CALLS_PER_STEP = 50_000;

/** A step of the driver that does not end. */
export class EndlessStepError extends Error {
  override readonly name = 'EndlessStepError';
}

/** One generator of the driver. */
export class Strand {
  /** Jobs whose fences it owes. */
  readonly owed = new Set<CheckedJob>();
  /** What it waits in; absent while it runs. */
  waitsIn: { readonly call: string; readonly place: Place | undefined } | undefined;
}

export class Monitor {
  readonly strands: Strand[] = [];
  readonly frames = new Set<CheckedFrame>();
  /** Jobs that `using` has ended: a breach once the driver goes on, and none when that was the way of an error. */
  readonly neverEnded: CheckedJob[] = [];
  readonly jobs = new Set<CheckedJob>();
  /** Calls that nobody waits in yet. */
  readonly pending: PendingTasks;
  /** The job that was open longest. */
  longest: { readonly ns: Nanoseconds; readonly place: Place | undefined } = { ns: -1, place: undefined };
  #current: Strand | undefined;
  /** What `acquire` has thrown for want of memory: a driver may end with it. */
  shortage: Error | undefined;
  /** The generator that has thrown first. */
  #thrower: Strand | undefined;
  #callsInStep = 0;
  #home: string | undefined;
  readonly #traps: Traps;

  constructor(
    readonly findings: Findings,
    readonly options: MonitorOptions,
  ) {
    this.pending = new PendingTasks(findings);
    this.#traps = new Traps((what, place) => {
      if (isDriversOwn(place.file, this.#home)) findings.add('ports-only', `the driver uses ${what}`, place);
    });
  }

  /** Notes a call of the driver. @returns where it was made */
  call(name: string): Place {
    const place = Place.ofDriver();
    this.#home ??= place.file;
    this.options.onCall?.(name, place);
    if (this.#current === undefined) {
      this.findings.add('turn', `${name} is called from outside the driver’s generators`, place);
      throw new ErrnoError('EPROTO', name, `${name} is called from outside the driver's generators`);
    }
    this.#tellNeverEnded();
    this.#callsInStep += 1;
    if (this.#callsInStep > CALLS_PER_STEP) {
      throw new EndlessStepError(`the driver calls ${name}${at(place)} for ever without waiting`);
    }
    return place;
  }

  #tellNeverEnded(): void {
    for (const job of this.neverEnded.splice(0)) job.tellNeverEnded();
  }

  /** The generator that is being stepped. */
  get current(): Strand | undefined {
    return this.#current;
  }

  /** A call of the framework that may wait: remembers that it was made, and, once it is stepped, that the generator is in it. */
  waiting<T>(call: string, place: Place | undefined, task: Task<T>): Task<T> {
    const made: Task<T> = this.#waiting(call, place, task, () => this.pending.stepped(made));
    this.pending.made(made, call, place);
    return made;
  }

  *#waiting<T>(call: string, place: Place | undefined, task: Task<T>, onStep: () => void): Task<T> {
    onStep();
    const strand = this.#current;
    if (strand !== undefined) strand.waitsIn = { call, place };
    try {
      return yield* task;
    } finally {
      if (strand !== undefined) strand.waitsIn = undefined;
    }
  }

  /** A wait for somebody whom the fences of this generator may hold up. */
  mayWait(call: string, place: Place | undefined): void {
    const [job] = this.#current?.owed ?? [];
    if (job === undefined) return;
    this.findings.add('no-wait', `${call} may wait while the fence of the job begun${at(job.place)} is owed`, place);
  }

  /** Steps a generator of the driver with the traps set. */
  *drive<T>(task: Task<T>): Task<T> {
    const strand = new Strand();
    this.strands.push(strand);
    let next = (): IteratorResult<unknown, T> => task.next();
    for (;;) {
      const result = this.#step(strand, next);
      if (result.done === true) return result.value;
      const park: unknown = result.value;
      if (!isPark(park)) {
        this.pending.yielded(park);
        const error = new ErrnoError('EPROTO', 'yield', 'Cannot wait by yield: write yield* before a call that waits');
        next = () => task.throw(error);
        continue;
      }
      try {
        const value: unknown = yield park as never;
        next = () => task.next(value);
      } catch (error) {
        next = () => task.throw(error);
      }
    }
  }

  #step<T>(strand: Strand, step: () => T): T {
    const before = this.#current;
    this.#current = strand;
    this.#callsInStep = 0;
    try {
      return this.#traps.during(step);
    } catch (error) {
      this.#thrower ??= strand;
      throw error;
    } finally {
      this.#current = before;
    }
  }

  /** Runs something of the driver's that is no generator. */
  during<T>(step: () => T): T {
    return this.#step(new Strand(), step);
  }

  /** What the driver waits in, for a run that does not end. */
  describeWaits(): string[] {
    return this.strands.flatMap(({ waitsIn }) => {
      if (waitsIn === undefined) return [];
      const { call, place } = waitsIn;
      return [`${call}${at(place)}`];
    });
  }

  /** The first place in which the driver waits. */
  get waitPlace(): Place | undefined {
    return this.strands.find(({ waitsIn }) => waitsIn?.place !== undefined)?.waitsIn?.place;
  }

  /** The driver has thrown. */
  threw(error: unknown): void {
    if (error === this.shortage) return; // looked at when the stay ends
    const thrown = error instanceof Error ? error : new Error(String(error));
    const place = Place.ofDriver(thrown);
    if (thrown instanceof EndlessStepError) {
      this.findings.add(this.options.hanging, thrown.message, undefined, { remedy: ENDLESS_REMEDY });
      return;
    }
    if (this.findings.all.some(({ rule }) => rule === 'turn') && /outside/.test(thrown.message)) return;
    const isTouch = /detached ArrayBuffer|neutered/.test(thrown.message);
    if (isTouch) this.findings.add('memory', 'the pages of a job are touched after its end', place);
    else if (this.options.views === 'guarded') {
      this.findings.note(`the run that guards each byte of the pages has ended early: ${thrown.message}${at(place)}`);
    } else this.findings.add(this.options.throwing, `the driver has thrown: ${thrown.message}`, place);
  }

  /**
   * The stay of the driver is over: whatever it has not given back, is a breach, and is given back for it. After an error what it
   * held is no second breach, unless it has ended for want of memory, which may happen to any driver: then what the generator
   * held that met with it.
   */
  endStay(thrown: boolean): void {
    this.pending.tell();
    if (thrown) this.neverEnded.length = 0;
    this.#tellNeverEnded();
    const isExcused = (strand: Strand | undefined): boolean =>
      thrown && (this.shortage === undefined || strand !== this.#thrower);
    for (const job of this.jobs) job.abandon(isExcused(job.strand));
    for (const frame of this.frames) frame.abandon(isExcused(frame.strand));
    this.jobs.clear();
    this.frames.clear();
    this.strands.length = 0;
    this.shortage = undefined;
    this.#thrower = undefined;
  }
}

const isPark = (value: unknown): boolean =>
  [WordPark, TimePark, ReplyPark, ExternalPark].some((kind) => value instanceof kind);
