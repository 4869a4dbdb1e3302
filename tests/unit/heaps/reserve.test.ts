/** Page pools and deferred freeing. */
import { PAGE_SIZE, PhysicalMemory } from '@dmabuf-lab/core/memory';
import { allocationCostNs, PagePool, PageZones, SystemHeap } from '@dmabuf-lab/heaps';
import test from 'ava';

const MiB = 2 ** 20;
const FOUR_GIB = 2 ** 32;
const zone = { base: FOUR_GIB - 8 * MiB, sizeBytes: 16 * MiB };
const memoryOf = (): PhysicalMemory => PhysicalMemory.create([{ name: 'dram', ...zone }]);
const zeroed = { zero: true };
const lowPage = FOUR_GIB / PAGE_SIZE - 1024;
const highPage = FOUR_GIB / PAGE_SIZE;

test('PagePool, hands out what lies above 4 GiB first, and shrinks from below', (t) => {
  const pool = new PagePool('cached', 100);
  pool.put({ page: lowPage, order: 4 });
  pool.put({ page: highPage, order: 4 });
  pool.put({ page: highPage + 16, order: 0 });
  t.is(pool.pageCount, 33);
  t.is(pool.lowPageCount, 16);
  t.deepEqual(pool.shrink(1), [{ page: lowPage, order: 4 }], 'low memory first, though a single page would do');
  t.deepEqual(pool.take(4, false), { page: highPage, order: 4 });
  t.is(pool.take(4, false), undefined);
  t.is(pool.take(0, true), undefined, 'none below 4 GiB is left');
  t.is(pool.pageCount, 1);
  t.deepEqual([pool.hits, pool.misses], [1, 2]);
});

test('PagePool, takes no more than its limit', (t) => {
  const pool = new PagePool('cached', 17);
  t.true(pool.put({ page: lowPage, order: 4 }));
  t.false(pool.put({ page: highPage, order: 4 }));
  t.true(pool.put({ page: highPage, order: 0 }));
});

test('PagePool.shrink, takes of low memory only where that is asked', (t) => {
  const pool = new PagePool('cached', 100);
  pool.put({ page: lowPage, order: 0 });
  pool.put({ page: highPage, order: 0 });
  t.deepEqual(pool.shrink(5, true), [{ page: lowPage, order: 0 }]);
  t.is(pool.pageCount, 1);
});

test('SystemHeap with a filled pool, takes zeroed blocks from it, which cost next to nothing', (t) => {
  const memory = memoryOf();
  const heap = new SystemHeap('system', memory, zone, { pool: { limitBytes: 4 * MiB, fillBytes: 2 * MiB } });
  heap.fillPool();
  t.is(heap.stats().pooledBytes, 2 * MiB);
  const warm = heap.allocate(2 * MiB, zeroed);
  t.is(warm.pooledBytes, 2 * MiB);
  t.deepEqual([...(warm.pooledByOrder ?? [])], [[8, 2]]);
  t.is(allocationCostNs(warm), 2 * 60);
  const cold = heap.allocate(2 * MiB, zeroed);
  t.is(cold.pooledBytes, undefined);
  t.is(allocationCostNs(cold), 2 * 2000);
  t.like(heap.stats(), { poolHits: 2, pooledBytes: 0 });
});

test('SystemHeap with a pool, zeroes what is freed before anybody else sees it', (t) => {
  const memory = memoryOf();
  const heap = new SystemHeap('system', memory, zone, { pool: { limitBytes: 4 * MiB, fillBytes: 0 } });
  const first = heap.allocate(MiB, zeroed);
  for (const run of first.sgTable.runs) memory.fill(run.address, 0x5a, run.lengthBytes);
  heap.free(first);
  const second = heap.allocate(MiB, { zero: false });
  t.is(second.pooledBytes, MiB);
  t.true(second.sgTable.runs.every((run) => memory.view(run.address, run.lengthBytes).every((byte) => byte === 0)));
});

test('SystemHeap with deferred free, zeroes later and pools; under pressure pages come straight back', (t) => {
  const memory = memoryOf();
  const pool = { limitBytes: 16 * MiB, fillBytes: 0 };
  const heap = new SystemHeap('system', memory, zone, { pool, deferredFree: true });
  const all = heap.allocate(16 * MiB, zeroed);
  heap.free(all);
  t.like(heap.stats(), { deferredBytes: 16 * MiB, pooledBytes: 0, freeBytes: 16 * MiB, usedBytes: 0 });
  t.is(heap.background?.step(), MiB, 'one block at a time');
  t.like(heap.stats(), { deferredBytes: 15 * MiB, pooledBytes: MiB, backgroundZeroedBytes: MiB });
  // Pressure: all of it is wanted at once, from the pool, and from the queue without the detour.
  const again = heap.allocate(16 * MiB, zeroed);
  t.is(again.pooledBytes, MiB);
  t.like(heap.stats(), { deferredBytes: 0, pooledBytes: 0, freeBytes: 0 });
  t.is(heap.background?.step(), undefined);
});

test('SystemHeap with uncached pages, converts those that are fresh and none from the pool', (t) => {
  const memory = memoryOf();
  const pool = { limitBytes: MiB, fillBytes: MiB };
  const heap = new SystemHeap('uncached', memory, zone, { cache: 'uncached', pool });
  heap.fillPool();
  const mixed = heap.allocate(2 * MiB, zeroed);
  t.is(mixed.convertedPages, 256);
  t.is(allocationCostNs(mixed), 60 + 2000 + 256 * 150);
});

test('PageZones under pressure, have every heap give back what it keeps, low memory first', (t) => {
  const memory = memoryOf();
  const zones = new PageZones('dram', memory, zone);
  const hoarder = new SystemHeap('hoarder', memory, zones, { pool: { limitBytes: 16 * MiB, fillBytes: 16 * MiB } });
  hoarder.fillPool();
  const low = new SystemHeap('system-dma32', memory, zones, { reach: 'low' });
  t.is(low.stats().freeBytes, 8 * MiB, 'what others keep below 4 GiB counts as free');
  t.is(low.allocate(2 * MiB, zeroed).sgTable.lengthBytes, 2 * MiB);
  t.is(hoarder.stats().pooledBytes, 14 * MiB);
  hoarder.shrink(Number.POSITIVE_INFINITY);
  t.is(hoarder.stats().pooledBytes, 0);
});
