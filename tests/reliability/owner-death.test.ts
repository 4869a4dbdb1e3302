/** What holds when somebody dies with buffers, fences and frames in its hands: rows 1, 2, 5, 8 and 14. */
import {
  AtomicWords,
  actorId,
  bufferSlot,
  ERRNO,
  timelineSlot,
  type WordIndex,
  wordIndex,
} from '@dmabuf-lab/core/base';
import {
  FRAME_OWNER,
  layOutTables,
  linkHolder,
  openTables,
  type PipelineOwners,
  type ReclaimParts,
  reclaimActor,
  type SharedTables,
} from '@dmabuf-lab/core/driver';
import { fenceStatus, Timeline, waitFence } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { CAMERA, ENCODER, GPU, TableTop } from '../unit/core/dma-buf/table-top.js';

test('row 1: a device that dies while it has mapped, is gone from the buffer, which others map as before', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const [camera, gpu] = [table.importer(CAMERA), table.importer(GPU)];
  const cameraId = actorId(2); // the first importer of the table
  const held = table.run(camera.map(table.run(camera.attach(buffer)), table.lane()));
  held.segments()[0].fill(7);
  const attachment = table.run(gpu.attach(buffer));
  table.exporter.reclaim(cameraId);
  const [live] = table.exporter.liveBuffers;
  t.deepEqual(
    [...live.attachments.values()].map(({ device }) => device),
    ['gpu'],
  );
  t.is(table.tables.buffers.mappings(held.attachment.slot), 0);
  const mapping = table.run(gpu.map(attachment, table.lane()));
  t.is(mapping.segments()[0][0], 7, 'what it wrote is still there');
  gpu.unmap(mapping);
  t.throws(() => table.run(table.exporter.map({ buffer, attachment: held.attachment.slot })), {
    code: 'ESTALE',
  } as object);
  t.throws(
    () => table.run(table.exporter.detach({ buffer, attachment: held.attachment.slot, ended: false })),
    { code: 'ESTALE' } as object,
    'a handle of the life before is stale',
  );
});

test('row 1: a dead holder of a mapping, is not waited for by the move that waited for it', (t) => {
  const table = new TableTop({ timeoutNs: 1e9 });
  const buffer = table.create();
  const camera = table.importer(CAMERA);
  table.run(camera.map(table.run(camera.attach(buffer)), table.lane()));
  const encoder = table.importer(ENCODER);
  const attachment = table.run(encoder.attach(buffer));
  table.onPark = (what) => {
    if (what !== 'the mappings of an importer') return false;
    table.exporter.reclaim(actorId(2));
    return true;
  };
  const mapping = table.run(encoder.map(attachment, table.lane()));
  t.is(table.heapOf(buffer), 'cma');
  encoder.unmap(mapping);
});

test('row 2: whoever waits for a fence of the dead, wakes with EOWNERDEAD, and a new life does not make it a success', (t) => {
  const table = new TableTop();
  const { timelines } = table.tables;
  const fence = new Timeline(timelines, timelineSlot(9)).next();
  let woke = false;
  table.onPark = () => {
    timelines.fail(timelineSlot(9), ERRNO.EOWNERDEAD);
    woke = true;
    return true;
  };
  t.is(table.run(waitFence(timelines, fence, 'a test')), -ERRNO.EOWNERDEAD);
  t.true(woke);
  const next = new Timeline(timelines, timelineSlot(9));
  next.signal(next.next());
  next.signal(next.next());
  t.is(fenceStatus(timelines, fence), -ERRNO.EOWNERDEAD);
});

