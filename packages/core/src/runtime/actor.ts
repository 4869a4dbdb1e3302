/** What both runtimes run: actors, each a program started with plain data. */
import {
  type ActorId,
  type ActorServices,
  type AtomicWords,
  ErrnoError,
  isErrno,
  type Journal,
  type Nanoseconds,
  type Task,
  type TraceEvent,
  type WordIndex,
} from '../base/index.js';
import type { PhysicalMemoryHandle } from '../memory/index.js';
import type { BrokenMessages, QuarantineLimits } from './broken-senders.js';
import type { Fault, Incident, Supervision } from './supervision/index.js';
import type { WaitOwners } from './wait-owners.js';

/**
 * The entry of an actor: a module exports it as `program`. It returns when the actor has nothing left to do; its value,
 * plain data, is the actor's report.
 */
export type ActorProgram<Data = unknown> = (host: ActorHost, data: Data) => Task<unknown>;

/** What an actor's program receives: the services of every actor, and what only a program needs. */
export interface ActorHost extends ActorServices {
  /** How often this actor has died and been started again: 0 in its first life. */
  readonly life: number;
  /** The board's memory. */
  readonly memory: PhysicalMemoryHandle;
  /** Says that this actor's set-up is done and waits until every actor has said so: the start of model time. */
  ready(): Task<void>;
  /** Tells of the scenario's progress where time is not paced; a source calls it at each tick. */
  reached(timeNs: Nanoseconds): void;
  /** Only of an actor that resumes: what its next life starts from. */
  readonly journal?: Journal;
  /** Set to 1 when sources are to stop. */
  readonly stopWord: WordIndex;
  /** For an actor that only serves others: it does not keep the run alive, and this returns when all others have ended. */
  untilOthersEnd(): Task<void>;
}

export interface ActorSpec {
  readonly name: string;
  readonly id: ActorId;
  /** URL of the module that exports `program`. */
  readonly module: string;
  /** Actors whose services it calls. */
  readonly calls: readonly string[];
  /** Plain data for the program. */
  readonly data: unknown;
  /** Whether a supervisor starts it again when it dies; absent = yes. */
  readonly supervised?: boolean;
  /**
   * Whether its next life goes on where this one stopped, from a journal: it is started again alone, whoever calls it waits
   * for that life, and so do the reclaims that it does; absent = no. It ends the run when it throws, like all that are not
   * supervised.
   */
  readonly resumes?: boolean;
  /** Whether it takes back what the dead held: a restart waits for its `PEER_DIED`; absent = no, it is only told. */
  readonly reclaims?: boolean;
  /**
   * What the heap of its worker may take, in MiB: beyond, the worker is ended, and the actor dead. Shared memory and array
   * buffers do not count. Absent = the limit of the runtime; virtual actors share one heap and have none.
   */
  readonly heapLimitMiB?: number;
}

/** The service by which an actor is told that another has died; `PeerDeath` is its argument. */
export const PEER_DIED = 'peerDied';
export interface PeerDeath {
  readonly actor: ActorId;
  readonly name: string;
  /** How often it has died, this time included. */
  readonly deaths: number;
  /** Whether it is to be started again: its streams are not over then. */
  readonly returns: boolean;
  /** The scenario time of the event that starts it again; absent = no event does. */
  readonly returnsAtNs?: Nanoseconds | undefined;
}

/**
 * The service by which an actor is told of a message that none of its services took: a call of one that it does not have, or
 * something on the port that is no call. What it throws is the answer to the call; an actor without it answers EOPNOTSUPP.
 */
export const BROKEN_MESSAGE = 'brokenMessage';
export interface BrokenMessage {
  /** What the caller asked for; absent when it was no call. */
  readonly method?: string;
  readonly reason: string;
}

/** What is wrong with a call of a service that an actor does not have. */
export function noSuchService(method: unknown, actor: string): Required<BrokenMessage> {
  const name = String(method).slice(0, 64);
  return { method: name, reason: `calls ${name} of ${actor}, which has no such service` };
}

/**
 * How long actors that do not only serve may take to end once the scenario is over. Whoever has not is ended, dead for good, where
 * deaths are dealt with (`RunSpec.supervision`); else the run fails, and says what it waits for. With `pace: max` it counts from
 * when the time reached has last grown; after an interrupt, in virtual time, from then. It begins anew while somebody is to come back
 * after a back-off, or does nothing and has a deadline of its own for that. Where nobody but those who serve is left, the run fails.
 */
