import type { MessagePort } from 'node:worker_threads';
import type { ErrorRecord, TraceEvent } from '../../base/index.js';
import type { PhysicalMemoryHandle } from '../../memory/index.js';
import type { ActorSpec, PeerDeath } from '../actor.js';

/** Whether modelled time passes as on the wall clock, or at once. */
export type Pace = 'real' | 'max';

/** A port to an actor that is called. */
export interface PeerPort {
  readonly name: string;
  readonly id: number;
  /** Of the peer at the other end: the port is good for that life alone. */
  readonly life: number;
  /** Whether its calls wait for its next life; absent = no. */
  readonly resumes?: boolean;
  readonly port: MessagePort;
}

/** A port on which an actor calls. */
export interface CallerPort {
  readonly name: string;
  readonly id: number;
  /** Of the caller: what comes after the end of that life is not served. */
  readonly life: number;
  readonly port: MessagePort;
}

/** What a worker starts with. */
export interface WorkerStart {
  readonly spec: ActorSpec;
  /** How often the actor has died before. */
  readonly life: number;
  readonly control: SharedArrayBuffer;
  readonly memory: PhysicalMemoryHandle;
  readonly seed: number;
  readonly trace: boolean;
  readonly pace: Pace;
  /** How long it waits for a promise of the outside world before it says so, in milliseconds of real time. */
  readonly longWaitMs: number;
  /** The memory of `ParkWords`; absent = nobody looks who waits for whom. */
  readonly parks?: SharedArrayBuffer;
  readonly peers: readonly PeerPort[];
  readonly callers: readonly CallerPort[];
  /** Only of an actor that resumes: what the lives before have left. */
  readonly journal?: ReadonlyMap<string, unknown>;
}

/** From a worker to the runtime. */
export type WorkerMessage =
  | {
      readonly kind: 'done';
      readonly report: unknown;
      readonly trace: readonly TraceEvent[];
      readonly controlCalls: Readonly<Record<string, number>>;
    }
  /** Its set-up is done. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'serving' }
  /** It has taken back what a dead actor held of what it looks after. */
  | { readonly kind: 'reclaimed'; readonly actor: number; readonly deaths: number }
  /** An entry for its next life; absent value: it is taken out. */
  | { readonly kind: 'journal'; readonly key: string; readonly value?: unknown }
  /** What a number in `ParkWords` stands for. */
  | { readonly kind: 'text'; readonly number: number; readonly text: string }
  | { readonly kind: 'failed'; readonly error: ErrorRecord };

/** Whether something that a worker has posted is one of its messages: the module of a driver can post anything. */
export function isWorkerMessage(message: unknown): message is WorkerMessage {
  const { kind } = (message ?? {}) as { readonly kind?: unknown };
  return ['done', 'ready', 'serving', 'reclaimed', 'journal', 'text', 'failed'].includes(kind as string);
}

/** From the runtime to a worker. */
export type RuntimeMessage =
  /** Let go of everything and exit. */
  | { readonly kind: 'exit' }
  | { readonly kind: 'peerDied'; readonly death: PeerDeath }
  /** A peer has been started again. */
  | { readonly kind: 'peer'; readonly peer: PeerPort }
  /** A caller has been started again. */
  | { readonly kind: 'caller'; readonly caller: CallerPort }
  /** Block the thread until a time of the monotonic clock in ns, or for ever (a fault of the scenario). */
  | { readonly kind: 'stall'; readonly untilNs: bigint | undefined };
