import { type Fence, SoftwareTimeline, SyncFile, softwareFenceDeadline } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { FenceBench } from './bench-fences.js';

function timelines(count: number): { bench: FenceBench; lines: SoftwareTimeline[] } {
  const bench = new FenceBench();
  const lines = Array.from({ length: count }, (_, i) => new SoftwareTimeline(bench.contexts, `line${i}-`));
  return { bench, lines };
}

const one = (): SoftwareTimeline => timelines(1).lines[0];

test('SoftwareTimeline, made, stands at 0 and has a context of its own', (t) => {
  const { lines } = timelines(2);
  t.is(lines[0].value, 0);
  t.not(lines[0].context, lines[1].context);
});

test('SoftwareTimeline.createFence, has the driver name sw_sync and the value as seqno', (t) => {
  t.is(new SyncFile(one().createFence(1)).name, 'sw_sync-line0-1-1');
});

test('SoftwareTimeline.createFence, of no 32-bit value, breaks an invariant', (t) => {
  for (const bad of [-1, 2 ** 32, 0.5]) t.throws(() => one().createFence(bad), { name: 'InvariantError' });
});

test('SoftwareTimeline.increase, a fence at 5 is pending at 0 and 1, signalled at 5 and 15', (t) => {
  const line = one();
  const fence = line.createFence(5);
  t.is(fence.status, 0);
  line.increase(1);
  t.is(fence.status, 0);
  line.increase(4);
  t.is(fence.status, 1);
  line.increase(10);
  t.is(fence.status, 1);
});

test('SoftwareTimeline.createFence, at a value reached, is signalled at once', (t) => {
  const line = one();
  line.increase(3);
  t.is(line.createFence(3).timestampNs, 1000);
  t.is(line.createFence(0).status, 1);
});

test('SoftwareTimeline.createFence, the same pending value again, is the same fence; reached, another', (t) => {
  const line = one();
  const fence = line.createFence(2);
  t.is(line.createFence(2), fence);
  line.increase(2);
  t.not(line.createFence(2), fence);
});

test('SoftwareTimeline, three fences merged, are pending until the last', (t) => {
  const { bench, lines } = timelines(1);
  const [a, b, c] = [1, 2, 3].map((value) => new SyncFile(lines[0].createFence(value)));
  const merged = a.merge(b, 'd', bench.contexts).merge(c, 'd', bench.contexts);
  const status = (): number[] => [a, b, c, merged].map((file) => file.info().status);
  t.is(merged.countFences(), 1);
  t.deepEqual(status(), [0, 0, 0, 0]);
  lines[0].increase(1);
  t.deepEqual(status(), [1, 0, 0, 0]);
  lines[0].increase(1);
  t.deepEqual(status(), [1, 1, 0, 0]);
  lines[0].increase(1);
  t.deepEqual(status(), [1, 1, 1, 1]);
});

test('SoftwareTimeline, a fence merged with itself, signals with it', (t) => {
  const { bench, lines } = timelines(1);
  const file = new SyncFile(lines[0].createFence(5));
  const merged = file.merge(file, 'same', bench.contexts);
  lines[0].increase(1);
  t.is(merged.info().status, 0);
  lines[0].increase(4);
  t.is(merged.info().status, 1);
});

test('SoftwareTimeline, fences of three timelines merged, count as pending and signalled one by one', (t) => {
  const { bench, lines } = timelines(3);
  const [a, b, c] = lines.map((line) => new SyncFile(line.createFence(5)));
  const merged = a.merge(b, 'm', bench.contexts).merge(c, 'm', bench.contexts);
  const count = (): number[] => {
    const statuses = merged.info().fences.map(({ status }) => status);
    return [statuses.filter((status) => status === 0).length, statuses.filter((status) => status === 1).length];
  };
  t.deepEqual(count(), [3, 0]);
  lines.forEach((line, i) => {
    line.increase(5);
    t.deepEqual(count(), [2 - i, i + 1]);
  });
  t.is(merged.info().status, 1);
});

