import { AtomicWords, actorId, type Park, timelineSlot, type WordIndex, WordPark } from '@dmabuf-lab/core/base';
import { layOutTables, openTables } from '@dmabuf-lab/core/driver';
import { fenceStatus, Timeline, type TimelineWords } from '@dmabuf-lab/core/sync';
import test from 'ava';

const COUNTS = { actors: 1, buffers: 1, attachments: 1, timelines: 2, pools: 1, frames: 1, rings: [] };
const tables = layOutTables(COUNTS);
const slot = timelineSlot(0);

function fresh(words = new AtomicWords(new SharedArrayBuffer(tables.sizeBytes))): TimelineWords {
  return openTables(words, tables, actorId(1)).timelines;
}

test('TimelineWords.status, before and after a signal', (t) => {
  const timelines = fresh();
  const timeline = new Timeline(timelines, slot);
  const [first, second] = [timeline.next(), timeline.next()];
  t.is(fenceStatus(timelines, first), 0);
  timeline.signal(first);
  t.is(fenceStatus(timelines, first), 1);
  t.is(fenceStatus(timelines, second), 0);
  t.is(timeline.pending, 1);
});

test('Timeline.signal, of a later point, signals all before it', (t) => {
  const timelines = fresh();
  const timeline = new Timeline(timelines, slot);
  const fences = [timeline.next(), timeline.next(), timeline.next()];
  timeline.signal(fences[2]);
  t.deepEqual(
    fences.map((fence) => fenceStatus(timelines, fence)),
    [1, 1, 1],
  );
});

test('TimelineWords.signal, of a point that is not later, breaks an invariant', (t) => {
  const timelines = fresh();
  timelines.open(slot);
  timelines.signal(slot, 5);
  t.throws(() => timelines.signal(slot, 5), { name: 'InvariantError' });
});

test('TimelineWords.signal, with an error, ends that point alone with it', (t) => {
  const timelines = fresh();
  const timeline = new Timeline(timelines, slot);
  const [bad, good] = [timeline.next(), timeline.next()];
  timeline.signal(bad, 'EIO');
  timeline.signal(good);
  t.is(fenceStatus(timelines, bad), -5);
  t.is(fenceStatus(timelines, good), 1);
});

test('TimelineWords.fail, ends every pending point with the error and keeps what was signalled', (t) => {
  const timelines = fresh();
  const timeline = new Timeline(timelines, slot);
  const [done, pending] = [timeline.next(), timeline.next()];
  timeline.signal(done);
  timelines.fail(slot, 130);
  t.is(fenceStatus(timelines, done), 1);
  t.is(fenceStatus(timelines, pending), -130);
});

test('TimelineWords.open, of a used slot, ends the fences of its former life', (t) => {
  const timelines = fresh();
  const old = new Timeline(timelines, slot).next();
  const next = new Timeline(timelines, slot).next();
  t.is(fenceStatus(timelines, old), 1);
  t.is(fenceStatus(timelines, next), 0);
});

test('TimelineWords.open, after a death, leaves the fences of the dead life with their error, for four lives', (t) => {
  const timelines = fresh();
  const lives = [1, 2, 3, 4, 5, 6].map(() => {
    const timeline = new Timeline(timelines, slot);
    const [done, pending] = [timeline.next(), timeline.next()];
    timeline.signal(done);
    timelines.fail(slot, 130);
    return { done, pending };
  });
  for (const { pending } of lives) t.is(fenceStatus(timelines, pending), -130);
  t.deepEqual(
    lives.map(({ done }) => fenceStatus(timelines, done)),
    [-130, 1, 1, 1, 1, 1],
    'of a life longer ago only the worse end is certain',
  );
});

test('TimelineWords.open, at any of its stores, never shows a fence of the failed life as signalled', (t) => {
  const words = new WatchedWords(new SharedArrayBuffer(tables.sizeBytes));
  const timelines = fresh(words);
  const old = new Timeline(timelines, slot);
  const fences = [old.next(), old.next(), old.next()];
  old.signal(fences[0]);
  timelines.fail(slot, 130);
  const seen = new Set<string>();
  words.beforeStore = () => seen.add(fences.map((fence) => fenceStatus(timelines, fence)).join());
  timelines.open(slot);
  timelines.signal(slot, 3);
  t.deepEqual([...seen], ['1,-130,-130']);
});

/** Words that call back before each access of one kind. */
class WatchedWords extends AtomicWords {
  beforeStore: () => void = () => {};
  override store(word: WordIndex, value: number): void {
    this.beforeStore();
    super.store(word, value);
  }
}

test('TimelineWords.signal, of a point beyond several carries, arrives there', (t) => {
  const timelines = fresh();
  timelines.open(slot);
  for (const seqno of [1, 0x7fff_ffff, 0x8000_0000, 0x5_8000_0001, 2 ** 45 + 7]) {
    timelines.signal(slot, seqno);
    t.is(timelines.signalledSeqno(slot), seqno);
  }
});

test('TimelineWords.signalledSeqno, between any two stores of a carry, neither falls nor runs ahead', (t) => {
  const words = new WatchedWords(new SharedArrayBuffer(tables.sizeBytes));
  const timelines = fresh(words);
  timelines.open(slot);
  timelines.signal(slot, 0xffff_ffff);
  const seen: number[] = [];
  words.beforeStore = () => seen.push(timelines.signalledSeqno(slot));
  timelines.signal(slot, 0x1_0000_0000);
  t.deepEqual(seen, [0xffff_ffff, 0x1_0000_0000]);
  t.is(timelines.signalledSeqno(slot), 0x1_0000_0000);
});

test('TimelineWords.step, parked before a signal, has seen a word that the signal changes', (t) => {
  const words = new AtomicWords(new SharedArrayBuffer(tables.sizeBytes));
  const timelines = fresh(words);
  const fence = new Timeline(timelines, slot).next();
  const park: number | Park = timelines.step(slot, fence.generation, fence.seqno, 'a test');
  t.true(park instanceof WordPark);
  if (!(park instanceof WordPark)) return;
  t.is(words.load(park.word), park.expected);
  timelines.signal(slot, fence.seqno);
  t.not(words.load(park.word), park.expected);
});
