/** Tells of a run on the virtual clock that stands still in a step of one device: it has the thread, and nothing else gets a turn. */
import { Worker } from 'node:worker_threads';
import type { StallWatchStart } from './stall-watch-worker.js';
import { StallWords } from './stall-words.js';

/** How often the thread of the run shows that it serves its events, in milliseconds of real time. */
const TURN_MS = 250;

/** When a run that stands still is told of, in milliseconds of real time without a step or a turn of its thread. */
export interface StallLimits {
  readonly toldMs: number;
  /** Later: when the process is ended. */
  readonly endedMs: number;
}

const DEFAULT_LIMITS: StallLimits = { toldMs: 10_000, endedMs: 60_000 };

export interface StallWatch extends Disposable {
  /** A step of an actor begins. */
  onStep(actor: string): void;
}

/**
 * Starts a thread that writes to stderr after a while without a step whose step it is, and ends the process after a longer one.
 *
 * @param devices by name; any other actor is told of as the exporter
 * @param advice a sentence that is told too
 * @param limits absent = ten seconds, and a minute
 */
export function watchStalls(devices: readonly string[], advice: string, limits = DEFAULT_LIMITS): StallWatch {
  const words = new StallWords();
  const numbers = new Map(devices.map((device, i) => [device, i]));
  const start: StallWatchStart = { memory: words.memory, devices, advice, limits };
  const worker = new Worker(new URL('./stall-watch-worker.js', import.meta.url), { workerData: start });
  worker.unref();
  // As long as this thread serves its events nothing loops: a driver waits for a promise, or somebody debugs.
  const turns = setInterval(() => words.turn(), TURN_MS).unref();
  return {
    onStep: (actor) => words.step(numbers.get(actor) ?? -1),
    [Symbol.dispose]: () => {
      clearInterval(turns);
      void worker.terminate();
    },
  };
}
