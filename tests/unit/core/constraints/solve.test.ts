import {
  type DeviceConstraints,
  formatAddress,
  type HeapTraits,
  type HeapVerdict,
  type PlacedResult,
  type PlacementRequest,
  solvePlacement,
  type UnsatisfiableResult,
} from '@dmabuf-lab/core/constraints';
import test from 'ava';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;

/** Machine M1 of the reference: 8 GiB of RAM, 256 MiB of CMA below 1 GiB. */
const system: HeapTraits = {
  name: 'system',
  windows: [{ base: 0, sizeBytes: 8 * GiB }],
  contiguous: false,
  alignmentBytes: 4096,
  cost: 0,
};
const systemDma32: HeapTraits = {
  ...system,
  name: 'system-dma32',
  windows: [{ base: 0, sizeBytes: 4 * GiB }],
  cost: 1,
};
const cma: HeapTraits = {
  name: 'cma',
  windows: [{ base: 0x3000_0000, sizeBytes: 256 * MiB }],
  contiguous: true,
  alignmentBytes: MiB,
  cost: 2,
};
const heaps = [system, systemDma32, cma];

function placed(request: PlacementRequest): PlacedResult {
  const result = solvePlacement(request);
  if (result.status !== 'placed') throw new Error(result.explanation.prose);
  return result;
}

function unsatisfiable(request: PlacementRequest): UnsatisfiableResult {
  const result = solvePlacement(request);
  if (result.status === 'placed') throw new Error(result.explanation.prose);
  return result;
}

function lostBy(verdict: HeapVerdict): string {
  return verdict.suits ? 'suits' : `${verdict.device}.${verdict.field}`;
}

// T12
const a: DeviceConstraints = { device: 'a', addressLimit: 0xffff_ffff, maxSegments: 1 };
const b: DeviceConstraints = { device: 'b', iommu: { iovaBits: 64 } };

test('solvePlacement, chooses cma and says who forced it, for a 32-bit single-segment device (T12)', (t) => {
  const result = placed({ devices: [a, b], heaps, sizeBytes: 8 * MiB });
  t.is(result.heap, 'cma');
  t.deepEqual(result.startRanges, [{ first: 0x3000_0000, last: 0x3f80_0000 }]);
  t.deepEqual(result.explanation.segments, [
    { device: 'a', segments: 1 },
    { device: 'b', segments: 1 },
  ]);
  t.deepEqual(result.forcedBy, [{ device: 'a', field: 'maxSegments', value: 1 }], 'not the mask');
  t.deepEqual(result.bindingDevices, ['a']);
  t.deepEqual(result.candidates.map(lostBy), ['a.addressLimit', 'a.maxSegments', 'suits']);
});

test('solvePlacement, falls back to system-dma32 and to system, as T12 loses its segments and then its limit', (t) => {
  const withoutSegments = { ...a, maxSegments: undefined };
  const dma32 = placed({ devices: [withoutSegments, b], heaps, sizeBytes: 8 * MiB });
  t.is(dma32.heap, 'system-dma32');
  t.deepEqual(dma32.forcedBy, [{ device: 'a', field: 'addressLimit', value: 0xffff_ffff }]);
  const withoutLimit = { ...withoutSegments, addressLimit: undefined };
  const plain = placed({ devices: [withoutLimit, b], heaps, sizeBytes: 8 * MiB });
  t.is(plain.heap, 'system');
  t.deepEqual(plain.forcedBy, []);
  t.deepEqual(plain.bindingDevices, []);
});

// T18: RK3588-like
const vop2: DeviceConstraints = {
  device: 'vop2',
  maxSegments: 1,
  contiguous: true,
  iommu: { iovaBits: 32, physBits: 40 },
};
const gpu: DeviceConstraints = { device: 'gpu', iommu: { iovaBits: 48 } };
const rga2: DeviceConstraints = { device: 'rga2', addressLimit: 0xffff_ffff };
const nv12 = (1920 * 1080 * 3) / 2;

