/** `npm run soak [-- COUNT]`: many short runs on threads in one process; stops at the first that leaves anything. */
import { shortRuns } from './short-runs.js';

const count = Number(process.argv[2] ?? 200);
if (!Number.isSafeInteger(count) || count < 1 || count > 100_000) {
  console.error(`Cannot soak: expected a number of runs from 1 to 100000, got ${process.argv[2]}`);
  process.exit(2);
}
const mib = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`;
let failed = 0;
for await (const { run, empty, checksFailed, shown, damaged } of shortRuns(count)) {
  if (!empty || checksFailed > 0 || damaged > 0) {
    failed += 1;
    console.log(
      `run ${run}: ledger ${empty ? 'empty' : 'NOT EMPTY'}, ${checksFailed} checks failed, ${damaged} freed buffers written to`,
    );
    break;
  }
  if ((run + 1) % 20 === 0)
    console.log(`${run + 1} runs, ${shown} frames in the last, resident ${mib(process.memoryUsage().rss)}`);
}
console.log(failed === 0 ? `${count} runs, each ended empty` : 'FAILED');
process.exit(failed === 0 ? 0 : 1);
