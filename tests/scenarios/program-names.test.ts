/** Names of devices that a scenario adds to the machine of a program. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadScenario, runProgramWith } from '@dmabuf-lab/lab';
import test from 'ava';
import { example } from './run-file.js';

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

test('program --scenario, a device of another name is added', async (t) => {
  const error = await t.throwsAsync(runWithCamera('vivid-003'));
  t.regex(error.message, /\/dev\/by-name\/camera/, 'the program did start');
});
