import { findDeadlocks, type Wait, type WaitView } from '@dmabuf-lab/core/base';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';

type Waits = Readonly<Record<string, { readonly what?: string; readonly for: readonly string[] } | undefined>>;

/** Tasks are named by a letter for their actor, and a number. */
const view = (waitOf: WaitView<string>['waitOf']): WaitView<string> => ({
  waitOf,
  nameOf: (task) => task,
  isSameActor: (one, other) => one[0] === other[0],
});

/** What is found among tasks of which each waits for those named. */
function find(waits: Waits): string[] {
  const waitOf = (task: string): Wait<string> | undefined => {
    const wait = waits[task];
    return wait && { what: wait.what ?? 'it', awaited: wait.for };
  };
  return findDeadlocks(Object.keys(waits), view(waitOf)).map(({ text }) => text);
}

test('findDeadlocks, two that wait for each other, are named with what each waits for', (t) => {
  const waits = { a: { what: 'X', for: ['b'] }, b: { what: 'Y', for: ['a'] } };
  t.deepEqual(find(waits), ['a -> X -> b -> Y -> a']);
});

test('findDeadlocks, one that waits for itself, is a deadlock of one', (t) => {
  t.deepEqual(find({ a: { what: 'X', for: ['a'] } }), ['a -> X -> a']);
});

test('findDeadlocks, a chain that ends with one that goes on, or may end by itself, is none', (t) => {
  t.deepEqual(find({ a: { for: ['b'] }, b: { for: ['c'] }, c: undefined }), []);
  t.deepEqual(find({ a: { for: ['b'] }, b: { for: [] } }), []);
});

test('findDeadlocks, one of whose helpers somebody can still hope for, is not stuck; once all are, it is', (t) => {
  const waits = { a: { for: ['b', 'c'] }, b: { for: ['a'] } };
  t.deepEqual(find({ ...waits, c: undefined }), []);
  t.deepEqual(find({ ...waits, c: { for: ['b'] } }), ['a -> it -> b -> it -> a']);
});

test('findDeadlocks, a wait for somebody who is none of the tasks, is no deadlock', (t) => {
  t.deepEqual(find({ a: { for: ['gone'] }, b: { for: ['a'] } }), []);
});

test('findDeadlocks, two cycles apart, are both named; who waits for one of them, is none of it', (t) => {
  const waits = { a: { for: ['b'] }, b: { for: ['a'] }, c: { for: ['a'] }, d: { for: ['e'] }, e: { for: ['d'] } };
  t.deepEqual(find(waits), ['a -> it -> b -> it -> a', 'd -> it -> e -> it -> d']);
});

test('findDeadlocks, of a way round and a short cut, names the short cut', (t) => {
  const waits = { a: { for: ['b', 'c'] }, b: { for: ['c'] }, c: { for: ['a'] } };
  t.deepEqual(find(waits), ['a -> it -> c -> it -> a']);
});

test('findDeadlocks, of a cycle within an actor and one between actors, names the one between', (t) => {
  const waits = { a1: { for: ['a2'] }, a2: { for: ['a1', 'b'] }, b: { for: ['c'] }, c: { for: ['a2'] } };
  t.deepEqual(find(waits), ['a2 -> it -> b -> it -> c -> it -> a2']);
  t.deepEqual(find({ a1: { for: ['a2'] }, a2: { for: ['a1'] } }), ['a1 -> it -> a2 -> it -> a1']);
  const within = {
    a1: { for: ['a2', 'a3'] },
    a2: { for: ['a1', 'a3'] },
    a3: { for: ['b'] },
    b: { for: ['a1', 'a2', 'a3'] },
  };
  t.deepEqual(
    find(within),
    ['a3 -> it -> b -> it -> a3'],
    'two of an actor wait for any other of it, the third for another actor',
  );
});

test('findDeadlocks, a cycle out of which hope for another deadlock leads, is only its consequence', (t) => {
  const waits: Record<string, string[]> = { a: ['b', 'c'], b: ['a'], c: ['d', 'e'], d: ['c'], e: ['c'] };
  const waitOf = (task: string): Wait<string> => ({ what: 'it', awaited: waits[task] });
  const found = findDeadlocks(Object.keys(waits), view(waitOf));
  t.deepEqual(
    found.map(({ text }) => text),
    ['c -> it -> d -> it -> c'],
  );
  t.deepEqual([...found[0].stuck].sort(), ['c', 'd', 'e']);
});

const TASKS = ['0', '1', '2', '3', '4', '5'];
const wait = fc.option(fc.uniqueArray(fc.constantFrom(...TASKS), { maxLength: 3 }), { nil: undefined });

testProp(
  'findDeadlocks, names cycles of waits only, and one wherever somebody cannot go on',
  [fc.array(wait, { minLength: 6, maxLength: 6 })],
  (t, waits) => {
    const waitOf = (task: string): Wait<string> | undefined => {
      const awaited = waits[Number(task)];
      return awaited && { what: 'it', awaited };
    };
    const found = findDeadlocks(TASKS, view(waitOf));
    // By brute force: let go on who can, as often as it helps.
    const free = new Set(TASKS.filter((one) => (waits[Number(one)] ?? []).length === 0));
    for (const _ of TASKS) {
      for (const one of TASKS) if (waits[Number(one)]?.some((other) => free.has(other)) === true) free.add(one);
    }
    t.is(found.length > 0, free.size < TASKS.length);
    for (const { waits: cycle, stuck } of found) {
      for (const [i, { task }] of cycle.entries()) {
        t.true(waits[Number(task)]?.includes(cycle[(i + 1) % cycle.length].task));
        t.true(stuck.has(task));
      }
      for (const one of stuck) t.false(free.has(one));
    }
  },
);
