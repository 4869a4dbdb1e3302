import {
  type BufferSituation,
  type BufferUser,
  type DeviceConstraints,
  describePlans,
  type HeapTraits,
  planAttach,
  planDetach,
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
const systemDma32 = { ...system, name: 'system-dma32', windows: [{ base: 0, sizeBytes: 4 * GiB }], cost: 1 };
const cma: HeapTraits = {
  name: 'cma',
  windows: [{ base: 0x3000_0000, sizeBytes: 256 * MiB }],
  contiguous: true,
  alignmentBytes: MiB,
  cost: 2,
};
const heaps = [system, systemDma32, cma];

const vop2: DeviceConstraints = { device: 'vop2', iommu: { iovaBits: 32, physBits: 40 } };
const gpu: DeviceConstraints = { device: 'gpu', iommu: { iovaBits: 48 } };
const rga2: DeviceConstraints = { device: 'rga2', physLimit: 0xffff_ffff };
const contiguous: DeviceConstraints = { device: 'encoder', contiguous: true };

const user = (constraints: DeviceConstraints, more: Partial<BufferUser> = {}): BufferUser => ({
  device: constraints.device,
  constraints,
  mapping: 'per-job',
  mapped: 1,
  ...more,
});

/** 1920x1080 NV12, 3110400 bytes, in whole pages (T18). */
const nv12Bytes = 3_112_960;
const situation = (more: Partial<BufferSituation> = {}): BufferSituation => ({
  buffer: 'preview 0',
  sizeBytes: nv12Bytes,
  storage: { heap: 'system' },
  users: [user(vop2), user(gpu)],
  pins: 0,
  ...more,
});
const wait = { onBusy: 'wait' } as const;

test('planAttach, moves four buffers of 3112960 bytes to system-dma32 and not to cma, when rga2 attaches late (T18)', (t) => {
  const plans = [0, 1, 2, 3].map((n) => planAttach(situation({ buffer: `preview ${n}` }), rga2, heaps, wait));
  for (const plan of plans) {
    t.is(plan.action, 'migrate');
    t.is(plan.from, 'system');
    t.is(plan.to, 'system-dma32');
    t.is(plan.bytes, 3_112_960);
    t.deepEqual(plan.forcedBy, ['rga2']);
    t.deepEqual(plan.waitsFor, ['vop2', 'gpu']);
  }
  t.is(
    plans.reduce((sum, plan) => sum + plan.bytes, 0),
    12_451_840,
  );
  t.is(
    describePlans(plans),
    'preview 0, preview 1, preview 2 and preview 3 move from system to system-dma32 once the mappings and fences of vop2 ' +
      'and gpu have ended, 12160 KiB (12451840 bytes) to copy: rga2 reaches no memory above 0xFFFF_FFFF, but system may ' +
      'use pages up to 0x1_FFFF_FFFF; system-dma32, because rga2 reaches no memory above 0xFFFF_FFFF; system may use ' +
      'pages that rga2 cannot reach.',
  );
});

test('planAttach, leaves a buffer where it is, for a device that reaches it', (t) => {
  const plan = planAttach(situation(), { device: 'dpu', iommu: { iovaBits: 48 } }, heaps, wait);
  t.is(plan.action, 'none');
  t.is(plan.bytes, 0);
});

test('planAttach, leaves the choice to the first map, where nothing is allocated', (t) => {
  const { storage: _, ...bare } = situation();
  const plan = planAttach(bare, contiguous, heaps, wait);
  t.is(plan.action, 'place');
  t.is(plan.to, 'cma');
});

test('planAttach, looks at the pages themselves where they are known', (t) => {
  const low = { heap: 'system', runs: [{ address: 0x10_0000, lengthBytes: nv12Bytes }] };
  t.is(planAttach(situation({ storage: low }), rga2, heaps, wait).action, 'none');
  const high = { heap: 'system', runs: [{ address: 0x1_0000_0000, lengthBytes: nv12Bytes }] };
  t.is(planAttach(situation({ storage: high }), rga2, heaps, wait).action, 'migrate');
});

test('planAttach, refuses with EBUSY and names the blockers, for a pinned buffer', (t) => {
  const plan = planAttach(situation({ pins: 2, pinnedBy: ['display'] }), rga2, heaps, wait);
  t.is(plan.action, 'refuse');
  t.is(plan.refusal?.errno, 'EBUSY');
  t.is(plan.why, 'it is pinned 2 times by display');
  t.deepEqual(plan.pinnedBy, ['display']);
});

test('planAttach, refuses with EOPNOTSUPP, for a buffer that its exporter does not move', (t) => {
  t.is(planAttach(situation({ movable: false }), rga2, heaps, wait).refusal?.errno, 'EOPNOTSUPP');
  t.is(planAttach(situation({ movable: false }), gpu, heaps, wait).action, 'none');
});

test('planAttach, tells that a held mapping ends only with REQBUFS(0), and refuses once it has waited in vain', (t) => {
  const users = [user(vop2, { mapping: 'held' }), user(gpu)];
  t.deepEqual(planAttach(situation({ users }), rga2, heaps, wait).heldBy, ['vop2']);
  const blocking = [user(vop2, { mapping: 'held', blocking: true }), user(gpu)];
  const plan = planAttach(situation({ users: blocking }), rga2, heaps, wait);
  t.is(plan.refusal?.errno, 'EBUSY');
  t.deepEqual(plan.refusal?.holders, ['vop2']);
});

test('planAttach, counts a dynamic importer that holds its mapping among those told, not among those in the way', (t) => {
  const dynamic = user(gpu, { mapping: 'held', importer: 'dynamic', mapped: 0 });
  const plan = planAttach(situation({ users: [user(vop2), dynamic] }), rga2, heaps, wait);
  t.deepEqual(plan.waitsFor, ['vop2', 'gpu'], 'its jobs have fences');
  t.deepEqual(plan.heldBy, []);
  t.deepEqual(plan.notifies, ['gpu']);
  t.regex(describePlans([plan]), /fences of vop2 and gpu have ended, by moveNotify to gpu, /);
  t.is(planAttach(situation({ users: [dynamic] }), rga2, heaps, { onBusy: 'busy' }).action, 'migrate');
  t.is(planAttach(situation(), rga2, heaps, wait).notifies, undefined);
});

test('planAttach, waits for a pin of a job and refuses one of a stay, by the policy', (t) => {
  const users = (mapping: 'per-job' | 'held') => [user(gpu, { mapping, importer: 'dynamic', mapped: 0, pinned: 1 })];
  const ofJob = planAttach(situation({ users: users('per-job') }), rga2, heaps, wait);
  t.is(ofJob.action, 'migrate');
  t.deepEqual(ofJob.pinnedBy, ['gpu']);
  t.regex(describePlans([ofJob]), /fences of gpu have ended and gpu has unpinned/);
  const busy = planAttach(situation({ users: users('per-job') }), rga2, heaps, { onBusy: 'busy' });
  t.is(busy.why, 'gpu has it pinned, and the policy is not to wait');
  for (const onBusy of ['wait', 'busy'] as const) {
    const { refusal } = planAttach(situation({ users: users('held') }), rga2, heaps, { onBusy });
    t.like(refusal, { errno: 'EBUSY', reason: 'it is pinned by gpu until it lets go', holders: ['gpu'] });
  }
});

test('planDetach, leaves a buffer that is pinned for a stay, and moves one that is pinned for a job', (t) => {
  const left = (mapping: 'per-job' | 'held') => {
    const users = [user(gpu, { mapping, importer: 'dynamic', mapped: 0, pinned: 1 })];
    return planDetach(situation({ storage: { heap: 'cma' }, users }), 'encoder', heaps);
  };
  t.like(left('held'), { action: 'none', why: 'it is pinned by gpu until it lets go' });
  t.like(left('per-job'), { action: 'migrate', to: 'system' });
});

test('planAttach, refuses with EBUSY under policy busy, only while somebody has the buffer mapped', (t) => {
  t.is(planAttach(situation(), rga2, heaps, { onBusy: 'busy' }).refusal?.errno, 'EBUSY');
  const idle = [user(vop2, { mapped: 0 })];
  t.is(planAttach(situation({ users: idle }), rga2, heaps, { onBusy: 'busy' }).action, 'migrate');
});

test('planAttach, refuses with EINVAL and the conflict, where no heap suits everybody', (t) => {
  const users = [user({ device: 'isp', contiguous: true, windows: [{ base: 4 * GiB, sizeBytes: GiB }] })];
  const plan = planAttach(situation({ users }), contiguous, heaps, wait);
  t.is(plan.refusal?.errno, 'EINVAL');
  t.true((plan.refusal?.conflict.length ?? 0) > 0);
});

test('planDetach, moves back to the less scarce heap, once the device that forced the buffer away has left', (t) => {
  const after = situation({ storage: { heap: 'cma' } });
  const plan = planDetach(after, 'encoder', heaps);
  t.is(plan.action, 'migrate');
  t.is(plan.to, 'system');
  t.is(plan.bytes, nv12Bytes);
  t.is(planDetach({ ...after, pins: 1, pinnedBy: ['display'] }, 'encoder', heaps).action, 'none');
  t.is(planDetach({ ...after, users: [] }, 'encoder', heaps).why, 'nobody is left who would gain');
  t.is(planDetach(situation(), 'encoder', heaps).action, 'none', 'nothing is less scarce than system');
});
