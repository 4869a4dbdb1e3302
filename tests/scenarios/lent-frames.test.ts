/** Whose a frame is: a port takes back what it has lent, and nothing else. */
import { fileURLToPath } from 'node:url';
import { executeRun, parseScenario, prepareRun } from '@dmabuf-lab/lab';
import test from 'ava';

const MISPLACED = fileURLToPath(new URL('./drivers/misplaced.js', import.meta.url));

const BOARD = `
name: misplaced
duration: 500ms
payload: timing
runtime: virtual
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { driver: camera, parameters: { width: 64, height: 64, rate: 60 } }
  x: { driver: ${MISPLACED} }
  display: { driver: display }
links:
  - { from: camera.out, to: x.a, policy: drop-newest, depth: 2 }
  - { from: camera.out, to: x.b, policy: drop-newest, depth: 2 }
  - { from: x.out, to: display.in, policy: drop-oldest, depth: 2 }
`;

test("a frame given back or pushed at a port that has not lent it, is EINVAL and stays the driver's", async (t) => {
  const prepared = await prepareRun(parseScenario(BOARD, 'test.yaml'));
  const { result } = await executeRun(prepared, { collectTrace: false });
  const { rounds, refusedEINVAL } = result.devices.x.counters;
  t.true(rounds > 20, `${rounds}`);
  t.is(refusedEINVAL, 6 * rounds);
  t.is(result.devices.x.framesDropped, 0, 'each went back by the hand of the driver');
  t.true(result.ledger.empty, JSON.stringify(result.ledger));
});

for (const runtime of ['virtual', 'threads'] as const) {
  test(`frames that a driver never gives back, ${runtime}: the run ends, and says who waits for whom`, async (t) => {
    const keeper = fileURLToPath(new URL('./drivers/keeps-frames.js', import.meta.url));
    const text = BOARD.replace('runtime: virtual', `runtime: ${runtime}`)
      .replace(/ {2}x: .*\n {2}display: .*\n/, `  keeper: { driver: ${keeper} }\n`)
      .replace(/ {2}- [\s\S]*/, '  - { from: camera.out, to: keeper.in }\n');
    const run = executeRun(await prepareRun(parseScenario(text, 'test.yaml')), { collectTrace: false });
    const error = await t.throwsAsync(run);
    t.like(error, { code: 'EDEADLK' });
    t.regex(error?.message ?? '', /everybody waits \(camera for its frames to come back from keeper\)$/);
  });
}