test('solvePlacement, never takes cma, for devices behind an IOMMU (T18)', (t) => {
  const result = placed({ devices: [vop2, gpu], heaps, sizeBytes: nv12 });
  t.is(result.heap, 'system');
  t.true(result.startRanges[0].last > 4 * GiB, 'pages may lie above 4 GiB');
  t.deepEqual(result.explanation.segments, [
    { device: 'gpu', segments: 1 },
    { device: 'vop2', segments: 1 },
  ]);
  t.is(
    result.explanation.prose,
    'system, the least scarce heap with room, because it suits every device and ' +
      'to gpu and vop2 scattered pages look like one range behind an IOMMU.',
  );
});

test('solvePlacement, moves to system-dma32 and not to cma, when rga2 attaches late (T18)', (t) => {
  const result = placed({ devices: [vop2, gpu, rga2], heaps, sizeBytes: nv12 });
  t.is(result.heap, 'system-dma32');
  t.is(result.sizeBytes, 3_112_960);
  t.is(4 * result.sizeBytes, 12_451_840);
  t.deepEqual(result.bindingDevices, ['rga2']);
  t.is(
    result.explanation.prose,
    'system-dma32, because rga2 needs memory up to 0xFFFF_FFFF and has no IOMMU; ' +
      'system may use pages that rga2 cannot reach.',
  );
});

test('solvePlacement, explains in one sentence, for a contiguous encoder without an IOMMU', (t) => {
  const encoder: DeviceConstraints = { device: 'encoder', contiguous: true, addressLimit: 0xffff_ffff };
  const result = placed({ devices: [encoder, gpu], heaps: [systemDma32, cma], sizeBytes: nv12 });
  t.is(
    result.explanation.prose,
    'cma, because encoder needs contiguous memory up to 0xFFFF_FFFF and has no IOMMU; ' +
      'system-dma32 would scatter the pages.',
  );
});

test('solvePlacement, forces cma though no single device does, when two devices each need it', (t) => {
  const twin = (device: string): DeviceConstraints => ({ device, contiguous: true });
  const result = placed({ devices: [twin('left'), twin('right')], heaps, sizeBytes: MiB });
  t.is(result.heap, 'cma');
  t.deepEqual(result.bindingDevices, [], 'either of them leaving changes nothing');
  const alone = (device: string) => [{ device, field: 'contiguous', value: true }];
  t.deepEqual(result.forcedByAll, [alone('left'), alone('right')], 'either of them would do');
  t.deepEqual(result.forcedBy, alone('left'));
  t.regex(result.explanation.prose, /left needs contiguous memory .*; without it, right would force it too\.$/);
});

test('solvePlacement, counts the entries of one name as one participant, for two attachments of a device', (t) => {
  const encoder: DeviceConstraints = { device: 'encoder', contiguous: true };
  const result = placed({ devices: [encoder, encoder], heaps, sizeBytes: MiB });
  t.deepEqual(result.bindingDevices, ['encoder']);
  t.deepEqual(result.forcedBy, [{ device: 'encoder', field: 'contiguous', value: true }]);
});

test('solvePlacement, names a minimal conflict across devices, when no heap suits', (t) => {
  const camera: DeviceConstraints = { device: 'camera', windows: [{ base: 0x4000_0000, sizeBytes: 3 * GiB }] };
  const encoder: DeviceConstraints = { device: 'encoder', contiguous: true, alignmentBytes: 4096 };
  const high: HeapTraits = { ...systemDma32, name: 'high', windows: camera.windows ?? [] };
  const result = unsatisfiable({ devices: [gpu, encoder, camera], heaps: [high, cma], sizeBytes: MiB });
  t.deepEqual(
    result.conflict.map((fact) => `${fact.device}.${fact.field}`),
    ['camera.windows', 'encoder.contiguous'],
  );
  t.is(
    result.explanation.prose,
    'No heap suits: camera.windows and encoder.contiguous cannot be met together; ' +
      'not high: encoder needs contiguous memory and has no IOMMU, but high may scatter the pages; ' +
      'not cma: camera reaches only 0x4000_0000..0xFFFF_FFFF, but cma may use 0x3000_0000..0x3FFF_FFFF.',
  );
});

