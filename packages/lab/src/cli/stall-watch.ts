/** Tells of a run on the virtual clock that stands still inside a driver of the user's. */
import { Worker } from 'node:worker_threads';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import type { PreparedRun } from '../run/index.js';
import type { StallWatchStart } from './stall-watch-worker.js';
import { StallWords } from './stall-words.js';

export interface StallWatch extends Disposable {
  /** A step of a device begins. */
  onStep(device: string): void;
}

/** @returns undefined where no driver of the user's can stop all: on threads, or when there is none */
export function watchStalls({ scenario, drivers }: PreparedRun): StallWatch | undefined {
  const devices = Object.keys(drivers);
  const hasOwn = Object.values(drivers).some((driver) => !Object.hasOwn(builtInDrivers, driver));
  if (scenario.runtime !== 'virtual' || !hasOwn) return undefined;
  const words = new StallWords();
  const numbers = new Map(devices.map((device, i) => [device, i]));
  const start: StallWatchStart = { memory: words.memory, devices };
  const worker = new Worker(new URL('./stall-watch-worker.js', import.meta.url), { workerData: start });
  worker.unref();
  return {
    onStep: (device) => words.step(numbers.get(device) ?? -1),
    [Symbol.dispose]: () => void worker.terminate(),
  };
}
