/** The twenty devices whose numbers are known on paper. Every number here was copied by hand, not computed. */
import type { DeviceConstraints, LayoutOption, LayoutRules } from '@dmabuf-lab/core/constraints';
import { deviceConstraintsOf, Library, layoutConstraintsOf } from '@dmabuf-lab/lab';
import test from 'ava';

const library = new Library();

interface Expected {
  /** Exactly these, and nothing else, but for what is added below. */
  readonly placement: Partial<DeviceConstraints>;
  /** Among others. */
  readonly rules?: LayoutRules;
  readonly held?: number;
  readonly formats?: readonly string[];
  /** All there are, over all formats; 'none' = the device does not speak of them. */
  readonly modifiers?: readonly string[] | 'none';
  /** Rules of single formats or modifiers. */
  readonly special?: Readonly<Record<string, LayoutRules>>;
}

const FIRST_GIB = [{ base: 0, sizeBytes: 0x4000_0000, busBase: 0xc000_0000 }];
const BITS_32 = 0xffff_ffff;
const ALL_LENGTHS = { maxSegmentBytes: 4294967295 };

const STARTER_SET: Readonly<Record<string, Expected>> = {
  'bcm2711-unicam': {
    placement: { dmaMask: BITS_32, windows: FIRST_GIB, contiguous: true, bounceAllowed: false, subsystem: 'v4l2' },
    rules: { strideAlignmentBytes: 32, maxStrideBytes: 65504, minSize: [16, 16], maxSize: [16376, 16376] },
    held: 1,
    modifiers: 'none',
  },
  'bcm2711-vc4-hvs': {
    placement: { dmaMask: BITS_32, windows: FIRST_GIB, contiguous: true, bounceAllowed: false },
    rules: { strideAlignmentBytes: 1, maxSize: [7680, 7680] },
    modifiers: ['LINEAR', 'VC4_T_TILED', 'SAND64', 'SAND128', 'SAND256'],
  },
  'bcm2711-v3d': {
    placement: { iommu: { iovaBits: 32 } },
    rules: { trailingBytes: 64, strideAlignmentBytes: 64, sizeAlignmentBytes: 4096 },
    modifiers: ['UIF', 'LINEAR', 'SAND128'],
  },
  'rpi-codec-encode': {
    placement: { dmaMask: BITS_32, contiguous: true, subsystem: 'v4l2' },
    rules: { heightAlignment: 16, minSize: [32, 32], maxSize: [1920, 1920] },
    special: {
      I420: { planes: [{ strideAlignmentBytes: 64 }] },
      NV12: { planes: [{ strideAlignmentBytes: 32 }] },
      UYVY: { planes: [{ strideAlignmentBytes: 64 }] },
    },
    modifiers: 'none',
  },
  'imx8mq-hantro': {
    placement: {
      dmaMask: BITS_32,
      windows: [{ base: 0x4000_0000, sizeBytes: 0xc000_0000, busBase: 0x4000_0000 }],
      contiguous: true,
      subsystem: 'v4l2',
      ...ALL_LENGTHS,
    },
    rules: { sizeStep: [16, 16], minSize: [48, 48], maxSize: [3840, 2160] },
    formats: ['NV12', 'P010', 'NV12_4L4'],
    modifiers: 'none',
  },
  'imx6sx-lcdif': {
    placement: { dmaMask: BITS_32, contiguous: true },
    rules: { strideExact: true },
    modifiers: ['LINEAR'],
  },
  'imx8mp-lcdif': {
    placement: { dmaMask: 0xf_ffff_ffff, contiguous: true },
    rules: { maxStrideBytes: 65535, minSize: [120, 120] },
    modifiers: ['LINEAR'],
  },
  'imx8mp-isi': {
    placement: { dmaMask: 0xf_ffff_ffff, contiguous: true, subsystem: 'v4l2' },
    rules: { maxStrideBytes: 65535, equalPlaneStride: true, maxSize: [4096, 8191] },
    modifiers: 'none',
  },
  'rk3399-vopb': {
    placement: { iommu: { iovaBits: 32, physBits: 32 } },
    rules: { strideAlignmentBytes: 64, maxSize: [4096, 2160] },
    modifiers: ['LINEAR', 'AFBC_16x16_SPARSE_YTR'],
  },
  'rk3399-rkisp1-mp': {
    placement: { iommu: { iovaBits: 32, physBits: 32 }, contiguous: true, subsystem: 'v4l2' },
    rules: { strideExact: true, minSize: [32, 32], maxSize: [4416, 3312] },
    formats: ['NV12', 'NV16', 'YUV420'],
    modifiers: 'none',
  },
  'rk3588-rga2': {
    placement: { physLimit: BITS_32, subsystem: 'v4l2' },
    rules: { maxSize: [8192, 8192] },
    modifiers: 'none',
  },
  'omap3-isp-preview-in': {
    placement: {
      dmaMask: BITS_32,
      iommu: { iovaBits: 32, iovaBase: 0x4000_0000, iovaSizeBytes: 0x8000_0000 },
      contiguous: true,
      alignmentBytes: 32,
      subsystem: 'v4l2',
    },
    rules: { strideAlignmentBytes: 64 },
    modifiers: 'none',
  },
  'omap3-dss': { placement: { dmaMask: BITS_32, contiguous: true }, rules: { maxSize: [8192, 8192] } },
  'ti-vpdma': {
    placement: { dmaMask: BITS_32, contiguous: true, subsystem: 'v4l2' },
    rules: { strideAlignmentBytes: 16, maxStrideBytes: 65520, minSize: [32, 32], maxSize: [2048, 2048] },
    modifiers: 'none',
  },
  'intel-ipu6': {
    placement: {
      dmaMask: 0x7f_ffff_ffff,
      iommu: { iovaBits: 32, physBits: 39 },
      subsystem: 'v4l2',
      ...ALL_LENGTHS,
    },
    rules: {
      strideAlignmentBytes: 64,
      trailingBytes: { atLeastStrideOr: 1024 },
      minSize: [2, 2],
      maxSize: [4672, 3416],
    },
    modifiers: 'none',
  },
  'i915-skl-display': {
    placement: { dmaMask: 0x7f_ffff_ffff, iommu: { iovaBits: 32, physBits: 39 }, ...ALL_LENGTHS },
    rules: { maxStrideBytes: 32768 },
    special: {
      LINEAR: { strideAlignmentBytes: 64 },
      X_TILED: { strideAlignmentBytes: 512 },
      Y_TILED: { strideAlignmentBytes: 128 },
    },
  },
  'qcom-venus-sdm845': {
    placement: {
      addressLimit: 0xdfff_ffff,
      iommu: { iovaBits: 32 },
      contiguous: true,
      subsystem: 'v4l2',
      ...ALL_LENGTHS,
    },
    rules: {
      strideAlignmentBytes: 128,
      planes: [{ rowAlignment: 32 }, { rowAlignment: 16, extraBytes: 4096 }],
      trailingBytes: 12288 - 4096,
      sizeAlignmentBytes: 4096,
    },
  },
  'qcom-dpu': {
    // A mask of 64 bits is none.
    placement: { iommu: { iovaBits: 32 }, ...ALL_LENGTHS },
    rules: { maxSize: [16383, 16383] },
    modifiers: ['LINEAR', 'QCOM_COMPRESSED'],
  },
  'amdgpu-gfx9': {
    // Any distance that is not negative.
    placement: {
      dmaMask: 0xfff_ffff_ffff,
      iommu: { iovaBits: 48, physBits: 44 },
      peerToPeerDistance: 255,
      ...ALL_LENGTHS,
    },
    rules: { strideAlignmentBytes: 256 },
  },
  'nouveau-gp100': {
    placement: { dmaMask: 0x7fff_ffff_ffff, iommu: { iovaBits: 49, physBits: 47 } },
    rules: { strideAlignmentBytes: 256 },
  },
};

