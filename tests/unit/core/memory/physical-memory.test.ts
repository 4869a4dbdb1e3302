import { Worker } from 'node:worker_threads';
import { physAddr } from '@dmabuf-lab/core/base';
import {
  MAX_MEMORY_BYTES,
  type MemoryWindow,
  PAGE_SIZE,
  PhysicalMemory,
  pairRuns,
  type Run,
} from '@dmabuf-lab/core/memory';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from '../constraints/arbitraries.js';

const GiB = 2 ** 30;
const LOW = GiB;
const HIGH = 2 ** 36;

/** Two windows of 3 GiB do not fit one WebAssembly memory. What is not touched costs nothing. */
const memory = PhysicalMemory.create([
  { name: 'low', base: LOW, sizeBytes: 3 * GiB },
  { name: 'high', base: HIGH, sizeBytes: 3 * GiB },
]);

function write(address: number, bytes: Uint8Array): void {
  memory.view(physAddr(address), bytes.length).set(bytes);
}

const read = (address: number, lengthBytes: number): number[] => [...memory.view(physAddr(address), lengthBytes)];

const numbers = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + 7) % 251);

test('PhysicalMemory.create, puts windows into one bank as long as they fit, and into a further one then', (t) => {
  t.deepEqual(
    memory.handle.windows.map(({ name, bank, offset }) => [name, bank, offset]),
    [
      ['low', 0, 0],
      ['high', 1, 0],
    ],
  );
  const small = PhysicalMemory.create([
    { name: 'a', base: 4096, sizeBytes: 4096 },
    { name: 'b', base: 65536, sizeBytes: 8192 },
  ]);
  t.deepEqual(
    small.handle.windows.map(({ bank, offset }) => [bank, offset]),
    [
      [0, 0],
      [0, 4096],
    ],
  );
});

test('PhysicalMemory.create, takes a window of 4 GiB', (t) => {
  const full = PhysicalMemory.create([{ name: 'all', base: 0, sizeBytes: MAX_MEMORY_BYTES }]);
  const last = physAddr(MAX_MEMORY_BYTES - PAGE_SIZE);
  full.fill(last, 9, PAGE_SIZE);
  full.copy(physAddr(0), last, PAGE_SIZE);
  t.true(full.view(physAddr(0), PAGE_SIZE).every((byte) => byte === 9));
});

const good = { name: 'good', base: 16 * PAGE_SIZE, sizeBytes: 16 * PAGE_SIZE };
for (const [what, window] of [
  ['a base inside a page', { base: 100, sizeBytes: PAGE_SIZE }],
  ['a negative base', { base: -PAGE_SIZE, sizeBytes: PAGE_SIZE }],
  ['a base that is no number', { base: Number.NaN, sizeBytes: PAGE_SIZE }],
  ['no size', { base: 0, sizeBytes: 0 }],
  ['a negative size', { base: PAGE_SIZE, sizeBytes: -PAGE_SIZE }],
  ['a size in the middle of a page', { base: 0, sizeBytes: PAGE_SIZE + 1 }],
  ['a size over 4 GiB', { base: 2 ** 40, sizeBytes: MAX_MEMORY_BYTES + PAGE_SIZE }],
  ['a start in another window', { base: 31 * PAGE_SIZE, sizeBytes: PAGE_SIZE }],
  ['an end in another window', { base: 15 * PAGE_SIZE, sizeBytes: 2 * PAGE_SIZE }],
  ['another window inside', { base: 0, sizeBytes: 64 * PAGE_SIZE }],
  ['the place of another window', { base: 16 * PAGE_SIZE, sizeBytes: 16 * PAGE_SIZE }],
] satisfies [string, Omit<MemoryWindow, 'name'>][]) {
  test(`PhysicalMemory.create, fails with EINVAL, for a window with ${what}`, (t) => {
    t.throws(() => PhysicalMemory.create([good, { name: 'bad', ...window }]), {
      code: 'EINVAL',
      message: /Cannot create/,
    });
    t.throws(() => PhysicalMemory.create([{ name: 'bad', ...window }, good]), { code: 'EINVAL' });
  });
}

test('PhysicalMemory.create, takes windows that abut', (t) => {
  const next = { name: 'next', base: 32 * PAGE_SIZE, sizeBytes: PAGE_SIZE };
  const before = { name: 'before', base: 15 * PAGE_SIZE, sizeBytes: PAGE_SIZE };
  t.notThrows(() => PhysicalMemory.create([next, good, before]));
});

