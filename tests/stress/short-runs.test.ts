import test from 'ava';
import { shortRuns } from './short-runs.js';

test('twenty short runs on threads in one process, each ends with an empty ledger and good content', async (t) => {
  let runs = 0;
  for await (const { run, empty, checksFailed, shown } of shortRuns(20)) {
    t.true(empty, `run ${run}`);
    t.is(checksFailed, 0, `run ${run}`);
    t.true(shown > 0, `run ${run}`);
    runs += 1;
  }
  t.is(runs, 20);
  t.is(process.getActiveResourcesInfo().filter((name) => name === 'Worker').length, 0);
});
