/** The exporter dies before and after every store to a word and every entry of its journal: its next life knows which pages are whose. */
import { type ActorId, AtomicWords, actorId, bufferSlot, MAX_RECORDS, type Task, wordAt } from '@dmabuf-lab/core/base';
import {
  BUFFER_ROW_WORDS,
  type BufferHandle,
  generationOf,
  isMoving,
  type StoredAllocation,
} from '@dmabuf-lab/core/dma-buf';
import { PhysicalMemory, type Run } from '@dmabuf-lab/core/memory';
import test from 'ava';
import { CAMERA, CONTROL_BYTES, ENCODER, GPU, TABLES, TableTop } from './table-top.js';
import { type Remains, WatchedJournal, watched } from './watched-journal.js';

const MiB = 1024 * 1024;

const memory = PhysicalMemory.create([{ name: 'dram', base: 0x4000_0000, sizeBytes: 128 * MiB }]);
const runsOf = (table: TableTop): readonly Run[] | undefined =>
  [...table.exporter.liveBuffers][0]?.allocation?.sgTable.runs;

/** Places a buffer, moves it for the encoder, and frees it. @returns its pages by generation, and what was left when */
function live(policy: ConstructorParameters<typeof TableTop>[0]): {
  remains: Remains[];
  pages: (readonly Run[] | undefined)[];
  tally: TableTop['exporter']['tally'];
} {
  const { words, journal, remains } = watched(CONTROL_BYTES);
  const table = new TableTop(policy, 16 * MiB, undefined, { words, journal, memory });
  const pages: (readonly Run[] | undefined)[] = [undefined];
  const buffer = table.create();
  const [camera, gpu, encoder] = [CAMERA, GPU, ENCODER].map((device) => table.importer(device));
  const lane = table.lane();
  const [first, second] = [camera, gpu].map((importer) => table.run(importer.attach(buffer)));
  camera.unmap(table.run(camera.map(first, lane)));
  gpu.unmap(table.run(gpu.map(second, lane)));
  pages.push(runsOf(table));
  const late = table.run(encoder.attach(buffer));
  encoder.unmap(table.run(encoder.map(late, lane)));
  pages.push(runsOf(table));
  table.run(encoder.detach(late));
  table.run(gpu.detach(second));
  table.run(camera.detach(first));
  table.run(table.exporter.destroy({ buffer }));
  return { remains, pages, tally: table.exporter.tally };
}

for (const moveAt of ['first-map', 'attach'] as const) {
  test(`the exporter dies at any store and any entry, moving at ${moveAt}: STATE decides which pages are the buffer's, and nothing is lost`, (t) => {
    const { remains, pages } = live({ moveAt });
    t.true(remains.length > 40);
    t.is(new Set(pages.map((runs) => JSON.stringify(runs))).size, 3);
    const seen = new Set<string>();
    for (const { words, entries, at } of remains) {
      const journal = new WatchedJournal(entries);
      const table = new TableTop({ moveAt }, 16 * MiB, undefined, { words: new AtomicWords(words), journal, memory });
      table.exporter.restore();
      table.tables.resv.reclaimLock(bufferSlot(0), actorId(1));
      const [buffer] = table.exporter.liveBuffers;
      if (buffer === undefined) continue; // not there yet, or gone
      const state = table.tables.buffers.state(buffer.slot);
      t.false(isMoving(state), at);
      const generation = generationOf(state);
      seen.add(`${generation}`);
      t.deepEqual(runsOf(table), pages[generation], at);
      const reserved = (buffer.reserved?.sgTable.lengthBytes ?? 0) + (generation === 0 ? 0 : MiB);
      t.is(table.system.stats().usedBytes + table.cma.stats().usedBytes, reserved, at);
      // Whoever was attached is so still, under the same slot; whoever asks again is not attached twice.
      const attached = [...buffer.attachments.values()];
      for (const { slot, device, actor, constraints, call } of attached) {
        const request = { buffer: handleOf(buffer), device, actor, constraints, mapping: 'per-job' as const, call };
        t.is(table.run(table.exporter.attach(request)).attachment, slot, at);
      }
      t.is(buffer.attachments.size, attached.length, at);
      // An attach that makes the buffer move is not done before the move is.
      if (moveAt === 'attach' && attached.some(({ device }) => device === 'encoder')) t.is(generation, 2, at);
      // It goes on: somebody who needs contiguous pages comes, and then all leave.
      const lane = table.lane();
      const newcomer = table.importer({ ...ENCODER, device: 'newcomer' });
      const attachment = table.run(newcomer.attach(handleOf(buffer)));
      newcomer.unmap(table.run(newcomer.map(attachment, lane)));
      t.is(table.heapOf(handleOf(buffer)), 'cma', at);
      table.run(newcomer.detach(attachment));
      for (const { slot } of attached) {
        table.run(table.exporter.detach({ buffer: handleOf(buffer), attachment: slot, ended: true }));
      }
      table.run(table.exporter.destroy({ buffer: handleOf(buffer) }));
      t.is(table.system.stats().usedBytes + table.cma.stats().usedBytes, 0, at);
    }
    t.deepEqual([...seen].sort(), ['0', '1', '2']);
  });
}

