import { AtomicWords, actorId, bufferSlot, timelineSlot, WordPark } from '@dmabuf-lab/core/base';
import { FRAME_OWNER, layOutTables, linkHolder, openTables } from '@dmabuf-lab/core/driver';
import test from 'ava';

const pool = { row: 0, firstFrame: 0, limit: 3 };

function frames(buffers: number) {
  const tables = layOutTables({ actors: 1, buffers: 3, attachments: 1, timelines: 1, pools: 1, frames: 3, rings: [] });
  const words = openTables(new AtomicWords(new SharedArrayBuffer(tables.sizeBytes)), tables, actorId(1)).frames;
  for (let i = 0; i < buffers; i += 1) words.addBuffer(pool, { slot: bufferSlot(i), life: 1 });
  return words;
}

test('FrameWords.acquireStep, takes the frame that has been free longest', (t) => {
  const words = frames(3);
  const any = (): boolean => true;
  const order = [words.acquireStep(pool, any), words.acquireStep(pool, any), words.acquireStep(pool, any)];
  t.deepEqual([...order].sort(), [0, 1, 2]);
  for (const frame of [2, 0, 1]) words.release(pool, frame, FRAME_OWNER, 0);
  t.deepEqual([words.acquireStep(pool, any), words.acquireStep(pool, any), words.acquireStep(pool, any)], [2, 0, 1]);
});

test('FrameWords.acquireStep, none free or none that suits, parks on a word that a release changes', (t) => {
  const words = frames(1);
  t.true(words.acquireStep(pool, () => false) instanceof WordPark);
  t.is(
    words.acquireStep(pool, () => true),
    0,
  );
  t.true(words.acquireStep(pool, () => true) instanceof WordPark);
  words.release(pool, 0, FRAME_OWNER, 0);
  t.is(
    words.acquireStep(pool, () => true),
    0,
  );
});

test('FrameWords.release, with several holders, gives the frame back at the last and not twice', (t) => {
  const words = frames(1);
  words.acquireStep(pool, () => true);
  for (const consumer of [0, 1]) words.addHolder(0, linkHolder(consumer));
  words.release(pool, 0, FRAME_OWNER, 0);
  words.release(pool, 0, linkHolder(1), 0);
  t.is(words.inUse(pool), 1);
  t.true(words.allFreeStep(pool) instanceof WordPark);
  t.throws(() => words.release(pool, 0, linkHolder(1), 0), { name: 'InvariantError' });
  t.is(words.holders(0), linkHolder(0));
  words.release(pool, 0, linkHolder(0), 0);
  t.is(words.inUse(pool), 0);
  t.is(words.allFreeStep(pool), true);
  t.throws(() => words.release(pool, 0, linkHolder(0), 0), { name: 'InvariantError' });
});

test('FrameWords.reclaimHolds, of a dead link, ends its holds only, and once', (t) => {
  const words = frames(3);
  for (const frame of [0, 1, 2]) {
    words.acquireStep(pool, (row) => row === frame);
    if (frame < 2) words.addHolder(frame, linkHolder(0));
    if (frame > 0) words.addHolder(frame, linkHolder(1));
    words.release(pool, frame, FRAME_OWNER, 0);
  }
  const before = words.acquireStep(pool, () => true) as WordPark;
  t.is(words.reclaimHolds(pool, linkHolder(0), 5), 2);
  t.deepEqual(
    [0, 1, 2].map((frame) => words.holders(frame)),
    [0, linkHolder(1), linkHolder(1)],
  );
  t.is(words.returnedNs(0), 5);
  t.is(words.reclaimHolds(pool, linkHolder(0), 6), 0);
  t.not((words.acquireStep(pool, () => false) as WordPark).expected, before.expected, 'whoever waited is woken');
});

test('FrameWords.replaceBuffer, of a frame that somebody else holds too, breaks an invariant', (t) => {
  const words = frames(1);
  words.acquireStep(pool, () => true);
  words.replaceBuffer(0, { slot: bufferSlot(2), life: 7 });
  t.deepEqual(words.buffer(0), { slot: bufferSlot(2), life: 7 });
  words.addHolder(0, linkHolder(0));
  t.throws(() => words.replaceBuffer(0, { slot: bufferSlot(1), life: 1 }), { name: 'InvariantError' });
});

test('FrameWords, what a frame carries, survives beyond 32 bits', (t) => {
  const words = frames(1);
  words.acquireStep(pool, () => true);
  words.describe(0, 2 ** 32 - 128, 3_600_000_000_001);
  words.setChecksum(0, 0xffff_fffe);
  const fence = { timeline: timelineSlot(0), generation: 3, seqno: 0x1_0000_0005 };
  words.setAcquireFence(0, fence);
  words.setReleaseFence(0, 1, fence);
  t.is(words.sequence(0), 2 ** 32 - 128);
  t.is(words.capturedNs(0), 3_600_000_000_001);
  t.is(words.checksum(0), 0xffff_fffe);
  t.deepEqual(words.acquireFence(0), fence);
  t.deepEqual(words.releaseFences(0), [fence]);
});

test('FrameWords.addBuffer, beyond the limit, breaks an invariant', (t) => {
  const words = frames(3);
  t.throws(() => words.addBuffer(pool, { slot: bufferSlot(0), life: 1 }), { name: 'InvariantError' });
});
