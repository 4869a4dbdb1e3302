import { isMoving } from '@dmabuf-lab/core/dma-buf';
import { DmaResv, ResvUsage } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { CAMERA, ENCODER, GPU, TableTop } from './table-top.js';

/** A buffer in the system heap that a dynamic importer has used for a job that is over. */
function idle(table: TableTop, mapping: 'per-job' | 'held' = 'held', pin = false) {
  const buffer = table.create();
  const gpu = table.importer(GPU, mapping, { importer: 'dynamic', pin });
  const lane = table.lane();
  const attachment = table.run(gpu.attach(buffer));
  const job = () => {
    const mappings = table.run(gpu.mapAll([attachment], lane));
    gpu.beginUse(mappings);
    return mappings;
  };
  return { buffer, gpu, lane, attachment, job };
}

test('a dynamic importer, idle between its jobs, keeps its mapping and no buffer from moving', (t) => {
  const table = new TableTop();
  const { buffer, gpu, attachment, job } = idle(table);
  const [mapping] = job();
  gpu.leaveToFences([mapping]);
  gpu.unmap(mapping);
  t.is(gpu.iovaRanges, 1, 'it is mapped still');
  t.is(table.tables.buffers.mappings(attachment.slot), 0, 'and counts nowhere');
  const encoder = table.importer(ENCODER);
  encoder.unmap(table.run(encoder.map(table.run(encoder.attach(buffer)), table.lane())));
  t.is(table.heapOf(buffer), 'cma');
  const [moved] = job();
  t.is(moved.generation, 2);
  t.is(gpu.moveNotifies, 1);
  t.is(gpu.iovaRanges, 1, 'the mapping of the old pages is gone');
});

test('a static importer that holds its mapping, in the same place, lets the move time out', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const gpu = table.importer(GPU, 'held');
  const mappings = table.run(gpu.mapAll([table.run(gpu.attach(buffer))], table.lane()));
  gpu.beginUse(mappings);
  gpu.unmap(mappings[0]);
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.throws(() => table.run(encoder.map(late, table.lane())), {
    code: 'ETIMEDOUT',
    message: /gpu, which holds/,
  } as object);
  table.run(gpu.letGo());
  t.notThrows(() => table.run(encoder.map(late, table.lane())));
});

test('a job of a dynamic importer, whose fence is pending, holds the move by the fence alone', (t) => {
  const table = new TableTop();
  const { buffer, gpu, lane, attachment, job } = idle(table);
  const [mapping] = job();
  const fence = lane.owe();
  new DmaResv(table.tables.resv, table.tables.timelines, buffer.slot).addFence(fence, ResvUsage.Write);
  gpu.leaveToFences([mapping]);
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.throws(() => table.run(encoder.map(late, table.lane())), {
    code: 'ETIMEDOUT',
    message: /a fence is pending/,
  } as object);
  mapping.segments()[0].fill(7);
  t.is(table.tables.buffers.notified(attachment.slot), 1, 'it was told before the fences were waited for');
  const waits: string[] = [];
  table.onPark = (what) => {
    waits.push(what);
    mapping.segments()[0].fill(8);
    lane.pay(fence);
    gpu.unmap(mapping);
    return true;
  };
  const moved = table.run(encoder.map(late, table.lane()));
  t.deepEqual(waits, ['a fence on buffer']);
  t.is(moved.segments()[0][0], 8, 'what it wrote until its fence signalled is in the new place');
  job();
  t.is(gpu.moveNotifies, 2, 'one notice of the move that was given up, one of the move');
});

test('a job of a dynamic importer without a fence, keeps the buffer in place until it ends', (t) => {
  const table = new TableTop();
  const { buffer, gpu, job } = idle(table);
  const [mapping] = job();
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.throws(() => table.run(encoder.map(late, table.lane())), { code: 'ETIMEDOUT', message: /mapped by gpu/ } as object);
  gpu.unmap(mapping);
  t.notThrows(() => table.run(encoder.map(late, table.lane())));
});

test('moveNotify, of a move that is given up, costs a mapping; the generation stays', (t) => {
  const table = new TableTop();
  const { buffer, gpu, lane, job } = idle(table);
  const [first] = job();
  gpu.leaveToFences([first]);
  gpu.unmap(first);
  const fence = lane.owe();
  new DmaResv(table.tables.resv, table.tables.timelines, buffer.slot).addFence(fence, ResvUsage.Bookkeep);
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.throws(() => table.run(encoder.map(late, table.lane())), { code: 'ETIMEDOUT' } as object);
  lane.pay(fence);
  table.run(encoder.detach(late));
  const [second] = job();
  t.is(second.generation, first.generation);
  t.is(gpu.moveNotifies, 1);
});

test('moveNotify, is told in the record of the move, and asks nothing of static importers', (t) => {
  const table = new TableTop();
  const { buffer, gpu, job } = idle(table);
  const camera = table.importer(CAMERA);
  table.run(camera.attach(buffer));
  const [mapping] = job();
  gpu.leaveToFences([mapping]);
  gpu.unmap(mapping);
  const encoder = table.importer(ENCODER);
  table.run(encoder.map(table.run(encoder.attach(buffer)), table.lane()));
  const [{ moves }] = [...table.exporter.liveBuffers];
  t.deepEqual(
    moves.map(({ outcome, notified }) => ({ outcome, notified })),
    [{ outcome: 'moved', notified: ['gpu'] }],
  );
  t.is(camera.moveNotifies, 0);
});

