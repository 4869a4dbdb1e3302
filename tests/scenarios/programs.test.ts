import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadScenario, runProgram, runProgramWith } from '@dmabuf-lab/lab';
import test from 'ava';
import { run } from '../unit/lab/cli/command-line.js';
import { example, ROOT, runFile } from './run-file.js';

const PROGRAMS = `${ROOT}examples/programs/`;

/** Programs that need the devices of a scenario. */
const SCENARIOS: Readonly<Record<string, string>> = { 'record-a-preview.mjs': 'late-encoder' };

/** A run of each, for all tests. */
const runs = new Map<string, ReturnType<typeof runExample>>();

function exampleRun(name: string): ReturnType<typeof runExample> {
  const run = runs.get(name) ?? runExample(name);
  runs.set(name, run);
  return run;
}

async function runExample(name: string) {
  const scenario = SCENARIOS[name];
  const loaded = scenario === undefined ? undefined : await loadScenario(example(scenario));
  return await runProgramWith(`${PROGRAMS}${name}`, {}, loaded);
}

for (const name of readdirSync(PROGRAMS).filter((file) => file.endsWith('.mjs'))) {
  test(`examples/programs/${name}, runs, and twice the same`, async (t) => {
    t.deepEqual(await runExample(name), await exampleRun(name));
  });
}

test('record-a-preview, drives the very devices that the scenario runs: the screen shows the same pictures', async (t) => {
  const { report, artefacts } = await exampleRun('record-a-preview.mjs');
  t.like(report.result as object, { frames: 45, recorded: { frames: 30, isAnnexB: true } });
  t.deepEqual(report.findings, []);
  const counters = Object.fromEntries(report.devices?.map((device) => [device.name, device.counters]) ?? []);
  t.like(counters.camera, { ticks: 45 });
  t.like(counters.gpu, { checksPassed: 45 });
  t.like(counters.encoder, { encoded: 30, refused: 0, checksPassed: 30, videoFrames: 30 });

  // The same camera, GPU and display without a program between them.
  const overrides = { runtime: 'virtual', duration: 1_500_000_000 } as const;
  const scenario = await runFile(example('late-encoder'), { overrides });
  const crcsOf = (made: typeof artefacts): Map<string, string> => {
    const text = made.find(({ device, name }) => device === 'display' && name === 'crc.txt');
    const lines = new TextDecoder().decode(text?.bytes).trim().split('\n');
    return new Map(lines.map((line) => line.split(' ') as [string, string]));
  };
  const [ours, theirs] = [crcsOf(artefacts), crcsOf(scenario.artefacts)];
  const sequences = [...theirs.keys()].filter((sequence) => Number(sequence) < 45);
  t.is(sequences.length, 45);
  for (const sequence of sequences) t.is(ours.get(sequence), theirs.get(sequence), `frame ${sequence}`);
});

test('record-a-preview, on a thread at real pace, sees whole pictures and records all that it gives', async (t) => {
  const loaded = await loadScenario(example('late-encoder'));
  const { report } = await runProgramWith(`${PROGRAMS}record-a-preview.mjs`, { runtime: 'threads' }, loaded);
  t.like(report.result as object, { frames: 45, recorded: { frames: 30, isAnnexB: true } });
  for (const { name, counters } of report.devices ?? []) t.is(counters.checksFailed ?? 0, 0, name);
  t.deepEqual(report.findings, []);
});

test('program --scenario, says what each device did and writes what they leave', async (t) => {
  const out = mkdtempSync(join(tmpdir(), 'program-'));
  const file = 'examples/programs/record-a-preview.mjs';
  try {
    const words = ['program', file, '--scenario', 'examples/late-encoder.yaml', '--out', out];
    const { code, stdout, stderr } = await run(ROOT, words);
    t.is(code, 0, stderr);
    t.regex(stdout, /^encoder \(\/dev\/video11\): encoded 30, refused 0, /m);
    t.true(readdirSync(out).includes('encoder-video.mp4'));
    t.is(readFileSync(join(out, 'encoder-video.mp4')).subarray(4, 8).toString(), 'ftyp');
  } finally {
    rmSync(out, { recursive: true });
  }
  const missing = await run(ROOT, ['program', file, '--scenario', 'nowhere.yaml']);
  t.is(missing.code, 2);
  t.regex(missing.stderr, /^nowhere\.yaml: no such file/);
});

