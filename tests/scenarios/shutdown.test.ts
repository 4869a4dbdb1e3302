/** A device that never ends: the run does, on both runtimes, and says whose fault it was. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { run, scratch } from '../unit/lab/cli/command-line.js';
import { runText } from './run-file.js';

const DRIVER = fileURLToPath(new URL('./drivers/never-ends.js', import.meta.url));

const scenario = (runtime: string, keepsMapped: boolean): string => `
name: never-ends
duration: 200ms
shutdown: 1s
runtime: ${runtime}
payload: stamp
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { driver: camera, parameters: { width: 64, height: 64, rate: 60 } }
  endless: { driver: ${JSON.stringify(DRIVER)}, parameters: { keepsMapped: ${keepsMapped} } }
  good: { driver: encoder, parameters: { service: 2ms } }
links:
  - { from: camera.out, to: endless.in, policy: drop-oldest }
  - { from: camera.out, to: good.in }
supervision: { restart: one-for-one, restarts: 5 }
`;

for (const runtime of ['virtual', 'threads']) {
  for (const keepsMapped of [false, true]) {
    const what = keepsMapped
      ? 'keeps a frame mapped and wakes up for ever'
      : 'wakes up for ever once its stream is over';
    test(`a device that ${what}, on ${runtime}, is ended for good, and nothing is left of it`, async (t) => {
      const { result } = await runText(scenario(runtime, keepsMapped));
      const told = result.incidents.map(({ device, kind, cause }) => [device, kind, cause]);
      t.deepEqual(told, [
        ['endless', 'died', 'overdue'],
        ['endless', 'reclaimed', undefined],
      ]);
      if (runtime === 'virtual') t.is(result.incidents[0].atNs, 1_200_000_000);
      t.true(result.ledger.empty);
      t.true(result.devices.good.framesIn > 0);
    });
  }
}

test('the command ends with 1 and names it; stress tells it as a violation, with the command that repeats it', async (t) => {
  const folder = await scratch(t);
  await writeFile(join(folder, 'endless.yaml'), scenario('virtual', false));
  const ran = await run(folder, ['run', 'endless.yaml']);
  t.is(ran.code, 1, ran.stderr);
  t.regex(ran.stdout, /endless did not end, and was ended: it had not ended 1 s after the end of the scenario/);
  const stressed = await run(folder, ['stress', '--driver', DRIVER, '--duration', '100ms', '--kill-rate', '0/s']);
  t.is(stressed.code, 1, stressed.stderr);
  t.regex(stressed.stdout, /never-ends\.js\s+did\s+not\s+end:\s+it\s+had\s+not\s+ended\s+5\s+s\s+after\s+the\s+end/);
  t.regex(stressed.stdout, /^1 violation:/m);
  t.regex(stressed.stdout, /dmabuf-lab stress .*--seed 1/);
});
