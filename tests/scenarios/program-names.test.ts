/** Names of devices that a scenario adds to the machine of a program. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadScenario, runProgramWith } from '@dmabuf-lab/lab';
import test from 'ava';
import { run } from '../unit/lab/cli/command-line.js';
import { example, ROOT } from './run-file.js';

const MODULE = fileURLToPath(new URL('./program-moves.js', import.meta.url));

/** Runs a program with the devices of an example, of which the camera has another name. */
async function runWithCamera(name: string): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'names-'));
  try {
    const file = join(folder, 'scenario.yaml');
    const text = readFileSync(example('sharing/pinned'), 'utf8').replaceAll(/\bcamera(?=:\n|\.out)/g, name);
    writeFileSync(file, text);
    return await runProgramWith(MODULE, {}, await loadScenario(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const name of ['vgem', 'vivid-000', 'vivid-002', 'bochs-drm']) {
  test(`program --scenario, a device that is called ${name} like one of the machine is refused`, async (t) => {
    const error = await t.throwsAsync(runWithCamera(name));
    t.regex(error.message, new RegExp(`Cannot add ${name}: the machine of programs has a device of that name`));
  });
}

test('program --scenario, such a name is told without a stack, as bad input', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'names-'));
  try {
    const file = join(folder, 'scenario.yaml');
    writeFileSync(file, readFileSync(example('late-encoder'), 'utf8').replaceAll(/\bdisplay(?=:\n|\.in)/g, 'vgem'));
    const words = ['program', 'examples/programs/record-a-preview.mjs', '--scenario', file];
    const { code, stderr } = await run(ROOT, words);
    t.is(code, 2);
    t.regex(stderr, /Cannot add vgem: the machine of programs has a device of that name/);
    t.notRegex(stderr, /^\s+at /m);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('program --scenario, a device of another name is added', async (t) => {
  const error = await t.throwsAsync(runWithCamera('vivid-003'));
  t.regex(error.message, /\/dev\/by-name\/camera/, 'the program did start');
});
