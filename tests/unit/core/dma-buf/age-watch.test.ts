import { AtomicWords, actorId, bufferSlot, MAX_RECORDS, timelineSlot, wordIndex } from '@dmabuf-lab/core/base';
import { type AgeLimits, AgeWatch, USE_ROW_WORDS, UseKind, UseWords } from '@dmabuf-lab/core/dma-buf';
import { TIMELINE_ROW_WORDS, Timeline, TimelineWords } from '@dmabuf-lab/core/sync';
import test from 'ava';

const ROWS_PER_ACTOR = 4;
const ACTORS = 3;
const GPU = actorId(2);
const GPU_ROW = 2 * ROWS_PER_ACTOR;
const MS = 1_000_000;
/** Beyond 2^32 ns, so that both words of a time count. */
const START_NS = 5_000 * MS;

function table(limits: AgeLimits, isExact = true) {
  const useWords = (ACTORS + 1) * ROWS_PER_ACTOR * USE_ROW_WORDS;
  const words = new AtomicWords(new SharedArrayBuffer(4 * (useWords + 2 * TIMELINE_ROW_WORDS)));
  const region = { base: wordIndex(0), rows: (ACTORS + 1) * ROWS_PER_ACTOR, rowWords: USE_ROW_WORDS };
  const uses = new UseWords(words, region, ROWS_PER_ACTOR);
  const timelines = new TimelineWords(words, { base: wordIndex(useWords), rows: 2, rowWords: TIMELINE_ROW_WORDS });
  const watch = new AgeWatch({ uses, timelines, limits, deaths: () => 3, hasBegun: () => true, isExact });
  watch.look(START_NS);
  const open = (row = GPU_ROW, sinceNs = START_NS, kind: UseKind = UseKind.Job, buffer = 7): void =>
    uses.open(row, kind, { buffer: bufferSlot(buffer), life: 2, generation: 5, sinceNs });
  return { uses, timelines, watch, open };
}

test('AgeWatch, a mapping open beyond its limit, is told once, at the very instant of the limit', (t) => {
  const { watch, open } = table({ mappingNs: 100 * MS });
  open();
  watch.look(START_NS + 100 * MS);
  t.deepEqual(watch.overdue, [], 'at the limit it is not beyond it');
  watch.look(START_NS + 130 * MS);
  watch.look(START_NS + 500 * MS);
  t.deepEqual(watch.overdue, [
    {
      kind: 'mapping',
      actor: GPU,
      life: 3,
      atNs: START_NS + 100 * MS,
      sinceNs: START_NS,
      limitNs: 100 * MS,
      buffers: [{ slot: 7, life: 2, generation: 5 }],
    },
  ]);
});

test('AgeWatch, a mapping that ends at the very instant of its limit, is in time; the next of its row is a new one', (t) => {
  const { uses, watch, open } = table({ mappingNs: 100 * MS });
  open();
  watch.look(START_NS + 100 * MS);
  uses.close(GPU_ROW);
  watch.look(START_NS + 101 * MS);
  t.deepEqual(watch.overdue, []);
  open(GPU_ROW, START_NS + 101 * MS);
  watch.look(START_NS + 202 * MS);
  uses.close(GPU_ROW);
  open(GPU_ROW, START_NS + 202 * MS);
  watch.look(START_NS + 303 * MS);
  t.deepEqual(
    watch.overdue.map(({ sinceNs }) => (sinceNs - START_NS) / MS),
    [101, 202],
  );
});

test('AgeWatch, more than it has room for: the others are counted, each once however long it lasts', (t) => {
  const { uses, watch, open } = table({ mappingNs: 100 * MS });
  const rounds = MAX_RECORDS / ROWS_PER_ACTOR + 3;
  for (let round = 0; round < rounds; round += 1) {
    const sinceNs = START_NS + round * 1000 * MS;
    const rows = Array.from({ length: ROWS_PER_ACTOR }, (_, i) => GPU_ROW + i);
    for (const row of rows) open(row, sinceNs);
    for (const ms of [150, 300, 450]) watch.look(sinceNs + ms * MS);
    for (const row of rows) uses.close(row);
  }
  t.deepEqual([watch.overdue.length, watch.dropped], [MAX_RECORDS, 3 * ROWS_PER_ACTOR]);
});

test('AgeWatch, one opened between two looks, is not missed', (t) => {
  const { watch, open } = table({ mappingNs: 100 * MS });
  open();
  watch.look(START_NS + 60 * MS);
  open(GPU_ROW + 1, START_NS + 61 * MS);
  // Every event of virtual time is a look: here one at each millisecond.
  for (let ms = 62; ms < 170; ms += 1) watch.look(START_NS + ms * MS);
  t.deepEqual(
    watch.overdue.map(({ atNs }) => (atNs - START_NS) / MS),
    [100, 161],
  );
});

