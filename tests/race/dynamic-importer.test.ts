import test from 'ava';
import { type DynamicBoardOptions, type DynamicOutcome, runDynamicBoard } from './dynamic-importer-board.js';

const SCHEDULES = 250;
const firstSeed = Number(process.env.TEST_SEED ?? 1);

/** What came of many schedules, and the first that broke a rule. */
function explored(options: DynamicBoardOptions, schedules = SCHEDULES) {
  const sum = { moved: 0, refused: 0, heeded: 0, deadlocks: 0 };
  let broken: string | undefined;
  for (let seed = firstSeed; seed < firstSeed + schedules && broken === undefined; seed += 1) {
    let outcome: DynamicOutcome;
    try {
      outcome = runDynamicBoard(seed, options);
    } catch (error) {
      broken = `seed ${seed}: ${(error as Error).message}`;
      break;
    }
    sum.moved += outcome.moved;
    sum.refused += outcome.refused;
    sum.heeded += outcome.heeded;
    if (outcome.kind === 'deadlock') sum.deadlocks += 1;
  }
  return { ...sum, broken };
}

test('a dynamic importer, whose buffers move in any schedule, touches no page that is copied or has moved', (t) => {
  const { broken, deadlocks, moved, heeded } = explored({});
  t.is(broken, undefined);
  t.is(deadlocks, 0);
  t.is(moved, 2 * SCHEDULES, 'no mapping that it keeps between jobs holds a move up');
  t.true(heeded > 0, 'some schedules give it notice between its jobs');
});

test('a dynamic importer that gives its count back before its fence is published, is caught', (t) => {
  const { broken } = explored({ mutant: 'leaves early' });
  t.log(broken);
  t.regex(broken ?? '', /is touched/);
});

test('a dynamic importer that trusts the mapping of an earlier job, is caught', (t) => {
  const { broken } = explored({ mutant: 'trusts its mapping' });
  t.log(broken);
  t.regex(broken ?? '', /is touched/);
});

test('an importer that pins for its stay, in any schedule, sees no move until it lets go', (t) => {
  const { broken, deadlocks, moved, refused } = explored({ pins: 'for its stay' }, 150);
  t.is(broken, undefined);
  t.is(deadlocks, 0);
  t.is(moved + refused, 2 * 150);
  t.true(moved > 0 && refused > 0, 'some moves come first, and some find the pin');
});

test('an importer that pins for each job, in any schedule, is waited for and refuses no move', (t) => {
  const { broken, deadlocks, moved, refused } = explored({ pins: 'for each job' }, 150);
  t.is(broken, undefined);
  t.is(deadlocks, 0);
  t.is(moved, 2 * 150);
  t.is(refused, 0);
});
