import test from 'ava';
import { runBoard } from './map-move-board.js';

const SCHEDULES = 600;
const firstSeed = Number(process.env.TEST_SEED ?? 1);

function outcomes(mapping: 'one by one' | 'as a set'): { deadlocks: number; firstDeadlock: string } {
  let deadlocks = 0;
  let firstDeadlock = '';
  for (let seed = firstSeed; seed < firstSeed + SCHEDULES; seed += 1) {
    const outcome = runBoard(seed, { mapping });
    if (outcome.kind !== 'deadlock') continue;
    deadlocks += 1;
    if (firstDeadlock === '') firstDeadlock = `seed ${seed}: ${outcome.waiting.join('; ')}`;
  }
  return { deadlocks, firstDeadlock };
}

test('mapping two moving buffers one by one in opposite order, deadlocks in some schedule', (t) => {
  const { deadlocks, firstDeadlock } = outcomes('one by one');
  t.log(`${deadlocks} of ${SCHEDULES} schedules deadlock; ${firstDeadlock}`);
  t.true(deadlocks > 0);
});

test('mapAll of two moving buffers in opposite order, ends in every schedule and touches no page that moves', (t) => {
  const { deadlocks, firstDeadlock } = outcomes('as a set');
  t.is(deadlocks, 0, firstDeadlock);
});
