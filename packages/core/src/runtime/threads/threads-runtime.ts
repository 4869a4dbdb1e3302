/**
 * The threads runtime: one worker thread an actor, all on one shared memory; concurrency is real.
 *
 * Here, outside the workers: they are started with ports to those they call, begin together, and end in order: first
 * all that do not only serve, then the rest. A worker's failure ends the run with its name and stack, unless a supervisor
 * takes it for a death.
 */
import { MessageChannel } from 'node:worker_threads';
import { AtomicWords, ErrnoError, fromErrorRecord, type Nanoseconds, sharedBytes } from '../../base/index.js';
import {
  ActorError,
  type ActorOutcome,
  type RunReport,
  type RunSpec,
  resumingActors,
  supervisedActors,
} from '../actor.js';
import { DEFAULT_QUARANTINE } from '../broken-senders.js';
import { Journals } from '../journals.js';
import { RuntimeWords } from '../runtime-words.js';
import { endOverdue, type OverdueActor } from '../shutdown.js';
import { Supervisor } from '../supervision/index.js';
import { ActorWorker, type WorkerEvents } from './actor-worker.js';
import { checkRoomForWorkers, HOST_THREADS, type HostThreads } from './host-threads.js';
import { ParkWords } from './park-words.js';
import { BEAT_MS } from './thread-actor.js';
import { ThreadDeadlocks } from './thread-deadlocks.js';
import { ThreadsControl, type WorkerHost } from './threads-control.js';
import { WorkerMessages } from './worker-messages.js';
import { labelToStderr, type OutputSink } from './worker-output.js';
import type { CallerPort, Pace, PeerPort, WorkerMessage, WorkerStart } from './worker-protocol.js';

export interface ThreadsOptions {
  readonly pace: Pace;
  /** What the heap of each worker may take, in MiB; shared memory does not count. Absent = what Node allows. */
  readonly heapLimitMiB?: number;
  /** How long the set-up of all actors may take. */
  readonly startGraceMs?: number;
  /** How long the actors may take to end once the run was told to stop early. */
  readonly stopGraceMs?: number;
  /** How long an actor waits for a promise of the outside world before it tells so in its output. Absent = 10,000. */
  readonly longWaitMs?: number;
  /** Called at each beat while the run lasts, with its model time. Must change nothing. */
  readonly onBeat?: (nowNs: Nanoseconds) => void;
  /** Where threads come from. Absent = Node. */
  readonly host?: HostThreads;
}

const DEFAULT_START_GRACE_MS = 120_000;
const DEFAULT_STOP_GRACE_MS = 10_000;
const DEFAULT_LONG_WAIT_MS = 10_000;
const EXIT_GRACE_MS = 2_000;
const PROGRESS_MS = 250;

export class ThreadsRuntime implements WorkerHost, WorkerEvents {
  readonly workers = new Map<string, ActorWorker>();
  /** The control memory. */
  readonly words: AtomicWords;
  readonly #runtimeWords: RuntimeWords;
  readonly #controlCalls: Record<string, number> = Object.create(null) as Record<string, number>;
  readonly #control: ThreadsControl;
  readonly #supervisor: Supervisor;
  readonly #supervised: ReadonlySet<string>;
  readonly #journals = new Journals();
  readonly #messages: WorkerMessages;
  /** The memory of `ParkWords`; absent = nobody looks who waits for whom. */
  readonly #parks: SharedArrayBuffer | undefined;
  readonly #deadlocks: ThreadDeadlocks | undefined;
  readonly onOutput: OutputSink;
  readonly #host: HostThreads;
  #epochNs: bigint | undefined;
  #fail: (error: Error) => void = () => {};
  #progressed: () => void = () => {};
  #ending = false;
  /** The time reached at the last look, and when it had last grown; where time is paced, when somebody was last ended for it. */
  #reachedMs = 0;
  #overSinceNs: Nanoseconds = 0;

