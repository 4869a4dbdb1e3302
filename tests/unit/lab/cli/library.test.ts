import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Library } from '@dmabuf-lab/lab';
import test from 'ava';
import { profileText } from '../library/library-files.js';
import { run, scratch } from './command-line.js';

const library = new Library();

test('profiles list: has a line for each profile, or for those of a chip and a kind', async (t) => {
  const dir = await scratch(t);
  const all = await run(dir, ['profiles', 'list']);
  t.is(all.code, 0, all.stderr);
  t.deepEqual(
    all.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]),
    library.profileIds,
  );
  const some = await run(dir, ['profiles', 'list', '--soc', 'rk3399', '--kind', 'display', '--json']);
  t.deepEqual(
    (JSON.parse(some.stdout) as { id: string }[]).map(({ id }) => id),
    ['rk3399-vopb', 'rk3399-vopl'],
  );
});

test('profiles show: tells every value with its unit and its source', async (t) => {
  const { code, stdout } = await run(await scratch(t), ['profiles', 'show', 'imx8mq-hantro']);
  t.is(code, 0);
  t.regex(
    stdout,
    /^imx8mq-hantro: Hantro G1 and G2\nNXP i\.MX8MQ, decoder; library\/profiles\/nxp\/imx8mq-hantro\.yaml\n/,
  );
  t.regex(stdout, /^ {2}dmaMask +0xFFFF_FFFF +\[\d\]$/m);
  t.regex(stdout, /^ {2}windows\.0\.base +0x4000_0000 +\[\d\]$/m);
  t.regex(stdout, /^ {2}windows\.0\.size +3 GiB +\[\d\]$/m);
  t.regex(stdout, /^ {2}contiguous +yes +\[\d\], inferred$/m);
  t.regex(stdout, /in use: decode; proposed: mpeg2/);
  t.regex(stdout, /^ {2}decode\.rules\.maxSize +3840 × 2160 pixels +\[\d\]$/m);
  t.regex(stdout, /^Sources \(K: Linux v6\.12\.25\)$/m);
  t.regex(stdout, /^ {2}\[1\] K drivers\/media\/platform\/verisilicon\/hantro_drv\.c:1116-1126$/m);
});

test('profiles show: every profile can be shown, without a word that is none', async (t) => {
  const dir = await scratch(t);
  for (const id of ['bcm2711-unicam', 'omap4-dss-tiler', 'intel-ipu6', 'rk3588-hdmirx', 'amdgpu-gfx9']) {
    const { code, stdout } = await run(dir, ['profiles', 'show', id]);
    t.is(code, 0);
    t.notRegex(stdout, /undefined|\[object|NaN/, id);
  }
});

test('profiles show --json: has constraints, layout, provenance and what the trees are', async (t) => {
  const { stdout } = await run(await scratch(t), ['profiles', 'show', 'rk3399-vopb', '--json']);
  const profile = JSON.parse(stdout);
  t.deepEqual(profile.constraints, { iommu: { iovaBits: 32, physBits: 32 } });
  t.regex(profile.provenance['constraints.iommu.iovaBits'].source, /^K drivers\/iommu\/rockchip-iommu\.c:/);
  t.is(profile.trees.K, 'Linux v6.12.25');
});

test('boards list and show: tell memory, heaps and devices', async (t) => {
  const dir = await scratch(t);
  const list = await run(dir, ['boards', 'list']);
  t.deepEqual(
    list.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]),
    library.boardIds,
  );
  const { code, stdout } = await run(dir, ['boards', 'show', 'rpi4']);
  t.is(code, 0);
  t.regex(stdout, /^ {2}dma +0x0\.\.0x3B3F_FFFF +948 MiB/m);
  t.regex(stdout, /^ {2}cma +cma +in dma +base 0x3740_0000, size 64 MiB, alignmentOrder 8 +\[\d\]$/m);
  t.regex(stdout, /^ {2}camera +bcm2711-unicam$/m);
  const asJson = await run(dir, ['boards', 'show', 'rpi4', '--json']);
  t.is(JSON.parse(asJson.stdout).devices.encoder, 'rpi-codec-encode');
});

test('profiles and boards: a wrong name suggests the nearest and ends with 2', async (t) => {
  const dir = await scratch(t);
  for (const [args, said] of [
    [['profiles', 'show', 'rk3399-vop'], 'Cannot find the profile "rk3399-vop", did you mean "rk3399-vopb"?\n'],
    [['boards', 'show', 'rpi5'], 'Cannot find the board "rpi5", did you mean "rpi4"?\n'],
    [['profiles', 'list', '--kind', 'camra'], 'Cannot find the kind "camra", did you mean "camera"?\n'],
    [
      ['boards', 'list', '--library', 'absent'],
      'absent: expected a directory with a folder profiles or boards in it\n',
    ],
  ] as const) {
    const { code, stdout, stderr } = await run(dir, args);
    t.deepEqual([code, stdout, stderr], [2, '', said]);
  }
});

test('--library: its profiles are listed, and scenarios can name them', async (t) => {
  const dir = await scratch(t);
  await mkdir(join(dir, 'lib/profiles'), { recursive: true });
  const body = 'constraints: { contiguous: true }\ninferred: [constraints]';
  await writeFile(join(dir, 'lib/profiles/mine.yaml'), profileText(body));
  const shown = await run(dir, ['profiles', 'show', 'mine', '--library', 'lib']);
  t.regex(shown.stdout, /^None, camera; lib\/profiles\/mine\.yaml$/m);
  const text = `name: mine
duration: 100ms
board: rk3399
devices:
  camera: { driver: camera, profile: mine }
  gpu: { driver: gpu, profile: gpu }
links: [{ from: camera.out, to: gpu.in }]
expect: { 'buffers.camera.out[0].placements.0.heap': cma }
`;
  await writeFile(join(dir, 'mine.yaml'), text);
  const ran = await run(dir, ['run', 'mine.yaml', '--library', 'lib']);
  t.is(ran.code, 0, ran.stderr);
  const without = await run(dir, ['check', 'mine.yaml']);
  t.is(without.code, 2);
  t.regex(without.stderr, /^mine\.yaml:5:29: devices\.camera\.profile: unknown profile "mine"/);
});

test('profiles and boards --help: have an example', async (t) => {
  const dir = await scratch(t);
  for (const command of ['profiles', 'boards']) {
    for (const args of [[command], [command, 'list'], [command, 'show']]) {
      const { code, stdout } = await run(dir, [...args, '--help']);
      t.is(code, 0);
      t.regex(stdout, /Examples?:\n {2}dmabuf-lab /);
    }
  }
});
