/** What programs leave open: told with the line that made it, under `--strict` only. */
import { readFileSync } from 'node:fs';
import { runProgram } from '@dmabuf-lab/lab';
import test from 'ava';
import { run } from '../unit/lab/cli/command-line.js';
import { ROOT } from './run-file.js';

const FOLDER = `${ROOT}tests/scenarios/programs/`;
const PROGRAM = 'leaves-things-open.mjs';

/** The line that ends with a mark, as findings name it. */
function lineOf(mark: string): string {
  const lines = readFileSync(`${FOLDER}${PROGRAM}`, 'utf8').split('\n');
  return `${PROGRAM}:${lines.findIndex((line) => line.endsWith(`; // ${mark}`)) + 1}`;
}

const isLeak = ({ kind }: { readonly kind: string }): boolean => kind.endsWith('-left-open');

for (const runtime of ['virtual', 'threads'] as const) {
  test(`a program that leaves things open, is told of each line that made some, on ${runtime}`, async (t) => {
    const { findings, result } = await runProgram(`${FOLDER}${PROGRAM}`, { mode: 'strict', runtime });
    const { buffers, address, passed } = result as { buffers: number[]; address: number; passed: number };
    const told = findings.filter(isLeak).map(({ kind, who, details: { open, site } }) => {
      const names = (open as { name: string; target: string }[]).map(({ name, target }) => [
        name,
        target.replace(/ \d+$/, ' N'),
      ]);
      return [kind, who, site, ...names];
    });
    t.deepEqual(told, [
      ['descriptor-left-open', 'process 1', lineOf('drm'), ['0', '/dev/dri/card0']],
      ['descriptor-left-open', 'process 1', lineOf('buffers'), ...buffers.map((fd) => [`${fd}`, 'system N'])],
      ['descriptor-left-open', 'process 1', lineOf('late'), ['3', '/dev/dma_heap/system']],
      ['mapping-left-open', 'process 1', lineOf('mapping'), [`0x${address.toString(16)}`, 'system N']],
      ['descriptor-left-open', 'process 2', lineOf('passed'), [`${passed}`, 'system N']],
      ['attachment-left-open', 'vgem', lineOf('attachment'), ['attached', 'system N']],
    ]);
  });
}

test('a program that closes all of it, is told of nothing', async (t) => {
  const { findings, result } = await runProgram(`${FOLDER}closes-all.mjs`, { mode: 'strict' });
  t.deepEqual(findings.filter(isLeak), []);
  t.deepEqual(result, { dmaBufs: 0 });
});

test('a program that leaves things open, is told of nothing as on Linux, which closes them', async (t) => {
  const { findings } = await runProgram(`${FOLDER}${PROGRAM}`);
  t.deepEqual(findings, []);
});

test('dmabuf-lab program --strict, names the lines in its text and as JSON', async (t) => {
  const text = await run(ROOT, ['program', '--strict', `tests/scenarios/programs/${PROGRAM}`]);
  t.is(text.code, 0);
  t.regex(
    text.stdout,
    new RegExp(
      `^finding: descriptor-left-open: 2 descriptors of process 1 are still there at the end: 1 \\(system \\d+\\), 2 \\(system \\d+\\); made at ${lineOf('buffers')}$`,
      'm',
    ),
  );
  const json = await run(ROOT, ['program', '--strict', '--json', `tests/scenarios/programs/${PROGRAM}`]);
  const { findings } = JSON.parse(json.stdout) as { findings: { kind: string; details: { site?: string } }[] };
  t.true(
    findings.some(({ kind, details }) => kind === 'attachment-left-open' && details.site === lineOf('attachment')),
  );
});
