/** The thread that looks whether a run on the virtual clock still goes on. It writes to stderr itself: the main thread cannot. */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { StallWords } from './stall-words.js';

/** What it starts with. */
export interface StallWatchStart {
  readonly memory: SharedArrayBuffer;
  /** By the number of the device. */
  readonly devices: readonly string[];
  /** A sentence about what to do. */
  readonly advice: string;
}

const LOOK_MS = 500;
const TOLD_MS = 10_000;
const ENDED_MS = 60_000;
const STDERR = 2;

const { memory, devices, advice } = workerData as StallWatchStart;
const words = new StallWords(memory);
let steps = words.steps;
let stillMs = 0;

setInterval(() => {
  if (steps === words.steps && steps !== 0) stillMs += LOOK_MS;
  else stillMs = 0;
  steps = words.steps;
  const who = devices[words.device] ?? 'the exporter';
  if (stillMs === TOLD_MS) {
    const remedy = `does it loop without a yield* that waits? ${advice}`;
    tell(
      `stands still for ${TOLD_MS / 1000} s in a step of ${who}: ${remedy} Ctrl-C does not get through; kill ${process.pid} does`,
    );
  } else if (stillMs === ENDED_MS) {
    tell(`has stood still for ${ENDED_MS / 1000} s in a step of ${who}, and is ended`);
    process.kill(process.pid, 'SIGTERM'); // whose default nobody changes: it needs no turn of the main thread
  }
}, LOOK_MS);

function tell(what: string): void {
  writeSync(STDERR, `The run ${what}.\n`);
}