for (const onBusy of ['wait', 'busy'] as const) {
  test(`a buffer pinned for a stay, policy ${onBusy}, is EBUSY at once for a late device that cannot reach it`, (t) => {
    const table = new TableTop({ onBusy });
    const { buffer, gpu, attachment, job } = idle(table, 'held', true);
    const [mapping] = job();
    gpu.leaveToFences([mapping]);
    gpu.unmap(mapping);
    t.is(table.tables.buffers.pinsOf(attachment.slot), 1);
    const startNs = table.nowNs;
    const encoder = table.importer(ENCODER);
    t.throws(() => table.run(encoder.attach(buffer)), {
      code: 'EBUSY',
      message: /it is pinned by gpu until it lets go/,
    } as object);
    t.is(table.nowNs, startNs);
    t.is(table.cma.stats().usedBytes, 0);
    table.run(gpu.letGo());
    t.notThrows(() => table.run(encoder.map(table.run(encoder.attach(buffer)), table.lane())));
    t.is(table.heapOf(buffer), 'cma');
  });
}

test('a pin for a stay, made between the attach of the late device and its first map, is EBUSY at that map', (t) => {
  const table = new TableTop();
  const { buffer, gpu, lane, attachment, job } = idle(table, 'held', true);
  gpu.unmap(table.run(gpu.map(attachment, lane)));
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  const [mapping] = job();
  gpu.leaveToFences([mapping]);
  gpu.unmap(mapping);
  const startNs = table.nowNs;
  t.throws(() => table.run(encoder.map(late, table.lane())), {
    code: 'EBUSY',
    message: /it is pinned by gpu until it lets go/,
  } as object);
  t.is(table.nowNs, startNs);
  t.is(table.heapOf(buffer), 'system');
  table.run(gpu.letGo());
  t.notThrows(() => table.run(encoder.map(late, table.lane())));
  t.is(table.heapOf(buffer), 'cma');
});

test('a buffer pinned for a job, policy wait, moves once the job has ended; policy busy is EBUSY', (t) => {
  for (const onBusy of ['wait', 'busy'] as const) {
    const table = new TableTop({ onBusy });
    const { buffer, gpu, attachment, job } = idle(table, 'per-job', true);
    const [mapping] = job();
    gpu.leaveToFences([mapping]);
    const encoder = table.importer(ENCODER);
    if (onBusy === 'busy') {
      t.throws(() => table.run(encoder.attach(buffer)), { code: 'EBUSY', message: /gpu has it pinned/ } as object);
      continue;
    }
    const late = table.run(encoder.attach(buffer));
    t.throws(() => table.run(encoder.map(late, table.lane())), {
      code: 'ETIMEDOUT',
      message: /it is pinned by gpu/,
    } as object);
    table.onPark = (what) => {
      t.is(what, 'the pin of an importer');
      gpu.unmap(mapping);
      return true;
    };
    t.notThrows(() => table.run(encoder.map(late, table.lane())));
    t.is(table.heapOf(buffer), 'cma');
    t.is(table.tables.buffers.pinsOf(attachment.slot), 0);
  }
});

test('a pin for a job, made and its mapping ended while the mover looks, is waited for and refuses no move', (t) => {
  const table = new TableTop();
  const { buffer, gpu, lane, attachment } = idle(table, 'per-job', true);
  const mappings = table.run(gpu.mapAll([attachment], lane));
  const { buffers } = table.tables;
  let hasLooked = false;
  const readMappings = buffers.mappings;
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  // The instant between two looks of the mover: the job pins, publishes, and leaves its mapping to its fence.
  buffers.mappings = (slot) => {
    if (slot === attachment.slot && isMoving(buffers.state(buffer.slot)) && !hasLooked) {
      hasLooked = true;
      gpu.beginUse(mappings);
      gpu.leaveToFences(mappings);
    }
    return readMappings.call(buffers, slot);
  };
  table.onPark = () => {
    if (!mappings[0].isLive) return false;
    gpu.unmap(mappings[0]); // the job has ended: it unpins
    return true;
  };
  encoder.unmap(table.run(encoder.map(late, table.lane())));
  t.is(table.heapOf(buffer), 'cma');
  t.true(hasLooked);
});

test('BufferWords.pinMapped, of an attachment without a mapping that counts, is refused (I5)', (t) => {
  const table = new TableTop();
  const { attachment } = idle(table);
  t.throws(() => table.tables.buffers.pinMapped(attachment.slot), { message: /I5/ });
});

test('Exporter.reclaim, of an actor that died with a pin, lets the buffer move', (t) => {
  const table = new TableTop();
  const { buffer, gpu, attachment, job } = idle(table, 'held', true);
  gpu.leaveToFences(job());
  const dead = [...table.exporter.liveBuffers][0].attachments.get(attachment.slot)?.actor;
  if (dead === undefined) return t.fail('the GPU is attached');
  table.run(table.importer(CAMERA).attach(buffer));
  table.exporter.reclaim(dead);
  const encoder = table.importer(ENCODER);
  t.notThrows(() => table.run(encoder.map(table.run(encoder.attach(buffer)), table.lane())));
});

test('DmaBufImporter.detach, of a buffer that it has pinned, is EBUSY; letGo unpins', (t) => {
  const table = new TableTop();
  const { gpu, attachment, job } = idle(table, 'held', true);
  const [mapping] = job();
  gpu.leaveToFences([mapping]);
  gpu.unmap(mapping);
  t.throws(() => table.run(gpu.detach(attachment)), { code: 'EBUSY', message: /still pinned/ } as object);
  table.run(gpu.letGo());
  t.is([...gpu.attachments].length, 0);
  t.is(table.exporter.leakedMappings, 0);
});

test('DmaBufImporter, that pins and is static, is a mistake of the program', (t) => {
  t.throws(() => new TableTop().importer(GPU, 'per-job', { pin: true }), { message: /pins by having mapped/ });
});
