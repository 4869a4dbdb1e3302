/** The constraints of a scenario's devices, at their nodes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadScenario, runProgramWith } from '@dmabuf-lab/lab';
import test from 'ava';
import { example } from './run-file.js';

const modulePath = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

test('program --scenario, a DRM device without an IOMMU that needs one piece makes and imports nothing else', async (t) => {
  const { report } = await runProgramWith(
    modulePath('./program-reach.js'),
    {},
    await loadScenario(example('sharing/pinned')),
  );
  t.deepEqual(report.result, {
    scattered: 'EINVAL',
    again: 'EINVAL',
    reserved: 'ok',
    cenalloc: 'ok',
    panel: 'ok',
    gpu: 'ok',
    ofProjector: 'ok',
    ofPanel: 'EFAULT',
  });
  t.deepEqual(report.findings, [], 'a refused import leaves nothing attached');
});

test('program --scenario, limits on addresses and segments count at V4L2 and DRM nodes', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'reach-'));
  try {
    const file = join(folder, 'scenario.yaml');
    const text = readFileSync(example('sharing/pinned'), 'utf8');
    const [camera, panel] = ['constraints: { dmaMask: 0x3FFF_FFFF }', 'constraints: { maxSegments: 2 }'];
    const limited = text
      .replace('constraints: { iommu: { iovaBits: 32, physBits: 32 } }', camera)
      .replace('constraints: { iommu: { iovaBits: 32, physBits: 32 } }', panel)
      .replace('addressLimit: 0xFFFF_FFFF', 'addressLimit: 0x3FFF_FFFF');
    writeFileSync(file, limited);
    const { report } = await runProgramWith(modulePath('./program-reach-limited.js'), {}, await loadScenario(file));
    t.deepEqual(report.result, { camera: 'EINVAL', projector: 'EIO', inOneSegment: 'ok', inManySegments: 'EINVAL' });
    t.deepEqual(report.findings, []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
