import test from 'ava';
import { boardText, complaintsOf, libraryWith, profileText } from './library-files.js';

/** Claims what is said of a profile with this from line 6 on. */
function refuses(title: string, body: string, ...expected: string[]): void {
  test(`profile: ${title}`, (t) => {
    const library = libraryWith(t, { 'profiles/mine.yaml': profileText(body) });
    t.deepEqual(
      complaintsOf(() => library.profile('mine')),
      expected.map((line) => `my/profiles/mine.yaml:${line}`),
    );
  });
}
const INFERRED = 'inferred: [constraints]';
const layout = (rules: string): string => `layout: { options: { port: { rules: ${rules} } } }\ninferred: [layout]`;

refuses('one without constraints is in order', '');
refuses(
  'a value needs a source',
  'constraints: { contiguous: true, alignment: 64 }\nsources: { constraints.contiguous: K a.c:1 }',
  '6:34: constraints.alignment: expected to be named in sources or in inferred, got neither',
);
refuses(
  'a value needs a source in layouts too',
  'layout: { options: { port: { rules: { maxSize: [64, 64] } } } }',
  '6:39: layout.options.port.rules.maxSize: expected to be named in sources or in inferred, got neither',
);
refuses(
  'a source needs a value',
  'sources: { constraints.alignment: K a.c:1 }\ninferred: [constraints.iommu]',
  '6:12: sources.constraints.alignment: expected a field with a value in this file, such as constraints.iommu',
  '7:12: inferred.0: expected a field with a value in this file, such as constraints.iommu, got "constraints.iommu"',
);
refuses(
  'a zero alignment',
  `constraints: { alignment: 0 }\n${INFERRED}`,
  '6:16: constraints.alignment: expected a size of at least 1 byte, got 0',
);
refuses(
  'a negative alignment',
  `constraints: { alignment: -64 }\n${INFERRED}`,
  '6:16: constraints.alignment: expected at least 0, got -64',
);
refuses(
  'a mask that is none',
  `constraints: { dmaMask: 0xFFFF_0000 }\n${INFERRED}`,
  '6:16: constraints.dmaMask: expected a power of two minus 1, such as 0xFFFF_FFFF, got "0xFFFF_0000"',
);
refuses(
  'a segment boundary that is none',
  `constraints: { segmentBoundaryMask: 4096 }\n${INFERRED}`,
  '6:16: constraints.segmentBoundaryMask: expected a power of two minus 1, such as 0xFFFF, got 4096',
);
refuses(
  'a window that overflows',
  `constraints: { windows: [{ base: 0x1F_FFFF_FFFF_F000, size: 8KiB }] }\n${INFERRED}`,
  '6:55: constraints.windows.0.size: windows.0.size must be at least 1 and end by 2^53, got 8192',
);
refuses(
  'a window that overflows on the bus',
  `constraints: { windows: [{ base: 0, size: 8KiB, bus: 0x1F_FFFF_FFFF_F000 }] }\n${INFERRED}`,
  '6:49: constraints.windows.0.bus: windows.0.bus size must be at least 1 and end by 2^53, got 8192',
);
refuses(
  'windows that overlap on the bus',
  `constraints: { windows: [{ base: 0, size: 1GiB }, { base: 0x8000_0000, size: 1GiB, bus: 0 }] }\n${INFERRED}`,
  '6:51: constraints.windows.1: windows.1 overlaps windows.0 and translates differently',
);
refuses(
  'a window outside the mask',
  `constraints: { dmaMask: 0xFFFF_FFFF, windows: [{ base: 0x1_0000_0000, size: 1GiB }] }\n${INFERRED}`,
  '6:48: constraints.windows.0: windows.0 starts on the bus at 4294967296, above dmaMask 4294967295',
);
refuses(
  'windows behind an IOMMU',
  `constraints: { windows: [{ base: 0, size: 1GiB }], iommu: { iovaBits: 32 } }\n${INFERRED}`,
  '6:16: constraints.windows: windows describe a device without an IOMMU; behind one give iommu.iovaBase and iommu.iovaSize',
);
refuses(
  'an aperture that begins beyond its width',
  `constraints: { iommu: { iovaBits: 30, iovaBase: 0x8000_0000 } }\n${INFERRED}`,
  '6:39: constraints.iommu.iovaBase: iommu.iovaBase 2147483648 must be below 2^iovaBits, which is 1073741824',
);
refuses(
  'an IOMMU without a width',
  `constraints: { iommu: { physBits: 32 } }\n${INFERRED}`,
  '6:16: constraints.iommu.iovaBits: missing, expected a whole number',
);
refuses(
  'a smallest stride above the largest',
  layout('{ minStride: 128, maxStride: 64 }'),
  '6:39: layout.options.port.rules.minStride: rules.minStride must be at most maxStride 64, got 128',
);
refuses(
  'no stride within bounds',
  layout('{ strideAlignment: 128, maxStride: 64 }'),
  '6:61: layout.options.port.rules.maxStride: rules.maxStride must leave a multiple of strideAlignment 128 between 1 and itself, got 64',
);
refuses(
  'a smallest image above the largest',
  layout('{ minSize: [64, 64], maxSize: [32, 128] }'),
  '6:39: layout.options.port.rules.minSize: rules.minSize must be at most maxSize in width (32), got 64',
);
refuses(
  'a zero stride alignment',
  layout('{ strideAlignment: 0 }'),
  '6:39: layout.options.port.rules.strideAlignment: expected a size of at least 1 byte, got 0',
);
refuses(
  'a format that nobody knows',
  'layout: { options: { port: { formats: [NV12, { format: [NV16, NV99] }] } } }\ninferred: [layout]',
  '6:48: layout.options.port.formats.1.format: formats.1.format must be a format of the table, got NV99 (there are NV12, NV12_10_COL128, NV12_16L16, NV12_32L32, NV12_4L4, NV12_COL128)',
);
refuses(
  'an option that there is not',
  'layout: { use: [prt], options: { port: {} } }',
  '6:17: layout.use.0: unknown option "prt", did you mean "port"?',
);
refuses('an unknown key', 'constraint: {}', '6:1: constraint: unknown key "constraint", did you mean "constraints"?');
refuses(
  'an unknown base',
  'extends: rk3399-vopa',
  '6:1: extends: unknown profile "rk3399-vopa", did you mean "rk3399-vopb"?',
);
refuses(
  'a base that is the profile itself',
  'extends: mine',
  '6:1: extends: profiles extend each other in a circle: mine → mine',
);
refuses(
  'a base that an override contradicts',
  `extends: rk3399-vopb\nconstraints: { windows: [{ base: 0, size: 1GiB }] }\n${INFERRED}`,
  '7:16: constraints.windows: windows describe a device without an IOMMU; behind one give iommu.iovaBase and iommu.iovaSize',
);

