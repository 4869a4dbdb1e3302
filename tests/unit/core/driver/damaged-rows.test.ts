/** Frames, pools, rings and queues whose rows were overwritten: what is refused, and who need not wait. */
import { AtomicWords, actorId, bufferSlot, ERRNO, type TableRegion, WordPark, wordAt } from '@dmabuf-lab/core/base';
import {
  FRAME_OWNER,
  layOutTables,
  linkHolder,
  openTables,
  RING_ENDED,
  RowWatch,
  rowGuardsOf,
} from '@dmabuf-lab/core/driver';
import test from 'ava';

const POOL = { row: 0, firstFrame: 0, limit: 3 };
const LINK = linkHolder(0);
const any = (): boolean => true;

/** A pool of two frames and a ring, with guards that are open. */
function open() {
  const tables = layOutTables({
    ...{ actors: 1, buffers: 3, attachments: 1, timelines: 1, pools: 1, frames: 3, rings: [2] },
    guarded: true,
  });
  const words = new AtomicWords(new SharedArrayBuffer(tables.sizeBytes));
  const guards = rowGuardsOf(words, tables);
  for (const table of [guards?.queues, guards?.pools, guards?.frames, guards?.rings[0]]) table?.open();
  const { frames, queues, ring } = openTables(words, tables, actorId(1));
  for (let i = 0; i < 2; i += 1) frames.addBuffer(POOL, { slot: bufferSlot(i), life: 1 });
  ring(0).enable();
  /** As a wild write does: all words of a row, or those from one on. */
  const overwrite = (table: TableRegion, row: number, from = 0): void => {
    for (let column = from; column < table.rowWords; column += 1) words.store(wordAt(table, row, column), 0x7777_7777);
  };
  return { tables, words, frames, queues, ring: ring(0), overwrite };
}

test('FrameWords, a free frame that was overwritten, is acquired no more, and the other is', (t) => {
  const { tables, frames, overwrite } = open();
  overwrite(tables.frames, 0, 2);
  t.deepEqual([frames.isLost(0), frames.isLost(1)], [true, false]);
  for (let i = 0; i < 3; i += 1) {
    t.is(frames.acquireStep(POOL, any), 1);
    t.true(frames.acquireStep(POOL, any) instanceof WordPark, 'it waits for the other');
    frames.release(POOL, 1, FRAME_OWNER, 0);
  }
});

test('FrameWords, a frame that is out and overwritten from end to end, is let go of as ever and not waited for', (t) => {
  const { tables, frames, overwrite } = open();
  t.is(frames.acquireStep(POOL, any), 0);
  overwrite(tables.frames, 0);
  t.is(frames.inUse(POOL), 0);
  t.is(frames.allFreeStep(POOL), true);
  t.deepEqual([frames.error(0), frames.acquireFence(0), frames.releaseFences(0)], [ERRNO.EIO, undefined, []]);
  t.deepEqual([frames.sequence(0), frames.capturedNs(0), frames.hasReleaseFences(0)], [0, 0, false]);
  frames.addHolder(0, LINK);
  frames.release(POOL, 0, FRAME_OWNER, 5);
  frames.release(POOL, 0, FRAME_OWNER, 5);
  t.true(frames.isLost(0));
});

test('FrameWords, whoever waits for a frame that was overwritten from end to end, is woken when it is let go of', (t) => {
  const { tables, words, frames, overwrite } = open();
  frames.acquireStep(POOL, any);
  const park = frames.allFreeStep(POOL);
  if (!(park instanceof WordPark)) throw new Error('one is out');
  overwrite(tables.frames, 0); // its holders too: the bit of its owner is one of many then
  frames.release(POOL, 0, FRAME_OWNER, 0);
  t.not(words.load(park.word), park.expected, 'it is woken');
  t.is(frames.allFreeStep(POOL), true);
});

test('FrameWords, whoever waits for a frame when the last is let go of and all are lost, is told EIO', (t) => {
  const { tables, words, frames, overwrite } = open();
  frames.acquireStep(POOL, any);
  frames.acquireStep(POOL, any);
  const park = frames.acquireStep(POOL, any);
  if (!(park instanceof WordPark)) throw new Error('nothing is free');
  for (const row of [0, 1]) overwrite(tables.frames, row, 16);
  for (const row of [0, 1]) frames.release(POOL, row, FRAME_OWNER, 0);
  t.not(words.load(park.word), park.expected, 'it is woken');
  t.throws(() => frames.acquireStep(POOL, any), { code: 'EIO', message: /all its frames have been overwritten/ });
});

