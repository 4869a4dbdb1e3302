import { CpuFrameCache, type CpuTouch } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { CAMERA, ENCODER, TableTop } from './table-top.js';

const PAGE = 4096;
const CPU = { device: 'program' };

/** A buffer, of four pages where nothing else is said, that a device and a program on the CPU have mapped. */
function shared(touch: Partial<CpuTouch> = {}, copies = true, sizeBytes = 4 * PAGE) {
  const table = new TableTop();
  const buffer = table.create({ sizeBytes });
  const device = table.importer(CAMERA);
  const program = table.importer(CPU);
  const lane = table.lane();
  const ofDevice = table.run(device.attach(buffer));
  const ofProgram = table.run(program.attach(buffer));
  const full = { sync: false, capacityPages: 16, cleanNsPerPage: 30, invalidateNsPerPage: 20, ...touch };
  const cache = new CpuFrameCache(full, table.tables.buffers, copies);
  const deviceWrites = (value: number) => {
    const mapping = table.run(device.map(ofDevice, lane));
    for (const segment of mapping.segments()) segment.fill(value);
    device.unmap(mapping);
  };
  const deviceReads = (): number[] => {
    const mapping = table.run(device.map(ofDevice, lane));
    const bytes = mapping.segments().flatMap((segment) => [...segment].filter((_, i) => i % PAGE === 0));
    device.unmap(mapping);
    return bytes;
  };
  /** What the program reads, one byte a page; `writes` goes into all of it then. */
  const access = (sequence: number, writes?: number): number[] => {
    const mapping = table.run(program.map(ofProgram, lane));
    cache.begin(mapping, sequence, writes !== undefined);
    const [bytes] = cache.segments(mapping);
    const seen = [0, 1, 2, 3].map((page) => bytes[page * PAGE]);
    if (writes !== undefined) bytes.fill(writes);
    cache.end(mapping, sequence, writes !== undefined);
    program.unmap(mapping);
    return seen;
  };
  return { table, buffer, cache, deviceWrites, deviceReads, access };
}

test('CpuFrameCache, without SYNC, reads again what it has read before, whatever a device has written since', (t) => {
  const { cache, deviceWrites, access } = shared();
  deviceWrites(1);
  t.deepEqual(access(1), [1, 1, 1, 1]);
  t.deepEqual(cache.findings, [], 'what comes from memory is fresh');
  deviceWrites(2);
  t.deepEqual(access(2), [1, 1, 1, 1]);
  deviceWrites(3);
  t.deepEqual(access(3), [1, 1, 1, 1]);
  t.deepEqual(cache.findings, [{ kind: 'cpu-reads-stale', buffer: 'buffer', accesses: 2, pages: 8 }]);
});

test('CpuFrameCache, with SYNC, reads what is in memory, and pays for each page', (t) => {
  const { table, buffer, cache, deviceWrites, access } = shared({ sync: true });
  for (const value of [1, 2, 3]) {
    deviceWrites(value);
    t.deepEqual(access(value), [value, value, value, value]);
  }
  t.deepEqual(cache.findings, []);
  const program = table.importer({ device: 'other' });
  const mapping = table.run(program.map(table.run(program.attach(buffer)), table.lane()));
  t.is(cache.begin(mapping, 4, false), 4 * (30 + 20));
});

test('CpuFrameCache, without SYNC, keeps what it writes from devices until it is evicted; with SYNC, it is there', (t) => {
  const kept = shared();
  kept.deviceWrites(1);
  kept.access(2, 9);
  t.deepEqual(kept.deviceReads(), [1, 1, 1, 1]);
  t.deepEqual(kept.cache.findings, [{ kind: 'cpu-writes-late', buffer: 'buffer', accesses: 1, pages: 4 }]);
  const small = shared({ capacityPages: 3 });
  small.deviceWrites(1);
  small.access(2, 9);
  t.deepEqual(small.deviceReads(), [9, 1, 1, 1], 'the oldest page had to give way');
  const synced = shared({ sync: true });
  synced.deviceWrites(1);
  synced.access(2, 9);
  t.deepEqual(synced.deviceReads(), [9, 9, 9, 9]);
  t.deepEqual(synced.cache.findings, []);
});

test('CpuFrameCache, smaller than the buffer, hides a SYNC that is missing before reading', (t) => {
  const { cache, deviceWrites, access } = shared({ capacityPages: 3 });
  deviceWrites(1);
  access(1);
  deviceWrites(2);
  t.deepEqual(access(2), [2, 2, 2, 2]);
  t.deepEqual(cache.findings, []);
});

test('CpuFrameCache, after the buffer has moved, knows nothing of it, and writes nothing to where it was', (t) => {
  const { table, buffer, deviceWrites, deviceReads, access } = shared({ capacityPages: 256 }, true, 2 ** 20);
  deviceWrites(1);
  access(2, 9); // dirty pages of the old place
  const encoder = table.importer(ENCODER);
  encoder.unmap(table.run(encoder.map(table.run(encoder.attach(buffer)), table.lane())));
  t.is(table.mover.bytesCopied, 2 ** 20);
  const old = table.create({ name: 'other', heap: 'system', sizeBytes: 2 ** 20 });
  deviceWrites(3);
  t.deepEqual(access(3), [3, 3, 3, 3], 'what was cached belongs to other pages');
  t.true(deviceReads().every((byte) => byte === 3));
  const other = table.importer({ device: 'other' });
  const mapping = table.run(other.map(table.run(other.attach(old)), table.lane()));
  t.true(
    mapping.segments().every((segment) => segment.every((byte) => byte === 0)),
    'the old pages are whole',
  );
});

test('CpuFrameCache, where there are no contents, counts what would be stale', (t) => {
  const { cache, access } = shared({}, false);
  const read = (sequence: number) => {
    try {
      access(sequence);
    } catch {
      t.fail('nothing is touched');
    }
  };
  read(1);
  read(1);
  t.deepEqual(cache.findings, [], 'the same content again is not stale');
  read(2);
  t.deepEqual(cache.findings, [{ kind: 'cpu-reads-stale', buffer: 'buffer', accesses: 1, pages: 4 }]);
});
