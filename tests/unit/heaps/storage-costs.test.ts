import { physAddr } from '@dmabuf-lab/core/base';
import { SgTable } from '@dmabuf-lab/core/memory';
import { storageCosts } from '@dmabuf-lab/heaps';
import test from 'ava';

const sgTable = new SgTable([{ address: physAddr(0), lengthBytes: 16 * 4096 }]);

test('storageCosts, takes zeroing and copying from the bandwidths it is given, rounded up', (t) => {
  const costs = storageCosts({ copyBytesPerSecond: 4e9, zeroBytesPerSecond: 2e9 });
  t.deepEqual([4096, 1].map(costs.copyNs), [1024, 1]);
  t.deepEqual([4096, 1].map(costs.zeroNs), [2048, 1]);
});

test('storageCosts, takes the blocks of an allocation at their default costs', (t) => {
  const costs = storageCosts({ copyBytesPerSecond: 4e9, zeroBytesPerSecond: 2e9 });
  t.is(costs.allocationNs({ heap: 'system', sgTable, chunksByOrder: new Map([[4, 1]]) }), 600);
});
