import {
  type LayoutConstraints,
  type LayoutOption,
  type LayoutRequest,
  type LayoutResult,
  negotiateLayout,
} from '@dmabuf-lab/core/constraints';
import test from 'ava';

const image: LayoutRequest['image'] = { widthPixels: 1296, heightPixels: 972, formats: ['NV12'] };
const exact: LayoutOption = { name: 'main', rules: { strideExact: true } };
const free: LayoutOption = { name: 'self', cost: 0.5 };
const aligned: LayoutConstraints = { device: 'gpu', options: [{ rules: { strideAlignmentBytes: 64 } }] };

function negotiated(...participants: LayoutConstraints[]): LayoutResult {
  return negotiateLayout({ image, participants });
}

test('negotiateLayout, takes the option that works, and the cheaper where both do', (t) => {
  const camera = { device: 'camera', options: [exact, free] };
  const both = negotiated(camera, aligned);
  t.deepEqual(both.status === 'agreed' && both.options, [
    { device: 'camera', index: 1, option: 'self' },
    { device: 'gpu', index: 0 },
  ]);
  const alone = negotiated(camera);
  t.deepEqual(alone.status === 'agreed' && alone.options, [{ device: 'camera', index: 0, option: 'main' }]);
  t.is(both.status === 'agreed' && both.cost.options, 0.5);
});

test('negotiateLayout, blames every option of a participant that has several', (t) => {
  const camera = { device: 'camera', options: [exact, { name: 'small', rules: { maxSize: [640, 480] as const } }] };
  const result = negotiated(camera, aligned);
  if (result.status !== 'unsatisfiable') throw new Error(result.status);
  t.deepEqual(
    result.conflicts.map(({ facts }) => facts.map((fact) => `${fact.device}[${fact.option ?? ''}].${fact.field}`)),
    [['camera[main].strideExact', 'camera[small].maxSize', 'gpu[].strideAlignmentBytes']],
  );
});

test('negotiateLayout, leaves out an optional participant that cannot be had, and says why', (t) => {
  const camera = { device: 'camera', options: [exact] };
  const result = negotiated(camera, { ...aligned, optional: true });
  if (result.status !== 'agreed') throw new Error(result.status);
  t.is(result.planes[0].strideBytes, 1296);
  t.deepEqual(
    result.leftOut.map(({ device, why }) => [device, why]),
    [['gpu', 'stride must equal 1296 and be a multiple of 64; 1296 mod 64 = 16']],
  );
  t.deepEqual(
    result.leftOut[0].facts.map((fact) => `${fact.device}.${fact.field}`),
    ['camera.strideExact', 'gpu.strideAlignmentBytes'],
  );
});

test('negotiateLayout, takes an optional participant along whenever it can, whatever that costs', (t) => {
  const result = negotiated({ device: 'camera', options: [exact, free] }, { ...aligned, optional: true });
  t.deepEqual(result.status === 'agreed' && result.leftOut, []);
  t.is(result.status === 'agreed' && result.planes[0].strideBytes, 1344);
});

test('negotiateLayout, leaves out as few optional participants as it can', (t) => {
  const optional = (device: string, option: LayoutOption): LayoutConstraints => ({
    device,
    optional: true,
    options: [option],
  });
  const result = negotiated(
    optional('a', exact),
    optional('b', { rules: { strideAlignmentBytes: 64 } }),
    optional('c', { rules: { strideAlignmentBytes: 128 } }),
  );
  t.deepEqual(result.status === 'agreed' && result.leftOut.map((one) => one.device), ['a']);
});

test('negotiateLayout, waits for whoever has not said what it needs, and says how things stand', (t) => {
  const late: LayoutConstraints = { device: 'encoder', missing: true, options: [] };
  const result = negotiated(aligned, late);
  if (result.status !== 'waiting') throw new Error(result.status);
  t.deepEqual(result.missing, ['encoder']);
  t.is(result.soFar.status, 'agreed');
  t.true(result.prose.startsWith('Waiting for encoder; the others agree so far:'), result.prose);
});

test('negotiateLayout, weighs padding against the wish of a bus for aligned strides', (t) => {
  const wishing = (cost: number): LayoutConstraints => ({
    device: 'display',
    options: [{ prefers: { strideAlignmentBytes: 1024, cost } }],
  });
  const cheap = negotiated(wishing(0.1));
  t.is(cheap.status === 'agreed' && cheap.planes[0].strideBytes, 1296, '58% more padding is not worth 0.1');
  t.deepEqual(cheap.status === 'agreed' && cheap.preferences, [
    { device: 'display', field: 'strideAlignmentBytes', value: 1024, met: false, cost: 0.1 },
  ]);
  const dear = negotiated(wishing(0.7));
  t.is(dear.status === 'agreed' && dear.planes[0].strideBytes, 2048);
  t.is(dear.status === 'agreed' && dear.cost.preferences, 0);
});

test('negotiateLayout, reports rules that a participant does not check', (t) => {
  const nvidia: LayoutConstraints = {
    device: 'nvidia',
    options: [{ rules: { strideAlignmentBytes: 256 }, silent: ['strideAlignmentBytes'] }],
  };
  const result = negotiated(nvidia);
  t.deepEqual(result.status === 'agreed' && result.hazards, [
    {
      kind: 'accepts-and-corrupts',
      devices: ['nvidia'],
      field: 'strideAlignmentBytes',
      value: 256,
      message:
        'nvidia does not check strideAlignmentBytes: a buffer that breaks it is accepted, and the picture is wrong',
    },
  ]);
});

test('negotiateLayout, says so when no call would fail but the picture would be wrong', (t) => {
  const camera = { device: 'camera', options: [exact] };
  const silent: LayoutConstraints = {
    device: 'gpu',
    api: 'egl',
    options: [{ rules: { strideAlignmentBytes: 64 }, silent: ['strideAlignmentBytes'] }],
  };
  const result = negotiateLayout({ image, participants: [camera, silent] });
  if (result.status !== 'unsatisfiable') throw new Error(result.status);
  t.true(result.hazards.some((hazard) => hazard.kind === 'accepts-and-corrupts'));
});

test('negotiateLayout, is data: it survives being written and read', (t) => {
  for (const result of [negotiated(aligned), negotiated({ device: 'camera', options: [exact] }, aligned)]) {
    t.deepEqual(JSON.parse(JSON.stringify(result)), result);
  }
});

test('negotiateLayout, searches sixteen participants with three options each without trying all combinations', (t) => {
  const participants = Array.from({ length: 16 }, (_, i): LayoutConstraints => {
    const options = [0, 1, 2].map((k) => ({
      cost: k / 10,
      rules: { strideAlignmentBytes: [16, 24, 32, 40, 48, 64][(i + k) % 6] },
      counts: { held: 1 + k },
    }));
    return { device: `d${i}`, options };
  });
  const result = negotiateLayout({ image, participants });
  t.is(result.status, 'agreed');
  const limited = participants.map((c) => ({
    ...c,
    options: c.options.map((option) => ({ ...option, counts: { ...option.counts, max: 15 } })),
  }));
  const none = negotiateLayout({ image, participants: limited });
  t.is(none.status, 'unsatisfiable');
});
