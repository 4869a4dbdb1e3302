/**
 * `npm run bench`: what the hot paths cost here; `npm run bench reclaim`, `npm run bench calls`: that alone. Figures to look at; no
 * test asserts them.
 */
import { Worker } from 'node:worker_threads';
import { physAddr } from '@dmabuf-lab/core/base';
import { explainSharing } from '@dmabuf-lab/core/constraints';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { applyOverrides, executeRun, loadScenario, prepareRun } from '@dmabuf-lab/lab';
import { Bench } from 'tinybench';
import { rejectionTimes } from './dead-peer.js';
import { explorerSchedules } from './explorer.js';
import { mappedBoard } from './map-unmap.js';
import { reclaimTimes } from './reclaim.js';
import { largeProblem } from './sharing.js';

const MiB = 1024 * 1024;

async function microBenches(): Promise<void> {
  const bench = new Bench({ time: 500 });
  const board = mappedBoard();
  bench.add('map + unmap of one buffer, fast path', () => board.mapAndUnmap());
  const memory = PhysicalMemory.create([{ name: 'dram', base: 0, sizeBytes: 256 * MiB }]);
  let turn = 0;
  const next = (): number => {
    turn = (turn + 1) % 8;
    return turn * 16 * MiB;
  };
  bench.add('move: copy 12 MiB between cold regions', () => {
    const from = next();
    memory.copy(physAddr(128 * MiB + from), physAddr(from), 12 * MiB);
  });
  bench.add('allocation: zero 12 MiB', () => memory.fill(physAddr(next()), 0, 12 * MiB));
  const [possible, impossible] = [largeProblem(true), largeProblem(false)];
  bench.add(
    '16 devices x 8 heaps x 64 formats and modifiers: solved and explained',
    () => void explainSharing(possible),
  );
  bench.add('the same where nothing suits: all conflicts and repairs', () => void explainSharing(impossible));
  await bench.run();
  console.table(bench.table());
}

/** A round trip over a message port: what every frame would cost if it made a call. */
async function messageRoundTrip(): Promise<void> {
  const worker = new Worker(
    "const{parentPort}=require('node:worker_threads');parentPort.on('message',m=>parentPort.postMessage(m))",
    {
      eval: true,
    },
  );
  const rounds = 5000;
  const once = (): Promise<void> =>
    new Promise((resolve) => {
      worker.once('message', () => resolve());
      worker.postMessage(1);
    });
  for (let i = 0; i < 500; i += 1) await once();
  const startNs = process.hrtime.bigint();
  for (let i = 0; i < rounds; i += 1) await once();
  const meanUs = Number(process.hrtime.bigint() - startNs) / rounds / 1000;
  await worker.terminate();
  console.log(`message round trip between threads: ${meanUs.toFixed(1)} µs`);
}

/** One hour of the flagship on the virtual clock. */
async function virtualHour(): Promise<void> {
  const loaded = await loadScenario(new URL('../../examples/late-encoder.yaml', import.meta.url).pathname);
  const overrides = { runtime: 'virtual', payload: 'timing', duration: 3_600_000_000_000 } as const;
  const prepared = await prepareRun({ ...loaded, scenario: applyOverrides(loaded.scenario, overrides) });
  for (let run = 1; run <= 3; run += 1) {
    const start = performance.now();
    const { result } = await executeRun(prepared, { collectTrace: false });
    const seconds = (performance.now() - start) / 1000;
    const frames = Object.values(result.devices).reduce((sum, device) => sum + device.framesIn, 0);
    console.log(
      `an hour of late-encoder in virtual time, run ${run}: ${seconds.toFixed(2)} s, ${frames} frames handed on`,
    );
  }
}

/** A worker with 1,000 attachments, all mapped, exits. */
async function reclaim(): Promise<void> {
  console.log(`1,000 attachments taken back after their worker's exit: ${spread(await reclaimTimes(1000, 21))}`);
}

/** A worker to which a hundred calls are pending exits. */
async function pendingCalls(): Promise<void> {
  console.log(`100 pending calls rejected after the exit of their callee: ${spread(await rejectionTimes(100, 21))}`);
}

/** @param ns in ascending order */
function spread(ns: readonly number[]): string {
  const ms = (at: number): string => (ns[at] / 1e6).toFixed(2);
  return `median ${ms(ns.length >> 1)} ms, fastest ${ms(0)} ms, slowest ${ms(ns.length - 1)} ms of ${ns.length}`;
}

const [only] = process.argv.slice(2);
if (only === 'reclaim') {
  await reclaim();
  process.exit();
}
if (only === 'calls') {
  await pendingCalls();
  process.exit();
}
await microBenches();
await messageRoundTrip();
await virtualHour();
await explorerSchedules();
await reclaim();
await pendingCalls();
