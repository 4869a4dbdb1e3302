import { actorId } from '@dmabuf-lab/core/base';
import { MAX_LIST_LENGTH, MAX_NAME_LENGTH, MessageChecks } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { CAMERA, ENCODER, TableTop } from './table-top.js';

const MiB = 1024 * 1024;
const SENDERS = new Map([
  ['camera', actorId(2)],
  ['encoder', actorId(3)],
]);
const HANDLE = { slot: 0, life: 1 };
const CREATE = {
  actor: 2,
  name: 'frame',
  pool: 'camera.out',
  sizeBytes: MiB,
  allocate: 'deferred',
  expect: ['camera'],
  expectTimeoutNs: 1000,
};
const ATTACH = { buffer: HANDLE, device: 'camera', actor: 2, constraints: CAMERA, mapping: 'per-job' };
const MAP = { buffer: HANDLE, attachment: 0 };
const DETACH = { ...MAP, ended: false };

function checks(table = new TableTop()) {
  const messages = new MessageChecks(table.exporter, SENDERS);
  return (method: string, args: unknown, from = 'camera') => messages.faultOf(method, args, from);
}

test('MessageChecks, every request as the importers send it, has no fault', (t) => {
  const faultOf = checks();
  t.is(faultOf('create', CREATE), undefined);
  t.is(faultOf('create', { ...CREATE, allocate: { heap: 'cma' }, movable: false }), undefined);
  t.is(faultOf('create', { ...CREATE, allocate: { ion: ['cma', 'system'] } }), undefined);
  t.is(faultOf('create', { ...CREATE, allocate: { onDevice: ENCODER } }), undefined);
  t.is(faultOf('attach', ATTACH), undefined);
  t.is(faultOf('attach', { ...ATTACH, mapping: 'held', importer: 'dynamic', pin: true, version: 1 }), undefined);
  t.is(faultOf('map', MAP), undefined);
  t.is(faultOf('detach', DETACH), undefined);
  t.is(faultOf('detach', { ...DETACH, call: 7 }), undefined);
  t.is(faultOf('seal', { buffer: HANDLE }), undefined);
  t.is(faultOf('destroy', { buffer: HANDLE }), undefined);
});

/** Each with the field that the fault names. */
const BROKEN: readonly (readonly [method: string, args: unknown, field: string])[] = [
  ['create', undefined, ''],
  ['create', null, ''],
  ['create', [], ''],
  ['create', 'create', ''],
  ['create', new Map([['name', 'frame']]), 'name'],
  ['create', { ...CREATE, name: '' }, 'name'],
  ['create', { ...CREATE, name: 'x'.repeat(MAX_NAME_LENGTH + 1) }, 'name'],
  ['create', { ...CREATE, sizeBytes: 1.5 }, 'sizeBytes'],
  ['create', { ...CREATE, sizeBytes: Number.NaN }, 'sizeBytes'],
  ['create', { ...CREATE, sizeBytes: 2 ** 53 }, 'sizeBytes'],
  ['create', { ...CREATE, sizeBytes: 1n }, 'sizeBytes'],
  ['create', { ...CREATE, allocate: 'eager' }, 'allocate'],
  ['create', { ...CREATE, allocate: null }, 'allocate'],
  ['create', { ...CREATE, allocate: { heap: 'cma', ion: ['cma'] } }, 'allocate.ion'],
  ['create', { ...CREATE, allocate: { ion: [] } }, 'allocate.ion'],
  ['create', { ...CREATE, allocate: { ion: ['cma', 7] } }, 'allocate.ion[1]'],
  ['create', { ...CREATE, allocate: { onDevice: { device: 'x', maxSegments: 0 } } }, 'allocate.onDevice'],
  ['create', { ...CREATE, expect: Array(MAX_LIST_LENGTH + 1).fill('x') }, 'expect'],
  ['create', { ...CREATE, expect: Array(3) }, 'expect[0]'],
  ['create', { ...CREATE, expectTimeoutNs: -1 }, 'expectTimeoutNs'],
  ['create', { ...CREATE, movable: 'yes' }, 'movable'],
  ['create', { ...CREATE, actor: 3 }, 'actor'],
  ['create', { ...CREATE, version: 2 }, 'version'],
  ['create', { ...CREATE, colour: 'blue' }, 'colour'],
  ['create', JSON.parse('{"__proto__": {"name": "frame"}}'), '__proto__'],
  ['attach', { ...ATTACH, buffer: 0 }, 'buffer'],
  ['attach', { ...ATTACH, buffer: { slot: -1, life: 1 } }, 'buffer.slot'],
  ['attach', { ...ATTACH, buffer: { slot: 0 } }, 'buffer.life'],
  ['attach', { ...ATTACH, actor: 3 }, 'actor'],
  ['attach', { ...ATTACH, device: 'encoder' }, 'device'],
  ['attach', { ...ATTACH, mapping: 'eternal' }, 'mapping'],
  ['attach', { ...ATTACH, importer: 'eager' }, 'importer'],
  ['attach', { ...ATTACH, pin: true }, 'pin'],
  [
    'attach',
    { ...ATTACH, constraints: { device: 'camera', windows: [{ base: 0 }] } },
    'constraints.windows[0].sizeBytes',
  ],
  ['attach', { ...ATTACH, constraints: { device: 'camera', iommu: { iovaBits: 65 } } }, 'constraints.iommu.iovaBits'],
  ['attach', { ...ATTACH, constraints: { device: 'camera', alignmentBytes: 0 } }, 'constraints'],
  ['attach', { ...ATTACH, constraints: { device: 'camera', prefers: { cost: Infinity } } }, 'constraints.prefers.cost'],
  ['map', { buffer: HANDLE }, 'attachment'],
  ['detach', MAP, 'ended'],
  ['detach', { ...DETACH, call: '7' }, 'call'],
  ['seal', { buffer: { ...HANDLE, generation: 1 } }, 'buffer.generation'],
  ['explode', {}, 'method'],
  ['constructor', {}, 'method'],
];

