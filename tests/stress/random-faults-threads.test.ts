import test from 'ava';
import { runRandomFaults } from './random-faults.js';

const firstSeed = Number(process.env.TEST_SEED ?? 2);

/** The first of them is in `npm test`. */
for (let seed = firstSeed; seed < firstSeed + 5; seed += 1) {
  test.serial(`random faults of seed ${seed} on threads, end empty with good content`, async (t) => {
    const { wrong } = await runRandomFaults(seed, { runtime: 'threads' });
    t.deepEqual(wrong, [], `seed ${seed}: npm run soak:faults -- ${seed} 1 threads`);
  });
}
