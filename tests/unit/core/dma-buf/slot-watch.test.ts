import { actorId, timelineSlot, wordIndex } from '@dmabuf-lab/core/base';
import { ATTACHMENT_ROW_WORDS, BUFFER_ROW_WORDS } from '@dmabuf-lab/core/dma-buf';
import { PipelineLane } from '@dmabuf-lab/core/driver';
import {
  DmaResv,
  fenceStatus,
  RESV_ROW_WORDS,
  ResvUsage,
  TIMELINE_ROW_WORDS,
  Timeline,
  tryLockReservations,
} from '@dmabuf-lab/core/sync';
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

const rowOfReservation = (slot: number): number => TABLES.resv.base + slot * RESV_ROW_WORDS;
const rowOfTimeline = (slot: number): number => TABLES.timelines.base + slot * TIMELINE_ROW_WORDS;
const ENDED_WITH_EIO = -5;

for (const [what, first, count, seen] of [
  ['the last word', RESV_ROW_WORDS - 1, 1, /its guard word 63 holds 0xffffffff and not 0x/],
  ['the second last word', RESV_ROW_WORDS - 2, 1, /its guard word 62 holds 0xffffffff and not 0x/],
  ['all words', 0, RESV_ROW_WORDS, /its guard word 62 holds/],
  ['the lock', 0, 1, /it is locked by -1, which is nobody$/],
  ['the count of slots', 2, 1, /it says that -1 of 12 slots are used$/],
] as const) {
  test(`SlotWatch, ${what} of a reservation overwritten, is found and named; its buffer is given up, and nobody waits for ever`, (t) => {
    const { table, camera, lane, victim, other } = twoBuffers();
    wildWrite(table, rowOfReservation(victim.buffer.slot) + first, count);
    t.throws(() => table.run(table.importer(GPU).attach(victim.buffer)), REFUSED);
    const [{ what: told, buffer }] = table.watch.records;
    t.regex(told, new RegExp(`^reservation ${victim.buffer.slot} of victim: `));
    t.regex(told, seen);
    t.is(buffer, 'victim');
    t.throws(() => table.run(camera.map(victim.attachment, lane)), REFUSED);
    // Whoever had mapped it before can lock its reservation, with those of other buffers, and finds no fence to wait for.
    const { resv, timelines } = table.tables;
    const set = [other.buffer.slot, victim.buffer.slot];
    const context = resv.acquireContext(actorId(2));
    t.true(tryLockReservations(resv, set, context));
    for (const slot of set) {
      t.true(new DmaResv(resv, timelines, slot).testSignalled(ResvUsage.Bookkeep));
      resv.unlock(slot, context);
    }
    t.notThrows(() => camera.unmap(table.run(camera.map(other.attachment, lane))));
    t.is(table.watch.records.length, 1);
  });
}

test('SlotWatch, a lock that an actor holds and one that a dead one had held, are no damage', (t) => {
  const { table, victim } = twoBuffers();
  const { resv } = table.tables;
  const context = resv.acquireContext(actorId(3));
  t.true(tryLockReservations(resv, [victim.buffer.slot], context));
  t.notThrows(() => table.run(table.importer(GPU).attach(victim.buffer)));
  t.deepEqual(table.watch.records, []);
  t.true(resv.isLockedBy(victim.buffer.slot, context), 'and it is left as it is');
});

test('SlotWatch, guards of a reservation overwritten under a lock that is held, leave the lock to its holder', (t) => {
  const { table, victim } = twoBuffers();
  const { resv } = table.tables;
  const context = resv.acquireContext(actorId(3));
  tryLockReservations(resv, [victim.buffer.slot], context);
  wildWrite(table, rowOfReservation(victim.buffer.slot) + RESV_ROW_WORDS - 1, 1);
  t.throws(() => table.run(table.importer(GPU).attach(victim.buffer)), REFUSED);
  t.notThrows(() => resv.unlock(victim.buffer.slot, context));
});