test('row 8: the buffers of a driver that dies, stay readable where they are mapped, and answer ENODEV to all else', (t) => {
  const table = new TableTop();
  const [gpu, camera] = [table.importer(GPU), table.importer(CAMERA)];
  const request = {
    name: 'b',
    pool: 'p',
    sizeBytes: 65_536,
    allocate: 'deferred',
    expect: [],
    expectTimeoutNs: 0,
  } as const;
  const buffer = table.run(table.exporter.create({ ...request, actor: actorId(3) }));
  const attachment = table.run(gpu.attach(buffer));
  const mapping = table.run(gpu.map(attachment, table.lane()));
  mapping.segments()[0].fill(9);
  table.exporter.reclaim(actorId(3));
  const disowning = table.spawned.splice(0);
  const step = disowning[0].next(); // it waits for the last detach
  t.false(step.done);
  t.is(mapping.segments()[0][100], 9);
  t.throws(() => table.run(camera.attach(buffer)), { code: 'ENODEV' } as object);
  gpu.unmap(mapping);
  t.throws(() => table.run(gpu.map(attachment, table.lane())), { code: 'ENODEV' } as object);
  table.run(gpu.detach(attachment));
  table.run(disowning[0]);
  t.deepEqual([...table.exporter.liveBuffers], []);
  t.is(table.system.stats().usedBytes, 0);
});

test('row 14: a second unmap is EINVAL, a second detach is ESTALE, and neither changes a count', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const camera = table.importer(CAMERA);
  const attachment = table.run(camera.attach(buffer));
  const mapping = table.run(camera.map(attachment, table.lane()));
  camera.unmap(mapping);
  t.throws(() => camera.unmap(mapping), { code: 'EINVAL' } as object);
  t.is(table.tables.buffers.mappings(attachment.slot), 0);
  table.run(camera.detach(attachment));
  t.throws(() => table.run(camera.detach(attachment)), { code: 'ESTALE' } as object);
  const [live] = table.exporter.liveBuffers;
  t.is(live.attachments.size, 0);
});

/** A pipeline of two actors in the middle of everything: 2 is the producer and owner, 3 the consumer. */
const pool = { row: 0, firstFrame: 0, limit: 4 };
const OWNERS: PipelineOwners = {
  links: [{ ring: 0, producer: actorId(2), consumer: actorId(3), pool, place: 0 }],
  pools: [{ owner: actorId(2), region: pool }],
  sources: [],
  lanesPerActor: 2,
};
const TABLES: SharedTables = layOutTables({
  actors: 4,
  buffers: 4,
  attachments: 4,
  timelines: 8,
  pools: 1,
  frames: 4,
  rings: [2],
});

/** Words that stop their user dead after so many changes. */
class MortalWords extends AtomicWords {
  changesLeft = Number.POSITIVE_INFINITY;
  #spend(): void {
    if (this.changesLeft === 0) throw new Error('dead');
    this.changesLeft -= 1;
  }
  override store(word: WordIndex, value: number): void {
    this.#spend();
    super.store(word, value);
  }
  override add(word: WordIndex, delta: number): number {
    this.#spend();
    return super.add(word, delta);
  }
  override compareExchange(word: WordIndex, expected: number, replacement: number): number {
    this.#spend();
    return super.compareExchange(word, expected, replacement);
  }
}

