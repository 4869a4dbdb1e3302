import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TraceEvent } from '@dmabuf-lab/core/base';
import { type RunOutcome, toCanonicalJson, writeOutputs } from '@dmabuf-lab/lab';
import test from 'ava';
import { PNG } from 'pngjs';
import { quietResult } from '../result/sample-result.js';

async function scratch(t: { teardown(end: () => Promise<void>): void }): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'dmabuf-lab-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

const rgba = Uint8Array.from({ length: 2 * 3 * 4 }, (_, i) => i * 10);
const trace: TraceEvent[] = [{ track: 'camera', name: 'attach', startNs: 0 as TraceEvent['startNs'] }];
const outcome: RunOutcome = {
  result: quietResult,
  trace,
  artefacts: [
    { kind: 'video', device: 'encoder', name: 'video.mp4', bytes: Uint8Array.of(1, 2, 3), frames: 7, backend: 'test' },
    { kind: 'picture', device: 'display', name: 'frame-000001.png', bytes: rgba, widthPixels: 2, heightPixels: 3 },
    { kind: 'picture', device: 'display', name: 'frame-000002.png', bytes: rgba, widthPixels: 3, heightPixels: 2 },
    { kind: 'text', device: 'display', name: 'crc.txt', bytes: new TextEncoder().encode('0 1234\n') },
  ],
};

test('writeOutputs: makes the directory and leaves every artefact, the trace and the result, and nothing else', async (t) => {
  const dir = join(await scratch(t), 'a', 'b');
  const result = await writeOutputs(dir, outcome, { trace: true });
  const files = [
    'display-crc.txt',
    'display-frame-000001.png',
    'display-frame-000002.png',
    'encoder-video.mp4',
    'result.json',
    'trace.pftrace',
  ];
  t.deepEqual((await readdir(dir)).sort(), files);
  t.deepEqual(result.artefacts.map(({ file }) => file).sort(), files);
  t.deepEqual(result.artefacts[0], {
    kind: 'video',
    device: 'encoder',
    file: 'encoder-video.mp4',
    frames: 7,
    backend: 'test',
  });
  t.deepEqual([...(await readFile(join(dir, 'encoder-video.mp4')))], [1, 2, 3]);
  t.is(await readFile(join(dir, 'result.json'), 'utf8'), toCanonicalJson(result));
});

test('writeOutputs: pictures are PNGs of the very pixels', async (t) => {
  const dir = await scratch(t);
  await writeOutputs(dir, outcome, { trace: false });
  for (const [file, width, height] of [
    ['display-frame-000001.png', 2, 3],
    ['display-frame-000002.png', 3, 2],
  ] as const) {
    const png = PNG.sync.read(await readFile(join(dir, file)));
    t.deepEqual([png.width, png.height], [width, height]);
    t.deepEqual([...png.data], [...rgba]);
  }
});

test('writeOutputs: files of an earlier run are replaced, and without a trace there is none', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'result.json'), 'old');
  const result = await writeOutputs(dir, { ...outcome, artefacts: [] }, { trace: false });
  t.deepEqual(await readdir(dir), ['result.json']);
  t.deepEqual(JSON.parse(await readFile(join(dir, 'result.json'), 'utf8')), result);
});

test('writeOutputs: what an earlier run has listed is removed when this one does not write it, and only that', async (t) => {
  const dir = await scratch(t);
  await writeOutputs(dir, outcome, { trace: true });
  await writeFile(join(dir, 'notes.txt'), 'mine');
  const artefacts = outcome.artefacts.filter(({ kind }) => kind === 'text');
  await writeOutputs(dir, { ...outcome, artefacts }, { trace: false });
  t.deepEqual((await readdir(dir)).sort(), ['display-crc.txt', 'notes.txt', 'result.json']);
});

test('writeOutputs: a listed name that leads out of the directory is left alone', async (t) => {
  const dir = await scratch(t);
  const inner = join(dir, 'out');
  await writeFile(join(dir, 'precious.txt'), 'mine');
  await writeOutputs(inner, { ...outcome, artefacts: [] }, { trace: false });
  const forged = { ...quietResult, artefacts: [{ kind: 'text' as const, file: '../precious.txt' }] };
  await writeFile(join(inner, 'result.json'), toCanonicalJson(forged));
  await writeOutputs(inner, { ...outcome, artefacts: [] }, { trace: false });
  t.deepEqual((await readdir(dir)).sort(), ['out', 'precious.txt']);
});

test('writeOutputs: a directory that cannot be made is an error', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'file'), '');
  await t.throwsAsync(writeOutputs(join(dir, 'file', 'x', 'y'), outcome, { trace: false }), { code: 'ENOTDIR' });
  await t.throwsAsync(writeOutputs(join(dir, 'file'), outcome, { trace: false }), { code: 'EEXIST' });
});

test('writeOutputs: a name that leads out of the directory stays inside', async (t) => {
  const dir = await scratch(t);
  const bytes = Uint8Array.of(1);
  await writeOutputs(
    join(dir, 'in'),
    { ...outcome, artefacts: [{ kind: 'text', device: '..', name: '/../x', bytes }] },
    {
      trace: false,
    },
  );
  t.deepEqual(await readdir(dir), ['in']);
  t.deepEqual((await readdir(join(dir, 'in'))).sort(), ['..-_.._x', 'result.json']);
});

test('writeOutputs: a picture whose size does not fit its bytes is an error that names it, and no result is left', async (t) => {
  const dir = await scratch(t);
  const bad = { ...outcome.artefacts[1], widthPixels: 5 };
  await t.throwsAsync(writeOutputs(dir, { ...outcome, artefacts: [bad] }, { trace: false }), {
    message: 'Cannot encode display-frame-000001.png: 5 × 3 RGBA pixels take 60 bytes, got 24',
  });
  t.deepEqual(await readdir(dir), []);
});