export interface ShutdownDeadline {
  /** When the scenario is over, in model time. */
  readonly endNs: Nanoseconds;
  readonly graceNs: Nanoseconds;
}

/** What every run needs, in both runtimes. */
export interface RunSpec {
  readonly actors: readonly ActorSpec[];
  readonly memory: PhysicalMemoryHandle;
  /** Size of the control memory: the tables of the caller. */
  readonly controlBytes: number;
  readonly seed: number;
  readonly trace: boolean;
  /** Events that are kept of each life of an actor, the first, at most `MAX_TRACE_CAPACITY`; absent = a million. */
  readonly traceCapacity?: number;
  /** What is done to actors on purpose; absent = nothing. */
  readonly faults?: readonly Fault[];
  /** How deaths are dealt with; absent: the dead stay dead, and an actor that throws ends the run. */
  readonly supervision?: Supervision;
  /** When a worker that posts what is no message of its own is ended, on threads; absent = `DEFAULT_QUARANTINE`. */
  readonly quarantine?: QuarantineLimits;
  /**
   * Instants of the scenario that actors or faults wait for, ascending. On threads with `pace: max` time goes on to the next of them
   * where everybody waits, instead of ending the run; absent = none is known.
   */
  readonly eventTimesNs?: readonly Nanoseconds[];
  /** When whoever has not ended is ended; absent = never. */
  readonly shutdown?: ShutdownDeadline;
  readonly onProgress?: (nowNs: Nanoseconds) => void;
  /** Who can end a wait on a word, for naming deadlocks when they form; absent = nobody looks for them. */
  readonly waits?: (words: AtomicWords) => WaitOwners;
  /** Asks the run to end early: sources stop, the pipeline drains. */
  readonly signal?: AbortSignal;
  /** Takes each line that the code of a worker prints; absent: it goes to stderr, behind the name of the actor. */
  readonly onOutput?: (actor: string, line: string) => void;
}

/** What an actor left behind. */
export interface ActorOutcome {
  readonly name: string;
  /** What its program returned; undefined when it was dead at the end. */
  readonly report: unknown;
  readonly trace: readonly TraceEvent[];
}

export interface RunReport {
  readonly outcomes: readonly ActorOutcome[];
  readonly endNs: Nanoseconds;
  /** Of the order of events; only the virtual runtime has one. */
  readonly fingerprint: string | null;
  readonly controlCalls: Readonly<Record<string, number>>;
  /** Deaths, restarts and what else happened to the lives of actors, in order. */
  readonly incidents: readonly Incident[];
  /** What workers have posted to the runtime that is no message of theirs; none in virtual time, where there are no workers. */
  readonly brokenMessages: readonly BrokenMessages[];
  /** Those beyond what is kept. */
  readonly incidentsDropped: number;
}

/** The failure of an actor, with its name. */
export class ActorError extends Error {
  override readonly name = 'ActorError';
  constructor(
    readonly actor: string,
    override readonly cause: Error,
  ) {
    super(`${actor} failed: ${cause.message}`);
  }
}

/** The actors that may die and be started again, in start order. */
export function supervisedActors({ actors }: Pick<RunSpec, 'actors'>): string[] {
  return actors.flatMap(({ name, supervised }) => (supervised === false ? [] : [name]));
}

/** The actors that resume, and are not supervised with the others. */
export function resumingActors({ actors }: Pick<RunSpec, 'actors'>): string[] {
  return actors.flatMap(({ name, resumes, supervised }) => (resumes === true && supervised === false ? [name] : []));
}

/** Whether a call failed since its peer has died, and not by what the service threw. */
export function isLost(error: unknown, peer: string): boolean {
  return isErrno(error, 'ENODEV') && error.details.peer === peer;
}

/** What a call fails with because its peer has died. */
export function peerIsGone(method: string, peer: string): ErrnoError {
  return new ErrnoError('ENODEV', method, `Cannot call ${method} of ${peer}: it has died`, { peer });
}

/** The error of a call that was made more than once: an earlier life of the peer may have served it. */
export function asRepeated(error: unknown): unknown {
  if (!isErrno(error)) return error;
  return new ErrnoError(error.code, error.op, error.message, { ...error.details, repeated: true });
}

/** Loads the program of an actor. @throws ErrnoError ENOENT when its module exports none */
export async function loadProgram(spec: ActorSpec): Promise<ActorProgram> {
  const module = (await import(spec.module)) as { program?: ActorProgram };
  if (typeof module.program === 'function') return module.program;
  throw new ErrnoError('ENOENT', 'load', `Cannot start ${spec.name}: its module exports no function "program"`);
}
