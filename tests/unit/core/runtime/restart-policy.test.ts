import { RestartPolicy, type RestartStrategy } from '@dmabuf-lab/core/runtime';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';

const MS = 1_000_000;
const children = ['a', 'b', 'c', 'd'];
const limits = { restarts: 3, withinNs: 1000 * MS, backoffNs: 10 * MS, maxBackoffNs: 35 * MS };
const policyOf = (strategy: RestartStrategy): RestartPolicy => new RestartPolicy({ strategy, ...limits }, children);
const all = new Set(children);

test('RestartPolicy, b dies, restarts whom its strategy says: stopped in reverse start order, started in start order', (t) => {
  const plan = (strategy: RestartStrategy) => {
    const decision = policyOf(strategy).onDeath('b', 0, all);
    return decision.action === 'restart' ? { stop: decision.stop, start: decision.start } : decision;
  };
  t.deepEqual(plan('one-for-one'), { stop: [], start: ['b'] });
  t.deepEqual(plan('one-for-all'), { stop: ['d', 'c', 'a'], start: ['a', 'b', 'c', 'd'] });
  t.deepEqual(plan('rest-for-one'), { stop: ['d', 'c'], start: ['b', 'c', 'd'] });
});

test('RestartPolicy, whoever has ended by itself, is not started again for the sake of another', (t) => {
  const decision = policyOf('one-for-all').onDeath('b', 0, new Set(['a', 'd']));
  t.like(decision, { stop: ['d', 'a'], start: ['a', 'b', 'd'] });
});

test('RestartPolicy, deaths in a row, back off twice as long each time up to a limit, each actor for itself', (t) => {
  const policy = policyOf('one-for-one');
  const waits = [policy.onDeath('a', 0, all), policy.onDeath('a', 1, all), policy.onDeath('b', 2, all)].map(
    (decision) => (decision.action === 'restart' ? decision.afterNs / MS : decision.action),
  );
  t.deepEqual(waits, [10, 20, 10]);
});

test('RestartPolicy, the back-off, has a longest', (t) => {
  const policy = new RestartPolicy({ strategy: 'one-for-one', ...limits, restarts: 100 }, children);
  const waits = [1, 2, 3, 4, 5]
    .map((n) => policy.onDeath('a', n, all))
    .map((one) => 'afterNs' in one && one.afterNs / MS);
  t.deepEqual(waits, [10, 20, 35, 35, 35]);
});

test('RestartPolicy, one restart too many within the window, gives up and stops all in reverse start order', (t) => {
  const policy = policyOf('one-for-one');
  for (const [i, actor] of ['a', 'b', 'a'].entries()) t.is(policy.onDeath(actor, i, all).action, 'restart');
  const decision = policy.onDeath('c', 3, new Set(['a', 'b', 'd']));
  t.deepEqual(decision.stop, ['d', 'b', 'a']);
  t.is(decision.action, 'give up');
});

testProp(
  'RestartPolicy, for any deaths, never restarts more often within the window than the limit says',
  [fc.array(fc.tuple(fc.constantFrom(...children), fc.integer({ min: 0, max: 400 })), { maxLength: 60 })],
  (t, deaths) => {
    t.pass();
    const policy = policyOf('one-for-one');
    const restarts: number[] = [];
    let nowNs = 0;
    for (const [actor, gapMs] of deaths) {
      nowNs += gapMs * MS;
      if (policy.onDeath(actor, nowNs, all).action !== 'restart') continue;
      restarts.push(nowNs);
      const recent = restarts.filter((one) => one > nowNs - limits.withinNs);
      t.true(recent.length <= limits.restarts);
    }
  },
);
