import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { run, scratch } from './command-line.js';

const CASE = `
image: { width: 64, height: 64, formats: [NV12] }
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { constraints: { iommu: { iovaBits: 32 } } }
  display: { constraints: { contiguous: true } }
`;

test('explain: 0 where everything can be placed, 1 where it cannot, 2 where the question is wrong', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'case.yaml'), CASE);
  const scenario = await run(dir, ['explain', 'small.yaml']);
  t.is(scenario.code, 0, scenario.stderr);
  t.regex(scenario.stdout, /camera\.out: shared by camera, gpu/);
  const impossible = await run(dir, ['explain', 'case.yaml']);
  t.is(impossible.code, 1);
  t.regex(impossible.stdout, /conflict 1: display\.contiguous/);
  t.is(impossible.stderr, '');
  const possible = await run(dir, ['explain', 'case.yaml', '--what-if', 'display.iommu=true']);
  t.is(possible.code, 0, possible.stderr);
  for (const wrong of [
    ['--late', 'nobody'],
    ['--what-if', 'nonsense'],
    ['--library', 'nowhere'],
    ['--lte', 'camera'],
  ]) {
    const { code, stdout, stderr } = await run(dir, ['explain', 'case.yaml', ...wrong]);
    t.is(code, 2, wrong.join(' '));
    t.is(stdout, '');
    t.notRegex(stderr, /^\s+at /m);
  }
});

test('explain --json: prints data with a version and nothing else', async (t) => {
  const dir = await scratch(t);
  const { stdout } = await run(dir, ['explain', 'small.yaml', '--late', 'display', '--json']);
  const { version, pools } = JSON.parse(stdout);
  t.is(version, 1);
  t.deepEqual(
    pools.map(({ pool }: { pool: string }) => pool),
    ['gpu.out'],
  );
  t.is(pools[0].forecasts[0].attach.action, 'none');
});

test('compare: has a row for each way to choose the heap', async (t) => {
  const dir = await scratch(t);
  const { code, stdout, stderr } = await run(dir, ['compare', 'small.yaml', '--json']);
  t.is(code, 0, stderr);
  const { policies } = JSON.parse(stdout);
  t.deepEqual(
    policies.map(({ policy }: { policy: string }) => policy),
    ['constraints', 'heap', 'ion', 'device'],
  );
  t.is((await run(dir, ['compare', 'missing.yaml'])).code, 2);
});
