/** What the supervisor does to actors, in the threads runtime: their workers are ended, blocked, and started again. */
import { AtomicWords, attempt, type Clock, type Nanoseconds, type Task, WordPark } from '../../base/index.js';
import type { PeerDeath } from '../actor.js';
import { RuntimeWords } from '../runtime-words.js';
import type { ActorControl, DeathCause } from '../supervision/index.js';
import { Turn } from '../turn.js';
import type { ActorWorker } from './actor-worker.js';
import { BEAT_MS } from './thread-actor.js';
import { ThreadScheduler } from './thread-scheduler.js';
import type { Pace } from './worker-protocol.js';

/** What it asks of the runtime. */
export interface WorkerHost {
  /** The present life of each actor. */
  readonly workers: ReadonlyMap<string, ActorWorker>;
  startAgain(name: string): void;
  fail(error: Error): void;
  /** Something has changed that the end of the run may have waited for. */
  progressed(): void;
}

/** A death, and who has still to clean up after it. */
interface Reclaim {
  readonly death: PeerDeath;
  /** By name: the next life of one that resumes does it. */
  readonly waiting: Set<string>;
  readonly done: () => void;
}

const NS_PER_MS = 1_000_000;
/** A thread that has missed so many beats is silent. */
const MISSED_BEATS = 4;

export class ThreadsControl implements ActorControl {
  /** Reasons for which the run must not end. */
  holds = 0;
  readonly #words: RuntimeWords;
  readonly #scheduler: ThreadScheduler;
  readonly #beats = new Map<ActorWorker, { count: number; sinceNs: Nanoseconds }>();
  readonly #reclaims = new Map<string, Reclaim>();
  #lookedNs = 0;

  constructor(
    private readonly host: WorkerHost,
    words: AtomicWords,
    private readonly clock: Clock,
    private readonly pace: Pace,
  ) {
    this.#words = new RuntimeWords(words);
    this.#scheduler = new ThreadScheduler(
      'supervisor',
      new AtomicWords(words.buffer),
      clock,
      new Turn(),
      'real',
      false,
    );
  }

  now(): Nanoseconds {
    return this.clock.now();
  }

  spawn(_name: string, task: Task<void>): void {
    this.#scheduler.start(
      task,
      () => {},
      (error) => this.host.fail(error),
    );
  }

  hold(): () => void {
    let held = true;
    this.holds += 1;
    return () => {
      if (held) this.holds -= 1;
      held = false;
      this.host.progressed();
    };
  }

  *untilScenarioTime(timeNs: Nanoseconds): Task<boolean> {
    if (this.#words.stopped) return false;
    if (this.pace === 'max') {
      yield* attempt(() => this.#words.reachedStep(timeNs));
      return !this.#words.stopped;
    }
    const stopped: boolean = yield new WordPark(this.#words.stopWord, 0, 'a scenario event', timeNs);
    return !stopped;
  }

  isRunning(name: string): boolean {
    return this.host.workers.get(name)?.isRunning === true;
  }

  life(name: string): number {
    const worker = this.host.workers.get(name);
    return worker === undefined ? 0 : worker.life + (worker.isDead ? 1 : 0);
  }

  end(name: string, cause: DeathCause, why?: string): void {
    this.host.workers.get(name)?.terminate(cause, why);
  }

  pause(name: string, untilNs: Nanoseconds): void {
    const forNs = untilNs - this.now();
    const end = forNs === Number.POSITIVE_INFINITY ? undefined : process.hrtime.bigint() + BigInt(Math.ceil(forNs));
    const worker = this.host.workers.get(name);
    if (worker === undefined) return;
    // In its set-up nobody else looks at its beats: a hang would last until the deadline of the set-up.
    if (!worker.isReady) this.#beats.set(worker, { count: this.#words.beats(worker.spec.id), sinceNs: this.now() });
    worker.post({ kind: 'stall', untilNs: end });
  }

  silentSinceNs(name: string): Nanoseconds | undefined {
    const worker = this.host.workers.get(name);
    const beat = worker && this.#beats.get(worker);
    if (beat === undefined || this.now() - beat.sinceNs < MISSED_BEATS * BEAT_MS * NS_PER_MS) return undefined;
    return beat.sinceNs;
  }

  reclaim(name: string, returns: boolean, done: () => void, returnsAtNs?: Nanoseconds): void {
    const dead = this.host.workers.get(name);
    if (dead === undefined) return;
    const death: PeerDeath = { actor: dead.spec.id, name, deaths: dead.life + 1, returns, returnsAtNs };
    const others = [...this.host.workers.values()].filter((worker) => worker !== dead);
    const living = others.filter((worker) => !worker.isDead);
    // One that resumes is waited for, dead or alive.
    const reclaimers = others.filter(({ spec, isDead }) => spec.reclaims === true && (spec.resumes || !isDead));
    const waiting = new Set(reclaimers.map((worker) => worker.name));
    this.#reclaims.set(keyOf(death.actor, death.deaths), { death, waiting, done });
    for (const worker of living) worker.post({ kind: 'peerDied', death });
    if (!returns) this.#forget(name);
    this.#settle(keyOf(death.actor, death.deaths));
  }

  /** Tells a new life of the deaths that the one before was to clean up after. */
  remind(worker: ActorWorker): void {
    for (const { death, waiting } of this.#reclaims.values()) {
      if (waiting.has(worker.name)) worker.post({ kind: 'peerDied', death });
    }
  }

  start(name: string): void {
    this.host.startAgain(name);
  }

  fail(error: Error): void {
    this.host.fail(error);
  }

  // ---- for the runtime ----

  /** A worker has done its part of a reclaim. */
  onReclaimed(worker: ActorWorker, actor: number, deaths: number): void {
    const key = keyOf(actor, deaths);
    this.#reclaims.get(key)?.waiting.delete(worker.name);
    this.#settle(key);
  }

  /** A worker is gone: nobody waits for its part any more, unless it resumes; its next life begins with it. */
  onExit(worker: ActorWorker): void {
    this.#beats.delete(worker);
    if (worker.spec.resumes !== true) this.#forget(worker.name);
  }

  /** Nobody waits for an actor's part any more. */
  #forget(name: string): void {
    for (const [key, { waiting }] of [...this.#reclaims]) if (waiting.delete(name)) this.#settle(key);
  }

  /** Looks at all beats. @returns the actors that have missed some */
  lookAtBeats(): string[] {
    const nowNs = this.now();
    // Where this thread itself was held up, the beats could not be seen: that time counts against nobody.
    const lostNs = Math.max(0, nowNs - this.#lookedNs - 2 * BEAT_MS * NS_PER_MS);
    this.#lookedNs = nowNs;
    const silent: string[] = [];
    for (const worker of this.host.workers.values()) {
      if (!worker.isReady && !this.#beats.has(worker)) continue; // its set-up has a deadline of its own
      const count = this.#words.beats(worker.spec.id);
      const beat = this.#beats.get(worker) ?? { count: -1, sinceNs: nowNs };
      if (beat.count !== count) this.#beats.set(worker, { count, sinceNs: nowNs });
      else {
        beat.sinceNs = Math.min(nowNs, beat.sinceNs + lostNs);
        if (worker.isRunning && this.silentSinceNs(worker.name) !== undefined) silent.push(worker.name);
      }
    }
    return silent;
  }

  #settle(key: string): void {
    const reclaim = this.#reclaims.get(key);
    if (reclaim === undefined || reclaim.waiting.size > 0) return;
    this.#reclaims.delete(key);
    reclaim.done();
  }
}

const keyOf = (actor: number, deaths: number): string => `${actor}/${deaths}`;
