/**
 * `npm run fuzz:messages [-- SEED COUNT]`: random and mutated control messages against an exporter, and as many against the runtime;
 * 1,000,000 when not said.
 */
import { fuzzMessages } from './fuzz/fuzz-messages.js';
import { fuzzWorkerMessages } from './fuzz/fuzz-worker-messages.js';

const [seed, count] = [process.argv[2] ?? '1', process.argv[3] ?? '1000000'].map(Number);
if (![seed, count].every((n) => Number.isSafeInteger(n) && n >= 0) || count < 1) {
  console.error(`Cannot fuzz: expected SEED COUNT, two whole numbers, got ${process.argv.slice(2).join(' ')}`);
  process.exit(2);
}
const startNs = process.hrtime.bigint();
const onProgress = (done: number): void => {
  if (done % 100_000 === 0) console.log(`${done} messages`);
};
try {
  const { answers } = fuzzMessages(seed, count, { onProgress });
  const seconds = Number(process.hrtime.bigint() - startNs) / 1e9;
  for (const [answer, times] of Object.entries(answers).sort((a, b) => b[1] - a[1]))
    console.log(`  ${answer} ${times}`);
  console.log(`${count} messages of seed ${seed} in ${seconds.toFixed(1)} s: each answered, nothing lost`);
  const workersStartNs = process.hrtime.bigint();
  const { outcomes } = fuzzWorkerMessages(seed, count);
  const workerSeconds = Number(process.hrtime.bigint() - workersStartNs) / 1e9;
  for (const [outcome, times] of Object.entries(outcomes).sort()) console.log(`  ${outcome} ${times}`);
  console.log(
    `${count} messages of a worker to the runtime in ${workerSeconds.toFixed(1)} s: none throws, none is kept`,
  );
} catch (failure) {
  console.log(
    `FAILED, and once more with stacks (npm run fuzz:messages -- ${seed} ${count}):\n${(failure as Error).message}`,
  );
  process.exitCode = 1;
  fuzzMessages(seed, count, { stacks: true });
}
