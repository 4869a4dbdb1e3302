/**
 * `npm run conform:random -- [SEED [COUNT [AREAS]]]`: random operation sequences, answered by a real kernel and by the
 * simulator, and compared.
 *
 * The kernel is asked through a program that writes case files: `PROGRAM --random SEED COUNT --areas AREAS`. It is named by
 * the environment variable DMABUF_LAB_ORACLE, or lies beside the repository. Without it, this says so and ends with 0.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from './workspace.mjs';

const MAX_COUNT = 5000;
const [seed = String(Date.now() % 1_000_000), count = '200', areas = 'dmabuf,v4l2'] = process.argv.slice(2);
if (!/^\d+$/.test(seed) || !/^\d+$/.test(count) || Number(count) < 1 || Number(count) > MAX_COUNT) {
  console.error(`Cannot compare: expected SEED and COUNT as whole numbers, COUNT from 1 to ${MAX_COUNT}`);
  process.exit(2);
}
const root = repositoryRoot;
const oracle = process.env.DMABUF_LAB_ORACLE ?? join(root, '..', 'shared', 'oracle', 'run.py');
if (!existsSync(oracle)) {
  console.log(`skipped: there is no ${oracle} to ask a kernel; set DMABUF_LAB_ORACLE`);
  process.exit(0);
}
console.log(`seed ${seed}, ${count} sequences of ${areas}`);
const asked = spawnSync('python3', [oracle, '--random', seed, count, '--areas', areas], {
  maxBuffer: 2 ** 30,
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (asked.status !== 0) {
  console.error(`Cannot compare: ${oracle} ended with ${asked.status ?? asked.signal}`);
  process.exit(1);
}
const directory = await mkdtemp(join(tmpdir(), 'dmabuf-lab-'));
try {
  const file = join(directory, `random-${seed}.json`);
  await writeFile(file, asked.stdout);
  const main = join(root, 'packages', 'lab', 'dist', 'cli', 'main.js');
  const compared = spawnSync(process.execPath, [main, 'conform', file], { encoding: 'utf8' });
  const lines = compared.stdout.split('\n').filter((line) => !line.startsWith('pass '));
  process.stdout.write(lines.join('\n'));
  process.stderr.write(compared.stderr);
  process.exitCode = compared.status ?? 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}
