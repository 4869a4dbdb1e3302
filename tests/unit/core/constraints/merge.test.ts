import {
  combineMerged,
  type DeviceConstraints,
  type MergedConstraints,
  mergeConstraints,
  sizeOfWindows,
} from '@dmabuf-lab/core/constraints';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { device, repeated } from './arbitraries.js';

const runs = repeated(2_500);
const some = fc.array(device, { maxLength: 4 });
const GiB = 2 ** 30;

test('mergeConstraints, takes the least common multiple and names who binds, for alignments 64, 256 and 48 (T1)', (t) => {
  const given = { a: 64, b: 256, c: 48 };
  const devices = Object.entries(given).map(([name, alignmentBytes]) => ({ device: name, alignmentBytes }));
  const { alignmentBytes } = mergeConstraints(devices);
  t.is(alignmentBytes.value, 768);
  t.deepEqual(
    alignmentBytes.contributions.map((one) => [one.device, one.value, one.slack]),
    [
      ['a', 64, 11],
      ['b', 256, 2],
      ['c', 48, 15],
    ],
  );
  t.deepEqual(alignmentBytes.binding, ['b', 'c']);
});

test('mergeConstraints, intersects limits and windows and names the edges, for physical addresses', (t) => {
  const merged = mergeConstraints([
    { device: 'codec', addressLimit: 0xffff_ffff },
    { device: 'lcdif', windows: [{ base: GiB, sizeBytes: 8 * GiB }] },
    { device: 'gpu', iommu: { iovaBits: 32, physBits: 40 } },
    { device: 'vop', addressLimit: 0xffff, iommu: { iovaBits: 32 } },
  ]);
  t.deepEqual(merged.windows.value, [{ base: GiB, sizeBytes: 3 * GiB }], 'the limit of vop is on IOVAs');
  t.deepEqual(merged.windows.binding, ['codec', 'lcdif']);
  t.deepEqual(
    merged.windows.contributions.map((one) => [one.device, one.field, one.slack]),
    [
      ['codec', 'addressLimit', GiB],
      ['gpu', 'iommu.physBits', 2 ** 40 - 3 * GiB],
      ['lcdif', 'windows', 5 * GiB],
    ],
  );
});

test('mergeConstraints, takes the least and gives the distance of the others, for segments', (t) => {
  const merged = mergeConstraints([
    { device: 'a', maxSegments: 128, maxSegmentBytes: 65536, segmentBoundaryMask: 0xffff },
    { device: 'b', maxSegments: 16, segmentBoundaryMask: 0xffff_ffff },
    { device: 'c', maxSegments: 1, iommu: { iovaBits: 32 } },
  ]);
  t.is(merged.maxSegments.value, 16, 'behind an IOMMU the pages do not matter');
  t.deepEqual(merged.maxSegments.binding, ['b']);
  t.is(merged.maxSegments.contributions[0].slack, 112);
  t.is(merged.segmentBoundaryBytes.value, 65536);
  t.is(merged.maxSegmentBytes.value, 65536);
});

test('mergeConstraints, demands one run only for those without an IOMMU, among contiguous devices', (t) => {
  const vop: DeviceConstraints = { device: 'vop', contiguous: true, iommu: { iovaBits: 32 } };
  t.false(mergeConstraints([vop]).contiguous.value);
  t.deepEqual(mergeConstraints([vop, { device: 'vc4', contiguous: true }]).contiguousBy, ['vc4']);
});

test('mergeConstraints, constrains nothing, for no devices', (t) => {
  const merged = mergeConstraints([]);
  t.deepEqual(merged.windows.value, [{ base: 0, sizeBytes: 2 ** 53 }]);
  t.is(merged.maxSegments.value, Number.POSITIVE_INFINITY);
  t.is(merged.alignmentBytes.value, 1);
  t.is(merged.granuleBytes.value, 1);
});

testProp(
  'mergeConstraints, is commutative, for any order of devices',
  [some],
  (t, devices) => {
    t.deepEqual(mergeConstraints(devices.toReversed()), mergeConstraints(devices));
  },
  runs,
);

testProp(
  'combineMerged, is associative and agrees with merging at once',
  [some, some, some],
  (t, a, b, c) => {
    const [ma, mb, mc] = [a, b, c].map(mergeConstraints);
    const all = mergeConstraints([...a, ...b, ...c]);
    t.deepEqual(combineMerged(combineMerged(ma, mb), mc), all);
    t.deepEqual(combineMerged(ma, combineMerged(mb, mc)), all);
  },
  runs,
);

testProp(
  'combineMerged, is idempotent, for a result with itself',
  [some],
  (t, devices) => {
    const merged = mergeConstraints(devices);
    t.deepEqual(combineMerged(merged, merged), merged);
  },
  runs,
);

testProp(
  'mergeConstraints, never allows more, when a device joins',
  [some, device],
  (t, devices, newcomer) => {
    const before = mergeConstraints(devices);
    const after = mergeConstraints([...devices, newcomer]);
    t.true(sizeOfWindows(after.windows.value) <= sizeOfWindows(before.windows.value));
    t.true(after.contiguous.value || !before.contiguous.value);
    for (const least of ['maxSegments', 'maxSegmentBytes', 'segmentBoundaryBytes'] as const) {
      t.true(after[least].value <= before[least].value, least);
    }
    t.true(after.alignmentBytes.value % before.alignmentBytes.value === 0);
    t.true(after.granuleBytes.value % before.granuleBytes.value === 0);
  },
  runs,
);

testProp(
  'mergeConstraints, names a binding device, for every value that anybody constrains',
  [some],
  (t, devices) => {
    const merged: MergedConstraints = mergeConstraints(devices);
    const bound = ['windows', 'contiguous', 'maxSegments', 'maxSegmentBytes', 'segmentBoundaryBytes'] as const;
    for (const dimension of bound) {
      const { contributions, binding } = merged[dimension];
      t.is(contributions.length > 0, binding.length > 0, dimension);
      t.true(binding.every((name) => contributions.some((one) => one.device === name)));
    }
  },
  runs,
);