test('place-a-buffer, lies where all reach it, moves for the late camera, and stays where it is held', async (t) => {
  const { result, endNs, findings } = await runProgram(`${PROGRAMS}place-a-buffer.mjs`);
  const shown = result as Record<string, { heap?: string; moves?: number }> & { refusal: string };
  t.deepEqual([shown.created.heap, shown.attached.heap, shown.mapped.heap], [undefined, undefined, 'reserved']);
  t.deepEqual([shown.before.heap, shown.after.heap, shown.after.moves], ['system', 'reserved', 1]);
  t.like(result as object, { movedAtMs: 8.029696, kept: [1, 2, 3], held: { heap: 'system', moves: 0 } });
  t.regex(shown.refusal, /^EBUSY: Cannot attach vivid-002 .* by vivid-000-vid-cap/);
  t.is(endNs, 8_029_696);
  t.deepEqual(findings, []);
});

test('camera-without-fences, goes on, and program tells who went ahead of whom, in words and as JSON', async (t) => {
  const file = 'examples/programs/camera-without-fences.mjs';
  const { result, findings } = await runProgram(`${ROOT}${file}`);
  t.deepEqual(
    findings.map(({ kind, op, who }) => [kind, op, who]),
    [
      ['ahead-of-v4l2', 'DMA_BUF_IOCTL_SYNC', 'user space'],
      ['v4l2-ignores-fence', 'VIDIOC_QBUF', 'vivid-000-vid-cap'],
      ['wait-without-conflict', 'DMA_BUF_IOCTL_SYNC', 'user space'],
    ],
  );
  const text = await run(ROOT, ['program', file]);
  t.is(text.code, 0);
  t.is(text.stdout.match(/^finding: .*Remedy: /gm)?.length, 3);
  const json = await run(ROOT, ['program', file, '--json']);
  t.deepEqual(JSON.parse(json.stdout).findings, JSON.parse(JSON.stringify(findings)));
  t.deepEqual(JSON.parse(json.stdout).result, result);
});

test('missing-sync, shows old bytes on a board that is not coherent only, and program says so', async (t) => {
  const file = 'examples/programs/missing-sync.mjs';
  const coherent = await runProgram(`${ROOT}${file}`);
  t.like(coherent.result as object, { withoutSync: [16, 130, 16, 130], isNew: true });
  t.deepEqual([coherent.findings, coherent.cache], [[], undefined]);
  const { result, findings, cache } = await runProgram(`${ROOT}${file}`, { nonCoherent: true });
  t.like(result as object, { withoutSync: [16, 129, 16, 129], isNew: false });
  t.deepEqual(
    findings.map(({ kind }) => kind),
    ['cache-cpu-reads-stale', 'cache-device-reads-stale'],
  );
  t.like(cache, { cleanedPages: 87, invalidatedPages: 58, spentNs: 8700 });
  const { code, stdout } = await run(ROOT, ['program', file, '--non-coherent']);
  t.is(code, 0);
  t.regex(stdout, /cache maintenance: 87 pages cleaned, 58 invalidated, 8\.700 us\nfinding: cache-cpu-reads-stale: /);
  const strict = await run(ROOT, ['program', file, '--non-coherent', '--strict']);
  t.is(strict.code, 1);
  t.regex(strict.stderr, /there was no SYNC START/);
});

test('share-a-buffer, reads when the device has written, 16 ms after it began', async (t) => {
  const { result, endNs } = await runProgram(`${PROGRAMS}share-a-buffer.mjs`);
  t.like(result as object, { early: false, readAtMs: 16, first: 0xca, fdinfo: { count: 5, name: 'frame' } });
  t.is(endNs, 16_000_000);
});

test('program, what is no program, is refused with 2 and without a stack', async (t) => {
  for (const file of ['README.md', 'nowhere.mjs', 'scripts/workspace.mjs']) {
    const { code, stdout, stderr } = await run(ROOT, ['program', file]);
    t.is(code, 2, stderr);
    t.is(stdout, '');
    t.regex(stderr, /^Cannot (load|run) /);
    t.notRegex(stderr, /^\s+at /m);
  }
});
