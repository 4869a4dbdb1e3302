/** Runs whose buffers lie in the heaps that need more than pages: protected, device-local, pooled. */
import type { RunResult } from '@dmabuf-lab/lab';
import test from 'ava';
import { runText } from './run-file.js';

interface Board {
  readonly windows?: string;
  readonly heaps: string;
  readonly camera?: string;
  readonly gpu?: string;
  readonly display?: string;
  readonly pools?: string;
}

/** A camera, a GPU and a display; 64 by 48 pixels, half a second. */
const pipeline = ({ windows = '', heaps, camera = '', gpu = '', display = '', pools = '' }: Board): string => `
name: heap-kinds
duration: 500ms
payload: stamp
memory:
  windows:
    - { name: dram, base: 0x4000_0000, size: 64MiB }
${windows}
heaps:
${heaps}
devices:
  camera: { driver: camera, constraints: { ${camera} }, parameters: { width: 64, height: 48, rate: 30 } }
  gpu: { driver: gpu, constraints: { ${gpu} }, parameters: { service: 2ms } }
  display: { driver: display, constraints: { ${display} }, parameters: { refresh: 60, pictures: 2 } }
pools:
  camera.out: { buffers: 3 }
  gpu.out: { buffers: 3${pools} }
links:
  - { from: camera.out, to: gpu.in }
  - { from: gpu.out, to: display.in }
`;

const heapOf = ({ buffers }: RunResult, pool: string): string[] => [
  ...new Set(
    buffers.filter((one) => one.pool === pool).flatMap(({ placements }) => placements.map(({ heap }) => heap)),
  ),
];

const RUNTIMES = [{ runtime: 'virtual' }, { runtime: 'threads', pace: 'max' }] as const;

for (const overrides of RUNTIMES) {
  const { runtime } = overrides;
  const isWhole = (t: { is: (a: unknown, b: unknown) => void }, result: RunResult): void => {
    t.is(result.devices.display.counters.shown, 15);
    t.is(result.devices.display.counters.checksFailed ?? 0, 0);
    t.is(result.ledger.empty, true);
  };

  test(`${runtime}: what a display protects lies in the protected heap, and passes from device to device`, async (t) => {
    const text = pipeline({
      heaps: `  - { name: system, kind: system, window: dram }
  - { name: secure, kind: protected, window: dram, base: 0x4200_0000, size: 8MiB }`,
      gpu: 'protected: capable',
      display: 'protected: required',
    });
    const { result } = await runText(text, { overrides });
    t.deepEqual([heapOf(result, 'camera.out'), heapOf(result, 'gpu.out')], [['system'], ['secure']]);
    isWhole(t, result);
  });

  test(`${runtime}: a GPU keeps its pictures in its own memory where the display reaches it`, async (t) => {
    const board = (distance: number): string =>
      pipeline({
        windows: '    - { name: bar, base: 0x80_0000_0000, size: 64MiB }',
        heaps: `  - { name: system, kind: system, window: dram, cost: 5 }
  - { name: vram, kind: device-local, window: bar, owner: gpu, visible: 16MiB, peers: { display: 1 } }`,
        display: `peerToPeerDistance: ${distance}`,
      });
    const near = await runText(board(1), { overrides });
    t.deepEqual([heapOf(near.result, 'camera.out'), heapOf(near.result, 'gpu.out')], [['system'], ['vram']]);
    isWhole(t, near.result);
    const far = await runText(board(0), { overrides });
    t.deepEqual(heapOf(far.result, 'gpu.out'), ['system']);
    isWhole(t, far.result);
  });

  test(`${runtime}: a filled pool serves what is allocated, and what is freed comes back zeroed later`, async (t) => {
    const text = pipeline({
      heaps: `  - { name: system-dma32, kind: system-dma32, window: dram, pool: { limit: 4MiB, fill: 1MiB }, deferredFree: true }`,
    });
    const { result } = await runText(text, { overrides });
    const [heap] = Object.values(result.heaps);
    t.is(heap.pool?.misses, 0);
    t.true((heap.pool?.hits ?? 0) > 0);
    t.is(heap.pool?.bytesAtEnd, 2 ** 20);
    t.true(result.allocations.length > 0 && result.allocations.every(({ pooled }) => pooled));
    isWhole(t, result);
  });

  for (const kind of ['cma', 'carveout', 'chunk', 'system-contig'] as const) {
    test(`${runtime}: a pool allocated from a ${kind} heap by name lies there, and the pictures are whole`, async (t) => {
      const region = 'base: 0x4200_0000, size: 8MiB';
      const rest = { cma: region, carveout: region, chunk: `${region}, chunk: 64KiB`, 'system-contig': '' }[kind];
      const text = pipeline({
        heaps: `  - { name: system, kind: system, window: dram }
  - { name: other, kind: ${kind}, window: dram${rest === '' ? '' : `, ${rest}`} }`,
        pools: ', allocate: other',
      });
      const { result } = await runText(text, { overrides });
      t.deepEqual(heapOf(result, 'gpu.out'), ['other']);
      isWhole(t, result);
    });
  }
}

test('a run that no heap suits, fails with the reason and allocates nothing', async (t) => {
  const text = pipeline({ heaps: '  - { name: system, kind: system, window: dram }', display: 'contiguous: true' });
  const error = await t.throwsAsync(runText(text, { overrides: { runtime: 'virtual' } }));
  t.regex(error?.message ?? '', /No heap suits: display\.contiguous cannot be met/);
});

test('a heap that is full, hands over to device-local memory that all can see, and the reason names both', async (t) => {
  const text = pipeline({
    windows: '    - { name: bar, base: 0x9_0000_0000, size: 32MiB }',
    heaps: `  - { name: cma, kind: cma, window: dram, base: 0x4200_0000, size: 32KiB }
  - { name: vram, kind: device-local, window: bar, owner: gpu, visible: 1MiB, peers: { camera: 1, display: 1 } }`,
    gpu: 'iommu: { iovaBits: 40 }',
    display: 'peerToPeerDistance: 3',
    camera: 'peerToPeerDistance: 3',
  });
  const { result } = await runText(text, { overrides: { runtime: 'virtual' } });
  t.is(result.devices.display.counters.shown, 15);
  const inVram = result.buffers.flatMap(({ placements }) => placements.filter(({ heap }) => heap === 'vram'));
  t.true(inVram.length > 0);
  t.true(inVram.every(({ why }) => why.startsWith('vram, since cma has no room')));
});

test('a device with a budget of IOVAs, is refused the buffers beyond it', async (t) => {
  const text = pipeline({
    heaps: '  - { name: system, kind: system, window: dram }',
    display: 'iommu: { iovaBits: 32, iovaBudget: 24KiB }',
  });
  const error = await t.throwsAsync(runText(text, { overrides: { runtime: 'virtual' } }));
  t.regex(error?.message ?? '', /has a budget of 24 KiB of IOVAs, but would need 36 KiB/);
});
