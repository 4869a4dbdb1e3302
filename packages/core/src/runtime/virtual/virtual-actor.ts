import {
  type ActorId,
  attempt,
  type CallHandler,
  type Clock,
  ErrnoError,
  fromErrorRecord,
  type Journal,
  type Nanoseconds,
  RandomStream,
  ReplyPark,
  type ReplySettle,
  type Task,
  TraceLog,
  toErrorRecord,
  type WordIndex,
  WordPark,
} from '../../base/index.js';
import type { PhysicalMemoryHandle } from '../../memory/index.js';
import {
  type ActorHost,
  type ActorOutcome,
  type ActorProgram,
  type ActorSpec,
  asRepeated,
  BROKEN_MESSAGE,
  isLost,
  noSuchService,
  PEER_DIED,
  peerIsGone,
} from '../actor.js';
import { RuntimeWords } from '../runtime-words.js';
import type { Running } from './running.js';
import type { VirtualRuntime } from './virtual-runtime.js';
import type { VirtualWords } from './virtual-words.js';

/** One actor of the virtual runtime: the ports its program sees, and its generators. */
export class VirtualActor implements ActorHost {
  readonly clock: Clock;
  readonly trace: TraceLog;
  readonly backPressured = false;
  readonly stopWord: WordIndex;
  readonly journal?: Journal;
  /** Generators that keep the run alive. */
  alive = 0;
  dead = false;
  /** It is not stepped before this time. */
  pausedUntilNs: Nanoseconds = 0;
  pausedSinceNs: Nanoseconds = 0;
  /** Whether it only serves others. */
  serving = false;
  readonly running = new Set<Running>();
  readonly #handlers = new Map<string, CallHandler>();
  readonly #runtimeWords: RuntimeWords;
  #report: unknown;
  #isReady = false;
  /** Calls being served: rejected when this actor dies. */
  readonly #unanswered = new Set<() => void>();
  /** Calls that came before this actor had offered all its services. */
  readonly #early: (() => void)[] = [];

  constructor(
    private readonly runtime: VirtualRuntime,
    private readonly spec: ActorSpec,
    readonly life = 0,
  ) {
    this.clock = {
      now: () => {
        runtime.turn.check(spec.name, 'clock.now');
        return runtime.now;
      },
    };
    this.trace = new TraceLog(runtime.spec.trace, runtime.spec.traceCapacity);
    this.#runtimeWords = new RuntimeWords(runtime.words);
    this.stopWord = this.#runtimeWords.stopWord;
    if (this.resumes) this.journal = runtime.journals.open(spec.name);
  }

  get name(): string {
    return this.spec.name;
  }

  get reclaims(): boolean {
    return this.spec.reclaims === true;
  }

  get resumes(): boolean {
    return this.spec.resumes === true;
  }

  get id(): ActorId {
    return this.spec.id;
  }

  get words(): VirtualWords {
    return this.runtime.words;
  }

  get memory(): PhysicalMemoryHandle {
    return this.runtime.spec.memory;
  }

  get generator(): number {
    return this.runtime.generatorNow;
  }

  /** Starts the program. */
  begin(program: ActorProgram): void {
    const main = this.runtime.turn.during(this.name, () => program(this, this.spec.data));
    this.runtime.start(this, 'main', main, true, (report) => {
      this.#report = report;
    });
  }

  random(name: string): RandomStream {
    this.runtime.turn.check(this.name, 'random');
    return new RandomStream(this.runtime.spec.seed, `${this.name}.${name}`);
  }

  spawn(name: string, task: Task<void>): void {
    this.runtime.turn.check(this.name, 'spawn');
    this.runtime.start(this, name, task, true);
  }

  serve(handlers: Readonly<Record<string, CallHandler>>): void {
    for (const [method, handler] of Object.entries(handlers)) this.#handlers.set(method, handler);
  }

  *call<T>(peer: string, method: string, args: unknown): Task<T> {
    this.runtime.turn.check(this.name, 'call');
    const { controlCalls } = this.runtime;
    const sent = structuredClone(args);
    for (let repeated = false; ; repeated = true) {
      controlCalls[method] = (controlCalls[method] ?? 0) + 1;
      const target = yield* this.runtime.peer(peer, method);
      try {
        const answer: T = yield new ReplyPark((settle) => {
          // Only the runtime tells of deaths.
          target.answer(method === PEER_DIED ? BROKEN_MESSAGE : method, sent, this.name, settle, this);
        }, `${method} of ${peer}`);
        return answer;
      } catch (error) {
        if (!target.resumes || !isLost(error, peer)) throw repeated ? asRepeated(error) : error;
      }
    }
  }

