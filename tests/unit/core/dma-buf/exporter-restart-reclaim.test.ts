/**
 * The exporter dies before and after every store and every entry while it takes back what a dead device held, and while others take
 * the slots over. That takes no entries: the next life tells by the deaths of the actor what is gone.
 */
import { type ActorId, AtomicWords, actorId, wordAt } from '@dmabuf-lab/core/base';
import { ATTACHMENT_ROW_WORDS, type AttachedDevice, type BufferHandle } from '@dmabuf-lab/core/dma-buf';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import test from 'ava';
import { CAMERA, CONTROL_BYTES, GPU, TABLES, TableTop } from './table-top.js';
import { WatchedJournal, watched } from './watched-journal.js';

const MiB = 1024 * 1024;
const SUCCESSOR = actorId(9);
/** The word of an attachment's row that names its actor. */
const IMPORTER = 4;
const memory = PhysicalMemory.create([{ name: 'dram', base: 0x4000_0000, sizeBytes: 128 * MiB }]);

const attach = (table: TableTop, buffer: BufferHandle, actor: ActorId): void => {
  const device = `actor ${actor}`;
  table.run(table.exporter.attach({ buffer, actor, device, constraints: { ...CAMERA, device }, mapping: 'per-job' }));
};

const attachedTo = ({ exporter }: TableTop, buffer: BufferHandle): AttachedDevice[] => [
  ...(exporter.find(buffer)?.attachments.values() ?? []),
];

test('the exporter dies at any store and any entry of a reclaim, and of the attaches that have the slots next: each slot has one owner', (t) => {
  const { words, journal, remains } = watched(CONTROL_BYTES);
  const table = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
  const buffers = ['a', 'b', 'c'].map((name) => table.create({ name }));
  const victim = table.importer(CAMERA);
  const stays = table.importer(GPU);
  for (const buffer of buffers) {
    table.run(victim.map(table.run(victim.attach(buffer)), table.lane()));
    table.run(stays.map(table.run(stays.attach(buffer)), table.lane()));
  }
  const [dead, staying] = attachedTo(table, buffers[0]).map(({ actor }) => actor);
  const slots = buffers.map((buffer) => attachedTo(table, buffer)[0].slot);

  const begun = remains.length;
  table.lives.countDeath(dead);
  table.exporter.reclaim(dead);
  const costs = remains.slice(begun).filter(({ at }) => at.startsWith('entry'));
  t.deepEqual(costs, [], 'a death costs no entries');
  // Somebody else has two of its slots, for other buffers, before all that the dead held is taken back; the third its next life.
  const successors = [buffers[1], buffers[0]];
  for (const buffer of successors) attach(table, buffer, SUCCESSOR);
  const isOf = (owner: ActorId) => (attached: AttachedDevice) => attached.actor === owner;
  t.deepEqual(
    successors.map((buffer) => attachedTo(table, buffer).find(isOf(SUCCESSOR))?.slot),
    slots.slice(0, 2),
  );
  table.lives.countReclaimed(dead, 1);
  attach(table, buffers[1], dead);
  t.is(attachedTo(table, buffers[1]).find(isOf(dead))?.slot, slots[2]);

  const seen = new Map<string, number>();
  for (const { words: left, entries, at } of remains.slice(begun)) {
    const next = new TableTop({}, 16 * MiB, undefined, {
      ...{ words: new AtomicWords(left), journal: new WatchedJournal(entries), memory },
    });
    next.exporter.restore();
    const isReclaimed = next.lives.deaths(dead) > 0 && next.lives.unreclaimed(dead) === 0;
    if (!isReclaimed) next.exporter.reclaim(dead);
    t.deepEqual(next.watch.records, [], at);
    const all = buffers.flatMap((buffer) => attachedTo(next, buffer));
    t.is(new Set(all.map(({ slot }) => slot)).size, all.length, at);
    const lives = all.filter(({ actor }) => actor === dead).map(({ actorLife }) => actorLife);
    t.deepEqual(lives, lives.length === 0 ? [] : [1], at);
    t.true(isReclaimed || lives.length === 0, at);
    // Whoever lives has lost nothing, and what it has mapped counts.
    const stayed = all.filter(({ actor }) => actor === staying);
    t.deepEqual(
      stayed.map(({ slot }) => next.tables.buffers.mappings(slot)),
      [1, 1, 1],
      at,
    );
    for (const { slot, actor } of all) if (actor !== staying) t.is(next.tables.buffers.mappings(slot), 0, at);
    for (const buffer of buffers) {
      attach(next, buffer, SUCCESSOR);
      t.is(attachedTo(next, buffer).filter(({ actor }) => actor === SUCCESSOR).length, 1, at);
    }
    const what = `${next.lives.deaths(dead)} ${isReclaimed} ${all.length}`;
    seen.set(what, (seen.get(what) ?? 0) + 1);
  }
  t.log(Object.fromEntries(seen));
  for (const what of ['1 false 3', '1 false 4', '1 false 5', '1 true 5', '1 true 6']) t.true(seen.has(what), what);
});

test('the exporter dies before it takes back what a dead device held whose row was overwritten: its next life finds the damage', (t) => {
  for (const column of [IMPORTER, ATTACHMENT_ROW_WORDS - 1]) {
    const { words, journal } = watched(CONTROL_BYTES);
    const table = new TableTop({}, 16 * MiB, undefined, { words, journal, memory });
    const buffer = table.create({ name: 'a' });
    table.run(table.importer(CAMERA).attach(buffer));
    const [{ actor: dead, slot }] = attachedTo(table, buffer);
    // From a word on to the end of the row, the guards first, as a wild write does.
    for (let at = ATTACHMENT_ROW_WORDS - 1; at >= column; at -= 1)
      words.store(wordAt(TABLES.attachments, slot, at), -7);
    table.lives.countDeath(dead);

    const next = new TableTop({}, 16 * MiB, undefined, {
      ...{ words, journal: new WatchedJournal(journal.entries), memory },
    });
    next.exporter.restore();
    t.deepEqual(
      next.watch.records.map(({ buffer: name }) => name),
      ['a'],
    );
    t.true(next.watch.isGivenUp(buffer));
    next.exporter.reclaim(dead);
    t.deepEqual(attachedTo(next, buffer), []);
  }
});