test('profile: one that says nothing of itself needs a profile that it extends', (t) => {
  const library = libraryWith(t, { 'profiles/mine.yaml': 'id: mine\n' });
  const expected = 'missing, expected a text, or a profile that this one extends';
  t.deepEqual(
    complaintsOf(() => library.profile('mine')),
    ['name', 'soc', 'kind', 'description'].map((key) => `my/profiles/mine.yaml:1:1: ${key}: ${expected}`),
  );
});

test('profile: is named like its file', (t) => {
  const library = libraryWith(t, { 'profiles/yours.yaml': profileText('') });
  t.deepEqual(
    complaintsOf(() => library.profile('yours')),
    ['my/profiles/yours.yaml:1:1: id: expected the name of the file, yours, got "mine"'],
  );
});

test('profile: profiles that extend each other in a circle are told as they do', (t) => {
  const library = libraryWith(t, {
    'profiles/mine.yaml': profileText('extends: yours'),
    'profiles/yours.yaml': profileText('extends: mine', 'yours'),
  });
  t.deepEqual(
    complaintsOf(() => library.profile('mine')),
    ['my/profiles/yours.yaml:6:1: extends: profiles extend each other in a circle: mine → yours → mine'],
  );
});

test('library: an id stands once, whichever the folder', (t) => {
  t.deepEqual(
    complaintsOf(() => libraryWith(t, { 'profiles/other/rk3399-vopb.yaml': profileText('', 'rk3399-vopb') })),
    [
      'my/profiles/other/rk3399-vopb.yaml: there is a profile "rk3399-vopb" in library/profiles/rockchip/rk3399-vopb.yaml already',
    ],
  );
});

test('library: a directory without profiles and boards is none', (t) => {
  t.deepEqual(
    complaintsOf(() => libraryWith(t, { 'readme.txt': '' })),
    ['my: expected a directory with a folder profiles or boards in it'],
  );
});

test('library: an unknown id is undefined, also one that JavaScript knows', (t) => {
  const library = libraryWith(t, { 'profiles/mine.yaml': profileText('') });
  t.is(library.profile('constructor'), undefined);
  t.is(library.board('__proto__'), undefined);
});

test('board: one that is in order is read', (t) => {
  const library = libraryWith(t, { 'boards/mine.yaml': boardText() });
  t.is(library.board('mine')?.memory.windows[0].size, 2 ** 30);
});

for (const [title, from, to, ...expected] of [
  [
    'a window needs an origin',
    'inferred: [memory]',
    '',
    '6:21: memory.windows.0.base: expected to be named in sources or in inferred, got neither',
    '6:40: memory.windows.0.size: expected to be named in sources or in inferred, got neither',
  ],
  [
    'a heap lies in a window',
    'window: dram',
    'window: dam',
    '8:35: heaps.0.window: unknown window "dam", did you mean "dram"?',
  ],
  [
    'a device has a known profile',
    'rk3399-rkisp1-mp',
    'rk3399-rkisp2-mp',
    '9:12: devices.camera: unknown profile "rk3399-rkisp2-mp", did you mean "rk3399-rkisp1-mp"?',
  ],
  [
    'a short name is no profile',
    'camera: rk',
    'rk3399-vopb: rk',
    '9:12: devices.rk3399-vopb: "rk3399-vopb" is a profile, expected another short name',
  ],
  [
    'the memory of a device belongs to a device of the board',
    'kind: system, window: dram',
    'kind: device-local, window: dram, owner: gpu, peers: { camra: 2 }',
    '8:55: heaps.0.owner: unknown device "gpu"; known: camera',
    '8:76: heaps.0.peers.camra: unknown device "camra", did you mean "camera"?',
    '8:76: heaps.0.peers.camra: expected to be named in sources or in inferred, got neither',
  ],
  [
    'a window has memory that can be backed',
    'size: 1GiB',
    'size: 5GiB',
    '6:40: memory.windows.0.size: window "dram" may hold at most 4GiB, got 5GiB; split it',
  ],
] as const) {
  test(`board: ${title}`, (t) => {
    const library = libraryWith(t, { 'boards/mine.yaml': boardText().replace(from, to) });
    t.deepEqual(
      complaintsOf(() => library.board('mine')),
      expected.map((line) => `my/boards/mine.yaml:${line}`),
    );
  });
}
