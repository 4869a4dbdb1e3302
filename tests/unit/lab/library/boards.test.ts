import { Library, windowsOf } from '@dmabuf-lab/lab';
import test from 'ava';

const library = new Library();
const GIB = 2 ** 30;

test('library: has the eleven boards', (t) => {
  t.deepEqual(library.boardIds, [
    'imx8mq',
    'intel-ipu6',
    'omap3',
    'omap4',
    'pc-amd',
    'pc-nvidia',
    'qcom-sdm845',
    'rk3399',
    'rk3588',
    'rk3588-pcie-gpu',
    'rpi4',
  ]);
});

for (const id of library.boardIds) {
  test(`${id}: its memory is sane, its heaps lie in it, and its devices have profiles`, (t) => {
    const board = library.board(id)!;
    const { windows } = board.memory;
    t.true(windows.reduce((sum, { size }) => sum + size, 0) <= 16 * GIB);
    const sorted = [...windows].sort((a, b) => a.base - b.base);
    for (const [i, { name, base, size }] of sorted.entries()) {
      t.true(size <= 4 * GIB && base % 4096 === 0 && size % 4096 === 0, name);
      t.true(i === 0 || sorted[i - 1].base + sorted[i - 1].size <= base, name);
    }
    for (const heap of board.heaps) {
      for (const name of windowsOf(heap))
        t.truthy(
          windows.find((window) => window.name === name),
          heap.name,
        );
    }
    for (const profile of Object.values(board.devices)) t.truthy(library.profile(profile), profile);
    for (const [path, { source, inferred }] of Object.entries(board.provenance)) {
      t.true(inferred || source !== undefined, path);
    }
    t.regex(board.description, /^[A-Z].*\.$/s);
  });
}

test('rpi4: 64 MiB of CMA end where the firmware begins, in the first GiB', (t) => {
  const { heaps, memory } = library.board('rpi4')!;
  const cma = heaps.find(({ kind }) => kind === 'cma');
  const dma = memory.windows.find(({ name }) => name === 'dma');
  t.like(cma, { size: 64 * 2 ** 20, base: 0x3740_0000, window: 'dma' });
  t.like(dma, { base: 0, size: 0x3b40_0000 });
});

test('rk3588: the HDMI receiver has 160 MiB of its own below 4 GiB, aligned to 0x40000', (t) => {
  const heap = library.board('rk3588')!.heaps.find(({ name }) => name === 'hdmi-rx');
  t.like(heap, { kind: 'cma', size: 160 * 2 ** 20, alignmentOrder: Math.log2(0x40000 / 4096) });
});

test('imx8mq: the devices without an MMU reach one window of two', (t) => {
  const board = library.board('imx8mq')!;
  const [window] = library.profile('imx8mq-hantro')!.constraints.windows!;
  const reached = board.memory.windows.filter(
    ({ base, size }) => base >= window.base && base + size <= window.base + window.size,
  );
  t.deepEqual(
    reached.map(({ name }) => name),
    ['dram'],
  );
});

test('the system heap of every board spans all memory but that of a device', (t) => {
  for (const id of library.boardIds) {
    const { heaps, memory } = library.board(id)!;
    const local = heaps.flatMap((heap) => (heap.kind === 'device-local' ? windowsOf(heap) : []));
    const system = heaps.filter(({ kind }) => kind === 'system').flatMap(windowsOf);
    t.deepEqual([...system, ...local].sort(), memory.windows.map(({ name }) => name).sort(), id);
  }
});