  serves(method: string): boolean {
    return this.#handlers.has(method);
  }

  /** Serves a call from a peer, in a generator of its own. */
  answer(method: string, args: unknown, from: string, settle: ReplySettle, caller?: VirtualActor): void {
    const { resolve, reject } = settle;
    const handler = this.#handlers.get(method);
    const lost = (): void => reject(peerIsGone(method, this.name));
    if (handler === undefined && !this.#isReady) {
      this.#unanswered.add(lost);
      this.#early.push(() => {
        this.#unanswered.delete(lost);
        this.answer(method, args, from, settle, caller);
      });
      return;
    }
    if (handler === undefined && this.#handlers.has(BROKEN_MESSAGE)) {
      this.answer(BROKEN_MESSAGE, noSuchService(method, this.name), from, settle);
      return;
    }
    if (handler === undefined) {
      reject(new ErrnoError('EOPNOTSUPP', method, `Cannot call ${method} of ${this.name}: it has no such service`));
      return;
    }
    this.#unanswered.add(lost);
    const server = this.runtime.start(
      this,
      `${method} for ${from}`,
      this.runtime.turn.during(this.name, () => unlessDead(caller, handler(args, from))),
      false,
      (value) => {
        this.#unanswered.delete(lost);
        resolve(structuredClone(value));
      },
      (error) => {
        this.#unanswered.delete(lost);
        reject(fromErrorRecord(structuredClone(toErrorRecord(error))));
      },
    );
    settle.servedBy?.(server.number);
  }

  *ready(): Task<void> {
    this.#isReady = true;
    for (const answer of this.#early.splice(0)) answer();
    if (this.#runtimeWords.started) return; // another life of an actor
    this.#runtimeWords.countReady();
    if (this.#runtimeWords.readyStep(this.runtime.spec.actors.length) === true) this.runtime.beginModelTime();
    yield* attempt(() => this.#runtimeWords.startStep());
  }

  reached(_timeNs: Nanoseconds): void {}

  *untilScenarioTime(timeNs: Nanoseconds): Task<boolean> {
    if (this.#runtimeWords.stopped) return false;
    const stopped: boolean = yield new WordPark(this.stopWord, 0, 'a scenario event', timeNs);
    return !stopped;
  }

  *untilOthersEnd(): Task<void> {
    if (this.#runtimeWords.shutdownStep() === true) return; // started again when all others had ended
    this.serving = true;
    this.runtime.serveOnly(this);
    yield* attempt(() => this.#runtimeWords.shutdownStep());
  }

  outcome(): ActorOutcome {
    return { name: this.name, report: this.#report, trace: this.trace.report() };
  }

  /** Stops all generators for ever. Returns how many of them kept the run alive. */
  die(): number {
    this.dead = true;
    const alive = this.alive;
    this.alive = 0;
    for (const lost of [...this.#unanswered]) lost();
    return alive;
  }

  /** Whether none of its generators goes on by itself. */
  get isHeldUp(): boolean {
    if (this.pausedUntilNs > this.runtime.now) return false;
    const waitsForOthers = ({ waiting }: Running): boolean =>
      waiting?.kind === 'reply' || (waiting?.kind === 'word' && waiting.untilNs === Number.POSITIVE_INFINITY);
    return [...this.running].every(waitsForOthers);
  }

  /** @param describe says what a generator waits for */
  describeWaits(describe: (running: Running) => string): string[] {
    if (this.dead || this.serving) return [];
    const described: string[] = [];
    for (const running of this.running) {
      if (running.waiting !== undefined) described.push(describe(running));
      else if (this.pausedUntilNs === Number.POSITIVE_INFINITY)
        described.push(`${this.name}/${running.name}, which hangs`);
    }
    return described;
  }
}

/** A call that reaches its peer after the caller has died is not served. */
function* unlessDead(caller: VirtualActor | undefined, task: Task<unknown>): Task<unknown> {
  return caller?.dead === true ? undefined : yield* task;
}
