import { type Fence, SyncObject, SyncObjectWait, type SyncPoint, waitSyncObjects } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { FenceBench, TaskRunner } from './bench-fences.js';

const STATES = ['unsubmitted', 'submitted', 'signalled'] as const;
type State = (typeof STATES)[number];

interface Made {
  readonly bench: FenceBench;
  readonly points: SyncPoint[];
  readonly fences: (Fence | undefined)[];
}

/** Sync objects in the states given; of timelines at point 1. */
function make(states: readonly State[], kind: 'binary' | 'timeline' = 'binary'): Made {
  const bench = new FenceBench();
  const point = kind === 'binary' ? 0 : 1;
  const fences: (Fence | undefined)[] = [];
  const points = states.map((state) => {
    const syncObject = new SyncObject(bench.contexts);
    const fence = state === 'unsubmitted' ? undefined : bench.fence();
    if (fence !== undefined) submit({ syncObject, point }, fence);
    if (state === 'signalled') fence?.signal();
    fences.push(fence);
    return { syncObject, point };
  });
  return { bench, points, fences };
}

function submit({ syncObject, point }: SyncPoint, fence: Fence): void {
  if (point === 0) syncObject.replaceFence(fence);
  else syncObject.addPoint(fence, point);
}

/** What a wait ends with when time is up at once. */
function outcome(points: readonly SyncPoint[], options: object): string {
  try {
    return `${new SyncObjectWait(points, options).expire()}`;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

for (const kind of ['binary', 'timeline'] as const) {
  for (const all of [false, true]) {
    test(`SyncObjectWait, one ${kind} point, all ${all}, by state and flag`, (t) => {
      const table: [State, object, string][] = [
        ['unsubmitted', {}, 'EINVAL'],
        ['unsubmitted', { forSubmit: true }, 'ETIME'],
        ['submitted', {}, 'ETIME'],
        ['submitted', { forSubmit: true }, 'ETIME'],
        ['signalled', {}, '0'],
        ['signalled', { forSubmit: true }, '0'],
        ['unsubmitted', { available: true }, 'ETIME'],
        ['submitted', { available: true }, '0'],
        ['signalled', { available: true }, '0'],
      ];
      for (const [state, flags, expected] of table) {
        t.is(outcome(make([state], kind).points, { ...flags, all }), expected, `${state} ${JSON.stringify(flags)}`);
      }
    });
  }
}

test('SyncObjectWait, of no points, is complete', (t) => {
  t.true(new SyncObjectWait([]).isComplete);
  t.is(new SyncObjectWait([], { all: true }).first, undefined);
});

test('SyncObjectWait, any, one unsubmitted and another signalled, is EINVAL, or for submit the other', (t) => {
  const { points } = make(['unsubmitted', 'signalled']);
  t.is(outcome(points, {}), 'EINVAL');
  t.is(outcome(points, { forSubmit: true }), '1');
  t.is(outcome(points, { forSubmit: true, all: true }), 'ETIME');
});

test('SyncObjectWait, completes with the fence, and says which was first', (t) => {
  const { points, fences } = make(['submitted', 'submitted', 'submitted']);
  const wait = new SyncObjectWait(points);
  let told = 0;
  wait.whenComplete(() => {
    told += 1;
  });
  fences[1]?.signal();
  fences[0]?.signal();
  t.is(told, 1);
  t.is(wait.first, 1);
});

test('SyncObjectWait, for submit, completes when a point is submitted and signals', (t) => {
  const { bench, points } = make(['unsubmitted'], 'timeline');
  const wait = new SyncObjectWait(points, { forSubmit: true });
  const fence = bench.fence();
  submit(points[0], fence);
  t.false(wait.isComplete);
  fence.signal();
  t.true(wait.isComplete);
});

test('SyncObjectWait, available, completes with the submission', (t) => {
  const { bench, points } = make(['unsubmitted', 'unsubmitted'], 'timeline');
  const wait = new SyncObjectWait(points, { available: true });
  submit(points[1], bench.fence());
  t.true(wait.isComplete);
  t.is(wait.first, 1);
});

test('SyncObjectWait, of a fence then reset, goes on with that fence', (t) => {
  const { points, fences } = make(['submitted']);
  const wait = new SyncObjectWait(points, { forSubmit: true });
  points[0].syncObject.reset();
  t.false(wait.isComplete);
  fences[0]?.signal();
  t.true(wait.isComplete);
});

test('SyncObjectWait, of an unsubmitted one that is reset meanwhile, goes on waiting', (t) => {
  const { points } = make(['unsubmitted']);
  const wait = new SyncObjectWait(points, { forSubmit: true });
  points[0].syncObject.reset();
  t.false(wait.isComplete);
  points[0].syncObject.signal();
  t.true(wait.isComplete);
});

test('SyncObjectWait.expire, after a late signal, is no time-out', (t) => {
  const { points, fences } = make(['submitted']);
  const wait = new SyncObjectWait(points);
  fences[0]?.signal();
  t.is(wait.expire(), 0);
});

test('SyncObjectWait.cancel, leaves nothing behind', (t) => {
  const { bench, points, fences } = make(['submitted', 'unsubmitted']);
  const wait = new SyncObjectWait(points, { forSubmit: true });
  wait.whenComplete(() => t.fail());
  wait.cancel();
  fences[0]?.signal();
  submit(points[1], bench.fence());
  points[1].syncObject.release();
  t.false(wait.isComplete);
});

test('SyncObjectWait, with a deadline, hints it on the fences', (t) => {
  const { points, fences } = make(['submitted', 'submitted']);
  new SyncObjectWait(points, { all: true, deadlineNs: 42 });
  t.deepEqual(
    fences.map((fence) => fence?.deadlineNs),
    [42, 42],
  );
});

test('waitSyncObjects, in time gives the index, late is ETIME, and sets no alarm in vain', (t) => {
  const { bench, points, fences } = make(['submitted', 'submitted']);
  const runner = new TaskRunner();
  const limit = { untilNs: 2000, alarm: bench.clock.alarm };
  const any = runner.start(waitSyncObjects(points, {}, 'a test', limit));
  const all = runner.start(waitSyncObjects(points, { all: true }, 'a test', limit));
  runner.run();
  fences[1]?.signal();
  runner.run();
  t.is(any.value, 1);
  t.false(all.done);
  bench.clock.moveTo(2000);
  runner.run();
  t.like(all.error, { code: 'ETIME' });
  t.is(bench.clock.alarms, 0);
});

const state = fc.constantFrom(...STATES);

testProp(
  'SyncObjectWait, of any states and flags, answers as the table says (model)',
  [fc.array(state, { minLength: 1, maxLength: 4 }), fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()],
  (t, states, isTimeline, all, forSubmit, available) => {
    const done = (one: State): boolean => one === 'signalled' || (available && one === 'submitted');
    const count = states.filter(done).length;
    const isRefused = states.includes('unsubmitted') && !forSubmit && !available;
    const isEnough = all ? count === states.length : count > 0;
    const expected = isRefused ? 'EINVAL' : isEnough ? `${states.findIndex(done)}` : 'ETIME';
    const { points } = make(states, isTimeline ? 'timeline' : 'binary');
    t.is(outcome(points, { all, forSubmit, available }), expected);
  },
);

testProp(
  'SyncObjectWait, points submitted and signalled in any order, completes with the last or the first (model)',
  [
    fc.integer({ min: 1, max: 5 }).chain((n) => fc.shuffledSubarray([...Array(n).keys()], { minLength: n })),
    fc.boolean(),
    fc.boolean(),
  ],
  (t, order, all, isTimeline) => {
    const { bench, points } = make(
      order.map((): State => 'unsubmitted'),
      isTimeline ? 'timeline' : 'binary',
    );
    const wait = new SyncObjectWait(points, { all, forSubmit: true });
    const fences = points.map((point) => {
      const fence = bench.fence();
      submit(point, fence);
      return fence;
    });
    order.forEach((index, step) => {
      t.is(wait.isComplete, !all && step > 0);
      fences[index].signal();
    });
    t.true(wait.isComplete);
    if (!all) t.is(wait.first, order[0]);
  },
);