test('solvePlacement, lists no fact, when no heap is large enough', (t) => {
  const result = unsatisfiable({ devices: [a], heaps: [cma], sizeBytes: 256 * MiB + 1 });
  t.deepEqual(result.conflict, []);
  t.is(
    result.explanation.prose,
    'No heap suits: there is none with room for 262148 KiB; ' +
      'not cma: cma is too small: it has no room for 262148 KiB in one run.',
  );
  t.is(unsatisfiable({ devices: [], heaps: [], sizeBytes: 1 }).status, 'unsatisfiable');
  t.is(placed({ devices: [a], heaps: [cma], sizeBytes: 256 * MiB }).heap, 'cma');
});

test('solvePlacement, prefers the earlier heap in the list, among equals in cost', (t) => {
  const twin = { ...system, name: 'system-twin' };
  t.is(placed({ devices: [], heaps: [cma, twin, system], sizeBytes: 1 }).heap, 'system-twin');
});

test('solvePlacement, takes one page as contiguous, for a buffer no longer than a chunk', (t) => {
  const encoder: DeviceConstraints = { device: 'encoder', contiguous: true, maxSegments: 1 };
  t.is(placed({ devices: [encoder], heaps, sizeBytes: 4096 }).heap, 'system');
  t.is(placed({ devices: [encoder], heaps, sizeBytes: 4097 }).heap, 'cma');
  const chunky = { ...system, name: 'chunky', chunkBytes: 65536 };
  t.is(placed({ devices: [encoder], heaps: [chunky, cma], sizeBytes: 65536 }).heap, 'chunky');
});

test('solvePlacement, counts segments by length and boundary, not only runs', (t) => {
  const device = (maxSegments: number): DeviceConstraints => ({
    device: 'dma',
    maxSegments,
    maxSegmentBytes: 65536,
    segmentBoundaryMask: 0xffff,
  });
  t.is(placed({ devices: [device(128)], heaps, sizeBytes: 8 * MiB }).heap, 'cma', 'starts on a boundary: 128 segments');
  const result = unsatisfiable({ devices: [device(127)], heaps, sizeBytes: 8 * MiB });
  t.deepEqual(lostBy(result.candidates[2]), 'dma.maxSegments');
  const pageAligned = { ...cma, alignmentBytes: 4096 };
  t.is(unsatisfiable({ devices: [device(128)], heaps: [pageAligned], sizeBytes: 8 * MiB }).status, 'unsatisfiable');
  t.is(placed({ devices: [device(129)], heaps: [pageAligned], sizeBytes: 8 * MiB }).heap, 'cma');
  t.is(placed({ devices: [device(2048)], heaps, sizeBytes: 8 * MiB }).heap, 'system', '2,048 scattered pages');
  t.is(placed({ devices: [device(2047)], heaps, sizeBytes: 8 * MiB }).heap, 'cma');
});

test('solvePlacement, lets a 4 GiB boundary pass, for a heap that never crosses one', (t) => {
  const encoder: DeviceConstraints = { device: 'encoder', maxSegments: 1, segmentBoundaryMask: 0xffff_ffff };
  t.is(placed({ devices: [encoder], heaps: [cma], sizeBytes: 8 * MiB }).heap, 'cma');
  const across = { ...cma, windows: [{ base: 0xf000_0000, sizeBytes: 512 * MiB }] };
  t.is(unsatisfiable({ devices: [encoder], heaps: [across], sizeBytes: 8 * MiB }).status, 'unsatisfiable');
});

test('solvePlacement, needs aligned starts of the heap without an IOMMU, and none of it behind one', (t) => {
  const dma: DeviceConstraints = { device: 'dma', alignmentBytes: 65536 };
  t.is(placed({ devices: [dma], heaps, sizeBytes: MiB }).heap, 'cma');
  t.is(placed({ devices: [{ ...dma, iommu: { iovaBits: 32 } }], heaps, sizeBytes: MiB }).heap, 'system');
  t.is(placed({ devices: [{ ...dma, alignmentBytes: 4096 }], heaps, sizeBytes: MiB }).heap, 'system');
});

