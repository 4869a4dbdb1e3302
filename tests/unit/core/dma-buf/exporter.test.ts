import { bufferSlot, ErrnoError } from '@dmabuf-lab/core/base';
import { DmaResv, ResvUsage } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { CAMERA, ENCODER, GPU, TableTop } from './table-top.js';

const MiB = 1024 * 1024;

/** A buffer in the system heap that camera and GPU have mapped and unmapped. */
function placed(table: TableTop) {
  const buffer = table.create();
  const camera = table.importer(CAMERA);
  const lane = table.lane();
  const attachment = table.run(camera.attach(buffer));
  camera.unmap(table.run(camera.map(attachment, lane)));
  return { buffer, camera, lane, attachment };
}

test('Exporter.create, allocates nothing; the first map places where every attached device can reach', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const camera = table.importer(CAMERA);
  const encoder = table.importer(ENCODER);
  const attachment = table.run(camera.attach(buffer));
  table.run(encoder.attach(buffer));
  t.is(table.heapOf(buffer), undefined);
  t.is(table.system.stats().usedBytes + table.cma.stats().usedBytes, 0);
  table.run(camera.map(attachment, table.lane()));
  t.is(table.heapOf(buffer), 'cma');
  t.true(table.nowNs > 0, 'allocating and zeroing cost model time');
});

test('Exporter.create, naming a heap, allocates at once', (t) => {
  const table = new TableTop();
  t.is(table.heapOf(table.create({ heap: 'cma' })), 'cma');
  t.throws(() => table.create({ heap: 'vram' }), { code: 'ENODEV', message: /the heaps are system, cma/ } as object);
  t.throws(() => table.create({ sizeBytes: 0 }), { code: 'EINVAL' } as object);
});

test('Exporter.map, of a compatible late device, moves nothing', (t) => {
  const table = new TableTop();
  const { buffer } = placed(table);
  const gpu = table.importer(GPU);
  gpu.unmap(table.run(gpu.map(table.run(gpu.attach(buffer)), table.lane())));
  t.is(table.heapOf(buffer), 'system');
  t.is(table.mover.bytesCopied, 0);
});

test('Exporter.map, the first of a stricter late device, moves the content and the generation', (t) => {
  const table = new TableTop();
  const { buffer, camera, attachment, lane } = placed(table);
  const before = table.run(camera.map(attachment, lane));
  before.segments()[0].fill(0xab);
  const stale = before;
  camera.unmap(before);
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.is(table.heapOf(buffer), 'system', 'attach only reserves the target');
  t.is(table.cma.stats().usedBytes, MiB);
  const mapping = table.run(encoder.map(late, table.lane()));
  t.is(table.heapOf(buffer), 'cma');
  t.is(mapping.sgTable.runs.length, 1);
  t.is(mapping.segments()[0][0], 0xab);
  t.is(mapping.generation, 2);
  t.is(table.mover.bytesCopied, MiB);
  t.is(table.system.stats().usedBytes, 0);
  t.throws(() => stale.segments(), {
    code: 'EFAULT',
    message: /IOMMU fault: camera touched IOVA.*buffer, generation 1/,
  } as object);
});

test('Exporter.attach, moveAt attach, has moved when it returns', (t) => {
  const table = new TableTop({ moveAt: 'attach' });
  const { buffer } = placed(table);
  table.run(table.importer(ENCODER).attach(buffer));
  t.is(table.heapOf(buffer), 'cma');
});

test('Exporter.attach, no heap suits everybody, is EINVAL with the conflict, and all stays as it was', (t) => {
  const table = new TableTop();
  const { buffer, camera, attachment, lane } = placed(table);
  const impossible = table.importer({ device: 'dsp', addressLimit: 0xff_ffff });
  const error = t.throws(() => table.run(impossible.attach(buffer)), { code: 'EINVAL' } as object);
  t.deepEqual(
    (error as unknown as { details: { conflict: { device: string; field: string }[] } }).details.conflict.map(
      ({ device, field }) => ({ device, field }),
    ),
    [{ device: 'dsp', field: 'addressLimit' }],
  );
  t.is(table.heapOf(buffer), 'system');
  t.notThrows(() => camera.unmap(table.run(camera.map(attachment, lane))));
});

