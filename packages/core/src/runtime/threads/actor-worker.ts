import type { TransferListItem, Worker } from 'node:worker_threads';
import { showValue } from '../../base/index.js';
import type { ActorOutcome, ActorSpec } from '../actor.js';
import type { DeathCause } from '../supervision/index.js';
import { type HostThreads, startThread } from './host-threads.js';
import { type OutputSink, tellLines } from './worker-output.js';
import type { RuntimeMessage, WorkerStart } from './worker-protocol.js';

/** What a worker tells its runtime. */
export interface WorkerEvents {
  /** It has posted something: its own message, or whatever the module of a driver posts. */
  onPosted(worker: ActorWorker, posted: unknown): void;
  /** It threw what nobody caught. */
  onFailure(worker: ActorWorker, error: Error): void;
  /** It is gone for good: none of its code runs any more. */
  onExit(worker: ActorWorker, code: number): void;
  /** Its code has printed a line. */
  readonly onOutput: OutputSink;
}

/** One life of an actor: its worker thread. */
export class ActorWorker {
  readonly exited: Promise<void>;
  outcome: ActorOutcome | undefined;
  isReady = false;
  isServing = false;
  isDead = false;
  /** Messages posted to it. */
  posted = 0;
  /** What the numbers of its texts mean in `ParkWords`. */
  readonly texts = new Map<number, string>();
  /** Why it is being ended; undefined as long as it is not. */
  ending: { readonly cause: DeathCause; readonly why?: string } | undefined;
  readonly #worker: Worker;
  #terminated = false;

  constructor(
    readonly spec: ActorSpec,
    readonly life: number,
    start: WorkerStart,
    events: WorkerEvents,
    heapLimitMiB: number | undefined,
    host: HostThreads,
  ) {
    const transferList: TransferListItem[] = [...start.peers, ...start.callers].map(({ port }) => port);
    const limitMiB = spec.heapLimitMiB ?? heapLimitMiB;
    const limits = limitMiB !== undefined && { resourceLimits: { maxOldGenerationSizeMb: limitMiB } };
    const options = { name: spec.name, workerData: start, transferList, stdout: true, stderr: true, ...limits };
    this.#worker = startThread(spec.name, host, new URL('./worker-main.js', import.meta.url), options);
    tellLines(this.#worker.stdout, spec.name, events.onOutput);
    tellLines(this.#worker.stderr, spec.name, events.onOutput);
    this.exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.isDead = true;
        events.onExit(this, code);
        resolve();
      });
    });
    this.#worker.on('message', (posted: unknown) => events.onPosted(this, posted));
    // A timer of a driver may throw anything.
    this.#worker.on('error', (thrown: unknown) =>
      events.onFailure(this, thrown instanceof Error ? thrown : new Error(`threw ${showValue(thrown)}`)),
    );
  }

  get name(): string {
    return this.spec.name;
  }

  /** Whether it runs and has not ended by itself. */
  get isRunning(): boolean {
    return !this.isDead && this.outcome === undefined;
  }

  post(message: RuntimeMessage, transferList?: TransferListItem[]): void {
    if (this.isDead) return;
    this.posted += 1;
    this.#worker.postMessage(message, transferList);
  }

  /** Ends it whatever it does; it is dead only when it has exited. */
  terminate(cause: DeathCause, why?: string): void {
    if (this.#terminated) return;
    this.#terminated = true;
    this.ending ??= { cause, ...(why !== undefined && { why }) };
    void this.#worker.terminate();
  }
}
