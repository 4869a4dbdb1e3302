/** Row 10: a host that has not enough memory for a run says so with ENOMEM, before anything has started. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sharedBytes } from '@dmabuf-lab/core/base';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { VirtualRuntime } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import { scriptedSpec } from '../unit/core/runtime/scripted-run.js';
import { run, scenario, scratch } from '../unit/lab/cli/command-line.js';

const GiB = 2 ** 30;

test('row 10: shared words that the host has no room for, are ENOMEM with their size and what they are for', (t) => {
  const error = t.throws(() => sharedBytes(2 ** 50, 'a test'), { code: 'ENOMEM' } as object);
  t.is(error?.message, `Cannot take ${2 ** 50} bytes of memory for a test: the host has not so much to give`);
  t.is(sharedBytes(64, 'a test').byteLength, 64);
});

test('row 10: a run with more control words than the host has room for, is ENOMEM and starts nothing', (t) => {
  const spec = { ...scriptedSpec({ alone: [{ do: 'log', text: 'never' }] }), controlBytes: 2 ** 50 };
  t.throws(() => new VirtualRuntime(spec, { ties: 'fifo' }), {
    code: 'ENOMEM',
    message: /the control words of the run/,
  } as object);
});

test.serial('row 10: a board with more memory than the host has, is ENOMEM; what fits is given afterwards', (t) => {
  const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: { Memory: unknown } };
  const { Memory } = wasm;
  const windows = [{ name: 'dram', base: 0, sizeBytes: GiB }];
  wasm.Memory = class {
    constructor() {
      throw new RangeError('WebAssembly.Memory(): could not allocate memory');
    }
  };
  try {
    const message = `Cannot take ${GiB} bytes of memory for the physical memory of the board: the host has not so much to give`;
    t.throws(() => PhysicalMemory.create(windows), { code: 'ENOMEM', message } as object);
  } finally {
    wasm.Memory = Memory;
  }
  t.is(PhysicalMemory.create(windows).handle.banks[0].buffer.byteLength, GiB);
});

/** A host that gives no memory longer than 1 GiB. */
const SMALL_HOST =
  `const{Memory}=WebAssembly;WebAssembly.Memory=class{constructor(d){` +
  `if(d.maximum>16384)throw(new(RangeError)('could not allocate memory'));return(new(Memory)(d))}}`;

test('row 10: run with a scenario that is too large for the host, ends with one line and leaves nothing', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'large.yaml'), scenario().replace('size: 64MiB', 'size: 2GiB'));
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(SMALL_HOST)}` };
  const before = await Promise.all(['small.yaml', 'large.yaml'].map((file) => readFile(join(dir, file), 'utf8')));
  for (const runtime of ['virtual', 'threads']) {
    const { code, stdout, stderr } = await run(dir, ['run', 'large.yaml', '--runtime', runtime], env);
    t.is(code, 1);
    t.is(stdout, '');
    t.is(
      stderr,
      `The run failed: Cannot take ${2 * GiB} bytes of memory for the physical memory of the board: the host has not so much to give\n`,
    );
  }
  const after = await Promise.all(['small.yaml', 'large.yaml'].map((file) => readFile(join(dir, file), 'utf8')));
  t.deepEqual([after, (await readdir(dir)).sort()], [before, ['large.yaml', 'small.yaml']]);
  const small = await run(dir, ['run', 'small.yaml'], env);
  t.is(small.code, 0, small.stderr);
});