/** Both die at once: the producer between a hold and its push, the consumer with a frame and a lock. */
function bothDead(): { words: MortalWords; tables: ReturnType<typeof openTables>; reclaim: (dead: 2 | 3) => void } {
  const words = new MortalWords(new SharedArrayBuffer(TABLES.sizeBytes));
  const tables = openTables(words, TABLES, actorId(1));
  const { frames, resv, timelines } = tables;
  const ring = tables.ring(0);
  ring.enable();
  for (let i = 0; i < 4; i += 1) frames.addBuffer(pool, { slot: bufferSlot(i), life: 1 });
  const acquire = (): number => frames.acquireStep(pool, () => true) as number;
  const push = (frame: number): void => {
    ring.intend(frame);
    frames.addHolder(frame, linkHolder(0));
    ring.push(frame, 1);
    frames.release(pool, frame, FRAME_OWNER, 1);
  };
  push(acquire());
  push(acquire());
  ring.tryTake(); // the consumer holds one
  ring.beginPush();
  const third = acquire();
  ring.intend(third);
  frames.addHolder(third, linkHolder(0));
  acquire(); // the fourth: the owner draws into it
  for (const slot of [2, 4]) new Timeline(timelines, timelineSlot(slot)).next();
  resv.lockStep(bufferSlot(1), resv.acquireContext(actorId(3)));
  resv.lockStep(bufferSlot(2), resv.acquireContext(actorId(2)));
  const parts: ReclaimParts = {
    services: { clock: { now: () => 5 }, words },
    tables,
    owners: OWNERS,
    reclaimBuffers: () => {},
  };
  const reclaim = (dead: 2 | 3): void => {
    const task = reclaimActor(parts, { actor: actorId(dead), name: `${dead}`, deaths: 1, returns: true });
    for (let step = task.next(); step.done !== true; step = task.next(true)) {
      if (step.value.kind === 'word' && words.load(step.value.word) === step.value.expected)
        throw new Error('it waits');
    }
  };
  return { words, tables, reclaim };
}

/** Everything that matters at the end; counters that only ever grow are left out. */
function endOf({ frames, resv, timelines, ring }: ReturnType<typeof openTables>): unknown {
  const context = resv.acquireContext(actorId(1));
  return {
    holders: [0, 1, 2, 3].map((frame) => frames.holders(frame)),
    locks: [0, 1, 2, 3].map((slot) => resv.lockStep(bufferSlot(slot), context)),
    fences: [2, 4].map((slot) => timelines.status(timelineSlot(slot), 1, 1)),
    ring: [ring(0).length, ring(0).quietStep(), ring(0).wanted],
  };
}

const CLEAN = {
  holders: [0, 0, 0, 0],
  locks: ['locked', 'locked', 'locked', 'locked'],
  fences: [-ERRNO.EOWNERDEAD, -ERRNO.EOWNERDEAD],
  ring: [0, true, false],
};

test('row 4: two die at once, each with a lock and with what the other waits for, and both are cleaned up after', (t) => {
  const { tables, reclaim } = bothDead();
  reclaim(2);
  reclaim(3);
  t.deepEqual(endOf(tables), CLEAN);
});

test('row 5: a reclaimer that dies after any number of its changes, is followed by one that ends in the same state', (t) => {
  let deaths = 0;
  for (let changes = 0; ; changes += 1) {
    const { words, tables, reclaim } = bothDead();
    words.changesLeft = changes;
    const both = (): void => {
      reclaim(2);
      reclaim(3);
    };
    const error = failureOf(both);
    words.changesLeft = Number.POSITIVE_INFINITY;
    if (error === undefined) {
      t.deepEqual(endOf(tables), CLEAN);
      break;
    }
    t.is(error.message, 'dead');
    deaths += 1;
    both();
    t.deepEqual(endOf(tables), CLEAN, `after a death with ${changes} changes done`);
  }
  t.true(deaths > 40, `${deaths} deaths`);
});

function failureOf(run: () => void): Error | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

test('row 5: a reclaim that was done, is done again without a change to whom it may concern', (t) => {
  const { words, tables, reclaim } = bothDead();
  reclaim(2);
  reclaim(3);
  const before = [...new Int32Array(words.buffer)];
  reclaim(2);
  reclaim(3);
  const changed = [...new Int32Array(words.buffer)].flatMap((value, i) => (value === before[i] ? [] : [i]));
  const mayGrow = new Set([
    TABLES.pools.base,
    ...[2, 3, 4, 5].map((slot) => TABLES.timelines.base + slot * TABLES.timelines.rowWords),
    ...[4, 5, 6, 7].map((slot) => TABLES.timelines.base + slot * TABLES.timelines.rowWords),
  ]);
  t.deepEqual(
    changed.filter((word) => !mayGrow.has(wordIndex(word))),
    [],
    'only what wakes waiters',
  );
  t.deepEqual(endOf(tables), CLEAN);
});
