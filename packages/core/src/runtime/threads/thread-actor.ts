import type { MessagePort } from 'node:worker_threads';
import {
  type ActorId,
  AtomicWords,
  actorId,
  attempt,
  type CallHandler,
  type Clock,
  ErrnoError,
  type Journal,
  type Nanoseconds,
  RandomStream,
  ReplyPark,
  type Task,
  TraceLog,
  type WordIndex,
  WordPark,
} from '../../base/index.js';
import type { PhysicalMemoryHandle } from '../../memory/index.js';
import {
  type ActorHost,
  asRepeated,
  BROKEN_MESSAGE,
  isLost,
  noSuchService,
  PEER_DIED,
  type PeerDeath,
} from '../actor.js';
import { Returns } from '../returns.js';
import { RuntimeWords } from '../runtime-words.js';
import { Turn } from '../turn.js';
import { RemotePeer, serveCalls } from './comlink-ports.js';
import { ParkRows } from './park-rows.js';
import { ParkWords } from './park-words.js';
import { type LongWaits, ThreadScheduler } from './thread-scheduler.js';
import type { CallerPort, PeerPort, RuntimeMessage, WorkerMessage, WorkerStart } from './worker-protocol.js';

/** How often an actor shows that its thread serves its events. */
export const BEAT_MS = 50;

/** One actor of the threads runtime, inside its worker. */
export class ThreadActor implements ActorHost {
  readonly words: AtomicWords;
  readonly clock: Clock;
  readonly trace: TraceLog;
  readonly backPressured: boolean;
  readonly stopWord: WordIndex;
  readonly journal?: Journal;
  /** By method: a driver may call one of any name. */
  readonly controlCalls: Record<string, number> = Object.create(null) as Record<string, number>;
  readonly #turn = new Turn();
  readonly #runtimeWords: RuntimeWords;
  readonly #scheduler: ThreadScheduler;
  /** Where its generators tell what they wait in; absent = nobody looks. */
  readonly #rows: ParkRows | undefined;
  readonly #peers = new Map<string, RemotePeer>();
  readonly #returns = new Returns();
  readonly #handlers = new Map<string, CallHandler>();
  readonly #ports = new Set<MessagePort>();
  readonly #settled: (() => void)[] = [];
  #spawned = 0;
  #isReady = false;
  /** Calls that came before this actor had offered all its services. */
  readonly #early: (() => void)[] = [];