test('Exporter.attach, no room where it would have to move, is ENOMEM, and all stays as it was', (t) => {
  const table = new TableTop({}, 2 * MiB);
  const { buffer, camera, attachment, lane } = placed(table);
  table.create({ name: 'hog', heap: 'cma', sizeBytes: 1.5 * MiB });
  const used = table.cma.stats().usedBytes;
  t.throws(() => table.run(table.importer(ENCODER).attach(buffer)), { code: 'ENOMEM' } as object);
  t.is(table.cma.stats().usedBytes, used);
  t.notThrows(() => camera.unmap(table.run(camera.map(attachment, lane))));
});

test('Exporter.attach, of a pinned buffer that would have to move, is EBUSY', (t) => {
  const table = new TableTop();
  const { buffer } = placed(table);
  table.tables.buffers.pin(buffer.slot);
  t.throws(() => table.run(table.importer(ENCODER).attach(buffer)), {
    code: 'EBUSY',
    message: /pinned 1 times/,
  } as object);
  t.is(table.cma.stats().usedBytes, 0);
});

test('Exporter.attach, policy busy while it is mapped, is EBUSY naming who has it mapped', (t) => {
  const table = new TableTop({ onBusy: 'busy' });
  const { buffer, camera, attachment, lane } = placed(table);
  const mapping = table.run(camera.map(attachment, lane));
  t.throws(() => table.run(table.importer(ENCODER).attach(buffer)), {
    code: 'EBUSY',
    message: /camera has it mapped/,
  } as object);
  camera.unmap(mapping);
  t.notThrows(() => table.run(table.importer(ENCODER).attach(buffer)));
});

test('Exporter.map, a driver that never unmaps, is ETIMEDOUT naming it, and everybody goes on', (t) => {
  const table = new TableTop();
  const { buffer, camera, attachment, lane } = placed(table);
  const mapping = table.run(camera.map(attachment, lane));
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  const startNs = table.nowNs;
  t.throws(() => table.run(encoder.map(late, table.lane())), {
    code: 'ETIMEDOUT',
    message: /mapped by camera/,
  } as object);
  t.true(table.nowNs - startNs >= 1_000_000);
  t.is(table.heapOf(buffer), 'system');
  t.is(table.cma.stats().usedBytes, 0);
  t.notThrows(() => mapping.segments());
  camera.unmap(mapping);
  t.notThrows(() => table.run(encoder.map(late, table.lane())));
  t.is(table.heapOf(buffer), 'cma');
});

test('Exporter.map, a held mapping that a move has waited for in vain, is EBUSY at once from then on', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const camera = table.importer(CAMERA, 'held');
  const held = table.run(camera.map(table.run(camera.attach(buffer)), table.lane()));
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.throws(() => table.run(encoder.map(late, table.lane())), {
    code: 'ETIMEDOUT',
    message: /camera, which holds/,
  } as object);
  const afterNs = table.nowNs;
  t.throws(() => table.run(encoder.map(late, table.lane())), {
    code: 'EBUSY',
    message: /camera holds it mapped until REQBUFS\(0\)/,
  } as object);
  t.is(table.nowNs, afterNs);
  camera.unmap(held);
  t.notThrows(() => table.run(encoder.map(late, table.lane())));
});

test('BufferMover, a pending fence of any usage, is waited for and then times out', (t) => {
  const table = new TableTop();
  const { buffer, lane } = placed(table);
  const resv = new DmaResv(table.tables.resv, table.tables.timelines, buffer.slot);
  const fence = lane.owe();
  resv.addFence(fence, ResvUsage.Bookkeep);
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.throws(() => table.run(encoder.map(late, table.lane())), {
    code: 'ETIMEDOUT',
    message: /a fence is pending/,
  } as object);
  lane.pay(fence);
  t.notThrows(() => table.run(encoder.map(late, table.lane())));
});

test('DmaBufImporter.mapAll, while it owes a published fence and the storage is not there, is EDEADLK', (t) => {
  const table = new TableTop();
  const { buffer, camera, attachment, lane } = placed(table);
  lane.owe();
  table.tables.buffers.beginMove(buffer.slot);
  t.throws(() => table.run(camera.map(attachment, lane)), { code: 'EDEADLK' } as object);
});

test('Exporter.map, with devices expected, waits for them and then times out naming the missing; seal ends the wait', (t) => {
  const table = new TableTop();
  const buffer = table.create({ expect: ['camera', 'gpu'] });
  const camera = table.importer(CAMERA);
  const attachment = table.run(camera.attach(buffer));
  t.throws(() => table.run(camera.map(attachment, table.lane())), {
    code: 'ETIMEDOUT',
    message: /expects gpu/,
  } as object);
  table.run(table.exporter.seal({ buffer }));
  t.notThrows(() => table.run(camera.map(attachment, table.lane())));
});

