import {
  type AddressRun,
  type DeviceConstraints,
  dmaSegments,
  iovaAlignmentBytes,
  lengthOfRuns,
  worstSegmentsOfRun,
} from '@dmabuf-lab/core/constraints';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from './arbitraries.js';

const MiB = 1024 * 1024;

function scattered(pages: number): AddressRun[] {
  return Array.from({ length: pages }, (_, i) => ({ address: 0x1000_0000 + (pages - i) * 8192, lengthBytes: 4096 }));
}

test('dmaSegments, cuts at every 64 KiB boundary, for a contiguous buffer that starts off one (T17)', (t) => {
  const device: DeviceConstraints = { device: 'sdhci', segmentBoundaryMask: 0xffff, maxSegmentBytes: 65536 };
  const segments = dmaSegments([{ address: 0x1000_8000, lengthBytes: 204_800 }], device);
  t.deepEqual(segments, [
    { address: 0x1000_8000, lengthBytes: 32_768 },
    { address: 0x1001_0000, lengthBytes: 65_536 },
    { address: 0x1002_0000, lengthBytes: 65_536 },
    { address: 0x1003_0000, lengthBytes: 40_960 },
  ]);
});

test('dmaSegments, sees a page a segment, for 8 MiB of scattered pages without an IOMMU', (t) => {
  t.is(dmaSegments(scattered(2048), { device: 'rga2' }).length, 2048);
});

test('dmaSegments, sees 128 segments, for 8 contiguous MiB and segments of 64 KiB', (t) => {
  t.is(dmaSegments([{ address: 0, lengthBytes: 8 * MiB }], { device: 'dma', maxSegmentBytes: 65536 }).length, 128);
});

test('dmaSegments, sees one segment at the IOVA, for scattered pages behind an IOMMU', (t) => {
  const device: DeviceConstraints = { device: 'vop2', iommu: { iovaBits: 32 } };
  t.deepEqual(dmaSegments(scattered(2048), device, 0x10_0000), [{ address: 0x10_0000, lengthBytes: 8 * MiB }]);
  t.is(dmaSegments(scattered(2048), { ...device, maxSegmentBytes: 65536 }).length, 128);
});

test('dmaSegments, joins runs only in the order of the list, when they abut', (t) => {
  const low = { address: 0x1000, lengthBytes: 4096 };
  const high = { address: 0x2000, lengthBytes: 4096 };
  t.deepEqual(dmaSegments([low, high], { device: 'd' }), [{ address: 0x1000, lengthBytes: 8192 }]);
  t.deepEqual(dmaSegments([high, low], { device: 'd' }), [high, low]);
  t.deepEqual(dmaSegments([], { device: 'd', iommu: { iovaBits: 32 } }), []);
});

test('dmaSegments, stays exact, for addresses above 4 GiB and a 4 GiB boundary', (t) => {
  const device: DeviceConstraints = { device: 'd', segmentBoundaryMask: 0xffff_ffff };
  t.deepEqual(dmaSegments([{ address: 0x1_ffff_f000, lengthBytes: 8192 }], device), [
    { address: 0x1_ffff_f000, lengthBytes: 4096 },
    { address: 0x2_0000_0000, lengthBytes: 4096 },
  ]);
});

test('iovaAlignmentBytes, aligns no further than the boundary and the size demand', (t) => {
  const iommu = { iovaBits: 32 };
  t.is(iovaAlignmentBytes({ device: 'd', iommu }, 8 * MiB), 4096);
  t.is(iovaAlignmentBytes({ device: 'd', iommu, segmentBoundaryMask: 0xffff }, 8 * MiB), 65536);
  t.is(iovaAlignmentBytes({ device: 'd', iommu, segmentBoundaryMask: 0xffff_ffff }, 8 * MiB), 8 * MiB);
  t.is(iovaAlignmentBytes({ device: 'd', iommu, alignmentBytes: 3 * 4096 }, 4096), 3 * 4096);
});

const powerOf2 = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max }).map((n) => 2 ** n);
const longest = fc.oneof(powerOf2(10, 16), fc.integer({ min: 1000, max: 50_000 }));

testProp(
  'worstSegmentsOfRun, is the most any start gives, or a bound of it where lengths and boundaries do not divide',
  [fc.integer({ min: 1, max: 40 }), powerOf2(10, 16), longest, powerOf2(12, 15)],
  (t, pages, boundary, maxSegmentBytes, alignment) => {
    const device: DeviceConstraints = { device: 'd', maxSegmentBytes, segmentBoundaryMask: boundary - 1 };
    const lengthBytes = pages * 4096;
    const counts = Array.from({ length: 2 ** 16 / alignment }, (_, i) => {
      return dmaSegments([{ address: i * alignment, lengthBytes }], device).length;
    });
    const window = { base: 0, sizeBytes: 2 ** 20 };
    const worst = worstSegmentsOfRun(lengthBytes, alignment, window, device);
    if (maxSegmentBytes >= boundary || boundary % maxSegmentBytes === 0) t.is(worst, Math.max(...counts));
    else t.true(worst >= Math.max(...counts));
  },
  repeated(1000),
);

testProp(
  'dmaSegments, keeps every byte in order and within the limits, for any runs',
  [
    fc.array(fc.tuple(fc.nat({ max: 63 }), fc.integer({ min: 1, max: 20 })), { maxLength: 8 }),
    powerOf2(10, 16),
    longest,
  ],
  (t, drawn, boundary, maxSegmentBytes) => {
    const runs = drawn.map(([page, pages]) => ({
      address: 2 ** 32 - 2 ** 17 + page * 4096,
      lengthBytes: pages * 4096,
    }));
    const segments = dmaSegments(runs, { device: 'd', maxSegmentBytes, segmentBoundaryMask: boundary - 1 });
    t.is(lengthOfRuns(segments), lengthOfRuns(runs));
    for (const { address, lengthBytes } of segments) {
      t.true(lengthBytes <= maxSegmentBytes);
      t.is(Math.floor(address / boundary), Math.floor((address + lengthBytes - 1) / boundary));
    }
    t.deepEqual(dmaSegments(segments, { device: 'd' }), dmaSegments(runs, { device: 'd' }), 'the same bytes');
  },
  repeated(300),
);
