import { hasEqualStrides, knownFormats, payloadBytes, pixelFormatOf, rowBytes } from '@dmabuf-lab/core/constraints';
import test from 'ava';

for (const [name, width, height, bytes] of [
  ['NV12', 1296, 972, 1889568],
  ['NV12', 1920, 1080, 3110400],
  ['YUV420', 1920, 1080, 3110400],
  ['NV16', 1920, 1080, 4147200],
  ['UYVY', 1920, 1080, 4147200],
  ['P010', 1920, 1080, 6220800],
  ['RGB565', 640, 480, 614400],
  ['RGB888', 640, 480, 921600],
  ['SRGGB10P', 640, 480, 384000],
  ['SRGGB12P', 640, 480, 460800],
  ['Y14P', 640, 480, 537600],
  ['NV15', 64, 4, 480],
  ['NV12', 5, 3, 5 * 3 + 6 * 2],
  ['NV12_4L4', 5, 5, 64 + 32],
] as const) {
  test(`payloadBytes, of ${width}x${height} in ${name} are ${bytes}`, (t) => {
    const format = pixelFormatOf(name);
    t.is(format && payloadBytes(format, width, height), bytes);
  });
}

test('pixelFormatOf, knows the names of V4L2 for the same bytes', (t) => {
  t.is(pixelFormatOf('I420'), pixelFormatOf('YUV420'));
  t.is(pixelFormatOf('GREY'), pixelFormatOf('R8'));
  t.is(pixelFormatOf('RGB24')?.name, 'BGR888', 'in memory red comes first, so it is the least significant');
  t.is(pixelFormatOf('MJPG'), undefined);
});

test('knownFormats, all have planes whose strides derive from the first', (t) => {
  for (const name of knownFormats()) {
    const format = pixelFormatOf(name);
    if (format === undefined) throw new Error(name);
    t.is(format.strideRatios.length, format.planes.length, name);
    t.deepEqual(format.strideRatios[0], [1, 1], name);
    t.true(rowBytes(format.planes[0], 1) >= 1, name);
  }
  t.true(['NV12', 'NV16', 'P010', 'NV15'].every((name) => hasEqualStrides(pixelFormatOf(name) ?? fail(name))));
  t.false(hasEqualStrides(pixelFormatOf('YUV420') ?? fail('YUV420')));
  t.false(hasEqualStrides(pixelFormatOf('NV24') ?? fail('NV24')));
});

function fail(what: string): never {
  throw new Error(what);
}
