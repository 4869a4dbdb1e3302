import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explainFile, isInOrder, type PoolExplanation } from '@dmabuf-lab/lab';
import test, { type ExecutionContext } from 'ava';
import { ROOT, runFile } from '../../../scenarios/run-file.js';

const sharing = (name: string): string => `${ROOT}examples/sharing/${name}.yaml`;

async function explained(path: string, options = {}): Promise<PoolExplanation> {
  const { pools } = await explainFile(path, path, options);
  return pools[0];
}

/** Heap and the sets of facts that force it. */
function placeOf({ sharing: { placement } }: PoolExplanation): [string | undefined, string[]] {
  if (placement?.status !== 'placed') return [undefined, []];
  const sets = placement.forcedByAll.map((set) => set.map(({ device, field }) => `${device}.${field}`).join('+'));
  return [placement.heap, sets];
}

test('explain, 8 MiB in one segment below 4 GiB, goes to cma because of the segment and not of the mask', async (t) => {
  const file = sharing('32-bit-and-contiguous');
  t.deepEqual(placeOf(await explained(file)), ['cma', ['a.maxSegments']]);
  const many = { whatIf: ['a.maxSegments=null'] };
  t.deepEqual(placeOf(await explained(file, many)), ['system-dma32', ['a.addressLimit']]);
  const free = { whatIf: ['a.maxSegments=null', 'a.addressLimit=null'] };
  t.deepEqual(placeOf(await explained(file, free)), ['system', []]);
});

test('explain, an exact stride and an alignment that it breaks, names both and what would help', async (t) => {
  const { sharing: found } = await explained(sharing('rk3399-camera'));
  if (found.layout.status !== 'unsatisfiable') return t.fail(found.layout.status);
  const conflicts = found.layout.conflicts.map(({ facts }) => facts.map(({ device, field }) => `${device}.${field}`));
  t.deepEqual(conflicts, [['camera.strideExact', 'gpu.strideAlignmentBytes']]);
  const [port, narrower, wider, copy] = found.layout.repairs;
  t.like(port, { kind: 'option', device: 'camera', to: 'selfpath', result: { strideBytes: 1344 } });
  t.like(narrower, { kind: 'size', widthPixels: 1280, result: { strideBytes: 1280 } });
  t.like(wider, { kind: 'size', widthPixels: 1344, result: { strideBytes: 1344 } });
  t.like(copy, { kind: 'stage', bytesPerFrame: 1_889_568 });
  t.is(found.placement, undefined);
});

test('explain, a device without an IOMMU that comes late, moves four buffers below 4 GiB and not to cma', async (t) => {
  const { sharing: found, forecasts } = await explained(sharing('rk3588-late-rga'), { late: 'rga' });
  t.is(found.placement?.status === 'placed' && found.placement.heap, 'system');
  const [{ attach, detach }] = forecasts;
  t.like(attach, { device: 'rga', action: 'migrate', bytesCopied: 12_451_840 });
  t.deepEqual(
    attach.plans.map(({ from, to, bytes }) => [from, to, bytes]),
    Array.from({ length: 4 }, () => ['system', 'system-dma32', 3_112_960]),
  );
  t.like(detach, { action: 'migrate', bytesCopied: 12_451_840 });
});

test('explain, a file that says who is late, forecasts it without being asked', async (t) => {
  const { devices, forecasts } = await explained(sharing('rk3588-late-rga'));
  t.deepEqual(devices, ['display', 'gpu', 'rga']);
  t.is(forecasts.length, 1);
  t.deepEqual(forecasts[0].present, ['display', 'gpu']);
  t.is(forecasts[0].attach.bytesCopied, 12_451_840);
});

test('explain, a late codec that wants more rows, needs a new pool: the old buffers are 30720 bytes short', async (t) => {
  const { forecasts } = await explained(sharing('rpi-unicam-codec'), { late: 'encoder' });
  const [{ attach }] = forecasts;
  t.is(attach.action, 'reallocate');
  t.like(attach.layout, { call: 'VIDIOC_QBUF', errno: 'EINVAL', deficitBytes: 30_720 });
  t.regex(attach.layout?.text ?? '', /length 4147200 for plane 0, minimum length 4177920/);
  t.is(attach.bytesReallocated, 4 * 4_177_920);
  t.is(attach.bytesCopied, 0);
});

