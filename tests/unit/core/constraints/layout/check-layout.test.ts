import {
  checkLayoutConstraints,
  checkLayoutRequest,
  type LayoutConstraints,
  type LayoutOption,
  type LayoutRules,
  negotiateLayout,
} from '@dmabuf-lab/core/constraints';
import test from 'ava';

const problemsOf = (option: LayoutOption): string[] => checkLayoutConstraints({ device: 'a', options: [option] });

for (const [rules, problem] of [
  [{ strideAlignmentBytes: 0 }, 'options[0].rules.strideAlignmentBytes must be a whole number from 1, got 0'],
  [{ strideAlignmentBytes: -64 }, 'options[0].rules.strideAlignmentBytes must be a whole number from 1, got -64'],
  [{ heightAlignment: 1.5 }, 'options[0].rules.heightAlignment must be a whole number from 1, got 1.5'],
  [
    { offsetAlignmentBytes: Number.NaN },
    'options[0].rules.offsetAlignmentBytes must be a whole number from 1, got NaN',
  ],
  [{ trailingBytes: -1 }, 'options[0].rules.trailingBytes must be a whole number from 0, got -1'],
  [
    { minStrideBytes: 200, maxStrideBytes: 100 },
    'options[0].rules.minStrideBytes must be at most maxStrideBytes 100, got 200',
  ],
  [
    { strideAlignmentBytes: 64, minStrideBytes: 65, maxStrideBytes: 127 },
    'options[0].rules.maxStrideBytes must leave a multiple of strideAlignmentBytes 64 between 65 and itself, got 127',
  ],
  [
    { minSize: [100, 10], maxSize: [99, 10] },
    'options[0].rules.minSize must be at most maxSize in width (99), got 100',
  ],
  [
    { minSize: [10, 17], maxSize: [99, 31], sizeStep: [1, 16] },
    'options[0].rules.sizeStep must have a multiple in height between 17 and 31, got 16',
  ],
  [{ sizes: [] }, 'options[0].rules.sizes must hold at least one size, or be absent for any'],
  [{ planes: [{ rowAlignment: 0 }] }, 'options[0].rules.planes[0].rowAlignment must be a whole number from 1, got 0'],
] as const satisfies readonly (readonly [LayoutRules, string])[]) {
  test(`checkLayoutConstraints, refuses ${JSON.stringify(rules)}`, (t) => {
    t.deepEqual(problemsOf({ rules }), [problem]);
  });
}

test('checkLayoutConstraints, accepts the valid side of each bound', (t) => {
  const rules: LayoutRules = {
    strideAlignmentBytes: 64,
    minStrideBytes: 65,
    maxStrideBytes: 128,
    minSize: [10, 17],
    maxSize: [10, 32],
    sizeStep: [1, 16],
    trailingBytes: 0,
  };
  t.deepEqual(problemsOf({ rules }), []);
});

test('checkLayoutConstraints, refuses empty lists, unknown formats, and formats named twice', (t) => {
  t.deepEqual(checkLayoutConstraints({ device: 'a', options: [] }), [
    'options must hold at least one option, got none',
  ]);
  t.deepEqual(problemsOf({ formats: [] }), ['options[0].formats must name at least one format, or be absent for any']);
  t.regex(problemsOf({ formats: [{ format: 'NV99' }] })[0], /must be a format of the table, got NV99 \(there are NV/);
  t.deepEqual(problemsOf({ formats: [{ format: 'I420' }, { format: 'YUV420' }] }), [
    'options[0].formats must name each format once, got YUV420 twice',
  ]);
  t.deepEqual(problemsOf({ formats: [{ format: 'NV12', modifiers: [] }] }), [
    'options[0].formats[0].modifiers must name at least one modifier, or be absent for the implicit layout',
  ]);
});

test('checkLayoutConstraints, refuses rules of a format that contradict those of the option', (t) => {
  const problems = problemsOf({
    rules: { maxStrideBytes: 100 },
    formats: [{ format: 'NV12', rules: { minStrideBytes: 101 } }],
  });
  t.deepEqual(problems, ['options[0].formats[0].rules.minStrideBytes must be at most maxStrideBytes 100, got 101']);
});

test('checkLayoutConstraints, refuses counts and costs that make no sense', (t) => {
  t.deepEqual(problemsOf({ counts: { held: 3, max: 2 } }), [
    'options[0].counts.max must be at least min and held (3), got 2',
  ]);
  t.deepEqual(problemsOf({ counts: { held: -1 } }), ['options[0].counts.held must be a whole number from 0, got -1']);
  t.deepEqual(problemsOf({ cost: -1 }), ['options[0].cost must be between 0 and 10000, got -1']);
});

test('negotiateLayout, refuses a malformed request with every problem', (t) => {
  const twice: LayoutConstraints[] = [
    { device: 'a', options: [{}] },
    { device: 'a', options: [{}] },
  ];
  const image = { widthPixels: 0, heightPixels: 10, formats: ['NV12'] };
  t.deepEqual(checkLayoutRequest({ image, participants: twice }), [
    'image.widthPixels must be a whole number from 1, got 0',
    'participants must have different names, got a twice',
  ]);
  t.throws(() => negotiateLayout({ image, participants: twice }), { instanceOf: RangeError, message: /widthPixels/ });
  t.deepEqual(checkLayoutRequest({ image: { widthPixels: 1, heightPixels: 1 }, participants: twice.slice(1) }), [
    'image.formats must be given when no participant names a format',
  ]);
});