test('FrameWords, a pool that was overwritten, refuses with EIO and keeps nobody waiting', (t) => {
  const { tables, frames, overwrite } = open();
  overwrite(tables.pools, 0);
  t.throws(() => frames.acquireStep(POOL, any), { code: 'EIO' });
  t.throws(() => frames.addBuffer(POOL, { slot: bufferSlot(2), life: 1 }), { code: 'EIO' });
  t.is(frames.count(POOL), POOL.limit, 'whatever stands there');
  t.is(frames.countStep(POOL, 9), true);
  t.is(frames.allFreeStep(POOL), true);
});

test('FrameWords.countStep, before the exporter has opened the guards, waits for the buffers of the pool', (t) => {
  const counts = { actors: 1, buffers: 3, attachments: 1, timelines: 1, pools: 1, frames: 3, rings: [] };
  const tables = layOutTables({ ...counts, guarded: true });
  const { frames } = openTables(new AtomicWords(new SharedArrayBuffer(tables.sizeBytes)), tables, actorId(1));
  t.true(frames.countStep(POOL, 1) instanceof WordPark);
});

for (const from of [0, 6, 18, 40]) {
  test(`RingWords, overwritten from word ${from} on with a frame in it, is at its end for both sides`, (t) => {
    const { tables, ring, overwrite } = open();
    t.true(ring.push(1, 0));
    overwrite(tables.rings[0].region, 0, from);
    t.true(ring.isDamaged);
    t.is(ring.takeStep(), RING_ENDED);
    t.deepEqual([ring.tryTake(), ring.takeToDrop(), ring.ended, ring.length], [undefined, undefined, true, 0]);
    t.deepEqual([ring.beginPush(), ring.roomStep(), ring.roomStep(5), ring.push(0, 0)], [false, true, true, false]);
    t.is(ring.quietStep(), true);
    ring.intend(1);
    let all = 0;
    ring.reclaimProducer(
      () => t.fail('what its journal says is not to be trusted'),
      () => {
        all += 1;
      },
    );
    t.is(all, 1);
    ring.close();
    t.is(ring.takeStep(), RING_ENDED);
  });
}

test('RingWords, a ring that was overwritten: whoever finds it wakes those who wait, since nobody else may come', (t) => {
  const { tables, words, ring, overwrite } = open();
  const park = ring.takeStep();
  if (!(park instanceof WordPark)) throw new Error('it is empty');
  const woken: number[] = [];
  const notify = words.notify.bind(words);
  words.notify = (word, wake) => {
    woken.push(word);
    return notify(word, wake);
  };
  overwrite(tables.rings[0].region, 0);
  t.false(ring.beginPush());
  t.true(woken.includes(park.word));
});

test('ExporterWords, a queue that was overwritten, serves in order all the same', (t) => {
  const { tables, words, queues, overwrite } = open();
  const served: string[] = [];
  const serve = (name: string) =>
    queues.serialised(0, function* () {
      served.push(name);
      yield new WordPark(wordAt(tables.tickets, 0, 0), 0, 'something else');
      served.push(`${name} ended`);
    });
  const one = serve('one');
  const two = serve('two');
  one.next();
  t.true(two.next().value instanceof WordPark);
  overwrite(tables.queues, 0);
  t.true(two.next().value instanceof WordPark, 'it is not its turn');
  t.true(one.next().done);
  two.next();
  t.true(two.next().done);
  overwrite(tables.queues, 0);
  const three = serve('three');
  three.next();
  t.true(three.next().done);
  t.deepEqual(served, ['one', 'one ended', 'two', 'two ended', 'three', 'three ended']);
  const park = queues.whenStep(0, () => false, 'a change');
  queues.changed(0);
  t.not(words.load((park as WordPark).word), (park as WordPark).expected);
});

test('RowWatch, rows that are overwritten, are told once each and when they were seen; not before the run has begun', (t) => {
  const { tables, words, overwrite } = open();
  let hasBegun = false;
  const watch = new RowWatch(words, tables, () => hasBegun);
  overwrite(tables.frames, 2, 40);
  watch.look(5);
  t.deepEqual(watch.damages, []);
  hasBegun = true;
  watch.beat(10_000_000);
  overwrite(tables.rings[0].region, 0);
  watch.beat(20_000_000);
  t.is(watch.damages.length, 1, 'the last look is not long ago');
  watch.beat(30_000_000);
  overwrite(tables.queues, 3, 15);
  overwrite(tables.pools, 0, 14);
  watch.look(31_000_000);
  watch.look(90_000_000);
  t.deepEqual(
    watch.damages.map(({ table, row, seenNs }) => [table, row, seenNs / 1_000_000]),
    [
      ['frame', 2, 10],
      ['ring', 0, 30],
      ['pool', 0, 31],
      ['queue', 3, 31],
    ],
  );
  t.regex(watch.damages[0].what, /^its guard word 46 holds 0x77777777/);
});