test('explain, more buffers than the display takes, says so; with room, 12, and 13 for one more device', async (t) => {
  const file = sharing('counts');
  const { sharing: found } = await explained(file);
  if (found.layout.status !== 'unsatisfiable') return t.fail(found.layout.status);
  for (const { facts } of found.layout.conflicts) {
    t.deepEqual([...new Set(facts.map(({ device }) => device))], ['camera', 'display', 'encoder', 'gpu']);
  }
  const counts = (max: number): string => `devices.display.layout.options.plane.counts.max=${max}`;
  const roomy = await explained(file, { whatIf: [counts(12)] });
  t.is(roomy.sharing.placement?.buffers, 12);
  const watcher = 'devices.watcher={ late: true, layout: { options: { input: { counts: { held: 1 } } } } }';
  const full = await explained(file, { whatIf: [counts(12), watcher], late: 'watcher' });
  t.like(full.forecasts[0].attach, { action: 'refuse' });
  t.regex(full.forecasts[0].attach.prose, /needs 13 buffers/);
  const stated = await explained(file, { whatIf: [counts(20), watcher, 'buffers=12'], late: 'watcher' });
  t.like(stated.forecasts[0].attach, { action: 'reallocate', buffersMissing: 1 });
  const grown = await explained(file, { whatIf: [counts(13), watcher], late: 'watcher' });
  t.like(grown.forecasts[0].attach, { action: 'reallocate', bytesReallocated: 1_384_448 });
});

test('explain, buffers whose exporter cannot move them, refuses the late device and offers a copy', async (t) => {
  const { forecasts } = await explained(sharing('late-and-immovable'));
  const [{ attach, detach }] = forecasts;
  t.like(attach, { action: 'blit', bytesCopied: 0, bytesPerFrame: 1_384_448 });
  t.true(attach.plans.every(({ action }) => action === 'refuse'));
  t.is(detach, undefined);
});

test('explain, no heap for all, lists every minimal conflict smallest first, and no set contains another', async (t) => {
  const { sharing: found } = await explained(sharing('no-place'));
  if (found.placement?.status !== 'unsatisfiable') return t.fail('expected no place');
  const sets = found.placement.conflicts.map((set) => set.map(({ device, field }) => `${device}.${field}`));
  t.true(sets.length > 1);
  t.deepEqual(
    [...sets].sort((a, b) => a.length - b.length),
    sets,
  );
  for (const [i, small] of sets.entries()) {
    for (const [j, large] of sets.entries()) {
      t.true(i === j || !small.every((fact) => large.includes(fact)), `${small} within ${large}`);
    }
  }
  t.true(found.repairs.length > 0);
});

test('explain, hazards, names swiotlb, the layout without a name and the rule that is not checked', async (t) => {
  const { sharing: found } = await explained(sharing('hazards'));
  t.deepEqual(
    found.hazards.map(({ kind, devices }) => [kind, devices]),
    [
      ['implicit-modifier', ['display', 'gpu', 'scaler']],
      ['accepts-and-corrupts', ['scaler']],
      ['bounce', ['network']],
    ],
  );
});

for (const [name, heaps] of [
  ['late-encoder', ['system', 'cma']],
  ['encoder-off', ['system', 'cma']],
] as const) {
  test(`explain, ${name} with a late encoder, forecasts what the run then does`, async (t) => {
    const path = `${ROOT}examples/${name}.yaml`;
    const { pools } = await explainFile(path, path, { late: 'encoder' });
    const plans = pools.flatMap(({ forecasts }) => forecasts.flatMap(({ attach }) => attach.plans));
    const { result } = await runFile(path, { overrides: { runtime: 'virtual', payload: 'timing' } });
    const moves = result.buffers.flatMap(({ name: buffer, moves: done }) =>
      done
        .filter(({ outcome, forcedBy }) => outcome === 'moved' && forcedBy.includes('encoder'))
        .map(({ from, to, bytes }) => ({ buffer, from, to, bytes })),
    );
    const byName = (a: { buffer: string }, b: { buffer: string }): number => (a.buffer < b.buffer ? -1 : 1);
    t.deepEqual(
      plans.map(({ buffer, from, to, bytes }) => ({ buffer, from, to, bytes })).sort(byName),
      moves.sort(byName),
    );
    t.deepEqual([plans[0].from, plans[0].to], [...heaps]);
  });
}

