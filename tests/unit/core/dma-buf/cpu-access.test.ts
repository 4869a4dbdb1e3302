import { DmaBufCpuAccess } from '@dmabuf-lab/core/dma-buf';
import { DmaResv, ResvUsage } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { ENCODER, TableTop } from './table-top.js';

const cpuOf = (table: TableTop): DmaBufCpuAccess =>
  new DmaBufCpuAccess({ services: table.services('user'), memory: table.memory, ...table.tables });

test('DmaBufCpuAccess.begin, of a buffer that nobody has mapped yet, places it zeroed', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const lease = table.run(cpuOf(table).begin(buffer, false));
  t.is(table.heapOf(buffer), 'system');
  t.true(lease.segments().every((segment) => segment.every((byte) => byte === 0)));
});

test('DmaBufCpuAccess, an open lease, holds a move up; after its end the view is void and the move goes on', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const cpu = cpuOf(table);
  const lease = table.run(cpu.begin(buffer, true));
  lease.segments()[0][0] = 42;
  const encoder = table.importer(ENCODER);
  const late = table.run(encoder.attach(buffer));
  t.throws(() => table.run(encoder.map(late, table.lane())), { code: 'ETIMEDOUT', message: /user\.cpu/ } as object);
  cpu.end(lease);
  t.throws(() => lease.segments(), { code: 'EFAULT' } as object);
  const mapping = table.run(encoder.map(late, table.lane()));
  t.is(mapping.segments()[0][0], 42);
  t.is(table.run(cpu.begin(buffer, false)).segments()[0][0], 42, 'the next access sees the new place');
});

test('DmaBufCpuAccess.begin, to read, waits for writers only; to write, for readers too', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const cpu = cpuOf(table);
  const lane = table.lane();
  const fence = lane.owe();
  new DmaResv(table.tables.resv, table.tables.timelines, buffer.slot).addFence(fence, ResvUsage.Read);
  t.notThrows(() => cpu.end(table.run(cpu.begin(buffer, false))));
  let waited = '';
  table.onPark = (what) => {
    waited = what;
    lane.pay(fence);
    return true;
  };
  t.notThrows(() => cpu.end(table.run(cpu.begin(buffer, true))));
  t.is(waited, 'a fence before CPU access');
});

test('DmaBufCpuAccess.release, with a lease open, is EBUSY', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const cpu = cpuOf(table);
  const lease = table.run(cpu.begin(buffer, false));
  t.throws(() => table.run(cpu.release(buffer)), { code: 'EBUSY' } as object);
  cpu.end(lease);
  t.notThrows(() => table.run(cpu.release(buffer)));
});
