/**
 * `npm run soak:faults [-- SEED [COUNT [RUNTIME [exporter]]]]`: scenarios with random faults, with `exporter` also of the
 * exporter; tells each that goes wrong.
 */
import { runRandomFaults } from './random-faults.js';

const [first = '1', count = '1000', runtime = 'virtual', who = 'devices'] = process.argv.slice(2);
const wanted = { first: Number(first), count: Number(count) };
const isCount = (value: number, most: number): boolean => Number.isSafeInteger(value) && value >= 1 && value <= most;
if (
  !isCount(wanted.first, 2 ** 31) ||
  !isCount(wanted.count, 1_000_000) ||
  !/^(virtual|threads)$/.test(runtime) ||
  !/^(devices|exporter)$/.test(who)
) {
  console.error(
    'Cannot soak: expected a seed from 1, a number of runs up to 1000000, virtual or threads, and devices or exporter',
  );
  process.exit(2);
}
let failed = 0;
for (let seed = wanted.first; seed < wanted.first + wanted.count; seed += 1) {
  const { wrong } = await runRandomFaults(
    seed,
    { runtime: runtime as 'virtual' | 'threads' },
    { exporter: who === 'exporter' },
  );
  if (wrong.length === 0) continue;
  failed += 1;
  console.log(`seed ${seed}: ${wrong.join('; ')}`);
}
console.log(`${wanted.count} runs, ${failed} went wrong`);
process.exit(failed === 0 ? 0 : 1);
