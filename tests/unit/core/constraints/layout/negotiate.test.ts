import {
  aggregateBufferCounts,
  type LayoutAgreed,
  type LayoutConstraints,
  type LayoutOption,
  type LayoutRequest,
  type LayoutRules,
  type LayoutUnsatisfiable,
  negotiateLayout,
} from '@dmabuf-lab/core/constraints';
import test from 'ava';

function agreed(request: LayoutRequest): LayoutAgreed {
  const result = negotiateLayout(request);
  if (result.status !== 'agreed') throw new Error(result.prose);
  return result;
}

function unsatisfiable(request: LayoutRequest): LayoutUnsatisfiable {
  const result = negotiateLayout(request);
  if (result.status !== 'unsatisfiable') throw new Error(result.prose);
  return result;
}

const ruled = (device: string, rules: LayoutRules): LayoutConstraints => ({ device, options: [{ rules }] });
const taking = (device: string, option: LayoutOption): LayoutConstraints => ({ device, options: [option] });
const image = (widthPixels: number, heightPixels: number, ...formats: string[]): LayoutRequest['image'] => ({
  widthPixels,
  heightPixels,
  ...(formats.length > 0 && { formats }),
});

// T1
const three = [
  ruled('A', { strideAlignmentBytes: 64 }),
  ruled('B', { strideAlignmentBytes: 256 }),
  ruled('C', { strideAlignmentBytes: 48 }),
];

for (const [width, stride] of [
  [1920, 7680],
  [1366, 6144],
  [1280, 5376],
]) {
  test(`negotiateLayout, aligns ${width} pixels of four bytes to 768: stride ${stride} (T1)`, (t) => {
    const result = agreed({ image: image(width, 1080, 'XRGB8888'), participants: three });
    t.is(result.planes[0].strideBytes, stride);
    t.is(result.sizeBytes, stride * 1080);
    t.deepEqual(result.provenance.strideAlignmentBytes, {
      value: 768,
      operator: 'lcm',
      contributions: [
        { device: 'A', field: 'strideAlignmentBytes', value: 64, slack: 11 },
        { device: 'B', field: 'strideAlignmentBytes', value: 256, slack: 2 },
        { device: 'C', field: 'strideAlignmentBytes', value: 48, slack: 15 },
      ],
      binding: ['B', 'C'],
    });
    t.true(result.prose.includes('a multiple of 768, because of B and C'), result.prose);
  });
}

// T6
const mainPath: LayoutConstraints = {
  device: 'rkisp1_mp',
  api: 'v4l2',
  options: [{ name: 'mainpath', formats: [{ format: 'NV12' }], rules: { strideExact: true } }],
  alternatives: [{ name: 'selfpath', formats: [{ format: 'NV12' }], rules: { maxSize: [1920, 1920] } }],
};
const mali: LayoutConstraints = {
  device: 'mali_t860',
  api: 'egl',
  driver: 'panfrost',
  options: [{ rules: { strideAlignmentBytes: 64 } }],
};
const rga = taking('rga', { rules: { maxSize: [8192, 8192] } });

test('negotiateLayout, finds the one conflict of an exact stride and an alignment (T6)', (t) => {
  const result = unsatisfiable({ image: image(1296, 972), participants: [mainPath, mali], converters: [rga] });
  t.deepEqual(result.conflicts, [
    {
      facts: [
        { device: 'mali_t860', field: 'strideAlignmentBytes', value: 64 },
        { device: 'rkisp1_mp', option: 'mainpath', field: 'strideExact', value: true },
      ],
      devices: ['mali_t860', 'rkisp1_mp'],
      why: 'stride must equal 1296 and be a multiple of 64; 1296 mod 64 = 16',
    },
  ]);
  t.true(result.complete);
  t.deepEqual(result.participantConflicts, [['mali_t860', 'rkisp1_mp']]);
});

test('negotiateLayout, offers another port, widths and a copy for an exact stride, with cost (T6)', (t) => {
  const { repairs } = unsatisfiable({ image: image(1296, 972), participants: [mainPath, mali], converters: [rga] });
  const brief = repairs.map((repair) => {
    if (repair.kind === 'option') return [repair.kind, repair.device, repair.to, repair.result.strideBytes];
    if (repair.kind === 'size')
      return [repair.kind, repair.widthPixels, repair.heightPixels, repair.result.strideBytes];
    if (repair.kind === 'stage') return [repair.kind, repair.via, repair.bytesPerFrame];
    return [repair.kind];
  });
  t.deepEqual(brief, [
    ['option', 'rkisp1_mp', 'selfpath', 1344],
    ['size', 1280, 972, 1280],
    ['size', 1344, 972, 1344],
    ['stage', 'rga', 1889568],
  ]);
  t.deepEqual(repairs[0].kind === 'option' && repairs[0].limits, ['maxSize 1920x1920']);
  t.deepEqual(
    repairs.map((repair) => repair.cost),
    [0, 0.012346, 0.037037, 1],
  );
});

