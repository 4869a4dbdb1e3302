import { loadScenario, runProgramWith } from '@dmabuf-lab/lab';
import test from 'ava';
import { example, ROOT } from './run-file.js';

for (const runtime of ['virtual', 'threads'] as const) {
  test(`a program that unbinds a camera by /sys, ${runtime}: who is blocked gets ENODEV, and binding it again works`, async (t) => {
    const program = `${ROOT}tests/scenarios/programs/unbinds.mjs`;
    const { report } = await runProgramWith(program, { runtime }, await loadScenario(example('late-encoder')));
    t.deepEqual(report.result, {
      errors: {
        blocked: 'ENODEV',
        later: 'ENODEV',
        wrong: 'ENODEV',
        bound: 'EBUSY',
        unbind: 'none',
        twice: 'ENODEV',
        open: 'ENOENT',
        bind: 'none',
      },
      sequence: 0,
    });
    t.deepEqual(report.findings, []);
    const camera = report.devices?.find(({ name }) => name === 'camera');
    t.deepEqual(camera?.failures, [], 'to be unbound is no failure of the driver');
    t.true((camera?.counters.ticks ?? 0) >= 3, 'it counts on in its second life');
  });
}
