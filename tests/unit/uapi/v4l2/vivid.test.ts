/** What vivid does by itself: frames, injected errors, unplugging. */
import { countSequences, SequenceLog } from '@dmabuf-lab/core/driver';
import * as uapi from '@dmabuf-lab/uapi';
import test from 'ava';
import { CAPTURE, VideoBench } from './video-bench.js';

const { V4L2_BUF_FLAG: FLAG, POLL } = uapi;
const NS_PER_US = 1000;

function streaming(bench: VideoBench, count = 3): number {
  const fd = bench.open();
  bench.command(fd, uapi.VIDIOC_S_PARM, { type: CAPTURE, numerator: 1, denominator: 60 });
  bench.reqbufs(fd, count);
  for (let i = 0; i < count; i += 1) bench.queue(fd, i);
  bench.stream(fd, true);
  return fd;
}

test('capture, brings frames in order, a sixtieth of a second apart', (t) => {
  const bench = new VideoBench();
  const fd = streaming(bench);
  const frames = [0, 1, 2].map(() => bench.dequeue(fd));
  t.deepEqual(
    frames.map(({ index, sequence, bytesused }) => [index, sequence, bytesused]),
    [0, 1, 2].map((i) => [i, i, 115_200]),
  );
  const us = frames.map(({ tv_sec, tv_usec }) => Number(tv_sec * 1_000_000n + tv_usec));
  t.true(Math.abs(us[2] - us[0] - 2e9 / 60 / NS_PER_US) <= 2, `${us}`);
});

test('capture, counts frames that found no buffer', (t) => {
  const bench = new VideoBench();
  const fd = streaming(bench, 2);
  bench.dequeue(fd);
  bench.dequeue(fd);
  t.is(bench.poll(fd, POLL.IN, 100), 0);
  bench.queue(fd, 0);
  t.true(bench.dequeue(fd).sequence > 5);
});

