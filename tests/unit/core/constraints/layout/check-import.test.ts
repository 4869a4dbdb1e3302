import {
  checkImport,
  type ExistingLayout,
  type LayoutConstraints,
  type LayoutRules,
} from '@dmabuf-lab/core/constraints';
import test from 'ava';

const uyvy: ExistingLayout = {
  format: 'UYVY',
  modifier: 'INVALID',
  widthPixels: 1920,
  heightPixels: 1080,
  planes: [{ strideBytes: 3840, offsetBytes: 0 }],
  sizeBytes: 4147200,
};

const importer = (rules: LayoutRules, more: Partial<LayoutConstraints> = {}): LayoutConstraints => ({
  device: 'codec',
  options: [{ formats: [{ format: 'UYVY' }], rules }],
  ...more,
});

test('checkImport, says by how much a buffer is too short for padded rows, and what V4L2 answers (T8)', (t) => {
  const check = checkImport(uyvy, importer({ heightAlignment: 16 }, { api: 'v4l2' }));
  t.false(check.accepted);
  t.is(check.minimumBytes, 4177920);
  t.is(check.deficitBytes, 30720);
  t.is(check.shortage, 'length 4147200, minimum length 4177920');
  t.deepEqual(check.outcome, {
    api: 'v4l2',
    device: 'codec',
    call: 'VIDIOC_QBUF',
    errno: 'EINVAL',
    text: 'invalid dmabuf length 4147200 for plane 0, minimum length 4177920',
  });
  t.deepEqual(
    check.violations.map(({ field, value }) => [field, value]),
    [['heightAlignment', 16]],
  );
  t.true(checkImport({ ...uyvy, sizeBytes: 4177920 }, importer({ heightAlignment: 16 })).correct);
  t.false(checkImport({ ...uyvy, sizeBytes: 4177919 }, importer({ heightAlignment: 16 })).correct);
});

test('checkImport, tells the answers of DRM and EGL beside', (t) => {
  const { outcomes } = checkImport(uyvy, importer({ heightAlignment: 16 }));
  t.deepEqual(
    outcomes.map(({ api, call, errno }) => [api, call, errno]),
    [
      ['v4l2', 'VIDIOC_QBUF', 'EINVAL'],
      ['drm', 'DRM_IOCTL_MODE_ADDFB2', 'EINVAL'],
      ['egl', 'eglCreateImageKHR', 'EINVAL'],
    ],
  );
  t.is(outcomes[1].text, 'GEM object size (4147200) smaller than minimum size (4177920) for plane 0');
});

test('checkImport, names the stride that is not aligned: 1504 bytes where 1536 are needed', (t) => {
  const layout: ExistingLayout = {
    ...uyvy,
    format: 'XRGB8888',
    modifier: 'LINEAR',
    widthPixels: 376,
    planes: [{ strideBytes: 1504, offsetBytes: 0 }],
    sizeBytes: 1504 * 1080,
  };
  const amd: LayoutConstraints = { device: 'amd', api: 'egl', options: [{ rules: { strideAlignmentBytes: 256 } }] };
  const check = checkImport(layout, amd);
  t.is(check.outcome.eglError, 'EGL_BAD_ACCESS');
  t.is(check.violations[0].message, 'stride 1504 mod 256 = 224');
  t.is(check.minimumBytes, 1536 * 1080);
});

test('checkImport, distinguishes a refusal from a picture that is wrong', (t) => {
  const rules = { strideAlignmentBytes: 256 };
  const layout = { ...uyvy, planes: [{ strideBytes: 3900, offsetBytes: 0 }], sizeBytes: 3900 * 1080 };
  t.false(checkImport(layout, importer(rules)).accepted);
  const silent = checkImport(layout, {
    device: 'nvidia',
    options: [{ rules: { ...rules }, silent: ['strideAlignmentBytes'] }],
  });
  t.deepEqual([silent.accepted, silent.correct, silent.outcome.errno], [true, false, null]);
  const long = checkImport(
    { ...layout, sizeBytes: 5_000_000 },
    {
      device: 'nvidia',
      options: [{ rules: { ...rules }, silent: ['strideAlignmentBytes'] }],
    },
  );
  t.true(long.accepted);
  t.false(long.correct);
  t.is(long.outcome.text, 'accepted, and the picture is wrong');
  t.deepEqual(
    long.hazards.map(({ kind, devices }) => [kind, devices]),
    [['accepts-and-corrupts', ['nvidia']]],
  );
});

test('checkImport, refuses a format or modifier that is not taken, each interface in its way', (t) => {
  const check = checkImport({ ...uyvy, modifier: 'LINEAR' }, importer({}));
  t.deepEqual(
    check.violations.map((violation) => violation.field),
    ['modifiers'],
  );
  t.deepEqual(
    check.outcomes.map(({ errno, eglError }) => eglError ?? errno),
    [null, 'EINVAL', 'EGL_BAD_MATCH'],
  );
  t.true(
    checkImport(
      { ...uyvy, modifier: 'LINEAR' },
      importer(
        {},
        {
          options: [{ formats: [{ format: 'UYVY' }], implicitIsLinear: true }],
        },
      ),
    ).correct,
  );
});

test('checkImport, reports an implicit layout of another domain', (t) => {
  const check = checkImport(
    { ...uyvy, implicitDomain: 'amd' },
    { device: 'intel', options: [{ formats: [{ format: 'UYVY' }], implicitDomain: 'intel' }] },
  );
  t.deepEqual(
    check.hazards.map((hazard) => hazard.kind),
    ['implicit-modifier'],
  );
});

for (const [rules, broken] of [
  [{ maxStrideBytes: 3839 }, true],
  [{ maxStrideBytes: 3840 }, false],
  [{ minStrideBytes: 3841 }, true],
  [{ minStrideBytes: 3840 }, false],
  [{ strideExact: true }, false],
  [{ stridePowerOfTwo: true }, true],
  [{ trailingBytes: 1 }, true],
  [{ trailingBytes: 0 }, false],
  [{ sizeAlignmentBytes: 4096 }, true],
  [{ sizeAlignmentBytes: 512 }, false],
  [{ maxSize: [1919, 1080] }, true],
  [{ maxSize: [1920, 1080] }, false],
] as const satisfies readonly (readonly [LayoutRules, boolean])[]) {
  test(`checkImport, finds ${JSON.stringify(rules)} ${broken ? 'broken' : 'met'}`, (t) => {
    t.deepEqual(
      checkImport(uyvy, importer(rules)).violations.map((violation) => violation.field),
      broken ? Object.keys(rules) : [],
    );
  });
}

test('checkImport, wants as many planes as the format has', (t) => {
  t.throws(() => checkImport({ ...uyvy, format: 'NV12' }, importer({})), {
    instanceOf: RangeError,
    message: /2 planes/,
  });
});