test('the exporter dies at any entry of a close: the buffer is counted once and told of once', (t) => {
  const { remains, tally } = live({});
  const closing = remains.filter(({ entries }) => entries.has('past/0'));
  t.deepEqual(
    closing.map(({ at }) => at).filter((at) => at.startsWith('entry')),
    ['entry past/0', 'entry past-tally', 'entry buffer/0'],
  );
  for (const { words, entries, at } of closing) {
    const journal = new WatchedJournal(entries);
    const table = new TableTop({}, 16 * MiB, undefined, { words: new AtomicWords(words), journal, memory });
    table.exporter.restore();
    t.is(table.exporter.allBuffers.length, 1, at);
    for (const buffer of [...table.exporter.liveBuffers]) {
      table.run(table.exporter.destroy({ buffer: handleOf(buffer) }));
    }
    t.deepEqual(table.exporter.tally, tally, at);
    t.is(table.exporter.allBuffers.length, 1, at);
    t.false(journal.entries.has('buffer/0'), at);
  }
});

test('the history of a buffer that is not kept is counted as lost', (t) => {
  const journal = new WatchedJournal();
  for (let i = 0; i < MAX_RECORDS; i += 1) journal.restored.set(`past/${i}`, { slot: 7, life: i + 1 });
  const table = new TableTop({}, 16 * MiB, undefined, { journal, memory });
  const buffer = table.create();
  const gpu = table.importer(GPU);
  const attachment = table.run(gpu.attach(buffer));
  gpu.unmap(table.run(gpu.map(attachment, table.lane())));
  table.run(gpu.detach(attachment));
  table.run(table.exporter.destroy({ buffer }));
  const { placements, placementsDropped, buffersDropped } = table.exporter.tally;
  t.deepEqual(
    { placements, placementsDropped, buffersDropped },
    { placements: 1, placementsDropped: 1, buffersDropped: 1 },
  );
});

const handleOf = ({ slot, life }: { slot: never; life: number } | { slot: number; life: number }) =>
  ({ slot, life }) as never;

/** A buffer that an actor exports. */
function createOwned(table: TableTop, actor: ActorId): BufferHandle {
  const plain = { name: 'b', pool: 'p', sizeBytes: MiB, allocate: 'deferred', expect: [], expectTimeoutNs: 0 } as const;
  return table.run(table.exporter.create({ ...plain, actor }));
}

test('a buffer of a dead owner, whose STATE is 0, keeps the pages that others have mapped, and goes with their last detach', (t) => {
  const words = new AtomicWords(new SharedArrayBuffer(CONTROL_BYTES));
  const journal = new WatchedJournal();
  const owner = actorId(7);
  const table = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
  const buffer = createOwned(table, owner);
  const camera = table.importer(CAMERA);
  const attachment = table.run(camera.attach(buffer));
  const mapping = table.run(camera.map(attachment, table.lane()));
  mapping.segments()[0].fill(0x5a);
  const pages = runsOf(table);
  table.exporter.reclaim(owner);
  table.run(untilParked(table.spawned[0]));
  t.is(table.tables.buffers.state(buffer.slot), 0);

  for (const [key, value] of journal.entries) journal.restored.set(key, value);
  const next = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
  next.exporter.restore();
  t.deepEqual(runsOf(next), pages);
  t.is(mapping.segments()[0][0], 0x5a);
  t.throws(() => next.run(next.importer(GPU).attach(buffer)), { code: 'ENODEV' });
  next.run(next.exporter.detach({ buffer, attachment: attachment.slot, ended: true }));
  next.run(next.spawned[0]);
  t.is(next.system.stats().usedBytes, 0);
});

