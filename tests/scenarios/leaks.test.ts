/** What drivers leave at the end of a run: whose it is, and which line began a job that never ended. */
import { readFileSync } from 'node:fs';
import { type RunResult, summarize } from '@dmabuf-lab/lab';
import test from 'ava';
import { ROOT, runText } from './run-file.js';

const FOLDER = `${ROOT}tests/scenarios/programs/`;

const scenario = (driver: string, debug: string): string => `
name: leaks
duration: 200ms
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { driver: camera, parameters: { width: 64, height: 64, rate: 50 } }
  encoder: { driver: ${JSON.stringify(driver)} }
pools: { camera.out: { buffers: 4 } }
links: [{ from: camera.out, to: encoder.in }]
debug: {${debug}}
`;

async function run(file: string, debug = ''): Promise<RunResult> {
  return (await runText(scenario(`${FOLDER}${file}`, debug))).result;
}

test('a job that never ends, ends the run; with callSites the line that began it is named', async (t) => {
  const plain = await t.throwsAsync(run('keeps-a-job.mjs'));
  t.regex(plain?.message ?? '', /encoder ended with camera\.out\[\d\] still mapped: every job has to end$/);
  const named = await t.throwsAsync(run('keeps-a-job.mjs', ' callSites: true '));
  const lines = readFileSync(`${FOLDER}keeps-a-job.mjs`, 'utf8').split('\n');
  const line = lines.findIndex((text) => text.endsWith('// begun')) + 1;
  t.true(named?.message.endsWith(`; those that have not were begun at keeps-a-job.mjs:${line}`), named?.message);
});

test('a mapping that is counted and never ended, is told with its device and its buffer', async (t) => {
  const result = await run('counts-wrongly.mjs');
  t.false(result.ledger.empty);
  t.is(result.ledger.mappings, 1);
  const { leaks = [] } = result;
  t.is(leaks.length, 1);
  t.like(leaks[0], { device: 'encoder', attached: [], mappings: 1, pendingFences: 0, frames: 0 });
  t.regex(leaks[0].mapped.join(), /^camera\.out\[\d\]$/);
  t.regex(
    summarize(result),
    /Ledger: NOT EMPTY, this leaked: 1 mapping\.\n {4}encoder: 1 mapping of camera\.out\[\d\]\n/,
  );
});
