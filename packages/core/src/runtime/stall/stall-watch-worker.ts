/** The thread that looks whether a run on the virtual clock still goes on. It writes to stderr itself: the main thread cannot. */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { StallLimits } from './stall-watch.js';
import { StallWords } from './stall-words.js';

/** What it starts with. */
export interface StallWatchStart {
  readonly memory: SharedArrayBuffer;
  /** By the number of the device. */
  readonly devices: readonly string[];
  /** A sentence about what to do. */
  readonly advice: string;
  readonly limits: StallLimits;
}

const LOOK_MS = 500;
const STDERR = 2;

const { memory, devices, advice, limits } = workerData as StallWatchStart;
const { toldMs, endedMs } = limits;
const words = new StallWords(memory);
let steps = words.steps;
let stillMs = 0;
let isTold = false;

setInterval(() => {
  if (steps === words.steps && steps !== 0) stillMs += LOOK_MS;
  else {
    stillMs = 0;
    isTold = false;
  }
  steps = words.steps;
  const who = devices[words.device] ?? 'the exporter';
  if (stillMs >= toldMs && !isTold) {
    isTold = true;
    const remedy = `does it loop without a yield* that waits? ${advice}`;
    tell(
      `stands still for ${toldMs / 1000} s in a step of ${who}: ${remedy} Ctrl-C does not get through; kill ${process.pid} does`,
    );
  }
  if (stillMs >= endedMs) {
    tell(`has stood still for ${endedMs / 1000} s in a step of ${who}, and is ended`);
    process.kill(process.pid, 'SIGTERM'); // whose default nobody changes: it needs no turn of the main thread
  }
}, LOOK_MS);

function tell(what: string): void {
  writeSync(STDERR, `The run ${what}.\n`);
}
