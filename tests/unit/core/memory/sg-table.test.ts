import { physAddr } from '@dmabuf-lab/core/base';
import { PAGE_SIZE, pageAlign, type Run, SgTable } from '@dmabuf-lab/core/memory';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from '../constraints/arbitraries.js';

const run = (page: number, pages: number): Run => ({
  address: physAddr(page * PAGE_SIZE),
  lengthBytes: pages * PAGE_SIZE,
});

test('pageAlign, rounds up to whole pages, up to 2^53', (t) => {
  t.deepEqual([0, 1, 4095, 4096, 4097, 2 ** 32 + 1, 2 ** 52 - 1].map(pageAlign), [
    0,
    4096,
    4096,
    4096,
    8192,
    2 ** 32 + 4096,
    2 ** 52,
  ]);
});

test('SgTable, sums the length of its runs and is contiguous only with one', (t) => {
  t.is(new SgTable([run(1, 2), run(9, 3)]).lengthBytes, 5 * PAGE_SIZE);
  t.true(new SgTable([run(1, 2)]).contiguous);
  t.false(new SgTable([run(1, 2), run(9, 3)]).contiguous);
});

test('SgTable, keeps runs apart that abut, when they are given as they are', (t) => {
  t.is(new SgTable([run(1, 2), run(3, 1)]).runs.length, 2);
});

test('SgTable, stops the program, for a run that is empty or not whole pages', (t) => {
  for (const lengthBytes of [0, -4096, 1, 4097, Number.NaN]) {
    t.throws(() => new SgTable([{ address: physAddr(0), lengthBytes }]), { name: 'InvariantError' }, `${lengthBytes}`);
  }
});

test('SgTable.fromRuns, joins what abuts in buffer order and nothing else, above 4 GiB too', (t) => {
  const high = 2 ** 40;
  const { runs } = SgTable.fromRuns([run(high, 1), run(high + 1, 2), run(7, 1), run(6, 1), run(7, 1), run(9, 1)]);
  t.deepEqual(runs, [run(high, 3), run(7, 1), run(6, 2), run(9, 1)]);
});

test('SgTable.fromRuns, leaves the runs it was given as they were', (t) => {
  const given = [run(1, 1), run(2, 1)];
  SgTable.fromRuns(given);
  t.deepEqual(given, [run(1, 1), run(2, 1)]);
});

testProp(
  'SgTable.fromRuns, keeps every page at its place in the buffer and leaves nothing to join',
  [fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 3 })), { minLength: 1, maxLength: 20 })],
  (t, pieces) => {
    const pages = (runs: readonly Run[]): number[] =>
      runs.flatMap((one) => Array.from({ length: one.lengthBytes / PAGE_SIZE }, (_, i) => one.address + i * PAGE_SIZE));
    const given = pieces.map(([page, count]) => run(page, count));
    const { runs } = SgTable.fromRuns(given);
    t.deepEqual(pages(runs), pages(given));
    for (let i = 1; i < runs.length; i += 1) {
      t.not(runs[i - 1].address + runs[i - 1].lengthBytes, runs[i].address as number);
    }
  },
  repeated(300),
);
