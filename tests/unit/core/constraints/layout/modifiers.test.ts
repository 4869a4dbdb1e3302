import {
  type LayoutConstraints,
  type LayoutOption,
  type LayoutRequest,
  type LayoutResult,
  negotiateLayout,
} from '@dmabuf-lab/core/constraints';
import test from 'ava';

const taking = (device: string, option: LayoutOption): LayoutConstraints => ({ device, options: [option] });
const nv12 = (...modifiers: string[]): LayoutOption => ({ formats: [{ format: 'NV12', modifiers }] });
const implicit: LayoutOption = { formats: [{ format: 'NV12' }] };
const image: LayoutRequest['image'] = { widthPixels: 640, heightPixels: 480 };

function negotiated(...participants: LayoutConstraints[]): LayoutResult {
  return negotiateLayout({ image, participants });
}

function modifierOf(result: LayoutResult): string {
  return result.status === 'agreed' ? result.modifier : result.prose;
}

test('negotiateLayout, takes the modifier that all name, LINEAR first among equals', (t) => {
  t.is(modifierOf(negotiated(taking('a', nv12('AFBC', 'X_TILED')), taking('b', nv12('X_TILED')))), 'X_TILED');
  t.is(modifierOf(negotiated(taking('a', nv12('AFBC', 'LINEAR')), taking('b', nv12('LINEAR', 'AFBC')))), 'LINEAR');
});

test('negotiateLayout, prefers the modifier that costs least', (t) => {
  const formats = [{ format: 'NV12', modifiers: ['AFBC', 'LINEAR'], costByModifier: { LINEAR: 0.5 } }];
  t.is(modifierOf(negotiated(taking('a', { formats }), taking('b', nv12('LINEAR', 'AFBC')))), 'AFBC');
});

test('negotiateLayout, lets whoever does not care go along with any modifier', (t) => {
  t.is(modifierOf(negotiated(taking('a', nv12('AFBC')), taking('any', nv12('*')))), 'AFBC');
  t.is(modifierOf(negotiated(taking('a', nv12('AFBC')), taking('any', {}))), 'AFBC');
  t.is(modifierOf(negotiated(taking('a', nv12('INVALID')), taking('any', nv12('*')))), 'INVALID');
});

test('negotiateLayout, never mixes implicit and explicit', (t) => {
  const result = negotiated(taking('camera', implicit), taking('display', nv12('LINEAR')));
  if (result.status !== 'unsatisfiable') throw new Error(result.status);
  t.deepEqual(result.participantConflicts, [['camera', 'display']]);
  t.true(result.why.includes('camera knows no modifiers, so its NV12 is not LINEAR'), result.why);
  const [repair] = result.repairs;
  t.deepEqual(repair.kind === 'modifier' && [repair.modifier, repair.assumedOf], ['LINEAR', ['camera']]);
});

test('negotiateLayout, assumes LINEAR for a device that says its implicit layout is linear', (t) => {
  const camera = taking('camera', { ...implicit, implicitIsLinear: true });
  t.is(modifierOf(negotiated(camera, taking('display', nv12('LINEAR')))), 'LINEAR');
});

test('negotiateLayout, shares an implicit layout within a domain only, and names the hazard where none is stated', (t) => {
  const gpu = (implicitDomain?: string): LayoutOption => ({ ...implicit, ...(implicitDomain && { implicitDomain }) });
  const same = negotiated(taking('a', gpu('amd')), taking('b', gpu('amd')));
  t.deepEqual(same.status === 'agreed' && same.hazards, []);
  const other = negotiated(taking('a', gpu('amd')), taking('b', gpu('intel')));
  if (other.status !== 'unsatisfiable') throw new Error(other.status);
  t.true(other.conflicts.every(({ facts }) => facts.filter((fact) => fact.field === 'implicitDomain').length === 2));
  const unknown = negotiated(taking('a', gpu('amd')), taking('b', gpu()));
  t.deepEqual(unknown.status === 'agreed' && unknown.hazards.map((hazard) => hazard.kind), ['implicit-modifier']);
});

test('negotiateLayout, offers LINEAR when a tiled modifier was asked for that the display lacks', (t) => {
  const result = negotiateLayout({
    image: { ...image, modifiers: ['X_TILED'] },
    participants: [taking('gpu', nv12('X_TILED', 'LINEAR')), taking('display', nv12('LINEAR'))],
  });
  if (result.status !== 'unsatisfiable') throw new Error(result.status);
  const repair = result.repairs.find((one) => one.kind === 'modifier');
  t.deepEqual(repair?.kind === 'modifier' && [repair.modifier, repair.assumedOf], ['LINEAR', []]);
});

test('negotiateLayout, offers a format that all would take in place of the one asked for', (t) => {
  const both = {
    formats: [
      { format: 'NV12', modifiers: ['*'] },
      { format: 'YUYV', modifiers: ['*'] },
    ],
  };
  const result = negotiateLayout({
    image: { ...image, formats: ['NV12'] },
    participants: [taking('a', both), taking('b', { formats: [{ format: 'YUYV', modifiers: ['*'] }] })],
  });
  if (result.status !== 'unsatisfiable') throw new Error(result.status);
  t.is(result.why, 'b takes YUYV but not NV12');
  t.deepEqual(result.predicted, {
    api: 'drm',
    device: 'b',
    call: 'DRM_IOCTL_MODE_ADDFB2',
    errno: 'EINVAL',
    text: 'Unsupported pixel format NV12 / modifier LINEAR',
  });
  const repair = result.repairs.find((one) => one.kind === 'format');
  t.is(repair?.kind === 'format' && repair.format, 'YUYV');
});

test('negotiateLayout, says for every format and modifier what became of it', (t) => {
  const result = negotiated(taking('a', nv12('AFBC', 'LINEAR')), taking('b', nv12('AFBC', 'X_TILED')));
  t.deepEqual(
    result.status === 'agreed' &&
      result.candidates.map((one) => [one.modifier, one.suits || `${one.device}.${one.field}`]),
    [
      ['LINEAR', 'b.modifiers'],
      ['AFBC', true],
      ['X_TILED', 'a.modifiers'],
    ],
  );
});

test('negotiateLayout, applies the rules of a modifier to it alone', (t) => {
  const formats = [
    {
      format: 'XRGB8888',
      modifiers: ['X_TILED', 'LINEAR'],
      rulesByModifier: { X_TILED: { strideAlignmentBytes: 512 } },
    },
  ];
  const result = negotiated(taking('display', { formats, rules: { strideAlignmentBytes: 64 } }));
  const strides = result.status === 'agreed' && result.candidates.map((one) => one.suits && one.strideBytes);
  t.deepEqual(strides, [2560, 2560]);
  const wide = negotiateLayout({
    image: { widthPixels: 650, heightPixels: 480 },
    participants: [taking('display', { formats, rules: { strideAlignmentBytes: 64 } })],
  });
  t.deepEqual(wide.status === 'agreed' && wide.candidates.map((one) => one.suits && one.strideBytes), [2624, 3072]);
});