test('an attach of which the answer was lost, to a buffer whose owner has died or that was overwritten since, leaves no attachment', (t) => {
  for (const harm of ['owner dies', 'overwritten'] as const) {
    const { words, journal } = watched(CONTROL_BYTES);
    const owner = actorId(7);
    const table = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
    const buffer = createOwned(table, owner);
    const plain = { buffer, device: 'gpu', actor: actorId(3), constraints: GPU, mapping: 'per-job', call: 1 } as const;
    table.run(table.exporter.attach(plain));
    if (harm === 'owner dies') table.exporter.reclaim(owner);
    else words.store(wordAt(TABLES.buffers, buffer.slot, BUFFER_ROW_WORDS - 1), 0x5a5a);

    const next = new TableTop({}, 16 * MiB, undefined, { words, journal: new WatchedJournal(journal.entries), memory });
    next.exporter.restore();
    t.throws(() => next.run(next.exporter.attach(plain)), { code: harm === 'owner dies' ? 'ENODEV' : 'EIO' });
    t.is(next.exporter.find(buffer)?.attachments.size, 0, harm);
    // Whoever waits for the last detach goes on.
    if (harm === 'owner dies') next.run(next.spawned[0]);
    else next.run(next.exporter.destroy({ buffer }));
    t.deepEqual([...next.exporter.liveBuffers], [], harm);
  }
});

test('an attach of which the answer was lost, to a buffer that is to be destroyed by now, is answered', (t) => {
  const { words, journal } = watched(CONTROL_BYTES);
  const table = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
  const buffer = table.create();
  const plain = { buffer, device: 'gpu', actor: actorId(3), constraints: GPU, mapping: 'per-job', call: 1 } as const;
  const { attachment } = table.run(table.exporter.attach(plain));
  const next = new TableTop({}, 16 * MiB, undefined, { words, journal: new WatchedJournal(journal.entries), memory });
  next.exporter.restore();
  const destroyed = next.exporter.destroy({ buffer });
  destroyed.next();
  t.is(next.run(next.exporter.attach(plain)).attachment, attachment);
  t.throws(() => next.run(next.exporter.attach({ ...plain, device: 'camera', call: 2 })), { code: 'ESTALE' });
  next.run(next.exporter.detach({ buffer, attachment, ended: true }));
  next.run(destroyed);
});

test('a create of which the answer was lost, finds its buffer; one whose storage was not there yet, makes another', (t) => {
  const words = new AtomicWords(new SharedArrayBuffer(CONTROL_BYTES));
  const journal = new WatchedJournal();
  const table = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
  const plain = { pool: 'p', sizeBytes: MiB, expect: [], expectTimeoutNs: 0, actor: actorId(3) };
  const deferred = { ...plain, name: 'deferred', allocate: 'deferred' } as const;
  const eager = { ...plain, name: 'eager', allocate: { heap: 'cma' } } as const;
  const first = table.run(table.exporter.create(deferred));
  const task = table.exporter.create(eager);
  task.next(); // until it spends time on the storage
  for (const [key, value] of journal.entries) journal.restored.set(key, value);

  const next = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
  next.exporter.restore();
  t.is([...next.exporter.liveBuffers].length, 1);
  t.is(next.cma.stats().usedBytes, 0);
  t.deepEqual(next.run(next.exporter.create(deferred)), first);
  t.notDeepEqual(next.run(next.exporter.create(deferred)), first, 'asked for twice, it is two buffers');
  next.run(next.exporter.create(eager));
  t.is(next.cma.stats().usedBytes, MiB);
});

test('two entries that name the same pages, are refused', (t) => {
  const words = new AtomicWords(new SharedArrayBuffer(CONTROL_BYTES));
  const journal = new WatchedJournal();
  const table = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
  table.create({ name: 'one', heap: 'cma' });
  table.create({ name: 'two', heap: 'cma' });
  const [one, two] = [...journal.entries].filter(([key]) => key.startsWith('buffer/'));
  const present = (one[1] as { present: { storage: StoredAllocation } }).present;
  journal.restored.set(one[0], one[1]);
  journal.restored.set(two[0], { ...(two[1] as object), present });
  const next = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
  t.throws(() => next.exporter.restore(), { code: 'EBUSY' });
});

/** A task up to where it would wait for ever. */
function* untilParked(task: Task<void>): Task<void> {
  const { done } = task.next();
  if (done !== true) return;
}
