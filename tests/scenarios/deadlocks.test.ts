/** Drivers that wait for each other, in whole runs: named when it happens, and not when a time-out tells of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunOutcome } from '@dmabuf-lab/lab';
import test from 'ava';
import { run, scratch } from '../unit/lab/cli/command-line.js';
import { runText } from './run-file.js';

const BOARD = `
payload: timing
runtime: virtual
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps:
  - { name: system, kind: system, window: dram }
  - { name: cma, kind: cma, window: dram, base: 0x4800_0000, size: 16MiB }
`;
const CROSSED = JSON.stringify(fileURLToPath(new URL('./drivers/crossed.js', import.meta.url)));
const CAMERA = '{ driver: camera, parameters: { width: 64, height: 64, rate: 60 } }';

/** Two drivers that take a buffer of each of two cameras, in opposite order. */
async function runCrossed(lines = ''): Promise<RunOutcome> {
  const text = `
name: crossed
duration: 500ms
${BOARD}
devices:
  left: ${CAMERA}
  right: ${CAMERA}
  x: { driver: ${CROSSED} }
  y: { driver: ${CROSSED} }
links:
  - { from: left.out, to: x.a, policy: drop-oldest, depth: 1 }
  - { from: left.out, to: y.a, policy: drop-oldest, depth: 1 }
  - { from: right.out, to: x.b, policy: drop-oldest, depth: 1 }
  - { from: right.out, to: y.b, policy: drop-oldest, depth: 1 }
${lines}
`;
  return await runText(text);
}

const CYCLE = 'x/lane 1 -> an implicit fence -> y/lane 1 -> an implicit fence -> x/lane 1';

test('two drivers that wait for each other with fences published, are named at the instant of the second wait', async (t) => {
  const { result } = await runCrossed('timeline: [{ at: 200ms, kill: x }]');
  const deadlocks = result.incidents.filter(({ kind }) => kind === 'deadlock');
  t.deepEqual(deadlocks, [{ kind: 'deadlock', device: 'x', atNs: 60_000_000, life: 0, why: CYCLE }]);
  t.is(result.incidents[0].kind, 'deadlock', 'before the death that ends it');
  t.is(result.devices.y.counters.both, 1, 'whose fence has ended with its owner, goes on');
  t.true(result.ledger.empty);
});

test('two drivers that wait for each other, and nothing ends it: the run ends with EDEADLK and names them', async (t) => {
  const error = await t.throwsAsync(runCrossed(), { code: 'EDEADLK' });
  t.true(error.message.includes(`deadlock: ${CYCLE}`), error.message);
});

const HELD = `
name: held
duration: 1s
${BOARD}
devices:
  camera:
    driver: camera
    constraints: { iommu: { iovaBits: 32 } }
    parameters: { width: 320, height: 240, rate: 60 }
    mapping: held
  gpu: { driver: gpu, constraints: { iommu: { iovaBits: 48 } }, parameters: { service: 6ms } }
  encoder: { driver: encoder, constraints: { contiguous: true }, parameters: { service: 8ms } }
pools:
  camera.out: { buffers: 4 }
links:
  - { from: camera.out, to: gpu.in, policy: drop-oldest, depth: 1 }
  - { from: camera.out, to: encoder.in, policy: block, depth: 1 }
timeline: [{ at: 500ms, attach: encoder }]
`;

test('a move that waits for mappings held while their device waits for who asked for the move: named, then timed out', async (t) => {
  const { result } = await runText(HELD);
  const [deadlock] = result.incidents;
  t.deepEqual(deadlock, {
    kind: 'deadlock',
    device: 'camera',
    atNs: 550_000_000,
    life: 0,
    why:
      'camera/lane 1 -> room in a queue -> encoder/lane 1 -> map of exporter -> exporter/map for encoder -> ' +
      'the mappings of an importer -> camera/lane 1',
  });
  const [timedOut] = result.buffers.flatMap(({ moves }) => moves).filter(({ startNs }) => startNs < 550_000_000);
  t.is(timedOut.outcome, 'timed-out');
  t.is(timedOut.endNs - timedOut.startNs, 500_000_000, 'the time-out of the exporter tells only later');
  t.true(result.ledger.empty);
});

test('the same on threads: named while it lasts', async (t) => {
  // A death ends it, later on a machine that was too busy for the deadlock to come about and be seen before.
  for (const seconds of [3, 12, 40]) {
    const text = HELD.replace('virtual', 'threads\nexporter: { timeout: 1min }')
      .replace('{ buffers: 4 }', '{ buffers: 4, allocate: system, movable: true }') // so that the encoder comes late in any case
      .replace('duration: 1s', `duration: ${seconds}100ms`)
      .replace(
        '[{ at: 500ms, attach: encoder }]',
        `[{ at: 100ms, attach: encoder }, { at: ${seconds}s, kill: camera }]`,
      );
    const { result } = await runText(text);
    t.true(result.ledger.empty);
    const [first] = result.incidents.filter(({ kind }) => kind === 'deadlock' || kind === 'died');
    if (first.kind === 'died' && seconds < 40) continue;
    t.regex(
      first.why ?? '',
      /^camera.* -> exporter\/(map|attach) for .* -> the mappings of an importer -> camera(\/lane 1)?$/,
    );
    return;
  }
});

test('run: devices that waited for each other, are told, and it ends with 1', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'held.yaml'), HELD);
  const { code, stdout } = await run(dir, ['run', 'held.yaml']);
  t.is(code, 1);
  t.regex(stdout, /0\.550 s: deadlock: camera\/lane 1 -> room in a queue -> encoder\/lane 1 -> map of/);
});
