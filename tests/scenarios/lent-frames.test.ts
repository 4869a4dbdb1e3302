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
