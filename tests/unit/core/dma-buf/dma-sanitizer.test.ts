import { assert, BoundedList } from '@dmabuf-lab/core/base';
import { DEFAULT_QUARANTINE_BYTES, DmaSanitizer, POISON_BYTE } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { CAMERA, ENCODER, GPU, TableTop } from './table-top.js';

const MiB = 1024 * 1024;

function sanitized(cmaBytes = 16 * MiB, limitBytes = DEFAULT_QUARANTINE_BYTES) {
  const table = new TableTop({}, cmaBytes, limitBytes);
  const { sanitizer } = table;
  assert(sanitizer !== undefined, 'it was asked for');
  return { table, sanitizer };
}

/** A buffer that the camera has mapped and unmapped, with a view that it keeps though it must not. */
function withStaleView(table: TableTop, heap?: string) {
  const buffer = table.create(heap === undefined ? {} : { heap });
  const camera = table.importer(CAMERA);
  const attachment = table.run(camera.attach(buffer));
  const mapping = table.run(camera.map(attachment, table.lane()));
  const [view] = mapping.segments();
  camera.unmap(mapping);
  const destroy = (): void => {
    table.run(camera.detach(attachment));
    table.run(table.exporter.destroy({ buffer }));
  };
  return { buffer, camera, attachment, view, address: mapping.sgTable.runs[0].address, destroy };
}

/** Looks at everything now. */
function found(sanitizer: DmaSanitizer) {
  sanitizer.flush();
  return sanitizer.findings;
}

test('DmaSanitizer, a write through a stale view after the buffer is gone, is found with heap, address, buffer, generation and device', (t) => {
  const { table, sanitizer } = sanitized();
  const { view, address, destroy } = withStaleView(table, 'cma');
  destroy();
  t.is(view[0], POISON_BYTE, 'who reads sees the poison');
  const freedNs = table.nowNs;
  view[100] = 1;
  view[5000] = 2;
  table.nowNs += 77;
  t.deepEqual(found(sanitizer), [
    {
      heap: 'cma',
      address: (address + 100) as never,
      lengthBytes: 4901,
      buffer: 'buffer',
      generations: [1],
      devices: ['camera'],
      freedNs,
      seenNs: freedNs + 77,
    },
  ]);
  t.is(sanitizer.damaged, 1);
});

test('DmaSanitizer, a write of a poison byte alone, is the one that it cannot see', (t) => {
  const { table, sanitizer } = sanitized();
  const { view, destroy } = withStaleView(table);
  destroy();
  view[100] = POISON_BYTE;
  t.deepEqual(found(sanitizer), []);
});

test('DmaSanitizer, a write to the pages that a buffer has moved away from, is found; one to its new pages is none', (t) => {
  const { table, sanitizer } = sanitized();
  const { buffer, view } = withStaleView(table);
  const gpu = table.importer(GPU);
  gpu.unmap(table.run(gpu.map(table.run(gpu.attach(buffer)), table.lane())));
  const encoder = table.importer(ENCODER);
  const mapping = table.run(encoder.map(table.run(encoder.attach(buffer)), table.lane()));
  t.is(mapping.generation, 2);
  mapping.segments()[0].fill(7);
  t.deepEqual(found(sanitizer), []);
  encoder.unmap(mapping);

  const again = sanitized();
  const moved = withStaleView(again.table);
  const late = again.table.importer(ENCODER);
  late.unmap(again.table.run(late.map(again.table.run(late.attach(moved.buffer)), again.table.lane())));
  moved.view[0] = 0;
  t.like(found(again.sanitizer), [{ heap: 'system', buffer: 'buffer', generations: [1], devices: ['camera'] }]);
  t.is(view.length, moved.view.length);
});

test('DmaSanitizer, buffers that nobody writes to any more, are looked at and nothing is found', (t) => {
  const { table, sanitizer } = sanitized();
  for (let i = 0; i < 4; i += 1) {
    const { view, destroy } = withStaleView(table);
    view.fill(i);
    destroy();
  }
  t.deepEqual(found(sanitizer), []);
  t.is(sanitizer.checkedBytes, 4 * MiB);
  t.is(table.system.stats().usedBytes, 0);
});

test('DmaSanitizer, held pages are free in the statistics, and come back when an allocation needs them', (t) => {
  const { table, sanitizer } = sanitized(2 * MiB);
  const cma = table.exporter.heap('cma');
  for (let i = 0; i < 5; i += 1) {
    const { view, destroy } = withStaleView(table, 'cma');
    t.true(
      view.every((byte) => byte === 0),
      'no poison reaches the next owner',
    );
    view.fill(i + 1);
    destroy();
    const { usedBytes, freeBytes, peakBytes, allocations } = cma.stats();
    t.deepEqual([usedBytes, freeBytes, peakBytes, allocations], [0, 2 * MiB, MiB, 0]);
  }
  t.true(table.cma.stats().usedBytes > 0, 'held all the same');
  const big = table.create({ heap: 'cma', sizeBytes: 2 * MiB });
  t.is(table.cma.stats().usedBytes, 2 * MiB);
  t.throws(() => table.create({ heap: 'cma' }), { code: 'ENOMEM' } as object, 'what is really full stays so');
  table.run(table.exporter.destroy({ buffer: big }));
  t.deepEqual(found(sanitizer), []);
});

test('DmaSanitizer, beyond its limit, lets the oldest go first, and looks at it then', (t) => {
  const { table, sanitizer } = sanitized(16 * MiB, 2 * MiB);
  const first = withStaleView(table, 'cma');
  const second = withStaleView(table, 'cma');
  const third = withStaleView(table, 'cma');
  first.destroy();
  first.view[0] = 1;
  second.destroy();
  second.view[0] = 1;
  t.is(sanitizer.damaged, 0);
  third.destroy();
  t.is(sanitizer.damaged, 1);
  t.is(sanitizer.findings[0].address, first.address);
});

test('DmaSanitizer, storage that no device ever got, is told without a buffer', (t) => {
  const { table, sanitizer } = sanitized();
  const buffer = table.create({ heap: 'cma' });
  const allocation = [...table.exporter.liveBuffers][0].allocation;
  assert(allocation !== undefined, 'it is backed');
  table.run(table.exporter.destroy({ buffer }));
  table.memory.fill(allocation.sgTable.runs[0].address, 0, 4096);
  const [finding] = found(sanitizer);
  t.is(finding.buffer, undefined);
  t.deepEqual(finding.devices, []);
});

test('DmaSanitizer, the next life of the exporter, has the findings of the one before', (t) => {
  const { table, sanitizer } = sanitized();
  const kept: unknown[] = [];
  const journal = {
    append: (_: string, list: BoundedList<unknown>, value: unknown) => {
      list.add(value);
      kept.push(structuredClone(value));
    },
    restore: () => {
      const list = new BoundedList<unknown>();
      for (const one of kept) list.add(one);
      return list;
    },
  };
  sanitizer.keepIn(journal as never);
  const { view, destroy } = withStaleView(table, 'cma');
  destroy();
  view[100] = 1;
  const findings = [...found(sanitizer)];
  t.is(findings.length, 1);
  const next = new DmaSanitizer(table.memory, () => 0);
  next.keepIn(journal as never);
  t.deepEqual(next.findings, findings);
  t.is(next.damaged, 1);
});
