import { readdirSync, readFileSync } from 'node:fs';
import { toCanonicalJson } from '@dmabuf-lab/lab';
import test from 'ava';
import { countOf, example, ROOT, runFile } from './run-file.js';

const VIRTUAL = { runtime: 'virtual', payload: 'stamp' } as const;

/** `sharing` holds constraint files too. */
const isScenario = (name: string): boolean => /^links:/m.test(readFileSync(`${ROOT}examples/${name}`, 'utf8'));
/** Meant to fail, which a test of its own shows. */
const FAILS = 'drivers/fence-deadlock.yaml';
const examples = ['', 'boards/', 'drivers/', 'sharing/'].flatMap((folder) =>
  readdirSync(`${ROOT}examples/${folder}`)
    .filter((name) => name.endsWith('.yaml') && isScenario(`${folder}${name}`))
    .map((name) => `${folder}${name}`)
    .filter((name) => name !== FAILS),
);

for (const file of examples) {
  test(`examples/${file}, in virtual time, keeps its expectations, loses no content but what it means to, and ends empty`, async (t) => {
    const { result } = await runFile(`${ROOT}examples/${file}`, { overrides: VIRTUAL });
    t.deepEqual(
      result.expectations.filter(({ ok }) => !ok),
      [],
    );
    t.true(result.ledger.empty);
    for (const [name, device] of Object.entries(result.devices)) {
      const isToFail = result.expectations.some(({ path }) => path === `devices.${name}.counters.checksFailed`);
      if (!isToFail) t.is(device.counters.checksFailed ?? 0, 0, name);
      t.is(countOf(device.droppedSequences), device.framesDropped, name);
    }
  });
}

test('late-encoder, the encoder at 5 s, moves each buffer of the camera once from system to cma', async (t) => {
  const { result } = await runFile(example('late-encoder'), { overrides: VIRTUAL });
  const camera = result.buffers.filter(({ pool }) => pool === 'camera.out');
  t.is(camera.length, 4);
  for (const { name, sizeBytes, placements, moves } of camera) {
    t.deepEqual(
      placements.map(({ heap }) => heap),
      ['system', 'cma'],
      name,
    );
    t.is(moves.length, 1, name);
    t.like(moves[0], { from: 'system', to: 'cma', bytes: sizeBytes, outcome: 'moved' });
    t.deepEqual(moves[0].forcedBy, ['encoder']);
    t.true(moves[0].startNs >= 5_000_000_000 && moves[0].endNs > moves[0].drainedNs);
  }
  t.is(
    result.bytesCopied,
    camera.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  );
  t.is(result.devices.camera.framesDropped + result.devices.display.framesDropped, 0);
  t.is(result.devices.display.counters.shown, 300);
  t.is(result.devices.encoder.counters.encoded, 150);
  t.is(result.devices.display.counters.lateVblanks, 0);
});

test('late-encoder, ten times as long, makes no further control call and no further copy', async (t) => {
  const short = await runFile(example('late-encoder'), { overrides: { ...VIRTUAL, payload: 'timing' } });
  const long = await runFile(example('late-encoder'), {
    overrides: { ...VIRTUAL, payload: 'timing', duration: 100_000_000_000 },
  });
  t.is(long.result.devices.display.counters.shown, 3000);
  t.is(long.result.controlCalls, short.result.controlCalls);
  t.is(long.result.bytesCopied, short.result.bytesCopied);
});

test('late-encoder, twice with one seed, gives the same bytes of result.json', async (t) => {
  const texts: string[] = [];
  for (let i = 0; i < 2; i += 1) {
    texts.push(toCanonicalJson((await runFile(example('late-encoder'), { overrides: VIRTUAL })).result));
  }
  t.is(texts[0], texts[1]);
});

test('late-encoder-4k, its two moves of 12 MB, cost the camera a frame and the preview a vblank', async (t) => {
  const { result } = await runFile(example('late-encoder-4k'));
  t.true(result.devices.display.counters.lateVblanks >= 1);
  t.true(result.devices.camera.framesDropped >= 1);
  t.true(result.devices.camera.stallNs > 0);
});

test('vb2-held, moves time out naming the camera until REQBUFS(0), and then succeed', async (t) => {
  const { result } = await runFile(example('vb2-held'));
  const moves = result.buffers.flatMap((buffer) => buffer.moves);
  const late = moves.filter(({ outcome }) => outcome === 'timed-out');
  t.true(late.length >= 1);
  for (const { error } of late) t.like(error, { code: 'ETIMEDOUT', holders: ['camera'] });
  const good = moves.filter(({ outcome }) => outcome === 'moved');
  t.is(good.length, 4);
  t.true(good.every(({ startNs }) => startNs >= 6_000_000_000));
  t.is(result.devices.display.counters.shown, 300, 'the preview goes on all the while');
});

test('encoder-off, when the encoder has gone, the buffers move back to the system heap', async (t) => {
  const { result } = await runFile(example('encoder-off'));
  const camera = result.buffers.filter(({ pool }) => pool === 'camera.out');
  for (const { placements } of camera)
    t.deepEqual(
      placements.map(({ heap }) => heap),
      ['system', 'cma', 'system'],
    );
  t.is(result.devices.display.counters.shown, 300);
});

test('every example, with ties permuted by six seeds, keeps its expectations', async (t) => {
  for (const name of ['late-encoder', 'vb2-held', 'encoder-off']) {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const overrides = { runtime: 'virtual', payload: 'stamp', ties: 'seed', seed } as const;
      const { result } = await runFile(example(name), { overrides });
      t.deepEqual(
        result.expectations.filter(({ ok }) => !ok),
        [],
        `${name}, seed ${seed}`,
      );
      for (const [device, { counters }] of Object.entries(result.devices)) {
        t.is(counters.checksFailed ?? 0, 0, `${device} of ${name}, seed ${seed}`);
      }
    }
  }
});
