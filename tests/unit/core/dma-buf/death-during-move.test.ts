/** Who dies while a buffer moves: the device that it moves for, or the driver that has exported it. */
import {
  AtomicWords,
  actorId,
  type Task,
  timelineSlot,
  type Wake,
  type WordIndex,
  wordAt,
} from '@dmabuf-lab/core/base';
import { generationOf, isMoving } from '@dmabuf-lab/core/dma-buf';
import { DmaResv, ResvUsage, Timeline } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { CAMERA, CONTROL_BYTES, ENCODER, TABLES, TableTop } from './table-top.js';

const MiB = 1024 * 1024;
const OWNER = actorId(7);
const NEWCOMER = actorId(6);

/** A buffer of an exporting driver that the camera has mapped once, so that it lies where the encoder cannot reach it. */
function placed(table: TableTop) {
  const request = {
    name: 'b',
    pool: 'p',
    sizeBytes: MiB,
    allocate: 'deferred' as const,
    expect: [],
    expectTimeoutNs: 0,
  };
  const buffer = table.run(table.exporter.create({ ...request, actor: OWNER }));
  const camera = table.importer(CAMERA);
  camera.unmap(table.run(camera.map(table.run(camera.attach(buffer)), table.lane())));
  return buffer;
}

/** Runs a task to its end, and does something when it first copies. */
function runWithCopy<T>(table: TableTop, task: Task<T>, whenCopying: () => void): T {
  for (let result = task.next(); ; result = task.next(undefined)) {
    if (result.done === true) return result.value;
    if (result.value.kind !== 'time') throw new Error(`not expected: ${result.value.what}`);
    if (result.value.what.startsWith('copying')) whenCopying();
    table.nowNs = Math.max(table.nowNs, result.value.untilNs);
  }
}

test('a device dies while a buffer is copied for its attach: the attach is ESTALE or ENODEV, and nobody is attached for it', (t) => {
  const table = new TableTop({ moveAt: 'attach' });
  const buffer = placed(table);
  const request = { buffer, device: 'encoder', actor: NEWCOMER, constraints: ENCODER, mapping: 'per-job' as const };
  t.throws(() => runWithCopy(table, table.exporter.attach(request), () => table.exporter.reclaim(NEWCOMER)), {
    message: /encoder/,
  } as object);
  const [live] = table.exporter.liveBuffers;
  t.deepEqual(
    [...live.attachments.values()].map(({ device }) => device),
    ['camera'],
  );
  t.is(table.heapOf(buffer), 'cma');
  t.false(table.exporter.records.attaches.some(({ device, outcome }) => device === 'encoder' && outcome !== 'refused'));
});

test('the driver that exported a buffer dies while its move waits for the lock: the move is ENODEV and changes nothing', (t) => {
  const table = new TableTop();
  const buffer = placed(table);
  const { resv, buffers } = table.tables;
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  const context = resv.acquireContext(actorId(5));
  t.is(resv.lockSlowStep(buffer.slot, context), 'locked');
  const generation = generationOf(buffers.state(buffer.slot));
  let waited = 0;
  table.onPark = () => {
    waited += 1;
    table.exporter.reclaim(OWNER);
    resv.unlock(buffer.slot, context);
    return true;
  };
  t.throws(() => table.run(encoder.map(late, table.lane())), { code: 'ENODEV' } as object);
  t.is(waited, 1);
  t.is(generationOf(buffers.state(buffer.slot)), generation);
  t.false(isMoving(buffers.state(buffer.slot)));
  t.is(table.heapOf(buffer), 'system');
  t.is(table.mover.bytesCopied, 0);
  t.is(table.cma.stats().usedBytes, 0, 'the target is free');
  t.is(resv.lockSlowStep(buffer.slot, resv.acquireContext(actorId(5))), 'locked');
});

/** Words that remember which of them were notified. */
class NotedWords extends AtomicWords {
  readonly notified = new Set<WordIndex>();

  override notify(word: WordIndex, wake?: Wake): void {
    this.notified.add(word);
    super.notify(word, wake);
  }
}

for (const held of ['lock', 'fence'] as const) {
  test(`the driver that exported a buffer dies while its move waits for a ${held} that never comes free: it is woken, and ENODEV at that instant`, (t) => {
    const words = new NotedWords(new SharedArrayBuffer(CONTROL_BYTES));
    const table = new TableTop({ timeoutNs: 1e15 }, 16 * MiB, undefined, { words });
    const buffer = placed(table);
    const { resv, buffers, timelines } = table.tables;
    const encoder = table.importer(ENCODER);
    const late = table.run(encoder.attach(buffer));
    const context = resv.acquireContext(actorId(5));
    t.is(resv.lockSlowStep(buffer.slot, context), 'locked');
    const timeline = new Timeline(timelines, timelineSlot(15));
    const object = new DmaResv(resv, timelines, buffer.slot);
    object.addFence(timeline.next(), ResvUsage.Read);
    if (held === 'fence') resv.unlock(buffer.slot, context);
    const row = held === 'lock' ? wordAt(TABLES.resv, buffer.slot, 0) : wordAt(TABLES.timelines, 15, 0);
    let waited = 0;
    table.onPark = () => {
      waited += 1;
      words.notified.clear();
      table.exporter.reclaim(OWNER);
      return words.notified.has(row);
    };
    const sinceNs = table.nowNs;
    t.throws(() => table.run(encoder.map(late, table.lane())), { code: 'ENODEV' } as object);
    t.is(waited, 1);
    t.true(table.nowNs - sinceNs < 1e12, 'nothing was waited for');
    t.false(isMoving(buffers.state(buffer.slot)));
    t.is(table.cma.stats().usedBytes, 0, 'the target is free');
    t.is(resv.lockOwner(buffer.slot), held === 'lock' ? 5 : 0);
  });
}
