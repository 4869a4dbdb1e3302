import { crc32 } from 'node:zlib';
import { frameFormat } from '@dmabuf-lab/core/driver';
import { drawTestPattern, nv12ImageOf, nv12Layout } from '@dmabuf-lab/drivers/pixels';
import { V4L2_CAP } from '@dmabuf-lab/uapi';
import test from 'ava';
import * as programs from './capture-programs.js';
import { RUNTIMES, runSoc } from './soc-bench.js';

const MS = 1_000_000;
const PROGRAMS = new URL('./capture-programs.js', import.meta.url).href;
const { width, height } = programs.SIZE;
const FORMAT = frameFormat('NV12', width, height, { num: 50, den: 1 });

/** What a scenario's camera draws as frame k. */
function drawn(sequence: number): number {
  const picture = new Uint8Array(FORMAT.sizeBytes);
  drawTestPattern(nv12ImageOf([picture], nv12Layout(width, height, FORMAT.strideBytes)), sequence);
  return crc32(picture);
}

for (const runtime of RUNTIMES) {
  test(`a camera behind a node, gives the pictures of a scenario with its ticks as times, ${runtime}`, async (t) => {
    const found = await runSoc(PROGRAMS, programs.capture, { runtime });
    const { pictures, ...about } = found;
    const { VIDEO_CAPTURE, STREAMING, EXT_PIX_FORMAT } = V4L2_CAP;
    t.deepEqual(about, {
      driver: 'camera',
      card: 'camera',
      bus_info: 'platform:camera',
      device_caps: VIDEO_CAPTURE | STREAMING | EXT_PIX_FORMAT,
      format: {
        fourcc: 'NV12',
        widthPixels: width,
        heightPixels: height,
        planes: [{ strideBytes: FORMAT.strideBytes, sizeBytes: FORMAT.sizeBytes }],
      },
      formats: [{ fourcc: 'NV12', description: 'Y/UV 4:2:0' }],
      interval: { numerator: 1, denominator: 50 },
      count: 3,
    });
    const sequences = pictures.map(({ sequence }) => sequence);
    t.is(sequences[0], 0);
    t.deepEqual(
      [...sequences].sort((a, b) => a - b),
      sequences,
    );
    const [{ timestampNs: startNs }] = pictures;
    for (const { sequence, timestampNs, nowNs, checksum } of pictures) {
      t.is(checksum, drawn(sequence), `picture ${sequence}`);
      t.is(timestampNs - startNs, 20 * MS * sequence);
      t.true(nowNs >= timestampNs);
      if (runtime === 'virtual') t.is(nowNs, timestampNs, 'it is there at its tick');
    }
    if (runtime === 'virtual') t.deepEqual(sequences, [0, 1, 2, 3, 4]);
  });
}

test('a camera without a queued buffer, loses frames, and their sequence numbers', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.lose), { sequences: [0, 1, 11, 12], dropped: [[2, 10]], counted: 13 });
});

test('a dma-buf that is queued, is attached and mapped until another comes or the buffers are freed', async (t) => {
  const found = await runSoc(PROGRAMS, programs.capturePassed);
  t.like(found, { index: 0, usedBytes: [FORMAT.sizeBytes], checksum: drawn(0), other: 'EINVAL' });
  const free = [0, 0, 1];
  const held = [1, 1, 2];
  const heldAndMapped = [1, 1, 3];
  t.deepEqual(found.held, [
    [free, free], // REQBUFS
    [held, held], // QBUF
    [heldAndMapped, held], // DQBUF, and mapped by the program
    [[0, 0, 2], held], // a QBUF that fails drops what the index had
    [[0, 0, 2], held], // STREAMOFF
    [free, free], // REQBUFS of none
  ]);
});

test('STREAMOFF in the middle of a frame, returns at once; the next stream begins with sequence 0', async (t) => {
  const found = await runSoc(PROGRAMS, programs.stopAndStart);
  t.is(found.stoppedNs, 5 * MS);
  t.is(found.after, 'EINVAL');
  t.deepEqual(found.frames, [
    { sequence: 0, timestampNs: 20 * MS },
    { sequence: 1, timestampNs: 40 * MS },
  ]);
});

test('a source that waits, loses no frame; stopped while it works, it finds itself cancelled and touches nothing', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.waitForBuffers), {
    first: [0, 35 * MS],
    written: 0xaa,
    untouched: 1,
    again: [0, 50 * MS],
    // Both runs were stopped, or had no buffer: only the first had one.
    log: ['late: ECANCELED'],
  });
});

test('a driver that throws, makes the queue fail until STREAMOFF, with the reason on record', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.fail), {
    dequeued: 'EIO',
    queued: 'EIO',
    isError: true,
    again: undefined,
    failures: [[0, 'the sensor does not answer']],
  });
});

test('a capture node, refuses as vb2 and its driver do', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.refusals), {
    'poll without buffers': 'ERR',
    read: 'EINVAL',
    'STREAMON without buffers': 'EINVAL',
    'REQBUFS of user pointers': 'EINVAL',
    'S_INPUT 1': 'EINVAL',
    S_PARM: 'ENOTTY',
    'S_FMT of another size': `${width} pixels`,
    'S_FMT with buffers': 'EBUSY',
    'QBUF of another file': 'EBUSY',
    'DQBUF before STREAMON': 'EINVAL',
    'DQBUF with nothing done': 'EAGAIN',
    'REQBUFS while streaming': 'EBUSY',
    'QBUF of a short dma-buf': 'EINVAL',
    'QBUF of a scattered dma-buf': undefined,
    'REQBUFS in one run': 'ENOMEM',
    'QBUF in one run': 'EFAULT',
    'attachments after the refusal': 'camera',
  });
});

test('a camera that has no more frames, says so with an empty last buffer, and starts again', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.end), {
    frames: [
      [FORMAT.sizeBytes, false],
      [FORMAT.sizeBytes, false],
      [0, true],
    ],
    after: 'EPIPE',
    polled: true,
    again: 0,
  });
});

test('a buffer of the node that is exported, outlives the node', async (t) => {
  const expected = { exporter: 'videobuf2_dma_sg', mayWrite: true, checksum: drawn(0) };
  t.deepEqual(await runSoc(PROGRAMS, programs.exportBuffer), expected);
});
