import { AtomicWords, actorId, WordPark, wordIndex } from '@dmabuf-lab/core/base';
import { layOutTables, openTables, RING_ENDED, type RingWords } from '@dmabuf-lab/core/driver';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';

function ring(depth: number): RingWords {
  const tables = layOutTables({
    actors: 1,
    buffers: 1,
    attachments: 1,
    timelines: 1,
    pools: 1,
    frames: 1,
    rings: [depth],
  });
  const made = openTables(new AtomicWords(new SharedArrayBuffer(tables.sizeBytes)), tables, actorId(1)).ring(0);
  made.enable();
  return made;
}

const noneAtAll = (): void => {
  throw new Error('the ring is whole');
};

test('RingWords, frames pushed, come out in order with the time of their push', (t) => {
  const words = ring(3);
  for (const frame of [7, 8, 9]) words.push(frame, frame * 1e10);
  t.deepEqual(
    [7, 8, 9].map(() => words.tryTake()),
    [
      { frame: 7, pushedNs: 7e10 },
      { frame: 8, pushedNs: 8e10 },
      { frame: 9, pushedNs: 9e10 },
    ],
  );
  t.is(words.tryTake(), undefined);
});

test('RingWords.roomStep, full, parks on a word that a take changes', (t) => {
  const words = ring(2);
  words.push(1, 0);
  t.is(words.roomStep(), true);
  words.push(2, 0);
  t.true(words.roomStep() instanceof WordPark);
  t.throws(() => words.push(3, 0), { name: 'InvariantError' });
  words.tryTake();
  t.is(words.roomStep(), true);
});

test('RingWords.takeStep, empty, parks; closed, ends only after what was pushed', (t) => {
  const words = ring(2);
  t.true(words.takeStep() instanceof WordPark);
  words.push(1, 0);
  words.close();
  words.close();
  t.like(words.takeStep(), { frame: 1 });
  t.is(words.takeStep(), RING_ENDED);
  t.true(words.ended);
});

test('RingWords.tryTake, of a frame that does not suit, leaves it', (t) => {
  const words = ring(2);
  words.push(1, 0);
  t.is(
    words.tryTake(() => false),
    undefined,
  );
  t.is(words.length, 1);
});

test('RingWords.beginPush, after disable, is refused; before it, disable waits for endPush', (t) => {
  const words = ring(2);
  t.true(words.beginPush());
  words.disable();
  t.true(words.quietStep() instanceof WordPark);
  words.push(1, 0);
  words.endPush();
  t.is(words.quietStep(), true);
  t.is(words.length, 1, 'what was pushed meanwhile is there to be drained');
  t.false(words.beginPush());
});

test('RingWords.reclaimProducer, that died before its push, lets go of the frame; after it, leaves it in the ring', (t) => {
  for (const pushed of [false, true]) {
    const words = ring(2);
    words.push(1, 0);
    words.beginPush();
    words.intend(5);
    if (pushed) words.push(5, 0);
    const freed: number[] = [];
    for (let i = 0; i < 2; i += 1) words.reclaimProducer((frame) => freed.push(frame), noneAtAll);
    t.deepEqual(freed, pushed ? [] : [5]);
    t.is(words.length, pushed ? 2 : 1);
    t.is(words.quietStep(), true, 'no push is under way any more');
  }
});

test('RingWords.reclaimProducer, that died with a frame it dropped, lets go of that frame alone', (t) => {
  const words = ring(2);
  words.push(1, 0);
  words.push(2, 0);
  t.is(words.takeToDrop()?.frame, 1);
  const freed: number[] = [];
  for (let i = 0; i < 2; i += 1) words.reclaimProducer((frame) => freed.push(frame), noneAtAll);
  t.deepEqual(freed, [1]);
  t.is(words.tryTake()?.frame, 2);
});

test('RingWords, counts that wrap, lose no frame and keep the order', (t) => {
  const tables = layOutTables({ actors: 1, buffers: 1, attachments: 1, timelines: 1, pools: 1, frames: 1, rings: [3] });
  const words = new AtomicWords(new SharedArrayBuffer(tables.sizeBytes));
  const { base } = tables.rings[0].region;
  const near = Math.floor(2 ** 30 / 3) * 3 - 2; // two frames before they wrap
  words.store(wordIndex(base), (near << 1) | 0); // TAIL
  words.store(wordIndex(base + 16), near); // HEAD
  const made = openTables(words, tables, actorId(1)).ring(0);
  for (let i = 0; i < 3; i += 1) {
    const at = near + i;
    words.store(wordIndex(base + 32 + (at % 3) * 4 + 3), 0);
  }
  for (let frame = 0; frame < 9; frame += 3) {
    for (const one of [frame, frame + 1, frame + 2]) made.push(one, one);
    t.true(made.roomStep() instanceof WordPark);
    t.deepEqual(
      [made.tryTake()?.frame, made.takeToDrop()?.frame, made.tryTake()?.frame],
      [frame, frame + 1, frame + 2],
    );
    made.endDrop();
    t.is(made.tryTake(), undefined);
  }
});

testProp(
  'RingWords, for any order of pushes and takes, behaves as a bounded queue',
  [fc.integer({ min: 1, max: 5 }), fc.array(fc.boolean(), { minLength: 1, maxLength: 200 })],
  (t, depth, pushes) => {
    const words = ring(depth);
    const model: number[] = [];
    for (const [i, push] of pushes.entries()) {
      t.is(words.roomStep() === true, model.length < depth);
      if (push && model.length < depth) {
        words.push(i, i);
        model.push(i);
      } else if (!push) t.is(words.tryTake()?.frame, model.shift());
      t.is(words.length, model.length);
    }
  },
);
