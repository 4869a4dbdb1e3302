import { existsSync, readdirSync } from 'node:fs';
import test from 'ava';
import { shortRuns } from './short-runs.js';

test('four short runs on threads in one process, each ends with an empty ledger and good content', async (t) => {
  let runs = 0;
  const threads: number[] = [];
  for await (const { run, empty, checksFailed, shown, damaged } of shortRuns(4)) {
    t.true(empty, `run ${run}`);
    t.is(checksFailed, 0, `run ${run}`);
    t.is(damaged, 0, `run ${run}: nobody writes to freed pages`);
    t.true(shown > 0, `run ${run}`);
    runs += 1;
    if (existsSync('/proc/self/task')) threads.push(readdirSync('/proc/self/task').length);
  }
  t.is(runs, 4);
  // The process has threads of its own that it starts when it first needs them.
  const [first, second] = threads;
  t.true(
    threads.length === 0 || threads[threads.length - 1] <= Math.max(first, second),
    `threads after each run: ${threads}`,
  );
});
