import { conflictSets } from '@dmabuf-lab/core/constraints';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from './arbitraries.js';

/** A problem by its conflicts: what is kept holds unless it contains one of them. */
const holdsWithout =
  (forbidden: readonly (readonly number[])[]) =>
  (kept: readonly boolean[]): boolean =>
    !forbidden.some((set) => set.every((fact) => kept[fact]));

test('conflictSets finds nothing where all facts hold together', (t) => {
  t.deepEqual(
    conflictSets(3, () => true),
    { conflicts: [], corrections: [], complete: true },
  );
});

test('conflictSets finds the empty conflict where nothing holds even without facts', (t) => {
  t.deepEqual(conflictSets(2, () => false).conflicts, [[]]);
});

test('conflictSets lists smaller conflicts first', (t) => {
  const { conflicts, complete } = conflictSets(6, holdsWithout([[0, 1, 2], [3], [4, 5]]));
  t.deepEqual(conflicts, [[3], [4, 5], [0, 1, 2]]);
  t.true(complete);
});

test('conflictSets stops at the limit and says that there are more', (t) => {
  const { conflicts, complete } = conflictSets(9, holdsWithout([[0, 1], [2, 3], [4], [5, 6, 7]]), { maxConflicts: 2 });
  t.deepEqual(conflicts, [[4], [0, 1]]);
  t.false(complete);
});

test('conflictSets gives up after so many steps, with what it has', (t) => {
  const pairs = Array.from({ length: 12 }, (_, i) => [2 * i, 2 * i + 1]);
  const { conflicts, complete } = conflictSets(24, holdsWithout(pairs), { maxTrials: 40, maxConflicts: 100 });
  t.false(complete);
  t.true(conflicts.length < 12);
});

const subsets = (count: number): number[][] =>
  Array.from({ length: 2 ** count }, (_, mask) =>
    Array.from({ length: count }, (_, i) => i).filter((i) => Math.floor(mask / 2 ** i) % 2 === 1),
  );

testProp(
  'conflictSets finds exactly the minimal conflicts and true ways out (brute force)',
  [
    fc
      .integer({ min: 1, max: 7 })
      .chain((count) =>
        fc.tuple(
          fc.constant(count),
          fc.array(fc.uniqueArray(fc.nat({ max: count - 1 }), { minLength: 1, maxLength: count }), { maxLength: 6 }),
        ),
      ),
  ],
  (t, [count, forbidden]) => {
    const holds = holdsWithout(forbidden);
    const isKept = (facts: readonly number[]): boolean[] => Array.from({ length: count }, (_, i) => facts.includes(i));
    const failing = subsets(count).filter((facts) => !holds(isKept(facts)));
    const minimal = failing.filter((facts) => facts.every((fact) => holds(isKept(facts.filter((f) => f !== fact)))));
    const found = conflictSets(count, holds, { maxConflicts: 1000 });
    const key = (sets: readonly (readonly number[])[]): string[] => sets.map((set) => set.join()).sort();
    t.deepEqual(key(found.conflicts), key(minimal));
    t.true(found.complete);
    for (const [i, set] of found.conflicts.entries()) t.true(i === 0 || set.length >= found.conflicts[i - 1].length);
    for (const correction of found.corrections) {
      const left = isKept([]).map((_, i) => !correction.includes(i));
      t.true(holds(left), 'the rest holds');
      for (const fact of correction) t.false(holds(left.map((kept, i) => kept || i === fact)), 'none was in vain');
    }
  },
  repeated(1000),
);