test('negotiateLayout, foretells what Mesa would print for an unaligned stride (T6)', (t) => {
  const result = unsatisfiable({ image: image(1296, 972), participants: [mainPath, mali] });
  t.deepEqual(result.predicted, {
    api: 'egl',
    device: 'mali_t860',
    call: 'eglCreateImageKHR',
    errno: 'EINVAL',
    eglError: 'EGL_BAD_ACCESS',
    text: 'panfrost: rejecting image due to unsupported offset or stride alignment.',
  });
});

test('negotiateLayout, agrees on a width whose exact stride is aligned (T6)', (t) => {
  const result = agreed({ image: image(1280, 972), participants: [mainPath, mali] });
  t.is(result.planes[0].strideBytes, 1280);
  t.is(result.format, 'NV12');
  t.deepEqual(result.planes[1], { strideBytes: 1280, offsetBytes: 1280 * 972, rows: 486, sizeBytes: 1280 * 486 });
});

// T8
test('negotiateLayout, pads the height for the codec: 1088 rows (T8)', (t) => {
  const unicam = taking('unicam', { formats: [{ format: 'UYVY' }], rules: { strideAlignmentBytes: 32 } });
  const codec = taking('codec', { formats: [{ format: 'UYVY' }], rules: { heightAlignment: 16 } });
  t.is(agreed({ image: image(1920, 1080), participants: [unicam] }).sizeBytes, 4147200);
  const both = agreed({ image: image(1920, 1080), participants: [unicam, codec] });
  t.is(both.sizeBytes, 4177920);
  t.is(both.planes[0].rows, 1088);
  t.deepEqual(both.provenance.sizeBytes.binding, ['codec']);
  t.deepEqual(
    both.hazards.map((hazard) => [hazard.kind, hazard.devices]),
    [['implicit-modifier', ['codec', 'unicam']]],
    'two drivers share a layout that neither names',
  );
});

// T21
const pool = (max?: number): LayoutConstraints[] => [
  taking('camera', { counts: { held: 3, sharedSlack: 1 } }),
  taking('gpu', { counts: { held: 1, dedicatedSlack: 1 } }),
  taking('display', { counts: { held: 2, sharedSlack: 2, ...(max && { max }) } }),
  taking('encoder', { counts: { held: 2, dedicatedSlack: 1 } }),
];
const video = image(1920, 1080, 'NV12');

test('negotiateLayout, sums what is held and the dedicated slack, and adds the largest shared slack: 12 (T21)', (t) => {
  const result = agreed({ image: video, participants: pool() });
  t.is(result.buffers, 12);
  t.is(result.bufferCounts.held.value, 8);
  t.is(result.bufferCounts.dedicatedSlack.value, 2);
  t.is(result.bufferCounts.sharedSlack?.value, 2);
  t.deepEqual(result.bufferCounts.sharedSlack?.binding, ['display']);
  t.is(result.bufferCounts.maxOnlyBuffers, 4, 'the answer of systems that take the maximum');
});

test('negotiateLayout, names all four participants when 12 buffers are needed and 10 allowed (T21)', (t) => {
  const result = unsatisfiable({ image: video, participants: pool(10) });
  t.deepEqual(result.participantConflicts, [['camera', 'display', 'encoder', 'gpu']]);
  t.true(result.complete);
  t.is(result.bufferCounts.buffers, 12);
  t.deepEqual(
    result.conflicts.map((conflict) => conflict.facts.length),
    [7, 7, 7, 8],
  );
  for (const [left, buffers] of [
    ['camera', 9],
    ['gpu', 10],
    ['encoder', 9],
  ] as const) {
    t.is(agreed({ image: video, participants: pool(10).filter((c) => c.device !== left) }).buffers, buffers, left);
  }
});