for (const [i, [method, args, field]] of BROKEN.entries()) {
  test(`MessageChecks, broken message ${i}: ${method}, the fault names ${field === '' ? 'the message' : field}`, (t) => {
    t.is(checks()(method, args)?.field, field);
  });
}

test('MessageChecks, a sender that nobody knows, is a fault', (t) => {
  t.is(checks()('seal', { buffer: HANDLE }, 'stranger')?.field, 'sender');
});

test('MessageChecks, what is too long, is refused before anything in it is looked at', (t) => {
  let looks = 0;
  const long = new Proxy(Array(1_000_000).fill('x'), {
    get: (target, key) => {
      if (key !== 'length') looks += 1;
      return Reflect.get(target, key);
    },
  });
  const fault = checks()('create', { ...CREATE, expect: long });
  t.is(fault?.got, 'an array of 1000000 items');
  t.is(looks, 0);
  const text = checks()('create', { ...CREATE, name: 'x'.repeat(1_000_000) });
  t.true((text?.got.length ?? 0) < 100, 'the answer does not repeat it');
});

test('MessageChecks, segments by the million, are refused for the buffer that would be cut up, and for no smaller one', (t) => {
  const table = new TableTop();
  const faultOf = checks(table);
  const dust = { device: 'camera', iommu: { iovaBits: 32 }, maxSegmentBytes: 1 };
  const small = table.create({ sizeBytes: MiB });
  const large = table.create({ sizeBytes: 2 * MiB });
  t.is(faultOf('attach', { ...ATTACH, buffer: small, constraints: dust }), undefined);
  t.is(faultOf('attach', { ...ATTACH, buffer: large, constraints: dust })?.field, 'constraints');
  t.is(faultOf('create', { ...CREATE, sizeBytes: 2 ** 40, allocate: { onDevice: dust } })?.field, 'allocate.onDevice');
});

test('MessageChecks, the attachment of another actor, cannot be mapped or detached; one that is gone is left to the exporter', (t) => {
  const table = new TableTop();
  const faultOf = checks(table);
  const buffer = table.create();
  const request = { ...ATTACH, buffer, actor: actorId(2), mapping: 'per-job' as const };
  const { attachment } = table.run(table.exporter.attach(request));
  for (const [method, more] of [
    ['map', {}],
    ['detach', { ended: false }],
  ] as const) {
    const args = { buffer, attachment, ...more };
    t.is(faultOf(method, args, 'camera'), undefined);
    t.like(faultOf(method, args, 'encoder'), { field: 'attachment', expected: 'its own, and this is one of camera' });
  }
  table.run(table.exporter.detach({ buffer, attachment, ended: false }));
  t.is(faultOf('map', { buffer, attachment }, 'encoder'), undefined);
});

test('MessageChecks, the attachment of another actor, where the sender had that slot before, is a call that comes late', (t) => {
  const table = new TableTop();
  const faultOf = checks(table);
  const buffer = table.create();
  const request = { ...ATTACH, buffer, mapping: 'per-job' as const };
  const first = table.run(table.exporter.attach({ ...request, actor: actorId(2) }));
  table.run(table.exporter.detach({ buffer, attachment: first.attachment, ended: false }));
  const device = { device: 'encoder', actor: actorId(3), constraints: ENCODER };
  const second = table.run(table.exporter.attach({ ...request, ...device }));
  t.is(second.attachment, first.attachment, 'the slot is taken anew');
  const args = { buffer, attachment: second.attachment };
  t.like(faultOf('map', args, 'camera'), { field: 'attachment', isLate: true });
  t.is(faultOf('map', args, 'encoder'), undefined);
});

test('MessageChecks, the buffer of another actor, cannot be sealed or destroyed; one of nobody can', (t) => {
  const table = new TableTop();
  const faultOf = checks(table);
  const owned = table.run(table.exporter.create({ ...CREATE, actor: actorId(2), allocate: 'deferred', expect: [] }));
  const free = table.create({ name: 'of nobody' });
  for (const method of ['seal', 'destroy']) {
    t.is(faultOf(method, { buffer: owned }, 'camera'), undefined);
    t.is(faultOf(method, { buffer: owned }, 'encoder')?.field, 'buffer.slot');
    t.is(faultOf(method, { buffer: free }, 'encoder'), undefined);
  }
});
