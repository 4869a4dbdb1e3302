import { physAddr } from '@dmabuf-lab/core/base';
import type { HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { SgTable } from '@dmabuf-lab/core/memory';
import { AllocationLedger, noRoom, pagesOfRequest } from '@dmabuf-lab/heaps';
import test from 'ava';

const allocation = (pages: number, heap = 'cma'): HeapAllocation => ({
  heap,
  sgTable: new SgTable([{ address: physAddr(0), lengthBytes: pages * 4096 }]),
  chunksByOrder: new Map(),
});

test('AllocationLedger, counts what is out and keeps the peak', (t) => {
  const ledger = new AllocationLedger<string>('cma');
  const [a, b] = [allocation(3), allocation(5)];
  ledger.add(a, 'a');
  ledger.add(b, 'b');
  t.is(ledger.remove(a), 'a');
  t.deepEqual(ledger.stats(100, 50, 25), {
    sizeBytes: 100,
    usedBytes: 20480,
    peakBytes: 32768,
    freeBytes: 50,
    largestFreeRunBytes: 25,
    allocations: 1,
  });
});

test('AllocationLedger.remove, fails with EINVAL, for what is back, what is a copy, and what is of another heap', (t) => {
  const ledger = new AllocationLedger<string>('cma');
  const out = allocation(3);
  ledger.add(out, 'out');
  t.throws(() => ledger.remove({ ...out }), { code: 'EINVAL' });
  t.throws(() => ledger.remove(allocation(3, 'system')), { code: 'EINVAL', message: /it belongs to heap system/ });
  ledger.remove(out);
  t.throws(() => ledger.remove(out), { code: 'EINVAL', message: /freed before/ });
  t.is(ledger.allocations, 0);
});

test('pagesOfRequest, rounds up to pages, and fails with EINVAL for a size that is no positive integer', (t) => {
  t.deepEqual(
    [1, 4095, 4096, 4097, 2 ** 40].map((size) => pagesOfRequest('cma', size)),
    [1, 1, 1, 2, 2 ** 28],
  );
  for (const bad of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    t.throws(() => pagesOfRequest('cma', bad), { code: 'EINVAL' }, String(bad));
  }
});

test('noRoom, compares whole pages: a last piece of a page more is exhausted', (t) => {
  const stats = { sizeBytes: 8192, usedBytes: 4096, peakBytes: 4096, freeBytes: 4096, allocations: 1 };
  t.is(noRoom('cma', 4097, { ...stats, largestFreeRunBytes: 4096 }, 4096).details.reason, 'exhausted');
  t.is(noRoom('cma', 4096, { ...stats, largestFreeRunBytes: 4096 }, 4096).details.reason, 'misaligned');
  t.is(noRoom('cma', 4000, { ...stats, largestFreeRunBytes: 0 }, 4096).details.reason, 'fragmented');
});