test('AgeWatch, a fence pending beyond its deadline, is one thing on all buffers of its job', (t) => {
  const { uses, timelines, watch, open } = table({ fenceNs: 50 * MS });
  const timeline = new Timeline(timelines, timelineSlot(1));
  const fence = timeline.next();
  for (const [i, row] of [GPU_ROW, GPU_ROW + 1].entries()) {
    open(row, START_NS, UseKind.Job, 7 + i);
    uses.publish(row, fence, START_NS + 10 * MS);
  }
  watch.look(START_NS + 61 * MS);
  watch.look(START_NS + 200 * MS);
  t.is(watch.overdue.length, 1);
  const [{ kind, atNs, sinceNs, buffers, fence: told }] = watch.overdue;
  t.deepEqual([kind, atNs, sinceNs], ['fence', START_NS + 60 * MS, START_NS + 10 * MS]);
  t.deepEqual(
    buffers.map(({ slot }) => slot),
    [7, 8],
  );
  t.deepEqual(told, { timeline: 1, seqno: 1 });
});

for (const [what, end] of [
  ['signalled', (timelines: TimelineWords): void => timelines.signal(timelineSlot(1), 1)],
  ['failed with its owner', (timelines: TimelineWords): void => timelines.fail(timelineSlot(1), 130)],
] as const) {
  test(`AgeWatch, a fence ${what} at its deadline, is in time, and the mapping is judged by its own limit`, (t) => {
    const { uses, timelines, watch, open } = table({ fenceNs: 50 * MS, mappingNs: 80 * MS });
    const timeline = new Timeline(timelines, timelineSlot(1));
    open();
    uses.publish(GPU_ROW, timeline.next(), START_NS);
    watch.look(START_NS + 50 * MS);
    end(timelines);
    watch.look(START_NS + 51 * MS);
    t.deepEqual(watch.overdue, []);
    watch.look(START_NS + 81 * MS);
    t.deepEqual(
      watch.overdue.map(({ kind }) => kind),
      ['mapping'],
    );
  });
}

test('AgeWatch, held mappings, have a limit of their own and none unless it is asked for', (t) => {
  const short = table({ mappingNs: 10 * MS });
  short.open(GPU_ROW, START_NS, UseKind.Held);
  short.watch.look(START_NS + 900 * MS);
  t.deepEqual(short.watch.overdue, []);
  const long = table({ mappingNs: 10 * MS, heldMappingNs: 300 * MS });
  long.open();
  long.uses.hold(GPU_ROW);
  long.watch.look(START_NS + 299 * MS);
  t.deepEqual(long.watch.overdue, []);
  long.watch.look(START_NS + 301 * MS);
  t.like(long.watch.overdue, [{ kind: 'held-mapping', atNs: START_NS + 300 * MS }]);
});

test('AgeWatch, what an actor had open when it died, is told no more once it is cleared', (t) => {
  const { uses, watch, open } = table({ mappingNs: 100 * MS });
  open();
  open(ROWS_PER_ACTOR, START_NS); // of another actor
  uses.clear(GPU);
  watch.look(START_NS + 101 * MS);
  t.deepEqual(
    watch.overdue.map(({ actor }) => actor),
    [actorId(1)],
  );
});

test('AgeWatch, where time is not virtual, says when it has looked', (t) => {
  const { watch, open } = table({ mappingNs: 100 * MS }, false);
  open();
  watch.look(START_NS + 133 * MS);
  t.like(watch.overdue, [{ atNs: START_NS + 133 * MS, sinceNs: START_NS }]);
});

test('UseWords, a row that is used anew while it is read, gives nothing', (t) => {
  const words = new AtomicWords(new SharedArrayBuffer(4 * USE_ROW_WORDS));
  const uses = new UseWords(words, { base: wordIndex(0), rows: 1, rowWords: USE_ROW_WORDS }, 1);
  const use = { buffer: bufferSlot(0), life: 1, generation: 1, sinceNs: 1 };
  uses.open(0, UseKind.Job, use);
  const load = words.load.bind(words);
  let loads = 0;
  words.load = (word) => {
    loads += 1;
    if (loads === 4) {
      uses.close(0);
      uses.open(0, UseKind.Job, { ...use, life: 2 });
    }
    return load(word);
  };
  t.is(uses.read(0), undefined);
  t.like(uses.read(0), { life: 2, serial: 2 });
});
