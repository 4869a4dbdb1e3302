/**
 * The threads runtime: one worker thread an actor, all on one shared memory; concurrency is real.
 *
 * Here, outside the workers: they are started with ports to those they call, begin together, and end in order: first
 * all that do not only serve, then the rest. A worker's failure ends the run with its name and stack.
 */
import { MessageChannel, type MessagePort, type TransferListItem, Worker } from 'node:worker_threads';
import { AtomicWords, ErrnoError, fromErrorRecord, type TraceEvent } from '../../base/index.js';
import { ActorError, type ActorOutcome, type ActorSpec, type RunReport, type RunSpec } from '../actor.js';
import { RuntimeWords } from '../runtime-words.js';
import {
  isWorkerMessage,
  type Pace,
  type RuntimeMessage,
  type WorkerMessage,
  type WorkerStart,
} from './worker-protocol.js';

export interface ThreadsOptions {
  readonly pace: Pace;
  /** How long the actors may take to end once the run was told to stop early. */
  readonly stopGraceMs?: number;
}

const DEFAULT_STOP_GRACE_MS = 10_000;
const EXIT_GRACE_MS = 2_000;
const PROGRESS_MS = 250;

interface RunningWorker {
  readonly spec: ActorSpec;
  readonly worker: Worker;
  readonly exited: Promise<void>;
  outcome: ActorOutcome | undefined;
  serving: boolean;
}

export class ThreadsRuntime {
  readonly #words: AtomicWords;
  readonly #runtimeWords: RuntimeWords;
  readonly #controlCalls: Record<string, number> = {};
  #workers: RunningWorker[] = [];
  #fail: (error: Error) => void = () => {};
  #progressed: () => void = () => {};
  #ending = false;

  constructor(
    private readonly spec: RunSpec,
    private readonly options: ThreadsOptions,
  ) {
    this.#words = new AtomicWords(new SharedArrayBuffer(spec.controlBytes));
    this.#runtimeWords = new RuntimeWords(this.#words);
  }

  /** Runs to the end. @throws ActorError when an actor fails; ETIMEDOUT when it does not stop after an interrupt */
  async run(): Promise<RunReport> {
    const failure = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    failure.catch(() => {}); // observed below, or the run is over
    let graceTimer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      this.#runtimeWords.stop();
      graceTimer = setTimeout(() => this.#fail(this.#stuck()), this.options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS);
    };
    this.spec.signal?.addEventListener('abort', stop, { once: true });
    let progressTimer: NodeJS.Timeout | undefined;
    try {
      this.#workers = this.#startWorkers();
      if (this.spec.signal?.aborted === true) stop();
      await Promise.race([failure, this.#allReady()]);
      const epochNs = process.hrtime.bigint();
      this.#runtimeWords.start(epochNs);
      const elapsed = (): number => Number(process.hrtime.bigint() - epochNs);
      if (this.spec.onProgress !== undefined) {
        progressTimer = setInterval(() => this.spec.onProgress?.(elapsed()), PROGRESS_MS);
      }
      await Promise.race([failure, this.#until((worker) => worker.outcome !== undefined || worker.serving)]);
      const endNs = elapsed();
      this.#runtimeWords.shutDown();
      await Promise.race([failure, this.#until((worker) => worker.outcome !== undefined)]);
      return this.#report(endNs);
    } finally {
      clearInterval(progressTimer);
      clearTimeout(graceTimer);
      this.spec.signal?.removeEventListener('abort', stop);
      await this.#endWorkers();
    }
  }

  #startWorkers(): RunningWorker[] {
    const { actors } = this.spec;
    const ends = new Map(actors.map((actor) => [actor.name, { peers: [], callers: [] } as PortEnds]));
    for (const actor of actors) {
      for (const peer of actor.calls) {
        const target = actors.find((candidate) => candidate.name === peer);
        if (target === undefined)
          throw new ErrnoError('ENODEV', 'start', `Cannot start ${actor.name}: no actor ${peer}`);
        const { port1, port2 } = new MessageChannel();
        ends.get(actor.name)?.peers.push({ name: peer, id: target.id, port: port1 });
        ends.get(peer)?.callers.push({ name: actor.name, port: port2 });
      }
    }
    return actors.map((actor) => this.#startWorker(actor, ends.get(actor.name) ?? { peers: [], callers: [] }));
  }

  #startWorker(spec: ActorSpec, { peers, callers }: PortEnds): RunningWorker {
    const { memory, seed, trace } = this.spec;
    const control = this.#words.buffer;
    const start: WorkerStart = { spec, control, memory, seed, trace, pace: this.options.pace, peers, callers };
    const transferList: TransferListItem[] = [...peers, ...callers].map(({ port }) => port);
    const worker = new Worker(new URL('./worker-main.js', import.meta.url), {
      name: spec.name,
      workerData: start,
      transferList,
    });
    const running: RunningWorker = {
      spec,
      worker,
      exited: new Promise((resolve) => {
        worker.once('exit', (code) => {
          this.#runtimeWords.markDead(spec.id);
          if (!this.#ending) this.#fail(new ActorError(spec.name, new Error(`its worker exited with code ${code}`)));
          resolve();
        });
      }),
      outcome: undefined,
      serving: false,
    };
    worker.on('message', (message: unknown) => {
      if (isWorkerMessage(message)) this.#receive(running, message);
    });
    worker.on('error', (error) => this.#fail(new ActorError(spec.name, error as Error)));
    return running;
  }

  #receive(running: RunningWorker, message: WorkerMessage): void {
    if (message.kind === 'failed') this.#fail(new ActorError(running.spec.name, fromErrorRecord(message.error)));
    else if (message.kind === 'serving') running.serving = true;
    else {
      const trace: readonly TraceEvent[] = message.trace;
      running.outcome = { name: running.spec.name, report: message.report, trace };
      for (const [method, count] of Object.entries(message.controlCalls)) {
        this.#controlCalls[method] = (this.#controlCalls[method] ?? 0) + count;
      }
    }
    this.#progressed();
  }

  async #allReady(): Promise<void> {
    for (;;) {
      const park = this.#runtimeWords.readyStep(this.spec.actors.length);
      if (park === true || this.#ending) return;
      const wait = this.#words.waitAsync(park.word, park.expected, 1000);
      if (wait.async) await wait.value;
    }
  }

  async #until(condition: (worker: RunningWorker) => boolean): Promise<void> {
    while (!this.#workers.every(condition)) {
      await new Promise<void>((resolve) => {
        this.#progressed = resolve;
      });
    }
  }

  #report(endNs: number): RunReport {
    const outcomes = this.#workers.flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome]));
    return { outcomes, endNs, fingerprint: null, controlCalls: this.#controlCalls };
  }

  /** Asks every worker to exit, and ends those that do not. */
  async #endWorkers(): Promise<void> {
    this.#ending = true;
    const exit: RuntimeMessage = { kind: 'exit' };
    await Promise.all(
      this.#workers.map(async ({ worker, exited }) => {
        worker.postMessage(exit);
        const timer = setTimeout(() => void worker.terminate(), EXIT_GRACE_MS);
        await exited;
        clearTimeout(timer);
      }),
    );
  }

  #stuck(): Error {
    const names = this.#workers.filter((worker) => worker.outcome === undefined && !worker.serving);
    const list = names.map((worker) => worker.spec.name).join(', ');
    return new ErrnoError('ETIMEDOUT', 'stop', `Cannot stop the run: ${list} did not end within the grace period`);
  }
}

interface PortEnds {
  readonly peers: { name: string; id: number; port: MessagePort }[];
  readonly callers: { name: string; port: MessagePort }[];
}