test('Exporter.detach, before the first map of a late device, frees the reserved target', (t) => {
  const table = new TableTop();
  const { buffer } = placed(table);
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.is(table.cma.stats().usedBytes, MiB);
  table.run(encoder.detach(late));
  t.is(table.cma.stats().usedBytes, 0);
});

test('Exporter.detach, moveBack idle, moves to the cheaper heap once the strict device has gone', (t) => {
  const table = new TableTop({ moveBack: 'idle' });
  const { buffer } = placed(table);
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  encoder.unmap(table.run(encoder.map(late, table.lane())));
  t.is(table.heapOf(buffer), 'cma');
  table.run(encoder.detach(late));
  for (const task of table.spawned.splice(0)) table.run(task);
  t.is(table.heapOf(buffer), 'system');
});

test('Exporter.detach, while it is mapped, is EBUSY; unmap twice, is EINVAL', (t) => {
  const table = new TableTop();
  const { camera, attachment, lane } = placed(table);
  const mapping = table.run(camera.map(attachment, lane));
  t.throws(() => table.run(camera.detach(attachment)), { code: 'EBUSY' } as object);
  camera.unmap(mapping);
  t.throws(() => camera.unmap(mapping), { code: 'EINVAL' } as object);
});

test('Exporter.destroy, frees the storage, and the old handle is ESTALE, also once the slot is used again', (t) => {
  const table = new TableTop();
  const { buffer, camera, attachment } = placed(table);
  table.run(camera.detach(attachment));
  table.run(table.exporter.destroy({ buffer }));
  t.is(table.system.stats().usedBytes, 0);
  t.throws(() => table.run(camera.attach(buffer)), { code: 'ESTALE' } as object);
  const next = table.create();
  t.is(next.slot, bufferSlot(buffer.slot));
  t.throws(() => table.run(camera.attach(buffer)), { code: 'ESTALE' } as object);
});

test('DmaBufImporter.map, of a heap-directed buffer whose real addresses it cannot reach, is refused at attach', (t) => {
  const table = new TableTop();
  const scattered = table.create({ name: 'scattered', heap: 'system' });
  const limited = table.importer({ device: 'dsp', addressLimit: 0x4000_0fff });
  t.throws(() => table.run(limited.attach(scattered)), { code: 'EINVAL', message: /dsp.*scattered/ } as object);
});

test('Exporter.reclaim, of an actor that died while it had a buffer mapped, lets the move go on', (t) => {
  const table = new TableTop();
  const { buffer, camera, attachment, lane } = placed(table);
  table.run(camera.map(attachment, lane));
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  const dead = [...table.exporter.liveBuffers][0].attachments.get(attachment.slot)?.actor;
  if (dead === undefined) return t.fail('the camera is attached');
  table.onPark = () => {
    table.exporter.reclaim(dead);
    table.exporter.reclaim(dead);
    return true;
  };
  t.notThrows(() => table.run(encoder.map(late, table.lane())));
  t.is(table.heapOf(buffer), 'cma');
});

test('Exporter.attach, refused by the ops of the storage, leaves no attachment, and nobody waits for one', (t) => {
  const table = new TableTop();
  const buffer = table.create({ heap: 'cma' });
  const { ops } = table.cma;
  const attach = ops.attach.bind(ops);
  ops.attach = (storage, constraints) => {
    if (constraints.device === GPU.device)
      throw new ErrnoError('EBUSY', 'dma_buf_attach', 'it has ports for one device');
    attach(storage, constraints);
  };
  const camera = table.importer(CAMERA);
  const attachment = table.run(camera.attach(buffer));
  const gpu = table.importer(GPU);
  t.throws(() => table.run(gpu.attach(buffer)), { code: 'EBUSY', message: 'it has ports for one device' } as object);
  t.is(gpu.attachmentOf(buffer), undefined);
  camera.unmap(table.run(camera.map(attachment, table.lane())));
  table.run(camera.detach(attachment));
  table.run(table.exporter.destroy({ buffer }));
  t.is(table.cma.stats().usedBytes, 0);
  t.deepEqual(
    table.exporter.records.attaches.map(({ device, outcome }) => [device, outcome]),
    [
      [CAMERA.device, 'compatible'],
      [GPU.device, 'refused'],
    ],
  );
});

