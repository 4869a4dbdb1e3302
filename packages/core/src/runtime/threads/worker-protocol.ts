import type { MessagePort } from 'node:worker_threads';
import type { ErrorRecord, TraceEvent } from '../../base/index.js';
import type { PhysicalMemoryHandle } from '../../memory/index.js';
import type { ActorSpec } from '../actor.js';

/** Whether modelled time passes as on the wall clock, or at once. */
export type Pace = 'real' | 'max';

/** What a worker starts with. */
export interface WorkerStart {
  readonly spec: ActorSpec;
  readonly control: SharedArrayBuffer;
  readonly memory: PhysicalMemoryHandle;
  readonly seed: number;
  readonly trace: boolean;
  readonly pace: Pace;
  /** Ports to those it calls. */
  readonly peers: readonly { readonly name: string; readonly id: number; readonly port: MessagePort }[];
  /** Ports on which others call it. */
  readonly callers: readonly { readonly name: string; readonly port: MessagePort }[];
}

/** From a worker to the runtime. */
export type WorkerMessage =
  | {
      readonly kind: 'done';
      readonly report: unknown;
      readonly trace: readonly TraceEvent[];
      readonly controlCalls: Readonly<Record<string, number>>;
    }
  | { readonly kind: 'serving' }
  | { readonly kind: 'failed'; readonly error: ErrorRecord };

/** Whether something that a worker has posted is one of its messages: the module of a driver can post anything. */
export function isWorkerMessage(message: unknown): message is WorkerMessage {
  const { kind } = (message ?? {}) as { readonly kind?: unknown };
  return kind === 'done' || kind === 'serving' || kind === 'failed';
}

/** From the runtime to a worker: let go of everything and exit. */
export type RuntimeMessage = { readonly kind: 'exit' };
