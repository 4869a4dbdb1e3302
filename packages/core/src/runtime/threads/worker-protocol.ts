import type { MessagePort } from 'node:worker_threads';
import { type ErrorRecord, type TraceEvent, toErrorRecord } from '../../base/index.js';
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
  readonly traceCapacity?: number;
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

/** Numbers of texts: what else there is to tell has the last of them. */
export const MAX_TEXTS = 4097;
/** In UTF-16 code units. */
export const MAX_TEXT_LENGTH = 4096;
export const MAX_KEY_LENGTH = 4096;
/** Of a message or a stack; a worker cuts what is longer. */
export const MAX_ERROR_TEXT = 65_536;

/** From a worker to the runtime; `worker-messages.ts` checks it there. */
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

/** The message of a worker that throws: what was thrown, as far as it can be told. */
export function failedMessage(error: unknown): Extract<WorkerMessage, { kind: 'failed' }> {
  const { name, message, stack, code, op, details } = toErrorRecord(error);
  const cut = (text: unknown): string => String(text).slice(0, MAX_ERROR_TEXT);
  const record: ErrorRecord = {
    ...{ name: cut(name), message: cut(message) },
    ...(stack !== undefined && { stack: cut(stack) }),
    // Only our own errors have these for sure: a DOMException has a number for its code.
    ...(typeof code === 'string' && { code: cut(code) }),
    ...(typeof op === 'string' && { op: cut(op) }),
    ...(typeof details === 'object' && details !== null && !Array.isArray(details) && { details }),
  };
  return { kind: 'failed', error: record };
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
