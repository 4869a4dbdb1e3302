/** One side of a litmus test: started with its side, the words, and how many rounds. */
import { parentPort, workerData } from 'node:worker_threads';

const { side, shared, rounds } = workerData as { side: 0 | 1; shared: SharedArrayBuffer; rounds: number };
const words = new Int32Array(shared);
const [X, GATE, SEEN, SLEEP] = [0, 16, 32, 48];

/** Both sides meet, so that each round begins at once. */
function meet(round: number): void {
  Atomics.add(words, GATE, 1);
  while (Atomics.load(words, GATE) < 2 * round) {
    // spin: a sleep here would order the sides
  }
}

/** Store buffering: each stores its own word and loads the other's. Counts rounds in which neither saw the other. */
let meetings = 0;
let neither = 0;
for (let round = 1; round <= rounds; round += 1) {
  meetings += 1;
  meet(meetings);
  Atomics.store(words, X + side, round);
  const seen = Atomics.load(words, X + 1 - side);
  Atomics.store(words, SEEN + side, seen === round ? 1 : 0);
  meetings += 1;
  meet(meetings);
  if (side === 0 && Atomics.load(words, SEEN) + Atomics.load(words, SEEN + 1) === 0) neither += 1;
}

/** Waits as a worker of the threads runtime does, which never blocks. */
async function parked(seen: number): Promise<void> {
  const wait = Atomics.waitAsync(words, SLEEP, seen);
  if (wait.async) await wait.value;
}

/**
 * Wake-ups: one side changes a word and notifies, the other waits for the value it has seen; then the other way round. Side 0 is
 * blocked, side 1 is parked.
 */
const keptAlive = setInterval(() => {}, 1000); // a parked worker has nothing else that does
let turns = 0;
for (let turn = side; turn < 2 * Math.floor(rounds / 10); turn += 2) {
  for (let seen = Atomics.load(words, SLEEP); seen !== turn; seen = Atomics.load(words, SLEEP)) {
    if (side === 0) Atomics.wait(words, SLEEP, seen);
    else await parked(seen);
  }
  Atomics.store(words, SLEEP, turn + 1);
  Atomics.notify(words, SLEEP);
  turns += 1;
}
clearInterval(keptAlive);
parentPort?.postMessage({ neither, turns });
