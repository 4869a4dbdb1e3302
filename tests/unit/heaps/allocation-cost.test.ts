import { physAddr } from '@dmabuf-lab/core/base';
import { SgTable } from '@dmabuf-lab/core/memory';
import { allocationCostNs, CONTIGUOUS_RUN, zeroCostNs } from '@dmabuf-lab/heaps';
import test from 'ava';

function taken(pages: number, chunks: Record<number, number>): Parameters<typeof allocationCostNs>[0] {
  const sgTable = new SgTable([{ address: physAddr(0), lengthBytes: pages * 4096 }]);
  return { sgTable, chunksByOrder: new Map(Object.entries(chunks).map(([order, count]) => [Number(order), count])) };
}

test('allocationCostNs, sums the blocks by order, for a system heap', (t) => {
  t.is(allocationCostNs(taken(2048, { 8: 8 })), 16_000);
  t.is(allocationCostNs(taken(2048, { 0: 2048 })), 512_000);
  t.is(allocationCostNs(taken(760, { 8: 2, 4: 15, 0: 8 })), 4000 + 9000 + 2000);
});

test('allocationCostNs, takes a fixed part and one a page, for a contiguous run', (t) => {
  t.is(allocationCostNs(taken(2048, { [CONTIGUOUS_RUN]: 1 })), 20_000 + 2048 * 30);
});

test('allocationCostNs, takes an order that is not listed as the next larger that is', (t) => {
  t.is(allocationCostNs(taken(2, { 1: 1 })), 600);
  t.is(allocationCostNs(taken(32, { 5: 1 })), 2000);
  t.is(allocationCostNs(taken(1024, { 10: 1 })), 2000);
});

test('allocationCostNs, is an integer, for costs that are not', (t) => {
  const costs = {
    perChunkNs: { 0: 0.3 },
    perRunNs: 0,
    perRunPageNs: 0,
    zeroBytesPerSecond: 1,
    perPooledNs: 0,
    perConvertedPageNs: 0,
  };
  t.is(allocationCostNs(taken(5, { 0: 5 }), costs), 2);
  t.is(allocationCostNs(taken(5, { 0: 5 }), { ...costs, perChunkNs: {} }), 0);
});

test('zeroCostNs, rounds up to the nanosecond, at 8 GB/s by default', (t) => {
  t.is(zeroCostNs(8 * 2 ** 20), 1_048_576);
  t.is(zeroCostNs(1), 1);
  t.is(zeroCostNs(4 * 2 ** 30), 536_870_912);
});