test('negotiateLayout, offers max 12, or to drop both dedicated slacks: 10 (T21)', (t) => {
  const { repairs, predicted } = unsatisfiable({ image: video, participants: pool(10) });
  const [raise, drop] = repairs;
  t.true(raise.kind === 'raise-max' && raise.to === 12 && raise.devices.join() === 'display', raise.change);
  t.is(raise.result.buffers, 12);
  t.deepEqual(drop.kind === 'drop-slack' && drop.facts, [
    { device: 'encoder', field: 'dedicatedSlack', value: 1 },
    { device: 'gpu', field: 'dedicatedSlack', value: 1 },
  ]);
  t.is(drop.result.buffers, 10);
  t.is(predicted.errno, null, 'no call fails: the pipeline stalls');
  t.true(predicted.text.includes('10 buffers are given where 12 are needed'));
});

test('negotiateLayout, cannot let a late participant into a pool of 12 that may not grow (T21)', (t) => {
  const late = [...pool(), taking('late', { counts: { held: 1 } })];
  const result = unsatisfiable({ image: video, participants: late, sharedPool: { buffers: 12 } });
  t.true(result.why.includes('needs 13 buffers'), result.why);
  t.true(result.participantConflicts[0].includes('pool'));
  t.is(agreed({ image: video, participants: late, sharedPool: { buffers: 12, mayGrow: true } }).buffers, 13);
});

test('aggregateBufferCounts, is held to the smallest maximum and the largest minimum', (t) => {
  const counts = (device: string, min: number, max: number) => ({ device, counts: { held: 1, min, max } });
  const fits = aggregateBufferCounts([counts('a', 2, 8), counts('b', 4, 6)]);
  t.is(fits.buffers, 4);
  t.is(fits.max?.value, 6);
  t.true(fits.fits);
  t.false(aggregateBufferCounts([counts('a', 7, 8), counts('b', 4, 6)]).fits);
  t.is(aggregateBufferCounts([]).buffers, 1);
});

// Strides and planes
test('negotiateLayout, doubles the alignment of YUV420 so that its chroma planes are aligned as well', (t) => {
  const every = agreed({ image: image(1000, 10, 'I420'), participants: [ruled('a', { strideAlignmentBytes: 64 })] });
  t.deepEqual(
    every.planes.map((plane) => plane.strideBytes),
    [1024, 512, 512],
  );
  const rule = { planes: [{ strideAlignmentBytes: 64 }] };
  const luma = agreed({ image: image(1000, 10, 'YUV420'), participants: [ruled('a', rule)] });
  t.deepEqual(
    luma.planes.map((plane) => plane.strideBytes),
    [1024, 512, 512],
  );
  const narrow = agreed({ image: image(960, 10, 'YUV420'), participants: [ruled('a', rule)] });
  t.deepEqual(
    narrow.planes.map((plane) => plane.strideBytes),
    [960, 480, 480],
    'the first plane alone is aligned',
  );
});

test('negotiateLayout, lays out Venus: stride 128, luma rows 32, chroma rows 16, and 12 KiB behind (7.6)', (t) => {
  const venus = ruled('venus', {
    strideAlignmentBytes: 128,
    planes: [
      { rowAlignment: 32, extraBytes: 4096 },
      { rowAlignment: 16, extraBytes: 8192 },
    ],
    sizeAlignmentBytes: 4096,
  });
  const { planes, sizeBytes } = agreed({ image: image(1920, 1080, 'NV12'), participants: [venus] });
  t.deepEqual(planes, [
    { strideBytes: 1920, offsetBytes: 0, rows: 1088, sizeBytes: 1920 * 1088 + 4096 },
    { strideBytes: 1920, offsetBytes: 1920 * 1088 + 4096, rows: 544, sizeBytes: 1920 * 544 + 8192 },
  ]);
  t.is(sizeBytes, Math.ceil((1920 * 1632 + 12288) / 4096) * 4096);
});

test('negotiateLayout, adds the larger of a stride and 1024 bytes behind the image for IPU6 (7.5)', (t) => {
  const ipu6 = ruled('ipu6', { strideAlignmentBytes: 64, trailingBytes: { atLeastStrideOr: 1024 } });
  t.is(agreed({ image: image(100, 10, 'R8'), participants: [ipu6] }).sizeBytes, 128 * 10 + 1024);
  t.is(agreed({ image: image(2000, 10, 'R8'), participants: [ipu6] }).sizeBytes, 2048 * 11);
});

