import { ProgressLine } from '@dmabuf-lab/lab';
import test from 'ava';

/** Collects what is written, with a clock that the test turns. */
function sink(isTTY: boolean) {
  const written: string[] = [];
  const clock = { nowMs: 0 };
  const line = new ProgressLine({ isTTY, write: (text) => written.push(text) }, () => clock.nowMs);
  return { written, clock, line };
}

const SECOND_NS = 1_000_000_000;
const at = (seconds: number) => ({ nowNs: seconds * SECOND_NS, durationNs: 10 * SECOND_NS });

test('ProgressLine: a terminal gets one line, rewritten in place and at last taken away', (t) => {
  const { written, clock, line } = sink(true);
  line.update(at(1));
  clock.nowMs = 99;
  line.update(at(2));
  clock.nowMs = 100;
  line.update(at(2.5));
  line.clear();
  line.clear();
  t.deepEqual(written, [
    '\r\u001b[K1.0 s of 10 s of model time (10 %)',
    '\r\u001b[K2.5 s of 10 s of model time (25 %)',
    '\r\u001b[K',
  ]);
});

test('ProgressLine: elsewhere there is at most a line every two seconds, and none in a short run', (t) => {
  const { written, clock, line } = sink(false);
  for (clock.nowMs = 0; clock.nowMs <= 4500; clock.nowMs += 100) line.update(at(clock.nowMs / 1000));
  line.clear();
  t.deepEqual(written, ['2.0 s of 10 s of model time (20 %)\n', '4.0 s of 10 s of model time (40 %)\n']);
});

test('ProgressLine: what is said stands on a line of its own', (t) => {
  const { written, line } = sink(true);
  line.update(at(1));
  line.say('Stopping');
  t.is(written.join(''), '\r\u001b[K1.0 s of 10 s of model time (10 %)\r\u001b[KStopping\n');
});

test('ProgressLine: draining takes a run beyond its duration, but not beyond 100 %', (t) => {
  const { written, line } = sink(true);
  line.update(at(11));
  t.regex(written[0], /\(100 %\)/);
});
