/** What a scenario takes from its board and its profiles, and what it says when it cannot. */
import { deviceConstraintsOf, layoutConstraintsOf, parseScenario, type Scenario } from '@dmabuf-lab/lab';
import test from 'ava';
import { complaintsOf, directoryWith, profileText } from '../library/library-files.js';

const HEAD = `name: small
duration: 10s
`;
const TAIL = `links:
  - { from: camera.out, to: gpu.in }
`;
const scenario = (top: string, camera = 'profile: camera', gpu = ''): string => `${HEAD}${top}
devices:
  camera: { driver: camera, ${camera} }
  gpu: { driver: gpu, ${gpu} }
${TAIL}`;
const parsed = (text: string, directory = '.'): Scenario => parseScenario(text, 'x.yaml', { directory }).scenario;
const complaints = (text: string, directory = '.'): string[] =>
  complaintsOf(() => parseScenario(text, 'x.yaml', { directory }));

test('board: gives memory and heaps, and its devices by their short names', (t) => {
  const { memory, heaps, devices } = parsed(scenario('board: rk3399'));
  t.deepEqual(memory, { windows: [{ name: 'dram', base: 0x20_0000, size: 3966 * 2 ** 20 }] });
  t.deepEqual(
    heaps.map(({ name }) => name),
    ['system', 'cma'],
  );
  t.deepEqual(devices.camera.constraints, {
    iommu: { iovaBits: 32, physBits: 32 },
    contiguous: true,
    subsystem: 'v4l2',
  });
  t.is(layoutConstraintsOf('camera', devices.camera.layout!).options[0].rules?.strideExact, true);
  t.deepEqual(devices.gpu.constraints, {});
  t.is(devices.gpu.layout, undefined);
});

test('heaps: those of the scenario take the place of the board’s as a whole', (t) => {
  const { heaps, memory } = parsed(
    scenario('board: rk3399\nheaps: [{ name: sys, kind: system, window: dram, aged: { keep: 0.5 } }]'),
  );
  t.deepEqual(
    heaps.map(({ name }) => name),
    ['sys'],
  );
  t.is(memory.windows[0].name, 'dram');
});

test('heaps: the memory of a device follows it, under the name that the scenario gives it', (t) => {
  const localOf = (camera: string, gpu: string): unknown[] =>
    parsed(scenario('board: pc-amd', camera, gpu)).heaps.filter(({ kind }) => kind === 'device-local');
  const [vram, ...others] = localOf('profile: display', 'profile: gpu');
  t.like(vram, { name: 'vram', owner: 'gpu', peers: { camera: 0 } });
  t.deepEqual(others, []);
  t.like(localOf('profile: gpu', '')[0], { owner: 'camera', peers: {} });
  t.deepEqual(localOf('profile: display', ''), [], 'without its owner there is none');
});

test('profile: is named without a board too', (t) => {
  const memory = 'memory: { windows: [{ name: d, base: 0, size: 1GiB }] }';
  const { devices } = parsed(
    scenario(`${memory}\nheaps: [{ name: s, kind: system, window: d }]`, 'profile: bcm2711-unicam'),
  );
  t.deepEqual(deviceConstraintsOf('camera', devices.camera.constraints), {
    device: 'camera',
    dmaMask: 0xffff_ffff,
    windows: [{ base: 0, sizeBytes: 2 ** 30, busBase: 0xc000_0000 }],
    contiguous: true,
    bounceAllowed: false,
    subsystem: 'v4l2',
  });
});

test('constraints: override those of the profile key by key', (t) => {
  const camera = 'profile: camera, constraints: { alignment: 64, iommu: { physBits: 40 } }';
  t.deepEqual(parsed(scenario('board: rk3399', camera)).devices.camera.constraints, {
    iommu: { iovaBits: 32, physBits: 40 },
    contiguous: true,
    subsystem: 'v4l2',
    alignment: 64,
  });
});

