import { summarize } from '@dmabuf-lab/lab';
import test from 'ava';
import { example, runFile } from './run-file.js';

const overrides = { payload: 'stamp', duration: 7_000_000_000 } as const;

test('debug.sanitizer: a run on the virtual clock is the same with it, and it has looked at what was freed', async (t) => {
  const run = async (sanitizer: boolean) =>
    (await runFile(example('late-encoder'), { overrides: { ...overrides, runtime: 'virtual', sanitizer } })).result;
  const { sanitizer: without, ...plain } = await run(false);
  const { sanitizer: found, ...watched } = await run(true);
  t.is(without, undefined);
  t.deepEqual(found?.findings, []);
  t.true((found?.checkedBytes ?? 0) > 1_000_000);
  t.deepEqual({ ...watched, heaps: [] }, { ...plain, heaps: [] });
  t.notRegex(summarize({ ...watched, sanitizer: found }), /after it was freed/);
});

test('debug.sanitizer: what it has found is told among the findings, with who may have done it', async (t) => {
  const { result } = await runFile(example('late-encoder'), {
    overrides: { ...overrides, duration: 100_000_000, runtime: 'virtual', sanitizer: true },
  });
  const finding = {
    heap: 'system',
    address: 0x4000_1000,
    lengthBytes: 64,
    freedNs: 5_000_000_000,
    seenNs: 6_000_000_000,
  };
  const whose = { buffer: 'camera.out[2]', generations: [1], devices: ['camera', 'gpu'] };
  const text = summarize({
    ...result,
    sanitizer: { checkedBytes: 1, damaged: 7, findings: [{ ...finding, ...whose }] },
  }).replaceAll(/\s+/g, ' ');
  t.regex(
    text,
    /Written to after it was freed: 64 bytes at 0x40001000 in heap system, of camera\.out\[2\], generation 1, which camera and gpu had been given; freed at [0-9. ]+s\./,
  );
  t.regex(text, /6 allocations more/);
});

test('a buffer whose control words were overwritten is told among the findings', async (t) => {
  const { result } = await runFile(example('late-encoder'), {
    overrides: { ...overrides, duration: 100_000_000, runtime: 'virtual' },
  });
  t.is(result.corruptions, undefined, 'nobody has');
  const what = 'buffer slot 2: its guard word 15 holds 0xffffffff and not 0x12345679';
  const corruption = {
    buffer: 'camera.out[2]',
    pool: 'camera.out',
    what,
    seenNs: 50_000_000,
    devices: ['camera', 'gpu'],
  };
  const text = summarize({ ...result, corruptions: [corruption] }).replaceAll(/\s+/g, ' ');
  t.true(text.includes(`Control words overwritten: camera.out[2] was given up at`));
  t.true(text.includes(`${what}; attached were camera and gpu.`));
});