  constructor(
    private readonly started: WorkerStart,
    private readonly onFailure: (error: Error) => void,
    private readonly tell: (message: WorkerMessage) => void,
  ) {
    this.words = new AtomicWords(started.control);
    this.#runtimeWords = new RuntimeWords(this.words);
    this.stopWord = this.#runtimeWords.stopWord;
    this.trace = new TraceLog(started.trace, started.traceCapacity);
    this.backPressured = started.pace === 'max';
    const clock: Clock = { now: () => this.#elapsed() };
    const longWaits = longWaitsFrom(started.longWaitMs);
    this.#scheduler = new ThreadScheduler(this.name, this.words, clock, this.#turn, started.pace, true, longWaits);
    this.#turn.onViolation = onFailure;
    this.clock = {
      now: () => {
        this.#turn.check(this.name, 'clock.now');
        return this.#elapsed();
      },
    };
    const { journal: restored, parks } = started;
    const tellText = (number: number, text: string): void => tell({ kind: 'text', number, text });
    this.#rows = parks && new ParkRows(new ParkWords(new AtomicWords(parks)), this.id, tellText);
    if (restored !== undefined) this.journal = { restored, set: (key, value) => tell({ kind: 'journal', key, value }) };
    for (const peer of started.peers) this.#connect(peer);
    for (const caller of started.callers) this.#serve(caller);
    setInterval(() => this.#runtimeWords.beat(this.id), BEAT_MS).unref();
  }

  /** Takes a message of the runtime. */
  receive(message: Exclude<RuntimeMessage, { kind: 'exit' | 'stall' }>): void {
    if (message.kind === 'peer') this.#connect(message.peer);
    else if (message.kind === 'caller') this.#serve(message.caller);
    else this.#mourn(message.death);
  }

  /** A message of the runtime has been dealt with. */
  dealtWithMessage(): void {
    this.#rows?.received();
  }

  closePorts(): void {
    for (const port of this.#ports) port.close();
  }

  #connect({ name, id, life, resumes, port }: PeerPort): void {
    const peer = new RemotePeer(name, port, resumes);
    this.#ports.add(port);
    this.#peers.set(name, peer);
    this.#returns.isBack(name);
    this.#scheduler.start(this.#watchDeath(peer, actorId(id), life), () => {}, this.onFailure);
  }

  #serve({ name, id, life, port }: CallerPort): void {
    this.#ports.add(port);
    const broken = (reason: string) => this.#answer(BROKEN_MESSAGE, { reason }, name).catch(() => {}); // nobody waits
    const answer = (method: string, args: unknown, call: number): Promise<unknown> => {
      if (this.#runtimeWords.deaths(actorId(id)) > life) return new Promise(() => {}); // nobody is there for the answer
      // Only the runtime tells of deaths.
      return this.#answer(method === PEER_DIED ? BROKEN_MESSAGE : method, args, name, call);
    };
    serveCalls(port, answer, broken);
  }

  /** Takes back what a dead actor held, if this actor looks after anything, and says so. */
  #mourn(death: PeerDeath): void {
    if (!death.returns) this.#returns.isGone(death.name);
    if (!this.#isReady && !this.#handlers.has(PEER_DIED)) {
      this.#early.push(() => this.#mourn(death)); // what it looks after is not set up yet
      return;
    }
    const done = (): void => this.tell({ kind: 'reclaimed', actor: death.actor, deaths: death.deaths });
    const handler = this.#handlers.get(PEER_DIED);
    if (handler === undefined) done();
    else {
      const task = this.#turn.during(this.name, () => handler(death, death.name));
      this.#scheduler.start(task, done, this.onFailure, this.#rows?.begin(`${PEER_DIED} for ${death.name}`));
    }
  }

  get name(): string {
    return this.started.spec.name;
  }

  get life(): number {
    return this.started.life;
  }

  get id(): ActorId {
    return this.started.spec.id;
  }

  get memory(): PhysicalMemoryHandle {
    return this.started.memory;
  }

  /** Runs the program; resolves when it and all it has spawned have ended. */
  run(main: () => Task<unknown>): Promise<unknown> {
    return new Promise((resolve) => {
      const task = this.#turn.during(this.name, main);
      this.#scheduler.start(
        task,
        (report) => {
          if (this.#spawned === 0) resolve(report);
          else this.#settled.push(() => resolve(report));
        },
        this.onFailure,
        this.#rows?.begin('main'),
      );
    });
  }

  get generator(): number | undefined {
    return this.#rows && this.#scheduler.generatorNow;
  }

  random(name: string): RandomStream {
    return new RandomStream(this.started.seed, `${this.name}.${name}`);
  }

  spawn(name: string, task: Task<void>): void {
    this.#turn.check(this.name, 'spawn');
    const row = this.#rows?.begin(name);
    this.#spawned += 1;
    const done = (): void => {
      this.#spawned -= 1;
      if (this.#spawned === 0) for (const settled of this.#settled.splice(0)) settled();
    };
    // Not stepped inside the step that spawns it: it starts as an event of its own, as in the virtual runtime.
    queueMicrotask(() => this.#scheduler.start(task, done, this.onFailure, row));
  }

  serve(handlers: Readonly<Record<string, CallHandler>>): void {
    for (const [method, handler] of Object.entries(handlers)) this.#handlers.set(method, handler);
  }

  *call<T>(peer: string, method: string, args: unknown): Task<T> {
    this.#turn.check(this.name, 'call');
    for (let repeated = false; ; repeated = true) {
      const target = this.#peers.get(peer);
      if (target === undefined) throw new ErrnoError('ENODEV', method, `Cannot call ${peer}: no such actor`);
      this.controlCalls[method] = (this.controlCalls[method] ?? 0) + 1;
      try {
        const answer: T = yield new ReplyPark((settle) => target.call(method, args, settle), `${method} of ${peer}`);
        return answer;
      } catch (error) {
        if (!target.resumes || !isLost(error, peer)) throw repeated ? asRepeated(error) : error;
      }
      // Its port is that of the dead life until the runtime brings another.
      if (this.#peers.get(peer) === target) yield* this.#returns.wait(peer, method);
    }
  }

  *ready(): Task<void> {
    this.#isReady = true;
    for (const answer of this.#early.splice(0)) answer();
    this.tell({ kind: 'ready' });
    if (this.#runtimeWords.started) return; // another life of an actor
    this.#runtimeWords.countReady();
    yield* attempt(() => this.#runtimeWords.startStep());
  }

  reached(timeNs: Nanoseconds): void {
    if (this.backPressured) this.#runtimeWords.reach(timeNs);
  }

  *untilScenarioTime(timeNs: Nanoseconds): Task<boolean> {
    if (this.#runtimeWords.stopped) return false;
    if (this.backPressured) {
      yield* attempt(() => this.#runtimeWords.reachedStep(timeNs));
      return !this.#runtimeWords.stopped;
    }
    const stopped: boolean = yield new WordPark(this.stopWord, 0, 'a scenario event', timeNs);
    return !stopped;
  }

  *untilOthersEnd(): Task<void> {
    this.tell({ kind: 'serving' });
    yield* attempt(() => this.#runtimeWords.shutdownStep());
  }

  /** @param call its number; 0 = none */
  #answer(method: string, args: unknown, from: string, call = 0): Promise<unknown> {
    const handler = this.#handlers.get(method);
    if (handler === undefined && !this.#isReady) {
      return new Promise((resolve, reject) => {
        this.#early.push(() => void this.#answer(method, args, from, call).then(resolve, reject));
      });
    }
    if (handler === undefined && this.#handlers.has(BROKEN_MESSAGE)) {
      return this.#answer(BROKEN_MESSAGE, noSuchService(method, this.name), from, call);
    }
    if (handler === undefined) {
      const message = `Cannot call ${method} of ${this.name}: it has no such service`;
      return Promise.reject(new ErrnoError('EOPNOTSUPP', method, message));
    }
    return new Promise((resolve, reject) => {
      const task = this.#turn.during(this.name, () => handler(args, from));
      this.#scheduler.start(task, resolve, reject, this.#rows?.begin(`${method} for ${from}`, call));
    });
  }

  *#watchDeath(peer: RemotePeer, id: ActorId, life: number): Task<void> {
    yield* attempt(() => this.#runtimeWords.deathStep(id, life));
    peer.die();
  }

  #elapsed(): Nanoseconds {
    const epochNs = this.#runtimeWords.epochNs();
    return epochNs === undefined ? 0 : Number(process.hrtime.bigint() - epochNs);
  }
}

/** Into the output of its worker, which the runtime puts its name before. */
function longWaitsFrom(afterMs: number): LongWaits {
  const told = `has waited for ${afterMs / 1000} s for a promise that has not come`;
  return { afterMs, tell: (what) => void process.stderr.write(`${told}: ${what}\n`) };
}