test('solvePlacement, limits the pages by physBits and the IOVA by the rest, behind an IOMMU', (t) => {
  const vopb: DeviceConstraints = { device: 'vopb', iommu: { iovaBits: 32, physBits: 32 } };
  const result = placed({ devices: [vopb], heaps, sizeBytes: MiB });
  t.is(result.heap, 'system-dma32');
  t.deepEqual(result.forcedBy, [{ device: 'vopb', field: 'iommu.physBits', value: 32 }]);
  const limited: DeviceConstraints = { device: 'isp', addressLimit: MiB - 1, iommu: { iovaBits: 32 } };
  t.is(placed({ devices: [limited], heaps, sizeBytes: MiB }).heap, 'system', 'the limit is on IOVAs');
  const result2 = unsatisfiable({ devices: [limited], heaps, sizeBytes: MiB + 1 });
  t.deepEqual(result2.conflict, [{ device: 'isp', field: 'addressLimit', value: MiB - 1 }]);
  const narrow: DeviceConstraints = { device: 'isp', iommu: { iovaBits: 32, iovaBase: GiB, iovaSizeBytes: MiB } };
  const conflict = unsatisfiable({ devices: [narrow], heaps, sizeBytes: 2 * MiB }).conflict;
  t.deepEqual(conflict, [{ device: 'isp', field: 'iommu.iovaBits', value: 32 }]);
});

test('solvePlacement, needs runs of the IOMMU page, for an IOMMU without 4 KiB pages', (t) => {
  const npu: DeviceConstraints = { device: 'npu', iommu: { iovaBits: 40, pageSizes: [65536, 2 * MiB] } };
  t.is(placed({ devices: [npu], heaps, sizeBytes: MiB }).heap, 'cma');
  const big = { ...system, name: 'system-64k', alignmentBytes: 65536, chunkBytes: 65536 };
  t.is(placed({ devices: [npu], heaps: [...heaps, big], sizeBytes: MiB }).heap, 'system-64k');
});

test('solvePlacement, refuses malformed input and says what, for sizes, devices and heaps', (t) => {
  const refuse = (request: Partial<PlacementRequest>, message: RegExp): void => {
    t.throws(() => solvePlacement({ devices: [], heaps, sizeBytes: 1, ...request }), {
      instanceOf: RangeError,
      message,
    });
  };
  refuse({ sizeBytes: 0 }, /sizeBytes must be at least 1, got 0/);
  refuse({ devices: [{ device: 'x', maxSegments: 0 }] }, /constraints of x: maxSegments must be at least 1, got 0/);
  refuse({ heaps: [{ ...cma, alignmentBytes: 100 }] }, /heap cma: alignmentBytes must be a multiple of 4096/);
});

test('solvePlacement, takes limits as inclusive, for a heap that ends at them and one byte above', (t) => {
  const top = 4 * GiB - 1;
  const heapFor = (c: DeviceConstraints): string =>
    placed({ devices: [c], heaps: [systemDma32, cma], sizeBytes: MiB }).heap;
  t.is(heapFor({ device: 'dma', addressLimit: top }), 'system-dma32');
  t.is(heapFor({ device: 'dma', addressLimit: top - 1 }), 'cma');
  t.is(heapFor({ device: 'dma', windows: [{ base: 0, sizeBytes: 4 * GiB }] }), 'system-dma32');
  t.is(heapFor({ device: 'dma', windows: [{ base: 0, sizeBytes: 4 * GiB - 1 }] }), 'cma');
  t.is(heapFor({ device: 'dma', windows: [{ base: 1, sizeBytes: 4 * GiB }] }), 'cma');
  const mapsPages = { ...systemDma32, windows: [{ base: 4096, sizeBytes: 4 * GiB }] };
  const vop: DeviceConstraints = { device: 'vop', iommu: { iovaBits: 32, physBits: 32 } };
  t.is(placed({ devices: [vop], heaps: [mapsPages, cma], sizeBytes: MiB }).heap, 'cma', 'one page above 4 GiB');
});

test('formatAddress, groups by four digits from the right, for short and long addresses', (t) => {
  t.is(formatAddress(0), '0x0');
  t.is(formatAddress(0xffff), '0xFFFF');
  t.is(formatAddress(0x1_8000_0000), '0x1_8000_0000');
});
