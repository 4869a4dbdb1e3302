import {
  CpuCache,
  type CpuCacheOptions,
  type CpuView,
  DmaBufCaller,
  DmaBufObject,
  DmaBufRules,
  type DmaBufRulesOptions,
  mapAttachmentUnlocked,
  unmapAttachmentUnlocked,
  withCpuCache,
} from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { MovableBench } from './movable-bench.js';
import { follower } from './object-bench.js';

/** A buffer of four pages behind a cache that is not coherent, unless a test says otherwise. */
function cached(options: Partial<CpuCacheOptions> = {}, rulesOptions: DmaBufRulesOptions = {}) {
  const rules = new DmaBufRules(rulesOptions);
  const cache = new CpuCache({ isCoherent: false, ...options }, rules);
  const pages = Array.from({ length: 4 }, () => new Uint8Array(PAGE_SIZE));
  const view = cache.view({ name: 'frame', sizeBytes: 4 * PAGE_SIZE, page: (index) => pages[index] });
  const places = (): [string, unknown][] => rules.findings.map(({ kind, details }) => [kind, details.page]);
  return { rules, cache, pages, view, places };
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

test('CpuView, with SYNC around each access, sees and shows all, and finds nothing', (t) => {
  const { view, places } = cached();
  view.syncForCpu('bidirectional');
  view.write(4090, bytes(1, 2, 3, 4, 5, 6, 7, 8));
  view.syncForDevice('bidirectional');
  t.deepEqual([...view.deviceRead(4090, 8)], [1, 2, 3, 4, 5, 6, 7, 8]);
  view.deviceWrite(4090, bytes(9, 8));
  view.syncForCpu('from-device');
  t.deepEqual([...view.read(4090, 3)], [9, 8, 3]);
  view.syncForDevice('from-device');
  t.deepEqual(places(), []);
});

test('CpuView, without SYNC END, shows the device old bytes, and the finding names the pages', (t) => {
  const { view, places, rules } = cached();
  view.write(PAGE_SIZE - 1, bytes(7, 7));
  t.deepEqual([...view.deviceRead(PAGE_SIZE - 1, 2)], [0, 0]);
  t.deepEqual(places(), [
    ['cache-device-reads-stale', 0],
    ['cache-device-reads-stale', 1],
  ]);
  t.regex(rules.findings[0].message, /page 0 of frame: .* no SYNC END/);
});

test('CpuView, without SYNC START, shows the CPU old bytes, and the finding names the page', (t) => {
  const { view, places } = cached();
  view.read(2 * PAGE_SIZE, 4);
  view.deviceWrite(2 * PAGE_SIZE, bytes(5));
  t.deepEqual([...view.read(2 * PAGE_SIZE, 1)], [0]);
  t.deepEqual(places(), [['cache-cpu-reads-stale', 2]]);
});

test('CpuView, stale with the same bytes, is found all the same', (t) => {
  const { view, places } = cached();
  view.read(0, 1);
  view.deviceWrite(0, bytes(0));
  view.read(0, 1);
  t.deepEqual(places(), [['cache-cpu-reads-stale', 0]]);
});

test('CpuView, with SYNC START for writing only, stays stale', (t) => {
  const { view, places } = cached();
  view.read(0, 1);
  view.deviceWrite(0, bytes(5));
  view.syncForCpu('to-device');
  t.deepEqual([...view.read(0, 1)], [0]);
  t.deepEqual(places(), [['cache-cpu-reads-stale', 0]]);
});

test('CpuView, written before SYNC START, loses that', (t) => {
  const { view, places } = cached();
  view.write(3 * PAGE_SIZE, bytes(9));
  view.syncForCpu('bidirectional');
  t.deepEqual([...view.read(3 * PAGE_SIZE, 1)], [0]);
  t.deepEqual(places(), [['cache-cpu-write-lost', 3]]);
});

test('CpuView, written in an access for reading, is cleaned here and found', (t) => {
  const { view, places } = cached();
  view.syncForCpu('from-device');
  view.write(0, bytes(9));
  view.syncForDevice('from-device');
  t.deepEqual([...view.deviceRead(0, 1)], [9]);
  t.deepEqual(places(), [['cache-write-in-read-access', 0]]);
});

test('CpuView, written beside what a device writes in the same line, goes over it', (t) => {
  const { view, places } = cached();
  view.write(0, bytes(1));
  view.deviceWrite(63, bytes(2));
  view.syncForDevice('to-device');
  t.deepEqual([...view.deviceRead(0, 64)].filter(Boolean), [1]);
  t.deepEqual([...view.read(0, 64)].filter(Boolean), [1], 'and is no longer stale');
  t.deepEqual(places(), [['cache-device-write-lost', 0]]);
  view.write(0, bytes(3));
  view.deviceWrite(64, bytes(4));
  view.syncForDevice('to-device');
  t.is(view.deviceRead(64, 1)[0], 4, 'the next line is another');
});

test('CpuCache, full, evicts the oldest line, and so writes reach memory without SYNC', (t) => {
  const { view, cache, places } = cached({ capacityLines: 2 });
  view.write(0, bytes(1));
  view.write(64, bytes(2));
  t.is(view.deviceRead(64, 1)[0], 0);
  view.write(128, bytes(3));
  t.is(view.deviceRead(0, 1)[0], 1);
  t.is(cache.cost.evictedDirtyLines, 1);
  t.deepEqual(places(), [['cache-device-reads-stale', 0]]);
});

test('CpuCache, shared by two buffers, evicts lines of either', (t) => {
  const { cache, view } = cached({ capacityLines: 1 });
  const page = new Uint8Array(PAGE_SIZE);
  const other = cache.view({ name: 'other', sizeBytes: PAGE_SIZE, page: () => page });
  view.write(0, bytes(1));
  other.read(0, 1);
  t.is(view.deviceRead(0, 1)[0], 1);
});

test('CpuCache, charges maintenance for each page of the buffer, cached or not', (t) => {
  const { cache, view } = cached({ cleanNsPerPage: 100, invalidateNsPerPage: 30 });
  t.is(view.syncForCpu('from-device'), 120);
  t.is(view.syncForDevice('from-device'), 400);
  t.is(view.syncForDevice('to-device'), 400);
  t.is(view.syncForCpu('to-device'), 0);
  t.deepEqual(cache.cost, { cleanedPages: 8, invalidatedPages: 4, evictedDirtyLines: 0, spentNs: 920 });
});

test('CpuView.discard, forgets what the CPU wrote, without a word, and makes room', (t) => {
  const { cache, view, pages, places } = cached({ capacityLines: 2 });
  view.write(0, bytes(1));
  view.write(64, bytes(2));
  view.discard();
  const page = new Uint8Array(PAGE_SIZE);
  const other = cache.view({ name: 'other', sizeBytes: PAGE_SIZE, page: () => page });
  other.read(0, 128);
  t.deepEqual([pages[0][0], pages[0][64], cache.cost.evictedDirtyLines], [0, 0, 0]);
  t.deepEqual(places(), []);
});

test('CpuCache, coherent, finds and charges nothing', (t) => {
  const { cache, view, places } = cached({ isCoherent: true, cleanNsPerPage: 100, invalidateNsPerPage: 30 });
  view.write(0, bytes(1));
  t.is(view.deviceRead(0, 1)[0], 1);
  view.deviceWrite(0, bytes(2));
  t.is(view.read(0, 1)[0], 2);
  view.syncForCpu('bidirectional');
  view.syncForDevice('bidirectional');
  t.deepEqual(places(), []);
  t.is(cache.cost.spentNs, 0);
});

test('CpuView, in strict mode, notes what an unmap throws away, and refuses the same at SYNC START', (t) => {
  const { view, places } = cached({ invalidateNsPerPage: 30 }, { mode: 'strict' });
  view.write(0, bytes(1));
  t.is(view.syncForCpuAtUnmap('from-device'), 120);
  view.write(PAGE_SIZE, bytes(1));
  t.throws(() => view.syncForCpu('from-device'), { code: 'EIO' });
  t.deepEqual(places(), [
    ['cache-cpu-write-lost', 0],
    ['cache-cpu-write-lost', 1],
  ]);
});

test('CpuView, in strict mode, refuses with EIO what it only finds else', (t) => {
  const { view } = cached({}, { mode: 'strict' });
  view.write(0, bytes(1));
  t.throws(() => view.deviceRead(0, 1), { code: 'EIO', message: /page 0 of frame/ });
});

test('CpuView, beyond its buffer, breaks an invariant', (t) => {
  const { view } = cached();
  t.throws(() => view.read(4 * PAGE_SIZE - 1, 2), { name: 'InvariantError' });
  t.throws(() => view.deviceWrite(-1, bytes(1)), { name: 'InvariantError' });
});

/** A movable buffer whose ops do the maintenance of a cache. */
function movable() {
  const rules = new DmaBufRules();
  const cache = new CpuCache({ isCoherent: false }, rules);
  const views: CpuView[] = [];
  const bench: MovableBench = new MovableBench(
    {},
    {
      decorate: (exporter) => {
        const page = (index: number): Uint8Array => exporter.page(index) ?? new Uint8Array(0);
        const view = cache.view({ name: 'frame', sizeBytes: 2 * PAGE_SIZE, page });
        views.push(view);
        return withCpuCache(exporter, view);
      },
    },
  );
  const run = <T>(task: Parameters<typeof bench.runner.start<T>>[0]): T => {
    const running = bench.runner.start(task);
    bench.runner.run();
    if (running.error !== undefined) throw running.error;
    return running.value as T;
  };
  return { rules, bench, view: views[0], run, cpu: new DmaBufCaller('cpu') };
}

test('withCpuCache, begin and end of a CPU access, and map and unmap, hand the bytes over', (t) => {
  const { rules, bench, view, run, cpu } = movable();
  const { buffer } = bench;
  run(buffer.beginCpuAccess(cpu, 'to-device'));
  view.write(0, bytes(1));
  buffer.endCpuAccess(cpu, 'to-device');
  t.is(view.deviceRead(0, 1)[0], 1);
  view.write(1, bytes(2));
  const attachment = buffer.dynamicAttach(cpu, 'gpu', follower());
  const mapping = run(mapAttachmentUnlocked(cpu, attachment, 'bidirectional'));
  t.is(view.deviceRead(1, 1)[0], 2);
  view.read(0, 1);
  view.deviceWrite(0, bytes(3));
  run(unmapAttachmentUnlocked(cpu, mapping));
  t.is(view.read(0, 1)[0], 3);
  t.deepEqual(rules.findings, []);
});

test('withCpuCache, lets the time pass of what may wait, and discards at the release', (t) => {
  const rules = new DmaBufRules();
  const cache = new CpuCache({ isCoherent: false, cleanNsPerPage: 100, invalidateNsPerPage: 30 }, rules);
  const pages = [new Uint8Array(PAGE_SIZE)];
  const view = cache.view({ name: 'frame', sizeBytes: PAGE_SIZE, page: (index) => pages[index] });
  const spent: number[] = [];
  const released: string[] = [];
  const { run } = movable();
  const buffer = new DmaBufObject<Uint8Array[]>({
    exporterName: 'test',
    sizeBytes: PAGE_SIZE,
    reservation: movable().bench.buffer.reservation,
    ops: withCpuCache(
      {
        *mapDmaBuf() {
          return pages;
        },
        unmapDmaBuf: () => {},
        release: () => released.push('released'),
      },
      view,
      function* (ns) {
        spent.push(ns);
      },
    ),
  });
  const cpu = new DmaBufCaller('cpu');
  run(buffer.beginCpuAccess(cpu, 'to-device'));
  t.deepEqual(spent, [], 'nothing to invalidate');
  run(buffer.beginCpuAccess(cpu, 'from-device'));
  buffer.endCpuAccess(cpu, 'from-device');
  const attachment = buffer.attach(cpu, 'gpu');
  const mapping = run(mapAttachmentUnlocked(cpu, attachment, 'to-device'));
  run(unmapAttachmentUnlocked(cpu, mapping));
  buffer.detach(cpu, attachment);
  t.deepEqual(spent, [30, 100]);
  buffer.endCpuAccess(cpu, 'to-device');
  view.write(0, bytes(1));
  buffer.put(cpu);
  t.deepEqual([released, view.read(0, 1)[0]], [['released'], 0]);
});

test('withCpuCache, before a movable exporter, keeps what the CPU wrote over a move', (t) => {
  const { rules, bench, view, run, cpu } = movable();
  run(bench.buffer.beginCpuAccess(cpu, 'bidirectional'));
  view.write(5000, bytes(7));
  const move = bench.runner.start(bench.exporter.move(bench.mover, bench.table()));
  bench.runner.run();
  t.false(move.done);
  bench.buffer.endCpuAccess(cpu, 'bidirectional');
  bench.runner.run();
  t.true(move.done);
  t.is(bench.exporter.generation, 1);
  t.is(view.deviceRead(5000, 1)[0], 7);
  t.deepEqual(rules.findings, []);
});

/** What a program does, at one of a few places. */
const step = fc.record({
  what: fc.constantFrom('read', 'write', 'deviceRead', 'deviceWrite', 'syncForCpu', 'syncForDevice'),
  at: fc.nat(11),
  value: fc.integer({ min: 1, max: 255 }),
});

testProp(
  'CpuView, in any program without a finding, is as memory without a cache',
  [fc.array(step, { maxLength: 40, size: 'max' }), fc.integer({ min: 1, max: 4 })],
  (t, steps, capacityLines) => {
    const { view, rules } = cached({ capacityLines, lineBytes: 64 });
    const memory = new Uint8Array(4 * PAGE_SIZE);
    for (const { what, at, value } of steps) {
      const offset = at * 16;
      if (what === 'write') {
        view.write(offset, bytes(value));
        memory[offset] = value;
      } else if (what === 'deviceWrite') {
        view.deviceWrite(offset, bytes(value));
        memory[offset] = value;
      } else if (what === 'syncForCpu') view.syncForCpu('bidirectional');
      else if (what === 'syncForDevice') view.syncForDevice('bidirectional');
      else {
        const seen = view[what as 'read' | 'deviceRead'](offset, 1)[0];
        if (rules.findings.length > 0) return t.pass();
        t.is(seen, memory[offset]);
      }
      if (rules.findings.length > 0) return t.pass();
    }
    t.pass();
  },
);
