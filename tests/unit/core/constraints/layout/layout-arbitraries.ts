/** Random participants, close enough to each other that they often just agree or just do not. */
import type {
  BufferCounts,
  FormatSupport,
  ImageRequest,
  LayoutConstraints,
  LayoutOption,
  LayoutRules,
  PlaneRules,
} from '@dmabuf-lab/core/constraints';
import fc from 'fast-check';

export const NAMES = ['camera', 'codec', 'display', 'gpu', 'rga'];
const FORMATS = ['NV12', 'YUV420', 'YUYV', 'XRGB8888', 'SRGGB10P'];
const MODIFIERS = ['LINEAR', 'TILED', 'INVALID', '*'];

const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined, freq: 2 });
const seldom = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight: 4 }, { arbitrary: value, weight: 1 });
/** Without the fields that are undefined. */
const defined = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as T;

const alignment = fc.constantFrom(1, 2, 3, 4, 8, 12, 16, 24, 32, 48, 64);

const planeRules: fc.Arbitrary<PlaneRules> = fc
  .record({
    strideAlignmentBytes: seldom(alignment),
    rowAlignment: seldom(fc.constantFrom(1, 2, 3, 8)),
    offsetAlignmentBytes: seldom(fc.constantFrom(16, 24, 64)),
    extraBytes: seldom(fc.integer({ min: 0, max: 100 })),
  })
  .map(defined);

export const rules: fc.Arbitrary<LayoutRules> = fc
  .record({
    strideAlignmentBytes: rarely(alignment),
    strideAlignmentPixels: seldom(fc.constantFrom(2, 4, 8, 10)),
    minStrideBytes: seldom(fc.integer({ min: 0, max: 150 })),
    maxStrideBytes: seldom(fc.integer({ min: 100, max: 300 })),
    strideExact: seldom(fc.boolean()),
    stridePowerOfTwo: seldom(fc.boolean()),
    equalPlaneStride: seldom(fc.boolean()),
    heightAlignment: seldom(fc.constantFrom(2, 3, 8, 16)),
    offsetAlignmentBytes: seldom(fc.constantFrom(16, 48, 64)),
    block: seldom(fc.constantFrom([4, 4] as const, [16, 1] as const, [6, 2] as const)),
    trailingBytes: seldom(
      fc.oneof(
        fc.integer({ min: 0, max: 200 }),
        fc.constant(0).map(() => ({ atLeastStrideOr: 70 })),
      ),
    ),
    sizeAlignmentBytes: seldom(fc.constantFrom(64, 100, 4096)),
    minSize: seldom(fc.constantFrom([8, 8] as const, [30, 4] as const)),
    maxSize: seldom(fc.constantFrom([64, 64] as const, [40, 100] as const)),
    sizeStep: seldom(fc.constantFrom([2, 2] as const, [4, 1] as const, [3, 1] as const)),
    maxPixels: seldom(fc.constantFrom(600, 1500)),
    sizes: seldom(fc.constantFrom([[32, 24] as const, [40, 30] as const], [[48, 32] as const])),
    planes: seldom(fc.array(planeRules, { minLength: 1, maxLength: 3 })),
  })
  .map(defined)
  .filter(({ minStrideBytes = 0, maxStrideBytes = 1e6, strideAlignmentBytes = 1 }) => {
    return Math.ceil(Math.max(1, minStrideBytes) / strideAlignmentBytes) * strideAlignmentBytes <= maxStrideBytes;
  })
  .filter(({ minSize, maxSize }) => minSize === undefined || maxSize === undefined || minSize[0] <= maxSize[0]);

const support: fc.Arbitrary<FormatSupport> = fc
  .record({
    format: fc.constantFrom(...FORMATS),
    modifiers: rarely(fc.uniqueArray(fc.constantFrom(...MODIFIERS), { minLength: 1, maxLength: 3 })),
    rules: seldom(alignment.map((strideAlignmentBytes) => ({ strideAlignmentBytes }))),
    cost: seldom(fc.constantFrom(0.1, 0.5)),
  })
  .map(defined);

const counts: fc.Arbitrary<BufferCounts> = fc
  .record({
    held: fc.integer({ min: 0, max: 3 }),
    dedicatedSlack: rarely(fc.integer({ min: 0, max: 1 })),
    sharedSlack: rarely(fc.integer({ min: 0, max: 2 })),
    min: seldom(fc.integer({ min: 1, max: 4 })),
    max: seldom(fc.integer({ min: 4, max: 10 })),
  })
  .map(defined);

const option: fc.Arbitrary<LayoutOption> = fc
  .record({
    formats: rarely(fc.uniqueArray(support, { selector: (one) => one.format, minLength: 1, maxLength: 3 })),
    rules: rarely(rules),
    counts: rarely(counts),
    prefers: seldom(
      fc.record({ strideAlignmentBytes: fc.constantFrom(32, 64, 96), cost: fc.constantFrom(0.05, 0.1, 0.3) }),
    ),
    cost: seldom(fc.constantFrom(0.2, 1)),
    implicitDomain: seldom(fc.constantFrom('vendor-a', 'vendor-b')),
    implicitIsLinear: seldom(fc.boolean()),
  })
  .map(defined)
  .filter(({ rules: base, formats }) => {
    // The rules of a format must not contradict those of the option, which would be refused.
    const most = base?.maxStrideBytes ?? 1e6;
    const least = Math.max(1, base?.minStrideBytes ?? 0);
    return (formats ?? []).every(({ rules: own }) => {
      const step = own?.strideAlignmentBytes ?? 1;
      return Math.ceil(least / step) * step <= most;
    });
  });

const participant: fc.Arbitrary<LayoutConstraints> = fc
  .record({
    device: fc.constantFrom(...NAMES),
    optional: seldom(fc.boolean()),
    options: fc.oneof(
      { arbitrary: fc.array(option, { minLength: 1, maxLength: 1 }), weight: 3 },
      { arbitrary: fc.array(option, { minLength: 2, maxLength: 3 }), weight: 1 },
    ),
  })
  .map(defined);

export const participants: fc.Arbitrary<LayoutConstraints[]> = fc.uniqueArray(participant, {
  selector: (c) => c.device,
  minLength: 1,
  maxLength: 4,
});

export const image: fc.Arbitrary<ImageRequest> = fc.record({
  widthPixels: fc.integer({ min: 1, max: 70 }),
  heightPixels: fc.integer({ min: 1, max: 40 }),
  formats: fc.shuffledSubarray(FORMATS, { minLength: 1, maxLength: 3 }),
});

/** Images at sizes that suit many. */
export const roundImage: fc.Arbitrary<ImageRequest> = fc.record({
  widthPixels: fc.constantFrom(24, 32, 36, 40, 48, 64),
  heightPixels: fc.constantFrom(8, 24, 30, 32),
  formats: fc.shuffledSubarray(FORMATS, { minLength: 1, maxLength: 3 }),
});
