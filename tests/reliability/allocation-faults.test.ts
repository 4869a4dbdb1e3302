/** Row 10: every allocation of the exporter fails once, and nothing has changed; afterwards it succeeds. */
import { ErrnoError, isErrno } from '@dmabuf-lab/core/base';
import type { DmaHeap } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { CAMERA, ENCODER, GPU, TableTop } from '../unit/core/dma-buf/table-top.js';

/** Makes the n-th allocation of a table fail, counted over its heaps from 1; 0: none. @returns how many there were */
function failNth(table: TableTop, nth: number): { count: number } {
  const seen = { count: 0 };
  for (const heap of [table.system, table.cma] as DmaHeap[]) {
    const allocate = heap.allocate.bind(heap);
    heap.allocate = (sizeBytes, options) => {
      seen.count += 1;
      if (seen.count !== nth) return allocate(sizeBytes, options);
      throw new ErrnoError('ENOMEM', 'dma_heap_alloc', 'Cannot allocate: this is the one that fails');
    };
  }
  return seen;
}

/** What can be seen of a table: where buffers are, who is attached, what is mapped, and what heaps have given. */
function seenOf(table: TableTop): unknown {
  return {
    buffers: [...table.exporter.liveBuffers].map((buffer) => ({
      name: buffer.name,
      heap: buffer.allocation?.heap,
      reserved: buffer.reserved?.heap,
      attached: [...buffer.attachments.values()].map(({ device }) => device),
      state: table.tables.buffers.state(buffer.slot),
    })),
    used: [table.system.stats().usedBytes, table.cma.stats().usedBytes],
  };
}

/** Everything that allocates: at create, at the first map, for a late device, for a move. Each step can be done again. */
function steps(table: TableTop): (() => void)[] {
  const [camera, gpu, encoder] = [table.importer(CAMERA), table.importer(GPU), table.importer(ENCODER)];
  const lane = table.lane();
  let eager: ReturnType<TableTop['create']> | undefined;
  const buffer = table.create({ name: 'deferred' });
  const map = (importer: typeof camera) => (): void => {
    const attachment = table.run(importer.attach(buffer));
    importer.unmap(table.run(importer.map(attachment, lane)));
  };
  return [
    () => {
      eager ??= table.create({ name: 'eager', heap: 'cma' });
    },
    map(camera),
    map(gpu),
    map(encoder),
    map(camera),
    () => {
      for (const importer of [camera, gpu, encoder]) {
        const attachment = importer.attachmentOf(buffer);
        if (attachment !== undefined) table.run(importer.detach(attachment));
      }
      table.run(table.exporter.destroy({ buffer }));
      if (eager !== undefined) table.run(table.exporter.destroy({ buffer: eager }));
    },
  ];
}

test('row 10: each allocation fails once with ENOMEM, leaves all as it was, and the same step succeeds afterwards', (t) => {
  const quiet = new TableTop();
  const { count } = failNth(quiet, 0);
  const counted = failNth(quiet, 0);
  for (const step of steps(quiet)) step();
  t.is(count, 0);
  t.true(counted.count >= 3, `${counted.count} allocations`);
  let refused = 0;
  for (let nth = 1; nth <= counted.count; nth += 1) {
    const table = new TableTop();
    failNth(table, nth);
    let failures = 0;
    for (const step of steps(table)) {
      const before = seenOf(table);
      try {
        step();
      } catch (error) {
        failures += 1;
        t.true(isErrno(error, 'ENOMEM'), `${error}`);
        // A device may have attached before its map failed: that is a step of its own, and stays.
        const strip = (seen: unknown): unknown =>
          JSON.parse(JSON.stringify(seen, (key, value) => (key === 'attached' ? undefined : value)));
        t.deepEqual(strip(seenOf(table)), strip(before), `allocation ${nth}`);
        step();
      }
    }
    // None where another heap would do as well.
    t.true(failures <= 1, `allocation ${nth}`);
    refused += failures;
    t.deepEqual(seenOf(table), { buffers: [], used: [0, 0] });
  }
  t.true(refused >= 2, `${refused} of ${counted.count} were refused`);
});
