import { type AddressWindow, containsWindow, intersectWindows, normalizeWindows } from '@dmabuf-lab/core/constraints';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from './arbitraries.js';

const BASE = 2 ** 32 - 32;

const windows: fc.Arbitrary<AddressWindow[]> = fc.array(
  fc
    .tuple(fc.nat({ max: 60 }), fc.integer({ min: 1, max: 12 }))
    .map(([skip, sizeBytes]) => ({ base: BASE + skip, sizeBytes })),
  { maxLength: 6 },
);

function bytesOf(set: readonly AddressWindow[]): number[] {
  const bytes = set.flatMap((w) => Array.from({ length: w.sizeBytes }, (_, i) => w.base + i));
  return [...new Set(bytes)].sort((a, b) => a - b);
}

test('intersectWindows, is empty, for windows that only abut', (t) => {
  t.deepEqual(intersectWindows([{ base: 0, sizeBytes: 16 }], [{ base: 16, sizeBytes: 16 }]), []);
});

testProp(
  'normalizeWindows, holds the same bytes in sorted windows with gaps between, for any windows',
  [windows],
  (t, set) => {
    const normal = normalizeWindows(set);
    t.deepEqual(
      normal.flatMap((w) => bytesOf([w])),
      bytesOf(set),
    );
    t.true(normal.every((w, i) => i === 0 || normal[i - 1].base + normal[i - 1].sizeBytes < w.base));
  },
  repeated(300),
);

testProp(
  'intersectWindows, holds the bytes in both sets in canonical form, for any windows',
  [windows, windows],
  (t, a, b) => {
    const common = intersectWindows(a, b);
    const inB = new Set(bytesOf(b));
    t.deepEqual(
      bytesOf(common),
      bytesOf(a).filter((byte) => inB.has(byte)),
    );
    t.deepEqual(common, normalizeWindows(common));
  },
  repeated(300),
);

testProp(
  'containsWindow, says whether every byte is in the set, for any windows',
  [windows, windows],
  (t, set, others) => {
    const bytes = new Set(bytesOf(set));
    for (const window of others)
      t.is(
        containsWindow(set, window),
        bytesOf([window]).every((byte) => bytes.has(byte)),
      );
    t.pass();
  },
  repeated(300),
);
