import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainFile } from '@dmabuf-lab/lab';
import test, { type ExecutionContext } from 'ava';

const BOARD = `
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps:
  - { name: system, kind: system, window: dram }
  - { name: cma, kind: cma, window: dram, base: 0x4800_0000, size: 64MiB }
`;
const GOOD = `image: { width: 64, height: 64, formats: [NV12] }${BOARD}devices:
  camera: { constraints: { iommu: { iovaBits: 32 } } }
`;

/** What is said of a file with this text. */
async function complaint(t: ExecutionContext, text: string, options = {}): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'dmabuf-lab-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'x.yaml');
  await writeFile(path, text);
  const error = await t.throwsAsync(explainFile(path, 'x.yaml', options));
  return error?.message ?? '';
}

const WRONG: readonly (readonly [what: string, device: string, says: RegExp])[] = [
  [
    'an alignment of zero',
    'alignment: 0',
    /^x\.yaml:\d+:\d+: devices\.gpu\.constraints\.alignment: .*at least 1 byte, got 0/,
  ],
  ['a negative alignment', 'alignment: -4096', /devices\.gpu\.constraints\.alignment: .*got -4096/],
  [
    'a mask with a hole',
    'dmaMask: 0xFF0F',
    /devices\.gpu\.constraints\.dmaMask: expected a power of two minus 1.*got 65295/,
  ],
  ['a mask of nothing', 'dmaMask: 0', /devices\.gpu\.constraints\.dmaMask.*got 0/],
  ['segments that no device has', 'maxSegments: 0', /devices\.gpu\.constraints\.maxSegments: .*at least 1, got 0/],
  [
    'a window that overflows',
    'windows: [{ base: 0x1F_FFFF_FFFF_F000, size: 1TiB }]',
    /devices\.gpu\.constraints\.windows.*(2\^53|0x1F_FFFF)/,
  ],
  [
    'windows and an IOMMU',
    'windows: [{ base: 0x0, size: 1GiB }], iommu: { iovaBits: 32 }',
    /devices\.gpu\.constraints.*windows.*iommu/i,
  ],
  [
    'an aperture beyond its bits',
    'iommu: { iovaBits: 32, iovaBase: 0xF000_0000, iovaSize: 1GiB }',
    /devices\.gpu\.constraints\.iommu.*iova/i,
  ],
  ['a heap that is not there', 'heaps: [vram]', /devices\.gpu\.constraints\.heaps.*vram/],
];

for (const [what, device, says] of WRONG) {
  test(`explain, ${what}, is refused with field, value and rule`, async (t) => {
    t.regex(await complaint(t, `${GOOD}  gpu: { constraints: { ${device} } }\n`), says);
  });
}

test('explain, an unknown board or profile, is refused with what there is', async (t) => {
  const image = 'image: { width: 64, height: 64, formats: [NV12] }\n';
  t.regex(await complaint(t, `${image}board: rk3398\ndevices: { a: {} }\n`), /board: .*"rk3398".*rk3399/);
  t.regex(await complaint(t, `${GOOD}  gpu: { profile: mali-t861 }\n`), /devices\.gpu\.profile: .*mali-t860/);
});

test('explain, an image of no width or neither memory nor board, is refused', async (t) => {
  t.regex(await complaint(t, GOOD.replace(', formats: [NV12]', '')), /^x\.yaml:1:\d+: image: formats: missing/);
  t.regex(await complaint(t, GOOD.replace('NV12', 'NV13')), /image\.formats\.0: unknown format, did you mean "NV12"/);
  t.regex(await complaint(t, GOOD.replace(/camera: .*/, 'cpu: {}')), /"cpu" is the processor/);
  t.regex(
    await complaint(t, GOOD.replace(/devices:[\s\S]*/, 'devices: {}\n')),
    /devices: expected at least one device/,
  );
  t.regex(await complaint(t, GOOD.replace('width: 64', 'width: 0')), /image\.width: expected at least 1, got 0/);
  t.regex(
    await complaint(t, 'image: { width: 64, height: 64, formats: [NV12] }\ndevices: { a: {} }\n'),
    /memory|board/,
  );
});

test('explain, a stride that cannot be, is refused as a contradiction', async (t) => {
  const layout = 'layout: { options: { a: { rules: { minStride: 128, maxStride: 64 } } } }';
  t.regex(await complaint(t, `${GOOD}  gpu: { ${layout} }\n`), /minStride must be at most maxStride 64, got 128/);
});

test('explain --what-if, a path or a value that is none, is refused and changes nothing else', async (t) => {
  t.regex(await complaint(t, GOOD, { whatIf: ['camera'] }), /--what-if camera: expected PATH=VALUE/);
  t.regex(await complaint(t, GOOD, { whatIf: ['=1'] }), /expected PATH=VALUE/);
  t.regex(await complaint(t, GOOD, { whatIf: ['camera.iommu=[1'] }), /is not valid YAML/);
  t.regex(await complaint(t, GOOD, { whatIf: ['heaps.cna.size=1MiB'] }), /there is no "cna", did you mean "cma"/);
  t.regex(await complaint(t, GOOD, { whatIf: ['image.width.x=1'] }), /below a single value/);
  t.regex(await complaint(t, GOOD, { whatIf: ['__proto__.polluted=1'] }), /there is no device "__proto__"/);
  t.false('polluted' in {});
  t.regex(await complaint(t, GOOD, { whatIf: ['camra.iommu=true'] }), /no device "camra", did you mean "camera"/);
  t.regex(await complaint(t, GOOD, { whatIf: ['camera.alignmnt=4096'] }), /did you mean "alignment"/);
});

test('explain --late, a device that shares nothing, is refused with those that do', async (t) => {
  t.regex(await complaint(t, GOOD, { late: 'encoder' }), /--late encoder: .*the devices are camera$/);
});

test('explain, a file that is no mapping, or none at all, is refused', async (t) => {
  t.regex(await complaint(t, ''), /^x\.yaml/);
  t.regex(await complaint(t, '- 1\n'), /^x\.yaml/);
  t.regex(await complaint(t, 'image: [\n'), /^x\.yaml/);
  await t.throwsAsync(explainFile('/nonexistent/x.yaml', 'x.yaml'), { message: 'x.yaml: no such file' });
});