  /** @throws ErrnoError ENOMEM when the host has too little memory for the workers or the words; nothing has started */
  constructor(
    private readonly spec: RunSpec,
    private readonly options: ThreadsOptions,
  ) {
    this.#host = options.host ?? HOST_THREADS;
    checkRoomForWorkers(spec.actors.length, this.#host);
    this.words = new AtomicWords(sharedBytes(spec.controlBytes, 'the control words of the run'));
    this.#runtimeWords = new RuntimeWords(this.words);
    this.onOutput = spec.onOutput ?? labelToStderr;
    const supervised = supervisedActors(spec);
    this.#supervised = new Set(supervised);
    const clock = { now: () => this.#elapsed() };
    this.#control = new ThreadsControl(this, this.words, clock, options.pace);
    this.#messages = new WorkerMessages(clock, spec.quarantine ?? DEFAULT_QUARANTINE);
    const { faults = [], supervision, actors, waits } = spec;
    this.#supervisor = new Supervisor(this.#control, supervised, faults, supervision, resumingActors(spec));
    if (waits === undefined) return;
    this.#parks = sharedBytes(ParkWords.sizeBytes(Math.max(...actors.map(({ id }) => id))), 'what workers wait in');
    this.#deadlocks = new ThreadDeadlocks(this.words, new AtomicWords(this.#parks), waits(this.words), actors);
  }

  /**
   * Runs to the end.
   *
   * @throws ActorError when an actor fails; EAGAIN when the host has no thread for one; ETIMEDOUT when actors do not start, or do not stop after an interrupt;
   *   EOWNERDEAD when the supervisor gives up; EDEADLK when all that are left wait, and nothing
   *   can end it
   */
  async run(): Promise<RunReport> {
    const failure = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    failure.catch(() => {}); // observed below, or the run is over
    const timers: NodeJS.Timeout[] = [];
    const stop = (): void => {
      this.#runtimeWords.stop();
      const graceMs = this.options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS;
      timers.push(setTimeout(() => this.#fail(this.#stuck('stop')), graceMs));
    };
    this.spec.signal?.addEventListener('abort', stop, { once: true });
    try {
      for (const { name } of this.spec.actors) this.#startWorker(name, 0);
      if (this.spec.signal?.aborted === true) stop();
      await Promise.race([failure, this.#allReady(timers)]);
      this.#epochNs = process.hrtime.bigint();
      this.#runtimeWords.start(this.#epochNs);
      this.#supervise(timers);
      await Promise.race([failure, this.#until((worker) => worker.isDead || !worker.isRunning || worker.isServing)]);
      const endNs = this.#elapsed();
      this.#runtimeWords.shutDown();
      await Promise.race([failure, this.#until((worker) => worker.isDead || !worker.isRunning)]);
      return this.#report(endNs);
    } finally {
      for (const timer of timers) clearTimeout(timer);
      this.spec.signal?.removeEventListener('abort', stop);
      await this.#endWorkers();
    }
  }

  // ---- WorkerHost ----

  startAgain(name: string): void {
    const past = this.workers.get(name);
    if (this.#ending || past === undefined) return;
    let worker: ActorWorker;
    try {
      worker = this.#startWorker(name, past.life + 1);
    } catch (error) {
      this.#fail(error as Error); // no thread is to be had
      return;
    }
    this.#control.remind(worker);
    const graceMs = this.options.startGraceMs ?? DEFAULT_START_GRACE_MS;
    setTimeout(() => {
      if (!worker.isReady) worker.terminate('hung', 'it did not set up in time');
    }, graceMs).unref();
    for (const { name: other, calls } of this.spec.actors) {
      if (!calls.includes(name)) continue;
      const { port1, port2 } = new MessageChannel();
      const { id, resumes } = worker.spec;
      const peer: PeerPort = { name, id, life: worker.life, ...(resumes && { resumes }), port: port1 };
      this.workers.get(other)?.post({ kind: 'peer', peer }, [port1]);
      const { spec: caller, life } = this.workers.get(other) ?? { spec: worker.spec, life: 0 };
      worker.post({ kind: 'caller', caller: { name: other, id: caller.id, life, port: port2 } }, [port2]);
    }
  }

  fail(error: Error): void {
    this.#fail(error);
  }

  progressed(): void {
    this.#progressed();
  }

  // ---- WorkerEvents ----

  onPosted(worker: ActorWorker, posted: unknown): void {
    const checked = this.#messages.check(worker.name, posted);
    if (checked === undefined) return;
    if ('message' in checked) this.#onMessage(worker, checked.message);
    else this.onFailure(worker, checked.end);
  }

  onFailure(worker: ActorWorker, error: Error): void {
    if (worker.ending !== undefined) return;
    if (this.#isTolerated(worker)) worker.terminate('failed', error.message);
    else this.#fail(new ActorError(worker.name, error));
  }

  onExit(worker: ActorWorker, code: number): void {
    this.#runtimeWords.countDeath(worker.spec.id);
    this.#messages.pardon(worker.name);
    if (this.#ending) return;
    if (worker.ending === undefined) {
      const error = new Error(`its worker exited with code ${code}`);
      if (!this.#isTolerated(worker)) {
        this.#fail(new ActorError(worker.name, error));
        return;
      }
      worker.ending = { cause: 'failed', why: error.message };
    }
    this.#control.onExit(worker);
    this.#supervisor.onDeath(worker.name, worker.ending.cause, worker.ending.why);
    this.#progressed();
  }

  // ---- the run ----

  #onMessage(worker: ActorWorker, message: WorkerMessage): void {
    if (message.kind === 'failed') this.onFailure(worker, fromErrorRecord(message.error));
    else if (message.kind === 'ready') worker.isReady = true;
    else if (message.kind === 'serving') worker.isServing = true;
    else if (message.kind === 'text') worker.texts.set(message.number, message.text);
    else if (message.kind === 'reclaimed') this.#control.onReclaimed(worker, message.actor, message.deaths);
    else if (message.kind === 'journal') {
      // A driver's module may post anything, also in the name of its actor.
      if (worker.spec.resumes === true) this.#journals.set(worker.name, message.key, message.value);
    } else if (worker.outcome === undefined) {
      worker.outcome = { name: worker.name, report: message.report, trace: message.trace };
      for (const [method, count] of Object.entries(message.controlCalls)) {
        this.#controlCalls[method] = (this.#controlCalls[method] ?? 0) + count;
      }
    }
    this.#progressed();
  }

  #isTolerated(worker: ActorWorker): boolean {
    return this.#epochNs !== undefined && this.#supervisor.toleratesFailures && this.#supervised.has(worker.name);
  }

  #startWorker(name: string, life: number): ActorWorker {
    const spec = this.spec.actors.find((actor) => actor.name === name);
    if (spec === undefined) throw new ErrnoError('ENODEV', 'start', `Cannot start ${name}: no such actor`);
    const { memory, seed, trace, traceCapacity } = this.spec;
    const control = this.words.buffer;
    const { peers, callers } = this.#portsOf(spec, life);
    const start: WorkerStart = {
      ...{ spec, life, control, memory, seed, trace, traceCapacity, pace: this.options.pace, peers, callers },
      longWaitMs: this.options.longWaitMs ?? DEFAULT_LONG_WAIT_MS,
      ...(this.#parks && { parks: this.#parks }),
      ...(spec.resumes && { journal: this.#journals.of(name) }),
    };
    if (life > 0) this.#deadlocks?.reset(spec);
    const worker = new ActorWorker(spec, life, start, this, this.options.heapLimitMiB, this.#host);
    this.workers.set(name, worker);
    return worker;
  }

  /** Ports between an actor and those it calls. In the first life, who is there already gets its end by message. */
  #portsOf({ name, id, calls }: RunSpec['actors'][number], life: number): { peers: PeerPort[]; callers: CallerPort[] } {
    const peers = calls.map((peer): PeerPort => {
      const target = this.spec.actors.find((candidate) => candidate.name === peer);
      if (target === undefined) throw new ErrnoError('ENODEV', 'start', `Cannot start ${name}: no actor ${peer}`);
      const { port1, port2 } = new MessageChannel();
      const callee = this.workers.get(peer);
      if (callee === undefined) this.#awaitingCallee.push({ peer, caller: { name, id, life, port: port2 } });
      else callee.post({ kind: 'caller', caller: { name, id, life, port: port2 } }, [port2]);
      const { id: peerId, resumes } = target;
      return { name: peer, id: peerId, life: callee?.life ?? 0, ...(resumes && { resumes }), port: port1 };
    });
    const callers = this.#awaitingCallee.filter(({ peer }) => peer === name).map(({ caller }) => caller);
    this.#awaitingCallee = this.#awaitingCallee.filter(({ peer }) => peer !== name);
    return { peers, callers };
  }

  #awaitingCallee: { readonly peer: string; readonly caller: CallerPort }[] = [];

  #supervise(timers: NodeJS.Timeout[]): void {
    const { onProgress, faults, supervision } = this.spec;
    if (this.#deadlocks !== undefined) timers.push(setInterval(() => this.#lookForDeadlocks(), BEAT_MS));
    if (onProgress !== undefined) timers.push(setInterval(() => onProgress(this.#elapsed()), PROGRESS_MS));
    const { onBeat } = this.options;
    if (onBeat !== undefined) timers.push(setInterval(() => onBeat(this.#elapsed()), BEAT_MS));
    if (this.spec.shutdown !== undefined) timers.push(setInterval(() => this.#shutDownOverdue(), BEAT_MS));
    if (faults === undefined && supervision === undefined) return;
    this.#supervisor.begin();
    const look = (): void => {
      for (const actor of this.#control.lookAtBeats()) this.#supervisor.suspect(actor);
    };
    timers.push(setInterval(look, BEAT_MS));
  }

  #lookForDeadlocks(): void {
    try {
      const news = this.#deadlocks?.beat(this.workers.values(), this.#elapsed());
      for (const incident of news?.incidents ?? []) this.#supervisor.note(incident);
      if (news?.end === undefined || this.#letTimeGoOn()) return;
      if (this.#control.holds === 0 && !this.#supervisor.hasMoreToCome) this.#fail(news.end);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error))); // damaged words
    }
  }

  /** The deadline after the end of the scenario: ends whoever has not ended, and looks again after as long. */
  #shutDownOverdue(): void {
    const { shutdown } = this.spec;
    if (shutdown === undefined || this.#runtimeWords.stopped) return; // an interrupt has a deadline of its own
    const nowNs = this.#elapsed();
    const { reachedMs } = this.#runtimeWords;
    const workers = [...this.workers.values()];
    // Without a pace the scenario is over some time after it has last gone on. A device that does nothing, is to come back or sets
    // up has a deadline of its own.
    const isUnpaced = this.options.pace === 'max';
    const goesOn = isUnpaced && reachedMs !== this.#reachedMs;
    const isBusy = this.#supervisor.isBusy || workers.some(({ isDead, isReady }) => !isDead && !isReady);
    if (goesOn || isBusy) this.#overSinceNs = nowNs;
    this.#reachedMs = reachedMs;
    const overSinceNs = isUnpaced ? this.#overSinceNs : Math.max(this.#overSinceNs, shutdown.endNs);
    if (nowNs - overSinceNs <= shutdown.graceNs) return;
    this.#overSinceNs = nowNs;
    const overdue = workers.filter(({ isDead, isServing, isRunning }) => !isDead && !isServing && isRunning);
    const told = overdue.map(({ name }): OverdueActor => {
      const [waits, isHeldUp] = [this.#deadlocks?.waitsOf(name) ?? [], this.#deadlocks?.isHeldUp(name) === true];
      return { name, waits, isHeldUp };
    });
    const serving = workers.filter((one) => !one.isDead && one.isServing).map(({ name }) => name);
    const failure = endOverdue(told, serving, this.spec, shutdown, this.#supervisor);
    if (failure !== undefined) this.#fail(failure);
  }

  /**
   * Everybody waits: where time is not paced, and nothing but scenario time is awaited outside of the actors, goes on to the next
   * event. Sources advance the scenario, and all of them may be held up by what only an event brings.
   */
  #letTimeGoOn(): boolean {
    const { eventTimesNs = [] } = this.spec;
    if (this.options.pace !== 'max' || this.#control.holds > this.#supervisor.awaited) return false;
    return this.#runtimeWords.reachNext(eventTimesNs);
  }

  async #allReady(timers: NodeJS.Timeout[]): Promise<void> {
    const late = (): void => this.#fail(this.#stuck('start'));
    const timer = setTimeout(late, this.options.startGraceMs ?? DEFAULT_START_GRACE_MS);
    timers.push(timer);
    for (;;) {
      const park = this.#runtimeWords.readyStep(this.spec.actors.length);
      if (park === true || this.#ending) break;
      const wait = this.words.waitAsync(park.word, park.expected, 1000);
      if (wait.async) await wait.value;
    }
    clearTimeout(timer);
  }

  async #until(condition: (worker: ActorWorker) => boolean): Promise<void> {
    while (this.#control.holds > 0 || ![...this.workers.values()].every(condition)) {
      await new Promise<void>((resolve) => {
        this.#progressed = resolve;
      });
    }
  }

  #report(endNs: Nanoseconds): RunReport {
    const outcomes = [...this.workers.values()].map(
      ({ name, outcome }): ActorOutcome => outcome ?? { name, report: undefined, trace: [] },
    );
    const { incidents, incidentsDropped } = this.#supervisor;
    const brokenMessages = this.#messages.records;
    const controlCalls = { ...this.#controlCalls };
    return { outcomes, endNs, fingerprint: null, controlCalls, incidents, incidentsDropped, brokenMessages };
  }

  /** Asks every worker to exit, and ends those that do not. */
  async #endWorkers(): Promise<void> {
    this.#ending = true;
    await Promise.all(
      [...this.workers.values()].map(async (worker) => {
        worker.post({ kind: 'exit' });
        const timer = setTimeout(() => worker.terminate('stopped'), EXIT_GRACE_MS);
        await worker.exited;
        clearTimeout(timer);
      }),
    );
  }

  #stuck(what: 'start' | 'stop'): Error {
    const isStuck = (worker: ActorWorker): boolean =>
      what === 'start' ? !worker.isReady : worker.isRunning && !worker.isServing;
    const list = [...this.workers.values()].filter(isStuck).map(({ name }) => name);
    const why = `${list.join(', ')} did not ${what === 'start' ? 'set up' : 'end'} within the grace period`;
    return new ErrnoError('ETIMEDOUT', what, `Cannot ${what} the run: ${why}`, { actors: list });
  }

  #elapsed(): Nanoseconds {
    return this.#epochNs === undefined ? 0 : Number(process.hrtime.bigint() - this.#epochNs);
  }
}
