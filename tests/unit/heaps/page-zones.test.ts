import { PAGE_SIZE, PhysicalMemory } from '@dmabuf-lab/core/memory';
import { PageZones, SystemContigHeap, SystemHeap } from '@dmabuf-lab/heaps';
import test from 'ava';

const MiB = 2 ** 20;
const FOUR_GIB = 2 ** 32;
/** 8 MiB on each side of 4 GiB. */
const zone = { base: FOUR_GIB - 8 * MiB, sizeBytes: 16 * MiB };
const memoryOf = (): PhysicalMemory => PhysicalMemory.create([{ name: 'dram', ...zone }]);
const asIs = { zero: false };

const isLow = ({ sgTable }: ReturnType<SystemHeap['allocate']>): boolean =>
  sgTable.runs.every((run) => run.address + run.lengthBytes <= FOUR_GIB);

test('SystemHeap, takes pages above 4 GiB first, and falls back to those below', (t) => {
  const heap = new SystemHeap('system', memoryOf(), zone);
  t.true(heap.allocate(8 * MiB, asIs).sgTable.runs.every((run) => run.address >= FOUR_GIB));
  t.true(isLow(heap.allocate(8 * MiB, asIs)));
});

test('SystemHeap of low reach, gives pages below 4 GiB only, and says so in its traits', (t) => {
  const heap = new SystemHeap('system-dma32', memoryOf(), zone, { reach: 'low' });
  t.deepEqual(heap.traits().windows, [{ base: zone.base, sizeBytes: 8 * MiB }]);
  t.is(heap.traits().cost, 1);
  t.true(isLow(heap.allocate(8 * MiB, asIs)));
  t.throws(() => heap.allocate(1, asIs), { code: 'ENOMEM' });
});

test('SystemHeap of low reach, is refused where no page lies below 4 GiB', (t) => {
  const memory = PhysicalMemory.create([{ name: 'high', base: FOUR_GIB, sizeBytes: MiB }]);
  const high = { base: FOUR_GIB, sizeBytes: MiB };
  t.throws(() => new SystemHeap('system-dma32', memory, high, { reach: 'low' }), { code: 'EINVAL' });
});

test('PageZones, are shared: what one heap takes the others lack', (t) => {
  const memory = memoryOf();
  const zones = new PageZones('dram', memory, zone);
  const system = new SystemHeap('system', memory, zones);
  const low = new SystemHeap('system-dma32', memory, zones, { reach: 'low' });
  const contig = new SystemContigHeap('contig', memory, zones);
  system.allocate(12 * MiB, asIs);
  t.is(low.stats().freeBytes, 4 * MiB);
  t.is(low.stats().usedBytes, 0);
  t.is(contig.allocate(4 * MiB, asIs).sgTable.runs.length, 1);
  t.throws(() => low.allocate(PAGE_SIZE, asIs), { code: 'ENOMEM' });
});

test('SystemContigHeap, gives the tail of its block back, and at most 4 MiB', (t) => {
  const heap = new SystemContigHeap('contig', memoryOf(), zone);
  const odd = heap.allocate(3 * PAGE_SIZE, asIs);
  t.is(heap.stats().freeBytes, 16 * MiB - 3 * PAGE_SIZE);
  t.is(odd.sgTable.runs[0].address % (4 * PAGE_SIZE), 0, 'aligned to the next power of two');
  t.is(heap.traits(3 * PAGE_SIZE).alignmentBytes, 4 * PAGE_SIZE);
  t.is(heap.traits(1).maxBytes, 4 * MiB);
  t.throws(() => heap.allocate(4 * MiB + 1, asIs), { code: 'ENOMEM' });
  heap.free(odd);
  t.is(heap.stats().largestFreeRunBytes, 8 * MiB);
});
