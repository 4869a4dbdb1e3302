/**
 * The virtual runtime: all actors in one thread, on a clock of model time.
 *
 * A plain synchronous loop over a queue of events. What is ready never waits for a promise; the loop is left only to let
 * promises of the outside world settle, with the clock stopped, and after every 4,096 events, a count and never a time,
 * so that signals and progress are served. Every wake-up is an event, so the order of everything is the order of
 * (time, class, first in first out), whatever the machine does.
 */
import {
  assert,
  ErrnoError,
  EventClass,
  type Nanoseconds,
  type Park,
  RandomStream,
  type ReplyPark,
  type Task,
  Wake,
  type WordIndex,
  type WordPark,
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
import { advance } from '../advance.js';
import { everybodyWaits } from '../deadlocks.js';
import { Journals } from '../journals.js';
import { Returns } from '../returns.js';
import { RuntimeWords } from '../runtime-words.js';
import { type DeathCause, Supervisor } from '../supervision/index.js';
import { Turn } from '../turn.js';
import { DeadlockWatch } from './deadlock-watch.js';
import { EventQueue, type TimedEvent } from './event-queue.js';
import { Externals } from './externals.js';
import { Fingerprint } from './fingerprint.js';
import { Lives } from './lives.js';
import type { Running } from './running.js';
import { Sleepers } from './sleepers.js';
import { VirtualActor } from './virtual-actor.js';
import { VirtualControl } from './virtual-control.js';
import { VirtualWords } from './virtual-words.js';

/** After so many events the loop yields to the event loop of the process. */
const EVENTS_PER_BURST = 4096;

interface RuntimeEvent extends TimedEvent {
  readonly running: Running;
  readonly parks: number;
  readonly value: unknown;
  readonly error?: Error;
}

export interface VirtualOptions {
  /** `seed` permutes events of equal time and class, from a stream of the run's seed. */
  readonly ties: 'fifo' | 'seed';
  /** Told of every event before it happens, in order: its time, its class, and the generator that it resumes. */
  readonly onEvent?: (timeNs: Nanoseconds, eventClass: EventClass, generator: EventTarget) => void;
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
  readonly controlCalls: Record<string, number> = {};
  readonly #events = new EventQueue<RuntimeEvent>();
  readonly #lives: Lives;
  readonly #supervised: ReadonlySet<string>;
  readonly #control = new VirtualControl(this);
  readonly #supervisor: Supervisor;
  readonly #returns = new Returns();
  readonly journals = new Journals();
  readonly #sleepers = new Sleepers();
  readonly #externals = new Externals();
  readonly #fingerprint = new Fingerprint();
  readonly #ties: RandomStream | undefined;
  #now: Nanoseconds = 0;
  #class: EventClass = EventClass.Completion;
  #live = 0;
  #serving = 0;
  #started = 0;
  #stepping = 0;
  readonly #watch: DeadlockWatch | undefined;
  #failure: Error | undefined;

  constructor(
    readonly spec: RunSpec,
    private readonly options: VirtualOptions,
  ) {
    this.words = new VirtualWords(new SharedArrayBuffer(spec.controlBytes));
    this.words.onNotify = (word, wake) => this.#wake(word, wake);
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
    if (options.ties === 'seed') this.#ties = new RandomStream(spec.seed, 'runtime.ties');
  }

  get now(): Nanoseconds {
    return this.#now;
  }

  /** The generator that is being stepped, by its number. */
  get generatorNow(): number {
    return this.#stepping;
  }

  /** Runs to the end. @throws ActorError when an actor fails; ErrnoError EDEADLK when all wait for ever */
  async run(): Promise<RunReport> {
    await this.#lives.begin();
    const stop = (): void => new RuntimeWords(this.words).stop();
    this.spec.signal?.addEventListener('abort', stop, { once: true });
    try {
      if (this.spec.signal?.aborted === true) stop();
      await this.#loop();
    } finally {
      this.spec.signal?.removeEventListener('abort', stop);
    }
    return {
      outcomes: this.#lives.outcomes(),
      endNs: this.#now,
      fingerprint: this.#fingerprint.toString(),
      controlCalls: this.controlCalls,
      incidents: this.#supervisor.incidents,
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
    this.#schedule(running, this.#now, EventClass.HandOver, undefined);
    return running;
  }

  /** Takes a task out of what keeps the run alive, or puts it back. */
  countAlive(actor: VirtualActor, change: 1 | -1): void {
    actor.alive += change;
    this.#live += change;
  }

  /** The last actor is ready: what set-up cost is over, and model time begins at 0. */
  beginModelTime(): void {
    this.#now = 0;
    for (const { running } of this.#lives.all) for (const one of running) one.waitingSinceNs = 0;
    new RuntimeWords(this.words).start(0n);
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
      this.#burst();
      this.#lookForDeadlocks();
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#externals.size > 0) {
        // The clock stands still; the order of calls decides the order of resumption.
        await this.#externals.settle((running, value, error) => {
          this.#schedule(running, this.#now, EventClass.Completion, value, error);
        });
      } else if (this.#live === 0) {
        if (this.#serving === 0) return;
        this.#endServing();
      } else if (this.#events.size === 0) throw this.#everybodyWaits();
      else await new Promise(setImmediate);
      this.spec.onProgress?.(this.#now);
    }
  }

  /** Everybody else has ended: those who only serve report and end too. */
  #endServing(): void {
    this.#serving = 0;
    for (const actor of this.#lives.all) if (actor.serving && !actor.dead) this.countAlive(actor, 1);
    new RuntimeWords(this.words).shutDown();
  }

  #burst(): void {
    for (let count = 0; count < EVENTS_PER_BURST; count += 1) {
      if (this.#externals.size > 0 || this.#live === 0 || this.#failure !== undefined) return;
      const event = this.#events.pop();
      if (event === undefined) return;
      const { running } = event;
      const { actor } = running;
      if (event.parks !== running.parks || actor.dead) continue;
      if (actor.pausedUntilNs > event.timeNs) {
        if (actor.pausedUntilNs < Number.POSITIVE_INFINITY)
          this.#events.push({ ...event, timeNs: actor.pausedUntilNs });
        continue;
      }
      if (event.value === false && this.#watch?.isEndedByTime(running) === true) this.#lookForDeadlocks();
      this.#now = event.timeNs;
      this.#class = event.eventClass;
      this.#fingerprint.add(event.timeNs);
      this.#fingerprint.add(event.eventClass * 65_536 + running.number);
      this.options.onEvent?.(event.timeNs, event.eventClass, running);
      this.#resume(running, event.value, event.error);
    }
  }

  #resume(running: Running, value: unknown, error: Error | undefined): void {
    running.parks += 1;
    running.waiting = undefined;
    this.#stepping = running.number;
    const before = this.turn.enter(running.actor.name);
    this.#step(running, value, error);
    this.turn.leave(before);
  }

  /** Steps a generator until it has to wait. */
  #step(running: Running, value: unknown, error: Error | undefined): void {
    try {
      const result = advance(running.task, this.words, value, error);
      if (result.done === true) running.onDone(result.value);
      else this.#park(running, result.value);
    } catch (caught) {
      const failure = caught instanceof Error ? caught : new Error(String(caught));
      const { name } = running.actor;
      if (running.onError !== undefined) running.onError(failure);
      else if (new RuntimeWords(this.words).started && this.#supervisor.toleratesFailures && this.#supervised.has(name))
        this.end(name, 'failed', failure.message);
      else this.#failure ??= new ActorError(name, failure);
    }
  }

  #park(running: Running, park: Park): void {
    running.waiting = park;
    running.waitingSinceNs = this.#now;
    if (park.kind === 'word') this.#sleep(running, park);
    else if (park.kind === 'time') {
      this.#schedule(running, Math.max(park.untilNs, this.#now), park.eventClass, undefined);
    } else if (park.kind === 'reply') this.#awaitReply(running, park);
    else this.#externals.add(running, park);
  }

  #sleep(running: Running, park: WordPark): void {
    this.#sleepers.add(park.word, running);
    if (park.untilNs !== Number.POSITIVE_INFINITY) {
      this.#schedule(running, Math.max(park.untilNs, this.#now), park.timeoutClass, false);
    }
  }

  #awaitReply(running: Running, park: ReplyPark): void {
    const { parks } = running;
    running.servedBy = 0;
    park.start({
      servedBy: (generator) => {
        running.servedBy = generator;
      },
      resolve: (value) => this.#reply(running, parks, value),
      reject: (error) => this.#reply(running, parks, undefined, error),
    });
  }

  #reply(running: Running, parks: number, value: unknown, error?: Error): void {
    if (running.parks === parks) this.#schedule(running, this.#now, EventClass.HandOver, value, error);
  }

  /** Turns a notify into one event for each sleeper. */
  #wake(word: WordIndex, wake: Wake): void {
    const eventClass = this.#wakeClass(wake);
    this.#sleepers.wake(word, (running) => this.#schedule(running, this.#now, eventClass, true));
  }

  /** What a source tick or a vblank hands over comes after all of them. */
  #wakeClass(wake: Wake): EventClass {
    if (wake === Wake.Release) return EventClass.Completion;
    return this.#class >= EventClass.Source ? EventClass.SourceHandOver : EventClass.HandOver;
  }

  #schedule(running: Running, timeNs: Nanoseconds, eventClass: EventClass, value: unknown, error?: Error): void {
    const tie = this.#ties === undefined ? 0 : this.#ties.uniform();
    this.#events.push({ timeNs, eventClass, tie, order: 0, running, parks: running.parks, value, error });
  }

  /** Names the deadlocks that there are now: after each burst, and before what may end one. */
  #lookForDeadlocks(): void {
    for (const incident of this.#watch?.look(this.#now) ?? []) this.#supervisor.note(incident);
  }

  #everybodyWaits(): Error {
    const waits = [...this.#lives.all].flatMap((actor) => actor.describeWaits());
    const deadlocks = this.#watch?.present ?? [];
    return everybodyWaits(this.#now, waits, deadlocks);
  }
}