test('fenceStatus, a fence that an overwritten reservation names on a timeline that is not there, has ended with EIO', (t) => {
  const { table } = twoBuffers();
  for (const timeline of [-1, 16, 0x7777_7777]) {
    const fence = { timeline: timelineSlot(Math.abs(timeline)), generation: 1, seqno: 1 };
    t.is(
      fenceStatus(table.tables.timelines, { ...fence, timeline: timeline as typeof fence.timeline }),
      ENDED_WITH_EIO,
    );
  }
});

/** A lane of the camera, which is the second actor of the table. */
function cameraLane() {
  const made = twoBuffers();
  const slot = timelineSlot(1);
  const lane = new PipelineLane(new Timeline(made.table.tables.timelines, slot));
  return { ...made, slot, lane };
}

for (const [what, first, count] of [
  ['the last word', TIMELINE_ROW_WORDS - 1, 1],
  ['the second last word', TIMELINE_ROW_WORDS - 2, 1],
  ['all words from the generation on', 4, TIMELINE_ROW_WORDS - 4],
] as const) {
  test(`SlotWatch, ${what} of a timeline overwritten, is found at the next operation on a buffer of its device, and named`, (t) => {
    const { table, camera, victim, other, slot, lane } = cameraLane();
    const done = lane.owe();
    lane.pay(done);
    const pending = lane.owe();
    const gpu = new Timeline(table.tables.timelines, timelineSlot(3)).next();
    wildWrite(table, rowOfTimeline(slot) + first, count, 0x1234);
    table.run(table.importer(GPU).attach(other.buffer));
    t.like(table.watch.records, [{ timeline: { device: 'camera', lane: 0 }, devices: [] }]);
    t.regex(table.watch.records[0].what, /^timeline slot 1, lane 0 of camera: its guard word 4[67] holds 0x00001234/);
    // Pending points have ended, so that nobody waits for ever; its owner neither ends them otherwise nor publishes more.
    const { timelines } = table.tables;
    if (first > 4) t.is(fenceStatus(timelines, done), 1, 'what was signalled before stays so');
    t.true(fenceStatus(timelines, pending) < 0);
    t.notThrows(() => lane.pay(pending));
    t.true(fenceStatus(timelines, pending) < 0);
    t.throws(() => lane.owe(), {
      code: 'EIO',
      message: /timeline 1: its control words have been overwritten/,
    } as object);
    // Others go on: their fences, and all buffers, also those of the same device.
    t.is(fenceStatus(timelines, gpu), 0);
    for (const { attachment } of [victim, other]) {
      t.notThrows(() => camera.unmap(table.run(camera.map(attachment, table.lane()))));
    }
    t.is(table.watch.records.length, 1, 'told once');
  });
}

test('SlotWatch, an overwritten timeline that nobody uses, is found when all are looked at', (t) => {
  const { table } = twoBuffers();
  wildWrite(table, rowOfTimeline(9) + TIMELINE_ROW_WORDS - 1, 1);
  table.watch.lookAtAllTimelines();
  t.like(table.watch.records, [{ timeline: { device: 'actor 10', lane: 0 } }]);
});

test('SlotWatch, a next life of the device whose timeline was overwritten, has it without damage', (t) => {
  const { table, slot, lane } = cameraLane();
  const pending = lane.owe();
  wildWrite(table, rowOfTimeline(slot) + TIMELINE_ROW_WORDS - 1, 1);
  table.watch.reopenTimelines(actorId(2));
  const { timelines } = table.tables;
  timelines.fail(slot, 130); // the reclaimer; the error that was told first stays
  t.is(fenceStatus(timelines, pending), ENDED_WITH_EIO);
  const next = new PipelineLane(new Timeline(timelines, slot));
  next.pay(next.owe());
  t.is(fenceStatus(timelines, pending), ENDED_WITH_EIO, 'a fence of the life before stays as it ended');
  table.watch.lookAtAllTimelines();
  t.is(table.watch.records.length, 1);
});
