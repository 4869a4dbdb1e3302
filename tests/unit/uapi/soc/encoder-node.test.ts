import test from 'ava';
import { ffprobe, temporaryFile } from '../../drivers/media/fixtures.js';
import * as programs from './encoder-programs.js';
import { RUNTIMES, runSoc } from './soc-bench.js';

const MS = 1_000_000;
const PROGRAMS = new URL('./encoder-programs.js', import.meta.url).href;
const { FRAMES } = programs;

for (const runtime of RUNTIMES) {
  test(`a camera's buffers, exported to an encoder, become a bitstream of their frames with their times, ${runtime}`, async (t) => {
    const { captured, coded, last, after, counters, videos } = await runSoc(PROGRAMS, programs.exported, { runtime });
    t.deepEqual(
      coded.map(({ sequence }) => sequence),
      captured.map((_, i) => i),
    );
    const toMicroseconds = (ns: number): number => Math.floor(ns / 1000) * 1000;
    t.deepEqual(
      coded.map(({ timestampNs }) => timestampNs),
      captured.map(toMicroseconds),
    );
    t.true(coded[0].isKeyFrame);
    t.false(coded[1].isKeyFrame);
    t.false(coded.some(({ isLast, hasError }) => isLast || hasError));
    t.like(last, { usedBytes: [0], isLast: true, sequence: FRAMES });
    t.is(after, 'EPIPE');
    t.deepEqual(counters, { encoded: FRAMES, checksPassed: FRAMES, checksFailed: undefined });
    t.deepEqual(videos, [['video.mp4', FRAMES]], 'the driver leaves its video as in a scenario');
    const probed = ffprobe(t, temporaryFile('stream.h264', Buffer.concat(coded.map(({ bytes }) => bytes))));
    if (probed) t.deepEqual(probed, { frames: FRAMES, widthPixels: 160, heightPixels: 96 });
  });
}

test('a camera and an encoder, check what they hand on by its stamps where there are no pictures', async (t) => {
  const { coded, counters, videos } = await runSoc(PROGRAMS, programs.exported, { payload: 'stamp' });
  t.deepEqual(counters, { encoded: FRAMES, checksPassed: FRAMES, checksFailed: undefined });
  t.true(coded.every(({ bytes }) => bytes.length === 20));
  t.deepEqual(videos, []);
});

test('the same program in virtual time, gives the same bytes', async (t) => {
  const [one, other] = [await runSoc(PROGRAMS, programs.exported), await runSoc(PROGRAMS, programs.exported)];
  t.deepEqual(one, other);
});

test('buffers of a heap, that camera and encoder import, are attached by both until their queues let go', async (t) => {
  const found = await runSoc(PROGRAMS, programs.imported);
  t.deepEqual(found, { frames: FRAMES, attached: ['camera', 'encoder'], left: 0, references: 1 });
});

test('V4L2_ENC_CMD_STOP, drains: the last buffer says so, then EPIPE, until START or STREAMOFF', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.drain), {
    PAUSE: 'EINVAL',
    'TRY STOP': 0,
    'STOP before streaming': undefined,
    'STOP while draining': 'EBUSY',
    'START while draining': 'EBUSY',
    drained: [
      [0, 1, false, true],
      [1, 2, true, true],
    ],
    beyond: 'EPIPE',
    polled: true,
    'STOP when stopped': undefined,
    'after START': [2, 7, false, true],
    empty: [3, 0, true, false],
    'beyond again': 'EPIPE',
    'after STREAMOFF': [0, 8, false, true],
  });
});

test('STREAMOFF in the middle of a job, returns at once; its picture is encoded anew, and the stream begins again', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.stopInJob), {
    first: [0, 1, true],
    stoppedNs: 7 * MS,
    untouched: 1,
    again: [0, 2, true],
    sources: [0, 1],
    failures: 0,
  });
});

test('two open files of an encoder, have their jobs done in turn, one at a time', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.share, { payload: 'timing' }), [
    [5, 15, 25],
    [25, 25, 30],
  ]);
});

test('an encoder node, takes the sizes that its driver can do, and refuses as v4l2-mem2mem does', async (t) => {
  t.deepEqual(await runSoc(PROGRAMS, programs.refusals), {
    pictures: [{ fourcc: 'NV12', description: 'Y/UV 4:2:0' }],
    streams: [{ fourcc: 'H264', description: 'H.264' }],
    flags: 1,
    '100x60': [96, 48],
    '1920x1080': [480, 256],
    '0x0': [16, 16],
    '320x240': [320, 240],
    'its stream': ['H264', 320, 240, 0],
    fits: true,
    interval: { numerator: 1, denominator: 30 },
    'interval of the stream': 'EINVAL',
    G_INPUT: 'ENOTTY',
    'poll without buffers': true,
    'S_FMT with buffers': 'EBUSY',
    'QBUF twice': 'EINVAL',
    'poll while it works': 0,
    'DQBUF while it works': 'EAGAIN',
    poll: true,
    DQBUF: undefined,
    'another file': 640,
  });
});

for (const payload of ['stamp', 'timing'] as const) {
  test(`an encoder without pictures, gives frames that are a header alone, payload ${payload}`, async (t) => {
    const frames = await runSoc(PROGRAMS, programs.header, { payload });
    // Magic, buffer, sequence, page; the checksum is of these.
    t.deepEqual(
      frames.map(([magic, , sequence, page]) => [magic, sequence, page]),
      [0, 1].map((sequence) => [0x446d6142, sequence, 0]),
    );
    t.deepEqual(
      frames.map(({ length }) => length),
      [5, 5],
    );
    t.not(frames[0][4], frames[1][4]);
  });
}
