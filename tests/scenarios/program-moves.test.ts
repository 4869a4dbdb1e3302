/** Programs on the devices of a scenario, whose buffers move between them. */
import { fileURLToPath } from 'node:url';
import { loadScenario, runProgramWith } from '@dmabuf-lab/lab';
import test from 'ava';
import type { RecordedFrame } from './program-moves.js';
import { example } from './run-file.js';

const MODULE = fileURLToPath(new URL('./program-moves.js', import.meta.url));

test('program --scenario, the encoder checks what the camera has sealed, though the buffer has moved in between', async (t) => {
  const loaded = await loadScenario(example('sharing/pinned'));
  const { report } = await runProgramWith(MODULE, {}, loaded);
  const { moves } = report.result as RecordedFrame;
  t.is(moves, 1);
  const counters = report.devices?.find(({ name }) => name === 'encoder')?.counters ?? {};
  t.like(counters, { encoded: 1, checksPassed: 1 });
  t.false('unmarked' in counters);
  t.deepEqual(report.findings, []);
});