test('PhysicalMemory.view, is over the very pages, and starts as zeros', (t) => {
  const address = physAddr(HIGH + 5 * PAGE_SIZE);
  const [one, other] = [memory.view(address, 2 * PAGE_SIZE), memory.view(physAddr(address + PAGE_SIZE), PAGE_SIZE)];
  t.true(one.every((byte) => byte === 0));
  one[PAGE_SIZE + 3] = 42;
  t.is(other[3], 42);
  other[4] = 43;
  t.is(one[PAGE_SIZE + 4], 43);
  t.is(one.buffer, other.buffer);
});

test('PhysicalMemory.addressOf, tells where a view begins, in all windows, and nothing of other bytes', (t) => {
  const { handle } = PhysicalMemory.create([
    { name: 'a', base: 0, sizeBytes: 2 * PAGE_SIZE },
    { name: 'b', base: GiB, sizeBytes: 2 * PAGE_SIZE },
  ]);
  const small = PhysicalMemory.open(handle);
  for (const address of [0, PAGE_SIZE, GiB, GiB + PAGE_SIZE].map(physAddr)) {
    t.is(small.addressOf(small.view(address, PAGE_SIZE)), address);
  }
  for (const address of [LOW, LOW + 3 * GiB - PAGE_SIZE, HIGH, HIGH + 3 * GiB - PAGE_SIZE].map(physAddr)) {
    t.is(memory.addressOf(memory.view(address, PAGE_SIZE)), address);
    t.is(small.addressOf(memory.view(address, PAGE_SIZE)), undefined);
  }
  t.is(memory.addressOf(new Uint8Array(PAGE_SIZE)), undefined);
});

test('PhysicalMemory.open, sees the same bytes, in the same thread and in another', async (t) => {
  const address = physAddr(LOW + 20 * PAGE_SIZE);
  PhysicalMemory.open(memory.handle).fill(address, 5, PAGE_SIZE);
  t.deepEqual(new Set(memory.view(address, PAGE_SIZE)), new Set([5]));
  const code = `
    import('${import.meta.resolve('@dmabuf-lab/core/memory')}').then(({ PhysicalMemory }) => {
      const { workerData, parentPort } = require('node:worker_threads');
      const memory = PhysicalMemory.open(workerData.handle);
      memory.copy(workerData.address + 4096, workerData.address, 4096);
      parentPort.postMessage(memory.view(workerData.address, 1)[0]);
    });`;
  const worker = new Worker(code, { eval: true, workerData: { handle: memory.handle, address } });
  const seen = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  t.is(seen, 5);
  t.deepEqual(new Set(memory.view(physAddr(address + PAGE_SIZE), PAGE_SIZE)), new Set([5]));
});

test('PhysicalMemory.fill, fills its range and no byte more, in both banks', (t) => {
  for (const base of [LOW, HIGH]) {
    const at = base + 30 * PAGE_SIZE;
    memory.fill(physAddr(at + 10), 0xab, 100);
    const bytes = read(at, 200);
    t.true(bytes.slice(10, 110).every((byte) => byte === 0xab));
    t.true([...bytes.slice(0, 10), ...bytes.slice(110)].every((byte) => byte === 0));
  }
});

for (const [what, from, to] of [
  ['inside a bank', LOW + 40 * PAGE_SIZE, LOW + 50 * PAGE_SIZE],
  ['inside a bank, beyond 2 GiB', LOW + 2.5 * GiB, LOW + 60 * PAGE_SIZE],
  ['from bank to bank', LOW + 41 * PAGE_SIZE, HIGH + 50 * PAGE_SIZE],
  ['back from bank to bank', HIGH + 41 * PAGE_SIZE, LOW + 52 * PAGE_SIZE],
] as const) {
  test(`PhysicalMemory.copy, copies its range and no byte more, ${what}`, (t) => {
    const bytes = numbers(PAGE_SIZE);
    write(from, bytes);
    memory.copy(physAddr(to + 1), physAddr(from), PAGE_SIZE - 2);
    t.deepEqual(read(to, PAGE_SIZE), [0, ...bytes.slice(0, PAGE_SIZE - 2), 0]);
    t.deepEqual(read(from, PAGE_SIZE), [...bytes]);
  });
}