test('SoftwareTimeline.close, pending fences end with ENOENT, signalled ones keep their status', (t) => {
  const line = one();
  const [done, pending] = [line.createFence(1), line.createFence(2)];
  line.increase(1);
  let told = 0;
  pending.addCallback((fence) => {
    told = fence.status;
  });
  line.close();
  line.close();
  t.is(done.status, 1);
  t.is(pending.status, -2);
  t.is(told, -2);
  t.throws(() => line.createFence(9), { code: 'EBADF' } as object);
  t.throws(() => line.increase(1), { code: 'EBADF' } as object);
});

test('SoftwareTimeline, a fence that wraps around, is pending until the value has wrapped', (t) => {
  const line = one();
  line.increase(0xffff_fff0);
  t.is(line.value, 0xffff_fff0);
  const fence = line.createFence(5);
  t.is(fence.status, 0);
  line.increase(0x14);
  t.is(fence.status, 0);
  line.increase(1);
  t.is(line.value, 5);
  t.is(fence.status, 1);
});

test('SoftwareTimeline.increase, by more than 2^31 - 1, jumps over no fence', (t) => {
  const line = one();
  const fence = line.createFence(5);
  line.increase(0xffff_ffff);
  t.is(fence.status, 1);
});

test('SoftwareTimeline.increase, signals in the order of values, whatever the order of creation', (t) => {
  const line = one();
  const order: number[] = [];
  for (const value of [3, 1, 4, 2]) line.createFence(value).addCallback((fence) => order.push(fence.seqno));
  line.increase(4);
  t.deepEqual(order, [1, 2, 3, 4]);
});

test('softwareFenceDeadline, is ENOENT without a hint, EINVAL of another driver, else the earliest', (t) => {
  const { bench, lines } = timelines(1);
  const fence = lines[0].createFence(1);
  t.throws(() => softwareFenceDeadline(fence), { code: 'ENOENT' } as object);
  t.throws(() => softwareFenceDeadline(bench.fence()), { code: 'EINVAL' } as object);
  fence.setDeadline(40);
  fence.setDeadline(60);
  t.is(softwareFenceDeadline(fence), 40);
});

test('SoftwareTimeline, one consumer of many producers, hears of each once, in step', (t) => {
  const { bench, lines } = timelines(8);
  for (let round = 1; round <= 64; round += 1) {
    const files = lines.map((line) => new SyncFile(line.createFence(round)));
    const merged = files.reduce((all, file) => all.merge(file, 'all', bench.contexts));
    let woken = 0;
    merged.whenReadable(() => {
      woken += 1;
    });
    for (const line of lines) {
      t.is(woken, 0);
      line.increase(1);
    }
    t.is(woken, 1);
  }
});

testProp(
  'SyncFile.merge, of random fences of 32 timelines, holds the latest of each and signals with all (model)',
  [
    fc.array(fc.record({ line: fc.nat({ max: 31 }), value: fc.integer({ min: 1, max: 1000 }) }), {
      minLength: 1,
      maxLength: 100,
    }),
  ],
  (t, picks) => {
    const { bench, lines } = timelines(32);
    const latest = new Map<number, number>();
    let merged: SyncFile | undefined;
    for (const { line, value } of picks) {
      const file = new SyncFile(lines[line].createFence(value));
      merged = merged === undefined ? file : merged.merge(file, 'merge', bench.contexts);
      latest.set(line, Math.max(latest.get(line) ?? 0, value));
    }
    t.is(merged!.countFences(), latest.size);
    for (const [line, value] of latest) {
      t.is(merged!.info().status, 0);
      lines[line].increase(value);
    }
    t.is(merged!.info().status, 1);
  },
);

testProp(
  'SoftwareTimeline, from any value, with fences ahead of it, signals what it reaches (arithmetic model)',
  [
    fc.integer({ min: 0, max: 0xffff_ffff }),
    fc.array(fc.integer({ min: 1, max: 0x7fff_ffff }), { maxLength: 10 }),
    fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { maxLength: 5 }),
  ],
  (t, start, distances, moves) => {
    const line = one();
    line.increase(start);
    const fences: { fence: Fence; distance: number }[] = distances.map((distance) => {
      return { fence: line.createFence((start + distance) >>> 0), distance };
    });
    let gone = 0;
    for (const move of moves) {
      line.increase(move);
      gone += move;
      for (const { fence, distance } of fences) t.is(fence.isSignalled(), gone >= distance);
    }
    t.is(line.value, (start + gone) % 2 ** 32);
  },
);
