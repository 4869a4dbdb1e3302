/** Predictions, hazards, repairs and the comparison of policies. */
import {
  type DeviceConstraints,
  type HeapTraits,
  ionHeap,
  ionIds,
  objectionToHeap,
  outcomeOfPolicy,
  placementHazards,
  predictImport,
  repairPlacement,
  solvePlacement,
} from '@dmabuf-lab/core/constraints';
import test from 'ava';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
const system: HeapTraits = {
  name: 'system',
  windows: [{ base: 0, sizeBytes: 8 * GiB }],
  contiguous: false,
  alignmentBytes: 4096,
  cost: 0,
};
const cma: HeapTraits = {
  name: 'cma',
  windows: [{ base: 0x3000_0000, sizeBytes: 64 * MiB }],
  contiguous: true,
  alignmentBytes: MiB,
  cost: 2,
};
const heaps = [system, cma];
const display: DeviceConstraints = { device: 'display', contiguous: true, subsystem: 'drm' };
const encoder: DeviceConstraints = { device: 'encoder', contiguous: true, subsystem: 'v4l2' };
const gpu: DeviceConstraints = { device: 'gpu', iommu: { iovaBits: 40 } };
const bytes = 8 * MiB;

const predicted = (c: DeviceConstraints, heap: HeapTraits) => {
  const objection = objectionToHeap(heap, [c], bytes);
  return objection && predictImport(objection, heap, c, bytes);
};

test('predictImport, says EINVAL of PRIME and EFAULT of QBUF, for pages that are not contiguous', (t) => {
  const drm = predicted(display, system);
  t.is(drm?.call, 'DRM_IOCTL_PRIME_FD_TO_HANDLE');
  t.is(drm?.errno, 'EINVAL');
  const v4l2 = predicted(encoder, system);
  t.is(v4l2?.call, 'VIDIOC_QBUF');
  t.is(v4l2?.errno, 'EFAULT');
  t.is(v4l2?.text, 'contiguous chunk is too small 4096/8388608');
});

test('predictImport, measures the first chunk, where the pages are known', (t) => {
  const objection = objectionToHeap(system, [encoder], bytes);
  t.truthy(objection);
  if (objection === undefined) return;
  const runs = [
    { address: 0x10_0000, lengthBytes: MiB },
    { address: 0x20_0000, lengthBytes: MiB },
    { address: 0x80_0000, lengthBytes: 6 * MiB },
  ];
  const outcome = predictImport(objection, system, encoder, bytes, runs);
  t.is(outcome.text, `contiguous chunk is too small ${2 * MiB}/8388608`);
});

test('predictImport, says EOPNOTSUPP, for device-local memory without a path', (t) => {
  const vram = { ...system, name: 'vram', deviceLocal: { owner: 'gpu', visible: [], distances: {} } };
  t.is(predicted(display, vram)?.errno, 'EOPNOTSUPP');
});

test('placementHazards, finds contiguity by luck, and none where the heap promises it', (t) => {
  const run = [{ address: 0x3000_0000, lengthBytes: bytes }];
  const [hazard] = placementHazards(system, [display, gpu], run);
  t.is(hazard.kind, 'contiguous-by-luck');
  t.is(hazard.device, 'display');
  t.deepEqual(placementHazards(cma, [display, gpu], run), []);
});

test('placementHazards, finds reach by luck, for pages that happen to lie low', (t) => {
  const [hazard] = placementHazards(
    system,
    [{ device: 'rga', physLimit: 0xffff_ffff }],
    [{ address: 0x1000, lengthBytes: 4096 }],
  );
  t.is(hazard.kind, 'reachable-by-luck');
});

test('placementHazards, counts what swiotlb copies, for pages out of reach, and up to 256 KiB a run', (t) => {
  const hvs: DeviceConstraints = { device: 'hvs', dmaMask: 0xffff_ffff, bounceAllowed: true };
  const high = (lengthBytes: number) => [{ address: 4 * GiB, lengthBytes }];
  const [hazard] = placementHazards(system, [hvs], high(256 * 1024));
  t.is(hazard.kind, 'bounce');
  t.is(hazard.bytesPerMap, 256 * 1024);
  t.deepEqual(
    placementHazards(system, [hvs], high(256 * 1024 + 4096)),
    [],
    'a longer run is refused, which is no hazard',
  );
  t.deepEqual(placementHazards(system, [{ ...hvs, bounceAllowed: false }], high(4096)), []);
});

