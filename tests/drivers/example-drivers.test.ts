/** Drivers of users, as the examples have them: what each is there to show. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NS_PER_SECOND } from '@dmabuf-lab/core/base';
import { pageAlign } from '@dmabuf-lab/core/memory';
import { runScenario } from '@dmabuf-lab/lab';
import test from 'ava';
import { CLIP, clipIsThere, example, ROOT, runFile } from '../scenarios/run-file.js';

const VIRTUAL = { runtime: 'virtual', payload: 'pixels' } as const;

async function folderFor(t: { teardown(end: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dmabuf-lab-drivers-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('fence-deadlock, two drivers that wait inside their fences, are named in a cycle; in one job on both they go on', async (t) => {
  const error = await t.throwsAsync(runFile(example('drivers/fence-deadlock')), { code: 'EDEADLK' });
  const cycle =
    /deadlock: (mixer|meter)\/lane 1 -> an implicit fence -> (meter|mixer)\/lane 1 -> an implicit fence -> \1/;
  t.regex(error.message, cycle);
  const folder = await folderFor(t);
  const text = await readFile(example('drivers/fence-deadlock'), 'utf8');
  const mended = text
    .replaceAll(/order: \w+-first/g, '$&, together: true')
    .replaceAll('./', `${ROOT}examples/drivers/`);
  await writeFile(join(folder, 'mended.yaml'), mended);
  const { result } = await runScenario(join(folder, 'mended.yaml'));
  t.is(result.devices.mixer.counters.both, 25);
  t.is(result.devices.meter.counters.both, 25);
  t.true(result.ledger.empty);
});

test('exporter, on both runtimes, exports from its own memory and refuses the third device by its own attach', async (t) => {
  for (const runtime of ['virtual', 'threads'] as const) {
    const { result } = await runFile(example('drivers/exporter'), { overrides: { runtime } });
    t.deepEqual(
      [...new Set(result.buffers.flatMap(({ placements }) => placements.map(({ heap }) => heap)))],
      ['accelerator.memory'],
    );
    const refused = result.attaches.filter(({ outcome }) => outcome === 'refused');
    t.deepEqual([...new Set(refused.map(({ device }) => device))], ['second'], runtime);
    t.true(refused[0].why.includes('it has ports for 2 devices'), refused[0].why);
    t.is(result.devices.second.counters.attachRefused, 1);
    t.true(result.ledger.empty);
  }
});

test('dynamic-importer, on both runtimes, is told of each move of the late encoder and walks its table once more', async (t) => {
  for (const runtime of ['virtual', 'threads'] as const) {
    const { result } = await runFile(example('drivers/dynamic-importer'), { overrides: { runtime } });
    const { counters } = result.devices.importer;
    t.is(result.moves, 5, runtime);
    t.is(counters.invalidated, 5, runtime);
    t.is(counters.moveNotify, 5, runtime);
    t.is(counters.tableWalks, 10, runtime);
    t.is(result.devices.encoder.counters.encoded > 0, true);
  }
});

test('scaler, gives the display a quarter of the pixels, in order and unharmed', async (t) => {
  const { result } = await runFile(example('drivers/scaler'), {
    overrides: { ...VIRTUAL, duration: NS_PER_SECOND / 2 },
  });
  const [small] = result.buffers.filter(({ pool }) => pool === 'scaler.out');
  const [large] = result.buffers.filter(({ pool }) => pool === 'camera.out');
  t.is(small.sizeBytes, pageAlign(320 * 240 * 1.5));
  t.is(large.sizeBytes, pageAlign(640 * 480 * 1.5));
  for (const [name, { counters }] of Object.entries(result.devices)) t.is(counters.checksFailed ?? 0, 0, name);
});

test('raw-file, shows the very pictures of its file, and ends with it', async (t) => {
  const folder = await folderFor(t);
  const [width, height, frames] = [64, 48, 6];
  const raw = Buffer.alloc(width * height * 1.5 * frames, 128);
  for (let i = 0; i < frames; i += 1) {
    const at = i * width * height * 1.5;
    raw.fill(40 + 30 * i, at, at + width * height);
  }
  await writeFile(join(folder, 'clip.nv12'), raw);
  const text = (await readFile(example('drivers/raw-file'), 'utf8'))
    .replace('./raw-file.ts', `${ROOT}examples/drivers/raw-file.ts`)
    .replace(/parameters: \{ width: 320.*$/m, `parameters: { file: ${join(folder, 'clip.nv12')}, rate: 25 }`)
    .replace('framesOut: { min: 20 }', `framesOut: ${frames}`)
    .replace('pictures: 1', `pictures: ${frames}`);
  await writeFile(join(folder, 'raw.yaml'), text);
  const { result, artefacts } = await runScenario(join(folder, 'raw.yaml'), { runtime: 'virtual' });
  t.deepEqual(
    result.expectations.filter(({ ok }) => !ok),
    [],
  );
  t.is(result.devices.display.framesIn, frames);
  const pictures = artefacts.filter(({ kind }) => kind === 'picture');
  t.is(pictures.length, frames);
  for (const [i, { bytes }] of pictures.entries()) {
    const grey = Math.round(((40 + 30 * i - 16) * 255) / 219); // video range to full range, BT.601
    const [red, green, blue] = bytes.subarray(bytes.length - 4); // the last pixel, which the overlay does not reach
    for (const value of [red, green, blue]) t.true(Math.abs(value - grey) <= 1, `${i}: ${value} for ${grey}`);
  }
});

test('raw-file, of a file that is not whole pictures or not there, is refused before the run, with the reason', async (t) => {
  const folder = await folderFor(t);
  await writeFile(join(folder, 'odd.nv12'), Buffer.alloc(100));
  for (const [file, reason] of [
    ['odd.nv12', /its 100 bytes are not whole pictures of 64x48 \(4608\)/],
    ['none.nv12', /Cannot read .*none\.nv12/],
  ] as const) {
    const text = (await readFile(example('drivers/raw-file'), 'utf8'))
      .replace('./raw-file.ts', `${ROOT}examples/drivers/raw-file.ts`)
      .replace(/parameters: \{ width: 320.*$/m, `parameters: { file: ${join(folder, file)} }`);
    await writeFile(join(folder, 'raw.yaml'), text);
    await t.throwsAsync(runScenario(join(folder, 'raw.yaml')), { message: reason });
  }
});

(clipIsThere() ? test : test.skip)(
  'blur-faces, on a filmed street, finds skin and loses no frame (skipped without the clip)',
  async (t) => {
    const { result } = await runFile(example('drivers/blur-faces'), {
      cameraFile: CLIP,
      overrides: { ...VIRTUAL, duration: NS_PER_SECOND },
    });
    const { blur } = result.devices;
    t.is(blur.framesOut, 10);
    t.true(blur.counters.blurredBlocks > 0);
    t.log(`${blur.counters.blurredBlocks} blocks in ${blur.framesOut} pictures`);
    t.is(blur.counters.checksFailed ?? 0, 0);
  },
);