test('explain, the same file twice, gives the same bytes', async (t) => {
  const path = `${ROOT}examples/boards/rk3588.yaml`;
  const once = JSON.stringify(await explainFile(path, path));
  t.is(JSON.stringify(await explainFile(path, path)), once);
});

const PREVIEW = `
name: preview
image: { width: 640, height: 480, formats: [NV12] }
buffers: 4
memory: { windows: [{ name: low, base: 0x4000_0000, size: 512MiB }] }
heaps:
  - { name: system, kind: system, window: low }
  - { name: cma, kind: cma, window: low, base: 0x4800_0000, size: 1MiB, alignmentOrder: 0 }
  - { name: secure, kind: protected, window: low, base: 0x5000_0000, size: 8MiB }
`;

async function explainedText(t: ExecutionContext, text: string, options = {}): Promise<PoolExplanation> {
  const dir = await mkdtemp(join(tmpdir(), 'dmabuf-lab-'));
  t.teardown(() => rm(dir, { recursive: true, force: true }));
  const path = join(dir, 'case.yaml');
  await writeFile(path, text);
  return await explained(path, options);
}

test('explain, a late device whose heap has room for two of four, moves two and is refused for the others', async (t) => {
  const devices =
    'devices: { a: { constraints: { iommu: { iovaBits: 32 } } }, e: { late: true, constraints: { contiguous: true } } }';
  const { forecasts } = await explainedText(t, `${PREVIEW}${devices}\n`);
  const { plans } = forecasts[0].attach;
  t.deepEqual(
    plans.map(({ action, to, refusal }) => [action, to, refusal?.errno]),
    [
      ['migrate', 'cma', undefined],
      ['migrate', 'cma', undefined],
      ['refuse', undefined, 'ENOMEM'],
      ['refuse', undefined, 'ENOMEM'],
    ],
  );
});

test('explain, a late device that protects what the CPU reads, is refused', async (t) => {
  const devices =
    'devices: { a: { constraints: { protected: capable } }, e: { late: true, constraints: { protected: required } } }';
  const { forecasts } = await explainedText(t, `${PREVIEW}cpu: true\n${devices}\n`);
  t.true(forecasts[0].attach.plans.every(({ refusal }) => refusal?.errno === 'EINVAL'));
});

test('explain, a late device with too few IOVAs for all buffers, is refused for the rest', async (t) => {
  const devices = 'devices: { a: {}, e: { late: true, constraints: { iommu: { iovaBits: 32, iovaBudget: 1MiB } } } }';
  const { forecasts } = await explainedText(t, `${PREVIEW}${devices}\n`);
  t.deepEqual(
    forecasts[0].attach.plans.map(({ action }) => action),
    ['none', 'none', 'refuse', 'refuse'],
  );
});

test('explain, a device that has not said what it needs, forecasts nothing of it', async (t) => {
  const { forecasts } = await explained(sharing('waiting'), { late: 'encoder' });
  t.is(forecasts[0].attach.action, 'unknown');
  t.is(forecasts[0].detach, undefined);
});

test('explain, device-local memory that others see in part, counts only that part', async (t) => {
  const text = `
image: { width: 320, height: 240, formats: [NV12] }
buffers: 4
memory:
  windows:
    - { name: low, base: 0x4000_0000, size: 64MiB }
    - { name: bar, base: 0x9_0000_0000, size: 32MiB }
heaps:
  - { name: vram, kind: device-local, window: bar, owner: gpu, visible: 256KiB, peers: { camera: 1 }, cost: 0 }
  - { name: system, kind: system, window: low, cost: 1 }
devices: { gpu: { constraints: { iommu: { iovaBits: 40 } } }, camera: { constraints: { peerToPeerDistance: 1 } } }
`;
  t.deepEqual(placeOf(await explainedText(t, text))[0], 'system');
  t.deepEqual(placeOf(await explainedText(t, text, { whatIf: ['buffers=2'] }))[0], 'vram');
});

test('explain, pools that have room one by one and not together, says so', async (t) => {
  const path = `${ROOT}examples/late-encoder.yaml`;
  const small = { whatIf: ['heaps.cma.size=2MiB', 'display.iommu=false', 'display.contiguous=true'] };
  const one = await explainFile(path, path, { whatIf: [...small.whatIf, 'pools.camera.out.buffers=1'] });
  t.false(isInOrder(one));
  const roomy = await explainFile(path, path);
  t.true(isInOrder(roomy));
  t.deepEqual(roomy.overcommitted, []);
});