test('PhysicalMemory.copy, copies right where the ranges overlap, in both directions', (t) => {
  const at = LOW + 70 * PAGE_SIZE;
  const bytes = numbers(1000);
  write(at + 100, bytes);
  memory.copy(physAddr(at), physAddr(at + 100), 1000);
  t.deepEqual(read(at, 1000), [...bytes]);
  memory.copy(physAddr(at + 100), physAddr(at), 1000);
  t.deepEqual(read(at + 100, 1000), [...bytes]);
});

test('PhysicalMemory, fails with EFAULT naming the address, outside of its windows and over their ends', (t) => {
  const inside = physAddr(LOW);
  for (const [address, lengthBytes] of [
    [LOW - 1, 1],
    [LOW - 1, 2],
    [LOW + 3 * GiB, 1],
    [LOW + 3 * GiB - 1, 2],
    [HIGH - 1, 2],
    [HIGH + 3 * GiB, 1],
    [0, 1],
    [Number.NaN, 1],
  ]) {
    const outside = physAddr(address);
    const expected = {
      code: 'EFAULT',
      message: new RegExp(`no window backs 0x${address.toString(16)} \\+ ${lengthBytes} bytes`),
    };
    t.throws(() => memory.view(outside, lengthBytes), expected);
    t.throws(() => memory.fill(outside, 1, lengthBytes), expected);
    t.throws(() => memory.copy(outside, inside, lengthBytes), expected);
    t.throws(() => memory.copy(inside, outside, lengthBytes), expected);
  }
  t.is(memory.view(physAddr(LOW + 3 * GiB - 1), 1).length, 1, 'the last byte is inside');
});

test('PhysicalMemory, fails with EFAULT, for a range over two windows, even if they abut', (t) => {
  const split = PhysicalMemory.create([
    { name: 'a', base: 0, sizeBytes: PAGE_SIZE },
    { name: 'b', base: PAGE_SIZE, sizeBytes: PAGE_SIZE },
  ]);
  t.throws(() => split.view(physAddr(PAGE_SIZE - 1), 2), { code: 'EFAULT' });
});

/** The same pages cut into runs in two ways, at places in both banks that do not overlap. */
const cuts = fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean()), { minLength: 1, maxLength: 6 });

function runsOf(pieces: readonly (readonly [number, boolean])[], pages: number, offset: number): Run[] {
  const runs: Run[] = [];
  let left = pages;
  for (let i = 0; left > 0; i += 1) {
    const [count, isHigh] = pieces[i % pieces.length];
    const length = Math.min(count, left);
    const address = physAddr((isHigh ? HIGH : LOW) + (offset + i * 5) * PAGE_SIZE);
    runs.push({ address, lengthBytes: length * PAGE_SIZE });
    left -= length;
  }
  return runs;
}

testProp(
  'PhysicalMemory.copyRuns, moves the content in buffer order, for lists cut differently over two banks',
  [fc.integer({ min: 1, max: 16 }), cuts, cuts],
  (t, pages, to, from) => {
    const source = runsOf(from, pages, 1000);
    const destination = runsOf(to, pages, 2000);
    const bytes = numbers(pages * PAGE_SIZE);
    let offset = 0;
    for (const run of source) {
      write(run.address, bytes.subarray(offset, offset + run.lengthBytes));
      offset += run.lengthBytes;
    }
    t.is(memory.copyRuns(destination, source), pages * PAGE_SIZE);
    const copied = Buffer.concat(destination.map((run) => memory.view(run.address, run.lengthBytes)));
    t.is(Buffer.compare(copied, bytes), 0);
  },
  repeated(60),
);

testProp(
  'pairRuns, cuts both lists at all their borders and nowhere else',
  [fc.integer({ min: 1, max: 16 }), cuts, cuts],
  (t, pages, to, from) => {
    const [destination, source] = [runsOf(to, pages, 2000), runsOf(from, pages, 1000)];
    const borders = (runs: readonly { lengthBytes: number }[]): number[] => {
      let end = 0;
      return runs.map((run) => {
        end += run.lengthBytes;
        return end;
      });
    };
    const pieces = [...pairRuns(destination, source)];
    t.deepEqual(
      borders(pieces),
      [...new Set([...borders(destination), ...borders(source)])].sort((a, b) => a - b),
    );
    const inside = (runs: readonly Run[], address: number, lengthBytes: number): boolean =>
      runs.some((run) => address >= run.address && address + lengthBytes <= run.address + run.lengthBytes);
    for (const piece of pieces) {
      t.true(inside(destination, piece.destination, piece.lengthBytes));
      t.true(inside(source, piece.source, piece.lengthBytes));
    }
  },
  repeated(200),
);