test('negotiateLayout, floors the largest stride to the common alignment, and knows the width that still fits', (t) => {
  const list = [ruled('a', { maxStrideBytes: 1000 }), ruled('b', { strideAlignmentBytes: 96 })];
  const fits = agreed({ image: image(960, 4, 'R8'), participants: list });
  t.is(fits.provenance.maxStrideBytes?.value, 960);
  const result = unsatisfiable({ image: image(961, 4, 'R8'), participants: list });
  t.is(result.conflicts[0].facts.length, 2);
  const [size] = result.repairs;
  t.true(size.kind === 'size' && size.widthPixels === 960, size.change);
});

test('negotiateLayout, pads to whole blocks, which an exact stride cannot bear', (t) => {
  const blocks = ruled('blocks', { block: [16, 16] });
  const { planes } = agreed({ image: image(100, 20, 'R8'), participants: [blocks] });
  t.deepEqual(planes, [{ strideBytes: 112, offsetBytes: 0, rows: 32, sizeBytes: 112 * 32 }]);
  const list = [blocks, ruled('exact', { strideExact: true })];
  t.is(
    unsatisfiable({ image: image(100, 20, 'R8'), participants: list }).why,
    'stride must equal 100 and be at least 112',
  );
});

test('negotiateLayout, finds the power of two, and none among multiples of 48', (t) => {
  const power = ruled('a', { stridePowerOfTwo: true });
  t.is(agreed({ image: image(1000, 1, 'R8'), participants: [power] }).planes[0].strideBytes, 1024);
  t.is(agreed({ image: image(1025, 1, 'R8'), participants: [power] }).planes[0].strideBytes, 2048);
  const result = unsatisfiable({
    image: image(1000, 1, 'R8'),
    participants: [power, ruled('b', { strideAlignmentBytes: 48 })],
  });
  t.true(result.why.includes('no multiple of 48 is a power of two'), result.why);
});

test('negotiateLayout, counts an alignment in pixels by the bytes of the format', (t) => {
  const adreno = ruled('adreno', { strideAlignmentPixels: 32 });
  const strideOf = (format: string): number =>
    agreed({ image: image(1000, 8, format), participants: [adreno] }).planes[0].strideBytes;
  t.is(strideOf('XRGB8888'), 4096);
  t.is(strideOf('RGB565'), 2048);
  t.is(strideOf('NV12'), 1024);
  t.is(strideOf('SRGGB10P'), 1280, '1024 pixels in groups of four of five bytes');
});

test('negotiateLayout, refuses equal strides to planes that differ', (t) => {
  const isi = ruled('isi', { equalPlaneStride: true });
  t.is(agreed({ image: image(640, 480, 'NV16'), participants: [isi] }).provenance.equalPlaneStride?.value, true);
  const result = unsatisfiable({ image: image(640, 480, 'YUV420'), participants: [isi] });
  t.is(result.why, 'isi needs planes of equal stride, and those of YUV420 differ');
});

// Sizes: the invalid side of each bound
for (const [rule, good, bad] of [
  [{ maxSize: [1920, 1080] }, [1920, 1080], [1921, 1080]],
  [{ maxSize: [1920, 1080] }, [1920, 1080], [1920, 1081]],
  [{ minSize: [48, 32] }, [48, 32], [47, 32]],
  [{ minSize: [48, 32] }, [48, 32], [48, 31]],
  [{ sizeStep: [16, 8] }, [160, 80], [161, 80]],
  [{ sizeStep: [16, 8] }, [160, 80], [160, 81]],
  [{ maxPixels: 10_000 }, [100, 100], [100, 101]],
  [{ sizes: [[640, 480]] }, [640, 480], [640, 481]],
] as const satisfies readonly (readonly [LayoutRules, readonly [number, number], readonly [number, number]])[]) {
  test(`negotiateLayout, takes ${good.join('x')} and not ${bad.join('x')} with ${JSON.stringify(rule)}`, (t) => {
    const participants = [ruled('a', rule)];
    t.is(negotiateLayout({ image: image(good[0], good[1], 'R8'), participants }).status, 'agreed');
    const result = unsatisfiable({ image: image(bad[0], bad[1], 'R8'), participants });
    t.deepEqual(
      result.conflicts.map((conflict) => conflict.facts.map((fact) => fact.field)),
      [Object.keys(rule)],
    );
    const size = result.repairs.find((repair) => repair.kind === 'size');
    t.deepEqual(size?.kind === 'size' && [size.widthPixels, size.heightPixels], [...good]);
  });
}
