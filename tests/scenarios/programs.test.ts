import { readdirSync } from 'node:fs';
import { runProgram } from '@dmabuf-lab/lab';
import test from 'ava';
import { run } from '../unit/lab/cli/command-line.js';
import { ROOT } from './run-file.js';

const PROGRAMS = `${ROOT}examples/programs/`;

for (const name of readdirSync(PROGRAMS).filter((file) => file.endsWith('.mjs'))) {
  test(`examples/programs/${name}, runs, and twice the same`, async (t) => {
    const once = await runProgram(`${PROGRAMS}${name}`);
    t.deepEqual(await runProgram(`${PROGRAMS}${name}`), once);
  });
}

test('share-a-buffer, reads when the device has written, 16 ms after it began', async (t) => {
  const { result, endNs } = await runProgram(`${PROGRAMS}share-a-buffer.mjs`);
  t.like(result as object, { early: false, readAtMs: 16, first: 0xca, fdinfo: { count: 5, name: 'frame' } });
  t.is(endNs, 16_000_000);
});

test('program, what is no program, is refused with 2 and without a stack', async (t) => {
  for (const file of ['README.md', 'nowhere.mjs', 'scripts/workspace.mjs']) {
    const { code, stdout, stderr } = await run(ROOT, ['program', file]);
    t.is(code, 2, stderr);
    t.is(stdout, '');
    t.regex(stderr, /^Cannot (load|run) /);
    t.notRegex(stderr, /^\s+at /m);
  }
});
