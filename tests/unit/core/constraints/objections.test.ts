import {
  type BufferDemand,
  objectionsOfDevice,
  objectionsTo,
  pageAlignedBytes,
  rememberObjections,
  suitsAll,
} from '@dmabuf-lab/core/constraints';
import { fc, testProp } from '@fast-check/ava';
import { devices, heaps, repeated, sizeBytes } from './arbitraries.js';

const demand: fc.Arbitrary<BufferDemand> = fc.record({
  bytes: sizeBytes.map(pageAlignedBytes),
  buffers: fc.integer({ min: 1, max: 64 }),
  cpuAccess: fc.boolean(),
  iovaInUse: fc.dictionary(fc.constantFrom('codec', 'display', 'gpu'), fc.nat(64 * 4096)),
});

testProp(
  'rememberObjections, answers as if it looked anew, whatever it was asked before',
  [devices, heaps, fc.array(demand, { minLength: 1, maxLength: 4 })],
  (t, devs, hs, demands) => {
    const remembered = rememberObjections();
    for (const one of [...demands, ...demands]) {
      for (const heap of hs) {
        for (const c of devs) t.deepEqual(remembered(heap, c, one), objectionsOfDevice(heap, c, one));
      }
    }
    t.pass();
  },
  repeated(300),
);

testProp(
  'suitsAll, says yes exactly when there is no objection',
  [devices, heaps, demand],
  (t, devs, hs, one) => {
    for (const heap of hs) t.is(suitsAll(heap, devs, one), objectionsTo(heap, devs, one).length === 0, heap.name);
    t.pass();
  },
  repeated(300),
);
