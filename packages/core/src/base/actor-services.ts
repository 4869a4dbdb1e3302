import type { AtomicWords } from './atomic-words.js';
import type { ActorId, Nanoseconds } from './brand.js';
import type { Clock } from './clock.js';
import type { Task } from './park.js';
import type { RandomStream } from './random.js';
import type { TraceLog } from './trace.js';

/** Answers a control call. The result must be plain data: it is cloned on its way, in both runtimes. */
// biome-ignore lint/suspicious/noExplicitAny: the arguments of a control call are typed by the pair of client and service
export type CallHandler = (args: any, from: string) => Task<unknown>;

/**
 * What an actor writes down for its next life. The runtime keeps it, outside the actor: what was written before the actor
 * died is there, and nothing else of it.
 */
export interface Journal {
  /** Writes an entry; plain data, copied at once. Undefined takes it out. */
  set(key: string, value: unknown): void;
  /** What the lives before have left; empty in the first. */
  readonly restored: ReadonlyMap<string, unknown>;
}

/**
 * What a runtime gives every actor: the ports behind which the two runtimes differ.
 *
 * Context: all of it only while the actor's generator is being stepped.
 */
export interface ActorServices {
  readonly name: string;
  readonly id: ActorId;
  readonly clock: Clock;
  readonly words: AtomicWords;
  readonly trace: TraceLog;
  /** A stream of random numbers, keyed by the run's seed, the actor and the name. */
  random(name: string): RandomStream;
  /**
   * A control call to another actor. Arguments and answer are cloned.
   *
   * While a peer that resumes (`ActorSpec.resumes`) is dead and to be started again, the call waits and is made again, once or
   * more: then an error that it ends with has the detail `repeated`, since an earlier life may have served it unheard.
   *
   * @throws whatever the service threw, rebuilt with its code and details; ErrnoError ENODEV when the peer dies
   */
  call<T>(peer: string, method: string, args: unknown): Task<T>;
  /** Offers services to other actors. Each call runs as a generator of its own. */
  serve(handlers: Readonly<Record<string, CallHandler>>): void;
  /** Starts another generator of this actor. What it throws ends the run. */
  spawn(name: string, task: Task<void>): void;
  /**
   * Waits until the scenario reaches an instant: on the clock, or on the sources' progress where time is not paced.
   *
   * @returns false when the run is to stop before
   */
  untilScenarioTime(timeNs: Nanoseconds): Task<boolean>;
  /** The generator of this actor that is being stepped: a number from 1; absent where nobody looks who waits for whom. */
  readonly generator?: number;
  /** Whether sources wait for room instead of dropping, since time is not paced. */
  readonly backPressured: boolean;
}