test('repairPlacement, offers only repairs that work, cheapest kind first', (t) => {
  const request = { devices: [encoder, gpu], heaps: [system], sizeBytes: bytes };
  const result = solvePlacement(request);
  t.is(result.status, 'unsatisfiable');
  if (result.status !== 'unsatisfiable') return;
  const repairs = repairPlacement(request, result);
  t.deepEqual(
    repairs.map(({ kind }) => kind),
    ['add-heap', 'add-iommu', 'relax'],
  );
  t.is(repairs[0].cost.bytesReserved, bytes);
  t.regex(repairs[0].text, /^set aside a cma region of at least 8 MiB within /);
});

test('repairPlacement, offers a copy, where the device alone and the others alone find a heap', (t) => {
  const low: DeviceConstraints = { device: 'isp', contiguous: true, physLimit: 0x33ff_ffff };
  const high: DeviceConstraints = { device: 'vpu', windows: [{ base: 4 * GiB, sizeBytes: 4 * GiB }] };
  const upper = { ...system, name: 'upper', windows: [{ base: 4 * GiB, sizeBytes: 4 * GiB }] };
  const request = { devices: [low, high], heaps: [upper, cma], sizeBytes: bytes };
  const result = solvePlacement(request);
  t.is(result.status, 'unsatisfiable');
  if (result.status !== 'unsatisfiable') return;
  const blits = repairPlacement(request, result).filter(({ kind }) => kind === 'blit');
  t.deepEqual(
    blits.map(({ devices, cost }) => [devices, cost.bytesPerFrame]),
    [
      [['isp'], bytes],
      [['vpu'], bytes],
    ],
  );
});

test('repairPlacement, finds the largest count that fits, for a heap with room for eight (T23)', (t) => {
  const xrgb = 1920 * 1080 * 4;
  const request = { devices: [encoder], heaps: [cma], sizeBytes: xrgb, buffers: 9 };
  const result = solvePlacement(request);
  t.is(result.status, 'unsatisfiable');
  if (result.status !== 'unsatisfiable') return;
  const [repair] = repairPlacement(request, result);
  t.is(repair.text, 'use 8 buffers instead of 9: so many fit cma');
  t.is(solvePlacement({ ...request, buffers: 8 }).status, 'placed');
});

test('ionHeap, takes the heap of the highest id in the mask that has room, whatever the devices need', (t) => {
  const ids = ionIds(heaps);
  t.deepEqual(ids, [
    { heap: 'cma', id: 0 },
    { heap: 'system', id: 1 },
  ]);
  t.is(ionHeap(heaps, ids, 0b11, bytes)?.name, 'system');
  t.is(ionHeap(heaps, ids, 0b01, bytes)?.name, 'cma');
  t.is(ionHeap(heaps, ids, 0b100, bytes), undefined);
  t.is(ionHeap([cma], ids, 0b11, 65 * MiB), undefined, 'no room');
  t.is(ionHeap(heaps, [{ heap: 'cma', id: 31 }], 2 ** 31, bytes)?.name, 'cma', 'bit 31 is a bit like any other');
});

test('outcomeOfPolicy, differs on one problem: constraints place it, ion and a named heap fail at import', (t) => {
  const devices = [gpu, display, encoder];
  const outcome = (policy: Parameters<typeof outcomeOfPolicy>[0]) => outcomeOfPolicy(policy, devices, heaps, bytes);
  t.like(outcome({ policy: 'constraints' }), { heap: 'cma', failures: [], bytesPerFrame: 0 });
  const named = outcome({ policy: 'heap', heap: 'system' });
  t.deepEqual(
    named.failures.map(({ device, errno }) => `${device} ${errno}`),
    ['display EINVAL', 'encoder EFAULT'],
  );
  t.is(named.bytesPerFrame, 2 * bytes);
  t.is(outcome({ policy: 'ion', heaps: ionIds(heaps), mask: 0b11 }).heap, 'system');
  t.like(outcome({ policy: 'device', device: 'display' }), { heap: 'cma', failures: [] });
  t.is(outcome({ policy: 'device', device: 'gpu' }).failures.length, 2, 'the GPU knows of nobody else');
  t.regex(outcome({ policy: 'heap', heap: 'vram' }).why, /no heap vram/);
});
