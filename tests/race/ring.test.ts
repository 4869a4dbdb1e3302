import { AtomicWords, actorId, attempt, type Task } from '@dmabuf-lab/core/base';
import { layOutTables, openTables, RING_ENDED, type RingWords } from '@dmabuf-lab/core/driver';
import test from 'ava';
import { ExploredWords, explore } from './explorer.js';

const SCHEDULES = 400;
const FRAMES = 4;
const firstSeed = Number(process.env.TEST_SEED ?? 1);

/** Runs one schedule of a producer and a consumer of a ring of depth 1; returns what became of each frame. */
function runRing(
  seed: number,
  produce: (ring: RingWords, frame: number, words: ExploredWords, lost: (frame: number) => void) => Task<void>,
  consumerLeavesAfter: number,
): { taken: number[]; lost: number[]; outcome: string } {
  const tables = layOutTables({ actors: 2, buffers: 1, attachments: 1, timelines: 1, pools: 1, frames: 1, rings: [1] });
  const words = new ExploredWords(new SharedArrayBuffer(tables.sizeBytes));
  openTables(new AtomicWords(words.buffer), tables, actorId(1)).ring(0).enable();
  const ring = openTables(words, tables, actorId(1)).ring(0);
  const taken: number[] = [];
  const lost: number[] = [];
  const lose = (frame: number): void => words.pause(() => lost.push(frame));

  const producer = function* (): Task<void> {
    for (let frame = 1; frame <= FRAMES; frame += 1) {
      if (ring.beginPush()) yield* produce(ring, frame, words, lose);
      else lose(frame);
      ring.endPush();
    }
    ring.close();
  };
  const consumer = function* (): Task<void> {
    for (let count = 0; count < consumerLeavesAfter; count += 1) {
      const entry = yield* attempt(() => ring.takeStep());
      if (entry === RING_ENDED) return;
      words.pause(() => taken.push(entry.frame));
    }
    ring.disable();
    const drain = (): void => {
      for (let entry = ring.tryTake(); entry !== undefined; entry = ring.tryTake()) lose(entry.frame);
    };
    drain();
    yield* attempt(() => {
      drain();
      return ring.quietStep();
    });
    drain();
  };
  const { kind, waiting } = explore(words, { producer, consumer }, seed);
  return { taken, lost, outcome: `${kind} ${waiting.join('; ')}`.trim() };
}

function* block(ring: RingWords, frame: number): Task<void> {
  yield* attempt(() => ring.roomStep());
  ring.push(frame, frame);
}

function* dropOldest(ring: RingWords, frame: number, _words: ExploredWords, lost: (frame: number) => void): Task<void> {
  while (ring.roomStep() !== true) {
    const oldest = ring.tryTake();
    if (oldest !== undefined) lost(oldest.frame);
  }
  ring.push(frame, frame);
}

for (const [policy, produce] of [
  ['blocks', block],
  ['drops the oldest', dropOldest],
] as const) {
  for (const leaves of [1, 2, FRAMES + 1]) {
    const when = leaves > FRAMES ? 'to the end' : `that leaves after ${leaves}`;
    test(`a ring that ${policy}, with a consumer ${when}, hands each frame to exactly one of them in order`, (t) => {
      for (let seed = firstSeed; seed < firstSeed + SCHEDULES; seed += 1) {
        const { taken, lost, outcome } = runRing(seed, produce, leaves);
        t.is(outcome, 'ended', `seed ${seed}`);
        t.deepEqual([...taken, ...lost].sort(), [1, 2, 3, 4], `seed ${seed}: each frame once`);
        t.deepEqual(taken, [...taken].sort(), `seed ${seed}: in order`);
        if (policy === 'blocks' && leaves > FRAMES) t.deepEqual(lost, [], `seed ${seed}`);
      }
    });
  }
}