test('constraints: those named in without do not hold', (t) => {
  const camera = 'profile: camera, constraints: { without: [iommu, subsystem], dmaMask: 0xFFFF_FFFF }';
  const { constraints } = parsed(scenario('board: rk3399', camera)).devices.camera;
  t.deepEqual(constraints, { contiguous: true, dmaMask: 0xffff_ffff });
});

test('layout: use chooses another option, and rules are overridden one by one', (t) => {
  const camera =
    'profile: camera, layout: { use: [selfpath], options: { selfpath: { rules: { maxSize: [800, 600] } } } }';
  const { layout } = parsed(scenario('board: rk3399', camera)).devices.camera;
  const { options, alternatives } = layoutConstraintsOf('camera', layout!);
  t.like(options[0], { name: 'selfpath', rules: { minSize: [32, 32], maxSize: [800, 600] } });
  t.deepEqual(
    alternatives?.map(({ name }) => name),
    ['mainpath'],
  );
});

test('library: profiles of a directory beside the scenario can be named, and extend those of the lab', (t) => {
  const dir = directoryWith(t, {
    'mine/profiles/mine.yaml': profileText(
      'extends: rk3399-vopb\nconstraints: { without: [iommu], contiguous: true }\ninferred: [constraints]',
    ),
  });
  const { constraints } = parsed(scenario('board: rk3399\nlibrary: [./mine]', 'profile: mine'), dir).devices.camera;
  t.deepEqual(constraints, { contiguous: true });
});

test('library: a directory that is none is told where it is named', (t) => {
  t.deepEqual(complaints(scenario('board: rk3399\nlibrary: [./absent]')), [
    'x.yaml:4:11: library.0: expected a directory with a folder profiles or boards in it, got "./absent"',
  ]);
});

test('library: a file of it that is wrong is told by its own name and line', (t) => {
  const dir = directoryWith(t, { 'mine/profiles/mine.yaml': profileText('colour: red') });
  t.deepEqual(complaints(scenario('board: rk3399\nlibrary: [mine]', 'profile: mine'), dir), [
    'mine/profiles/mine.yaml:6:1: colour: unknown key "colour"; known: id, extends, name, soc, kind, description, ' +
      'constraints, layout, sources, inferred, notes',
  ]);
});

for (const [title, text, ...expected] of [
  [
    'an unknown board suggests the nearest',
    scenario('board: rk3398', 'profile: rk3399-vopb'),
    'x.yaml:3:1: board: unknown board "rk3398", did you mean "rk3399"?',
  ],
  [
    'an unknown profile suggests a device of the board',
    scenario('board: rk3399', 'profile: camra'),
    'x.yaml:5:29: devices.camera.profile: unknown profile "camra", did you mean "camera"?',
  ],
  [
    'an unknown profile suggests a profile',
    scenario('board: rk3399', 'profile: mali-t861'),
    'x.yaml:5:29: devices.camera.profile: unknown profile "mali-t861", did you mean "mali-t860"?',
  ],
  [
    'without a board memory and heaps are needed',
    scenario('seed: 1', 'profile: rk3399-vopb'),
    'x.yaml:1:1: memory: missing, expected a mapping or a board',
    'x.yaml:1:1: heaps: missing, expected a list or a board',
  ],
  [
    'an override that contradicts the profile is told where it stands',
    scenario('board: rk3399', 'profile: camera, constraints: { windows: [{ base: 0, size: 1GiB }] }'),
    'x.yaml:5:61: devices.camera.constraints.windows: windows describe a device without an IOMMU; behind one give iommu.iovaBase and iommu.iovaSize',
  ],
  [
    'a layout that contradicts itself is told where it stands',
    scenario('board: rk3399', 'layout: { options: { a: { rules: { minStride: 128, maxStride: 64 } } } }'),
    'x.yaml:5:64: devices.camera.layout.options.a.rules.minStride: rules.minStride must be at most maxStride 64, got 128',
  ],
] as const) {
  test(`parseScenario: ${title}`, (t) => {
    t.deepEqual(complaints(text), [...expected]);
  });
}