test('Percentage of Dropped Buffers, drops the same frames for the same seed', (t) => {
  const sequences = (seed: number): number[] => {
    const bench = new VideoBench({ seed });
    const fd = streaming(bench, 8);
    bench.press(fd, 'Percentage of Dropped Buffers', 50);
    return Array.from({ length: 8 }, () => bench.dequeue(fd).sequence);
  };
  t.deepEqual(sequences(1), sequences(1));
  t.notDeepEqual(sequences(1), sequences(2));
  t.notDeepEqual(sequences(1), [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('injected errors, happen once', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  bench.press(fd, 'Inject VIDIOC_REQBUFS Error');
  t.throws(() => bench.reqbufs(fd, 2), { code: 'EINVAL' });
  t.is(bench.reqbufs(fd, 2), 2);
  bench.press(fd, 'Inject VIDIOC_QBUF Error');
  t.throws(() => bench.queue(fd, 0), { code: 'EINVAL' });
  bench.queue(fd, 0);
  bench.press(fd, 'Inject VIDIOC_STREAMON Error');
  t.throws(() => bench.stream(fd, true), { code: 'EINVAL' });
  t.true((bench.query(fd, 0).flags & FLAG.QUEUED) !== 0, 'the buffer is still queued');
  bench.press(fd, 'Inject V4L2_BUF_FLAG_ERROR');
  bench.stream(fd, true);
  t.true((bench.dequeue(fd).flags & FLAG.ERROR) !== 0);
  bench.queue(fd, 0);
  t.is(bench.dequeue(fd).flags & FLAG.ERROR, 0);
});

test('Wrap Sequence Number, begins 128 frames before 2^32', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  bench.press(fd, 'Wrap Sequence Number');
  bench.reqbufs(fd, 2);
  bench.queue(fd, 0);
  bench.stream(fd, true);
  t.is(bench.dequeue(fd).sequence, 2 ** 32 - 128);
});

test('Wrap Sequence Number, goes on with 0 after 2^32 - 1, which is no gap', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  bench.press(fd, 'Wrap Sequence Number');
  bench.reqbufs(fd, 4);
  for (let i = 0; i < 4; i += 1) bench.queue(fd, i);
  bench.stream(fd, true);
  const log = new SequenceLog();
  for (let i = 0; i < 130; i += 1) {
    const { index, sequence } = bench.dequeue(fd);
    t.is(sequence, (2 ** 32 - 128 + i) % 2 ** 32);
    log.add(sequence);
    bench.queue(fd, index);
  }
  t.deepEqual(log.ranges(), [[2 ** 32 - 128, 1]], 'one range');
  t.is(countSequences(log.ranges()), 130);
});

for (const [choice, wraps] of [
  [1, 'as 64 bits of nanoseconds'],
  [2, 'as 32 bits of seconds'],
] as const) {
  test(`Wrap Timestamp ${choice}, wraps ${wraps} after 16 s, and every frame comes a tenth of a second after the last`, (t) => {
    const bench = new VideoBench();
    const fd = bench.open();
    bench.command(fd, uapi.VIDIOC_S_PARM, { type: CAPTURE, numerator: 1, denominator: 10 });
    bench.press(fd, 'Wrap Timestamp', choice);
    bench.reqbufs(fd, 4);
    for (let i = 0; i < 4; i += 1) bench.queue(fd, i);
    bench.stream(fd, true);
    const times = Array.from({ length: 170 }, () => {
      const { index, tv_sec, tv_usec } = bench.dequeue(fd);
      bench.queue(fd, index);
      const seconds = choice === 1 ? tv_sec : BigInt.asIntN(32, tv_sec);
      return { seconds, usec: tv_usec };
    });
    const wrapped = times.findIndex(({ seconds }) => seconds < 0n);
    t.is(wrapped, 160, '16 s');
    t.true(times.slice(wrapped).every(({ seconds, usec }) => seconds < 0n && usec >= 0n && usec < 1_000_000n));
    for (const [i, { seconds, usec }] of times.slice(1).entries()) {
      const passed = (seconds - times[i].seconds) * 1_000_000n + usec - times[i].usec;
      const us = passed > 0n ? passed : passed + (choice === 1 ? 2n ** 64n / 1000n : 2n ** 32n * 1_000_000n);
      t.true(us >= 99_999n && us <= 100_001n, `frame ${i + 1}: ${us} us`);
    }
  });
}

test('Disconnect, ends all calls until the last file is closed', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  bench.press(fd, 'Disconnect');
  t.throws(() => bench.reqbufs(fd, 2), { code: 'ENODEV' });
  t.throws(() => bench.open(), { code: 'ENODEV' });
  t.is(bench.poll(fd, POLL.IN), POLL.ERR | POLL.HUP);
  bench.process.close(fd);
  t.is(bench.reqbufs(bench.open(), 2), 2);
});

test('controls, tell their names, and refuse what they cannot hold', (t) => {
  const bench = new VideoBench();
  const fd = bench.open();
  const next = bench.command(fd, uapi.VIDIOC_QUERYCTRL, { id: uapi.V4L2_CTRL_FLAG.NEXT_CTRL });
  t.is(next.name, 'Wrap Sequence Number');
  const percentage = uapi.VIVID_CID['Percentage of Dropped Buffers'];
  t.is(bench.command(fd, uapi.VIDIOC_S_CTRL, { id: percentage, value: 1000 }).value, 100);
  t.is(bench.command(fd, uapi.VIDIOC_G_CTRL, { id: percentage }).value, 100);
  t.throws(() => bench.press(fd, 'Wrap Timestamp', 3), { code: 'ERANGE' });
  t.throws(() => bench.command(fd, uapi.VIDIOC_G_CTRL, { id: uapi.VIVID_CID.Disconnect }), { code: 'EACCES' });
  t.throws(() => bench.command(fd, uapi.VIDIOC_G_CTRL, { id: 5 }), { code: 'EINVAL' });
});
