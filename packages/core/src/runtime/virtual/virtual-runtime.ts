/**
 * The virtual runtime: all actors in one thread, on a clock of model time.
 *
 * A plain synchronous loop over a queue of events. What is ready never waits for a promise; the loop is left only to let
 * promises of the outside world settle, with the clock stopped, and so that signals and progress are served: after every 4,096
 * events, a count and never a time, and where whoever runs it says so, which no actor can see.
 */
import {
  assert,
  ErrnoError,
  type EventClass,
  type Nanoseconds,
  RandomStream,
  sharedBytes,
  type Task,
} from '../../base/index.js';
import {
  ActorError,
  type ActorSpec,
  peerIsGone,
  type RunReport,
  type RunSpec,
  resumingActors,
  supervisedActors,
} from '../actor.js';
import { describeWait, everybodyWaits } from '../deadlocks.js';
import { Journals } from '../journals.js';
import { Returns } from '../returns.js';
import { RuntimeWords } from '../runtime-words.js';
import { endOverdue, type OverdueActor } from '../shutdown.js';
import { type DeathCause, Supervisor } from '../supervision/index.js';
import { labelToStderr } from '../threads/worker-output.js';
import { Turn } from '../turn.js';
import { DeadlockWatch } from './deadlock-watch.js';
import { Lives } from './lives.js';
import { DEFAULT_OUTSIDE_LIMITS, type OutsideLimits, OutsideWatch } from './outside-watch.js';
import type { Running } from './running.js';
import { VirtualActor } from './virtual-actor.js';
import { VirtualControl } from './virtual-control.js';
import { type SchedulerHost, VirtualScheduler } from './virtual-scheduler.js';
import { VirtualWords } from './virtual-words.js';

/** After so many events the loop yields to the event loop of the process. */
const EVENTS_PER_BURST = 4096;
/** After so many it asks whether it should before. */
const EVENTS_PER_QUESTION = 16;

export interface VirtualOptions {
  /** `seed` permutes events of equal time and class, from a stream of the run's seed. */
  readonly ties: 'fifo' | 'seed';
  /** Told of every event before it happens, in order: its time, its class, and the generator that it resumes. */
  readonly onEvent?: (timeNs: Nanoseconds, eventClass: EventClass, generator: EventTarget) => void;
  /** Whether signals and progress should be served now, whatever the events so far; asked often, changes nothing of the run. */
  readonly isBreakDue?: () => boolean;
  /** How long promises of the outside world are waited for; absent = `DEFAULT_OUTSIDE_LIMITS`. */
  readonly outside?: Partial<OutsideLimits>;
}

/** Who is resumed by an event: a generator of an actor, and its number among all that were started. */
export interface EventTarget {
  readonly actor: { readonly name: string };
  readonly name: string;
  readonly number: number;
}

export class VirtualRuntime {
  readonly words: VirtualWords;
  readonly turn = new Turn();
  readonly controlCalls: Record<string, number> = Object.create(null) as Record<string, number>;
  readonly #lives: Lives;
  readonly #supervised: ReadonlySet<string>;
  readonly #control = new VirtualControl(this);
  readonly #supervisor: Supervisor;
  readonly #returns = new Returns();
  readonly journals = new Journals();
  readonly #scheduler: VirtualScheduler;
  readonly #isBreakDue: VirtualOptions['isBreakDue'];
  readonly #outside: OutsideWatch;
  #live = 0;
  #serving = 0;
  #started = 0;
  readonly #watch: DeadlockWatch | undefined;
  #failure: Error | undefined;
  /** No event beyond is done before those who have not ended are looked at. */
  #dueNs = Number.POSITIVE_INFINITY;