test('Exporter.map, whose placement the ops refuse one of two devices, places for the other and refuses that one', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  for (const { ops } of [table.system, table.cma]) {
    const attach = ops.attach.bind(ops);
    ops.attach = (storage, constraints) => {
      if (constraints.device === GPU.device) throw new ErrnoError('EPERM', 'dma_buf_attach', 'not this one');
      attach(storage, constraints);
    };
  }
  const [camera, gpu] = [table.importer(CAMERA), table.importer(GPU)];
  const attachment = table.run(camera.attach(buffer));
  const refused = table.run(gpu.attach(buffer));
  camera.unmap(table.run(camera.map(attachment, table.lane())));
  t.throws(() => table.run(gpu.map(refused, table.lane())), { code: 'EPERM' } as object);
  table.run(gpu.detach(refused));
  table.run(camera.detach(attachment));
  table.run(table.exporter.destroy({ buffer }));
  t.is(table.system.stats().usedBytes + table.cma.stats().usedBytes, 0);
});

test('Exporter.attach, of a second late device that cannot reach what is reserved for the first, reserves anew', (t) => {
  const table = new TableTop();
  const { buffer } = placed(table);
  const encoder = table.importer(ENCODER);
  const first = table.run(encoder.attach(buffer));
  // The upper half of the region only: what is reserved lies at its start.
  const upper = { device: 'npu', windows: [{ base: 0x4480_0000, sizeBytes: 8 * MiB }] };
  t.throws(() => table.run(table.importer(upper).attach(buffer)), { code: 'EINVAL' } as object);
  t.is(table.cma.stats().usedBytes, MiB, 'what was reserved for the first is kept');
  t.notThrows(() => encoder.unmap(table.run(encoder.map(first, table.lane()))));
});

test('Exporter.create, without room in the heap it names, leaves no slot taken', (t) => {
  const table = new TableTop();
  for (let i = 0; i < 20; i += 1) {
    t.throws(() => table.create({ heap: 'cma', sizeBytes: 64 * MiB }), { code: 'ENOMEM' } as object);
  }
  t.notThrows(() => table.create());
});

test('BufferMover, policy busy and only a fence in the way, is EBUSY at once', (t) => {
  const table = new TableTop({ onBusy: 'busy' });
  const { buffer, lane } = placed(table);
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  const fence = lane.owe();
  new DmaResv(table.tables.resv, table.tables.timelines, buffer.slot).addFence(fence, ResvUsage.Read);
  t.throws(() => table.run(encoder.map(late, table.lane())), {
    code: 'EBUSY',
    message: /a fence is pending/,
  } as object);
  lane.pay(fence);
  t.notThrows(() => table.run(encoder.map(late, table.lane())));
});

test('Exporter.destroy, a second time while the first waits for the last detach, is ESTALE, and frees no slot twice', (t) => {
  const table = new TableTop();
  const { buffer, camera, attachment } = placed(table);
  const first = table.exporter.destroy({ buffer });
  t.false(first.next().done);
  t.throws(() => table.run(table.exporter.destroy({ buffer })), { code: 'ESTALE' } as object);
  table.run(camera.detach(attachment));
  table.run(first);
  const next = table.create({ name: 'next' });
  t.is(next.slot, buffer.slot);
  t.deepEqual(
    [...table.exporter.liveBuffers].map(({ name }) => name),
    ['next'],
  );
  t.is(table.system.stats().usedBytes, 0);
});

test('Exporter.create, of storage at once, by whoever guesses the handle meanwhile, is not placed a second time', (t) => {
  const table = new TableTop();
  const request = { name: 'buffer', pool: 'pool', sizeBytes: MiB, expect: [], expectTimeoutNs: 0 };
  const creation = table.exporter.create({ ...request, allocate: { heap: 'cma' } });
  t.like(creation.next().value, { kind: 'time' });
  const gpu = table.importer(GPU);
  const guess = gpu.attach({ slot: bufferSlot(0), life: 1 });
  t.like(guess.next().value, { what: 'an earlier service of the same buffer' });
  const buffer = table.run(creation);
  gpu.unmap(table.run(gpu.map(table.run(guess), table.lane())));
  t.is(table.heapOf(buffer), 'cma');
  t.is(table.cma.stats().usedBytes + table.system.stats().usedBytes, MiB);
});