const modifiersOf = ({ formats = [] }: LayoutOption): (string | undefined)[] =>
  formats.flatMap(({ modifiers }): (string | undefined)[] => [...(modifiers ?? [undefined])]);

for (const [id, expected] of Object.entries(STARTER_SET)) {
  test(`${id}: has the numbers of its table`, (t) => {
    const profile = library.profile(id);
    if (profile === undefined) return t.fail('there is no such profile');
    const { device, ...placement } = deviceConstraintsOf(id, profile.constraints);
    t.is(device, id);
    t.deepEqual(placement, expected.placement);
    const { options } = layoutConstraintsOf(id, profile.layout);
    const [first] = options;
    t.like(first.rules ?? {}, expected.rules ?? {});
    t.is(first.counts?.held, expected.held);
    for (const format of expected.formats ?? [])
      t.truthy(
        first.formats?.some((each) => each.format === format),
        format,
      );
    for (const [name, rules] of Object.entries(expected.special ?? {})) {
      const found = first.formats?.flatMap(({ format, rules: own, rulesByModifier }) =>
        format === name ? [own] : rulesByModifier?.[name] === undefined ? [] : [rulesByModifier[name]],
      );
      t.true((found ?? []).length > 0, name);
      for (const each of found ?? []) t.deepEqual(each, rules, name);
    }
    const modifiers = new Set(options.flatMap(modifiersOf));
    if (expected.modifiers === 'none') t.deepEqual([...modifiers], [undefined]);
    else if (expected.modifiers) t.deepEqual([...modifiers].sort(), [...expected.modifiers].sort());
  });
}

test('starter set: has twenty ids', (t) => {
  t.is(Object.keys(STARTER_SET).length, 20);
});
