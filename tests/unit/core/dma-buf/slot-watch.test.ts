import { wordIndex } from '@dmabuf-lab/core/base';
import { ATTACHMENT_ROW_WORDS, BUFFER_ROW_WORDS } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { CAMERA, ENCODER, GPU, TABLES, TableTop } from './table-top.js';

/** Two buffers that the camera is attached to and has mapped before. */
function twoBuffers(table = new TableTop()) {
  const camera = table.importer(CAMERA);
  const lane = table.lane();
  const [victim, other] = ['victim', 'other'].map((name) => {
    const buffer = table.create({ name });
    const attachment = table.run(camera.attach(buffer));
    camera.unmap(table.run(camera.map(attachment, lane)));
    return { buffer, attachment };
  });
  return { table, camera, lane, victim, other };
}

const REFUSED = { code: 'EIO', message: /^Cannot use victim: its control words have been overwritten: / } as object;

/** Writes over a stretch of control words, as a driver does whose index has run away. */
function wildWrite(table: TableTop, first: number, count: number, value = -1): void {
  for (let i = 0; i < count; i += 1) table.words.store(wordIndex(first + i), value);
}

const rowOfBuffer = (slot: number): number => TABLES.buffers.base + slot * BUFFER_ROW_WORDS;
const rowOfAttachment = (slot: number): number => TABLES.attachments.base + slot * ATTACHMENT_ROW_WORDS;

test('SlotWatch, slots that nobody has overwritten, are in order through moves, detaches and reuse', (t) => {
  const { table, camera, victim } = twoBuffers();
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(victim.buffer));
  encoder.unmap(table.run(encoder.map(late, table.lane())));
  table.run(encoder.detach(late));
  table.run(camera.detach(victim.attachment));
  table.run(table.exporter.destroy({ buffer: victim.buffer }));
  table.run(camera.attach(table.create()));
  t.deepEqual(table.watch.records, []);
});

for (const [what, place] of [
  ['the end of the row of a buffer', (slot: number) => [rowOfBuffer(slot) + BUFFER_ROW_WORDS - 1, 1]],
  ['the second last word of the row of a buffer', (slot: number) => [rowOfBuffer(slot) + BUFFER_ROW_WORDS - 2, 1]],
  ['all of the row of a buffer', (slot: number) => [rowOfBuffer(slot), BUFFER_ROW_WORDS]],
  ['the life of a buffer', (slot: number) => [rowOfBuffer(slot) + 2, 1]],
] as const) {
  test(`SlotWatch, ${what} overwritten, is found at the next attach; maps and attaches are EIO, and the other buffer goes on`, (t) => {
    const { table, camera, lane, victim, other } = twoBuffers();
    const [first, count] = place(victim.buffer.slot);
    wildWrite(table, first, count);
    t.throws(() => table.run(table.importer(GPU).attach(victim.buffer)), REFUSED);
    t.throws(() => table.run(camera.map(victim.attachment, lane)), REFUSED, 'also by words alone');
    t.is(table.watch.records.length, 1, 'told once');
    t.like(table.watch.records[0], { buffer: 'victim', pool: 'pool', devices: ['camera'] });
    t.notThrows(() => camera.unmap(table.run(camera.map(other.attachment, lane))));
    t.notThrows(() => table.run(table.importer(GPU).attach(other.buffer)));
    // What is given up can be let go of, and its slot used again.
    table.run(camera.detach(victim.attachment));
    table.run(table.exporter.destroy({ buffer: victim.buffer }));
    const next = table.create({ name: 'next' });
    t.is(next.slot, victim.buffer.slot);
    t.is(next.life, victim.buffer.life + 2, 'a life that no handle of before has');
    t.notThrows(() => camera.unmap(table.run(camera.map(table.run(camera.attach(next)), lane))));
  });
}

test('SlotWatch, the row of an attachment overwritten, is found at the next map of anybody, and names the device', (t) => {
  const { table, lane, victim, other, camera } = twoBuffers();
  const gpu = table.importer(GPU);
  const late = table.run(gpu.attach(victim.buffer));
  const { slot } = victim.attachment;
  wildWrite(table, rowOfAttachment(slot) + ATTACHMENT_ROW_WORDS - 4, 4, 0x1234);
  t.throws(() => table.run(gpu.map(late, table.lane())), REFUSED);
  const { what, devices } = table.watch.records[0];
  t.regex(what, new RegExp(`^attachment slot ${slot} of camera: its guard word 14 holds 0x00001234 and not 0x`));
  t.deepEqual(devices, ['camera', 'gpu']);
  t.notThrows(() => camera.unmap(table.run(camera.map(other.attachment, lane))));
});

test('SlotWatch, a count below 0 or a move that nobody makes, is found without a guard being touched', (t) => {
  const negative = twoBuffers();
  wildWrite(negative.table, rowOfAttachment(negative.victim.attachment.slot), 1, -5);
  t.throws(() => negative.table.run(negative.table.importer(GPU).attach(negative.victim.buffer)), REFUSED);
  t.regex(negative.table.watch.records[0].what, /of camera: it counts -5 mappings or pins$/);
  const moving = twoBuffers();
  wildWrite(moving.table, rowOfBuffer(moving.victim.buffer.slot), 1, 7);
  t.throws(() => moving.table.run(moving.table.importer(GPU).attach(moving.victim.buffer)), REFUSED);
  t.regex(moving.table.watch.records[0].what, /it says that it is being moved, and it is not$/);
});

test('SlotWatch, a row copied over that of another slot, is found', (t) => {
  const { table, victim, other } = twoBuffers();
  for (let i = 0; i < BUFFER_ROW_WORDS; i += 1) {
    const word = table.words.load(wordIndex(rowOfBuffer(other.buffer.slot) + i));
    table.words.store(wordIndex(rowOfBuffer(victim.buffer.slot) + i), word);
  }
  t.throws(() => table.run(table.importer(GPU).attach(victim.buffer)), REFUSED);
});

test('SlotWatch, an overwritten buffer that is only destroyed, is told all the same', (t) => {
  const { table, camera, victim } = twoBuffers();
  table.run(camera.detach(victim.attachment));
  wildWrite(table, rowOfBuffer(victim.buffer.slot) + BUFFER_ROW_WORDS - 1, 1);
  table.run(table.exporter.destroy({ buffer: victim.buffer }));
  t.like(table.watch.records, [{ buffer: 'victim', devices: [] }]);
});