  constructor(
    readonly spec: RunSpec,
    options: VirtualOptions,
  ) {
    this.words = new VirtualWords(sharedBytes(spec.controlBytes, 'the control words of the run'));
    this.#isBreakDue = options.isBreakDue;
    this.#outside = new OutsideWatch({ ...DEFAULT_OUTSIDE_LIMITS, ...options.outside }, spec.onOutput ?? labelToStderr);
    const ties = options.ties === 'seed' ? new RandomStream(spec.seed, 'runtime.ties') : undefined;
    const host: SchedulerHost = {
      onFailure: (running, failure) => this.#onFailure(running, failure),
      beforeTimeOut: (running) => {
        if (this.#watch?.isEndedByTime(running) === true) this.#lookForDeadlocks();
      },
      ...(options.onEvent && { beforeEvent: options.onEvent }),
    };
    this.#scheduler = new VirtualScheduler(this.words, this.turn, host, ties);
    this.words.onNotify = (word, wake) => this.#scheduler.wake(word, wake);
    this.turn.onViolation = (error) => {
      this.#failure ??= error;
    };
    this.#lives = new Lives(spec, (actor, life) => new VirtualActor(this, actor, life));
    const supervised = supervisedActors(spec);
    this.#supervised = new Set(supervised);
    const resuming = resumingActors(spec);
    const { faults = [], supervision } = spec;
    this.#supervisor = new Supervisor(this.#control, supervised, faults, supervision, resuming);
    if (spec.waits !== undefined) this.#watch = new DeadlockWatch(this.words, spec.waits(this.words), this.#lives);
  }

  get now(): Nanoseconds {
    return this.#scheduler.now;
  }

  /** The generator that is being stepped, by its number. */
  get generatorNow(): number {
    return this.#scheduler.generatorNow;
  }

  /** Runs to the end. @throws ActorError when an actor fails; ErrnoError EDEADLK when all wait for ever, ETIMEDOUT when a promise or an actor does not end */
  async run(): Promise<RunReport> {
    await this.#lives.begin();
    const stop = (): void => {
      new RuntimeWords(this.words).stop();
      this.#outside.stop();
      const { shutdown } = this.spec;
      if (shutdown !== undefined) this.#dueNs = Math.min(this.#dueNs, this.now + shutdown.graceNs);
    };
    this.spec.signal?.addEventListener('abort', stop, { once: true });
    try {
      if (this.spec.signal?.aborted === true) stop();
      await this.#loop();
    } finally {
      this.spec.signal?.removeEventListener('abort', stop);
    }
    return {
      outcomes: this.#lives.outcomes(),
      endNs: this.#scheduler.now,
      fingerprint: this.#scheduler.fingerprint,
      controlCalls: { ...this.controlCalls },
      brokenMessages: [],
      incidents: this.#supervisor.incidents,
      incidentsDropped: this.#supervisor.incidentsDropped,
    };
  }

  /**
   * Ends an actor as a crash would: none of its generators is ever stepped again, not even a `finally`. Those who serve
   * `PEER_DIED` are told, and reclaim what it held.
   */
  kill(name: string): void {
    this.end(name, 'killed');
  }

  // ---- for the supervisor ----

  /** Ends an actor, if it is there. */
  end(name: string, cause: DeathCause, why?: string): void {
    const actor = this.#lives.get(name);
    assert(actor !== undefined, `${name} is an actor of this run`);
    if (actor.dead) return;
    this.#lookForDeadlocks(); // it may be the end of one
    this.#live -= actor.die();
    if (actor.serving) this.#serving -= 1;
    new RuntimeWords(this.words).countDeath(actor.id);
    this.#supervisor.onDeath(name, cause, why);
  }

  /** Starts the next life of a dead actor. */
  startAgain(name: string): void {
    const actor = this.#lives.beginNext(name);
    this.#control.remind(actor);
    this.#returns.isBack(name);
  }

  /** A dead actor is not to be started again. */
  isGone(name: string): void {
    this.#returns.isGone(name);
  }

  /** An actor that runs nothing of the run's own, for tasks of the runtime. */
  extraActor(spec: ActorSpec): VirtualActor {
    return new VirtualActor(this, spec);
  }

  actor(name: string): VirtualActor | undefined {
    return this.#lives.get(name);
  }

  get actors(): Iterable<VirtualActor> {
    return this.#lives.all;
  }

  /** Keeps the run from ending. */
  hold(change: 1 | -1): void {
    this.#live += change;
  }

  fail(error: Error): void {
    this.#failure ??= error;
  }

  // ---- for VirtualActor ----

  /** Starts a generator of an actor at this instant. `keepsAlive`: the run lasts until it has ended. */
  start(
    actor: VirtualActor,
    name: string,
    task: Task<unknown>,
    keepsAlive: boolean,
    onDone: (value: unknown) => void = () => {},
    onError?: (error: Error) => void,
  ): Running {
    if (keepsAlive) this.#live += 1;
    actor.alive += keepsAlive ? 1 : 0;
    this.#started += 1;
    const running: Running = {
      actor,
      name,
      task,
      number: this.#started,
      onDone: (value) => {
        if (keepsAlive) this.#live -= 1;
        actor.alive -= keepsAlive ? 1 : 0;
        actor.running.delete(running);
        onDone(value);
      },
      onError:
        onError &&
        ((error) => {
          actor.running.delete(running);
          onError(error);
        }),
      waiting: undefined,
      waitingSinceNs: 0,
      servedBy: 0,
      parks: 0,
    };
    actor.running.add(running);
    this.#scheduler.start(running);
    return running;
  }

  /** Takes a task out of what keeps the run alive, or puts it back. */
  countAlive(actor: VirtualActor, change: 1 | -1): void {
    actor.alive += change;
    this.#live += change;
  }

  /** The last actor is ready: what set-up cost is over, and model time begins at 0. */
  beginModelTime(): void {
    this.#scheduler.now = 0;
    for (const { running } of this.#lives.all) for (const one of running) one.waitingSinceNs = 0;
    new RuntimeWords(this.words).start(0n);
    const { shutdown } = this.spec;
    if (shutdown !== undefined) this.#dueNs = Math.min(this.#dueNs, shutdown.endNs + shutdown.graceNs);
    this.#supervisor.begin();
  }

  /** An actor only serves from here on. */
  serveOnly(actor: VirtualActor): void {
    this.countAlive(actor, -1);
    this.#serving += 1;
  }

  /**
   * Finds a peer; one that resumes is waited for.
   *
   * @throws ErrnoError ENODEV when there is none, or it has died for good
   */
  *peer(name: string, method: string): Task<VirtualActor> {
    for (;;) {
      const peer = this.#lives.get(name);
      if (peer === undefined) throw new ErrnoError('ENODEV', 'call', `Cannot call ${name}: no such actor`);
      if (!peer.dead) return peer;
      if (!peer.resumes) throw peerIsGone(method, name);
      yield* this.#returns.wait(name, method);
    }
  }

  // ---- the loop ----

  async #loop(): Promise<void> {
    for (;;) {
      await this.#breakIfDue();
      await this.#burst();
      this.#lookForDeadlocks();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#scheduler.awaitsOutside) await this.#settleOutside();
      else if (this.#live === 0) {
        if (this.#serving === 0) return;
        this.#endServing();
      } else if (!this.#scheduler.hasEvents) throw this.#everybodyWaits();
      else await new Promise(setImmediate);
      this.#outside.look(this.now, () => this.#unended.map(({ name }) => name));
      this.spec.onProgress?.(this.#scheduler.now);
    }
  }

  /** The clock stands still. @throws ErrnoError EDEADLK, ETIMEDOUT when a promise does not come */
  async #settleOutside(): Promise<void> {
    const { outsideWaits } = this.#scheduler;
    await this.#outside.settled(this.#scheduler.settleOutside(), outsideWaits, this.now, this.spec.signal);
  }

  /** Everybody else has ended: those who only serve report and end too. */
  #endServing(): void {
    this.#serving = 0;
    for (const actor of this.#lives.all) if (actor.serving && !actor.dead) this.countAlive(actor, 1);
    new RuntimeWords(this.words).shutDown();
  }

  /** Does events. Where it stops for a break is seen by nobody in the run. */
  async #burst(): Promise<void> {
    for (let count = 1; count <= EVENTS_PER_BURST; count += 1) {
      if (this.#scheduler.awaitsOutside || this.#live === 0 || this.#failure !== undefined) return;
      if ((this.#scheduler.nextNs() ?? 0) > this.#dueNs) this.#shutDownOverdue();
      else if (!this.#scheduler.runNext()) return;
      if (count % EVENTS_PER_QUESTION === 0) await this.#breakIfDue();
    }
  }

  /** The deadline after the end of the scenario: ends whoever has not ended, and looks again after as long. */
  #shutDownOverdue(): void {
    const { shutdown } = this.spec;
    if (shutdown === undefined) return;
    const nowNs = this.#dueNs;
    this.#scheduler.now = Math.max(this.#scheduler.now, nowNs);
    this.#dueNs = nowNs + shutdown.graceNs;
    if (this.#supervisor.isBusy) return;
    const told = this.#unended.map((actor): OverdueActor => {
      const waits = actor.describeWaits((running) => this.#describe(running));
      return { name: actor.name, waits, isHeldUp: actor.isHeldUp };
    });
    const serving = [...this.#lives.all].filter((one) => one.serving).map(({ name }) => name);
    this.#failure ??= endOverdue(told, serving, this.spec, shutdown, this.#supervisor);
  }

  get #unended(): VirtualActor[] {
    return [...this.#lives.all].filter(({ dead, serving, alive }) => !dead && !serving && alive > 0);
  }

  async #breakIfDue(): Promise<void> {
    if (this.#isBreakDue?.() !== true) return;
    await new Promise(setImmediate);
    this.spec.onProgress?.(this.#scheduler.now);
  }

  #onFailure({ actor: { name } }: Running, failure: Error): void {
    const isTolerated = new RuntimeWords(this.words).started && this.#supervisor.toleratesFailures;
    if (isTolerated && this.#supervised.has(name)) this.end(name, 'failed', failure.message);
    else this.#failure ??= new ActorError(name, failure);
  }

  /** Names the deadlocks that there are now: after each burst, and before what may end one. */
  #lookForDeadlocks(): void {
    for (const incident of this.#watch?.look(this.#scheduler.now) ?? []) this.#supervisor.note(incident);
  }

  #describe(running: Running): string {
    const actors = [...this.#lives.all];
    return describeWait(running, this.#watch?.owners, (id) => actors.find((one) => one.id === id)?.name);
  }

  #everybodyWaits(): Error {
    const waits = [...this.#lives.all].flatMap((actor) => actor.describeWaits((running) => this.#describe(running)));
    const deadlocks = this.#watch?.present ?? [];
    return everybodyWaits(this.#scheduler.now, waits, deadlocks);
  }
}
