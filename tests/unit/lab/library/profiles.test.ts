import { checkDeviceConstraints, checkLayoutConstraints, contradictionsOf } from '@dmabuf-lab/core/constraints';
import { deviceConstraintsOf, Library, layoutConstraintsOf, leavesOf, SOURCE_TREES } from '@dmabuf-lab/lab';
import test from 'ava';

const library = new Library();
const profiles = library.profileIds.map((id) => library.profile(id)!);

test('library: has the devices of all seven families', (t) => {
  t.true(profiles.length >= 60, `${profiles.length} profiles`);
  const folders = new Set(profiles.map(({ file }) => file.split('/').at(-2)));
  t.deepEqual([...folders].sort(), ['amd', 'broadcom', 'intel', 'nvidia', 'nxp', 'qualcomm', 'rockchip', 'ti']);
});

for (const profile of profiles) {
  test(`${profile.id}: is consistent, and every value has a source or is inferred`, (t) => {
    const { id, constraints, layout, provenance } = profile;
    t.deepEqual(checkDeviceConstraints(deviceConstraintsOf(id, constraints)), []);
    t.deepEqual(contradictionsOf(deviceConstraintsOf(id, constraints)), []);
    t.deepEqual(checkLayoutConstraints(layoutConstraintsOf(id, layout)), []);
    const leaves = [...leavesOf(constraints, ['constraints']), ...leavesOf(layout, ['layout'])];
    t.deepEqual(Object.keys(provenance).sort(), leaves.map(({ path }) => path.join('.')).sort());
    for (const [path, { source, inferred }] of Object.entries(provenance))
      t.true(inferred || source !== undefined, path);
  });

  test(`${profile.id}: every source names a tree and a file, or a thread`, (t) => {
    const sources = Object.values(profile.provenance).flatMap(({ source }) => source?.split('; ') ?? []);
    for (const source of [...sources, ...profile.notes.flatMap((note) => note.source?.split('; ') ?? [])]) {
      const [tree, ...rest] = source.split(' ');
      t.true(tree in SOURCE_TREES, source);
      const place = tree === 'thread' ? /^[\w.-]+\/[\w.-]+#\d+$/ : /^[\w./-]+\.(c|h|dts|dtsi)(:[\d,-]+)?( \(.+\))?$/;
      t.regex(rest.join(' '), place);
    }
  });
}

test('library: descriptions end a sentence, and fit a terminal', (t) => {
  for (const { id, description, notes } of profiles) {
    for (const text of [description, ...notes.map((note) => note.text)]) {
      t.regex(text, /^[A-Z0-9].*\.$/s, id);
      t.true(text.length <= 250, `${id}: ${text}`);
    }
  }
});

test('rk3399-rkisp1-mp: the self path is proposed, and rk3399-rkisp1-sp uses it', (t) => {
  const [main, self] = ['rk3399-rkisp1-mp', 'rk3399-rkisp1-sp'].map((id) => {
    const { options, alternatives } = layoutConstraintsOf(id, library.profile(id)!.layout);
    return [options, alternatives ?? []].map((list) => list.map(({ name }) => name));
  });
  t.deepEqual(main, [['mainpath'], ['selfpath']]);
  t.deepEqual(self, [['selfpath'], ['mainpath']]);
});

test('behind an IOMMU contiguous says nothing about the number of segments, and neither does it in front of none', (t) => {
  for (const { id, constraints } of profiles) t.is(constraints.maxSegments, undefined, id);
});

test('the address widths by generation of i915, amdgpu, nouveau and venus', (t) => {
  const bits = (id: string): number => Math.log2((library.profile(id)?.constraints.dmaMask ?? 0) + 1);
  t.deepEqual(
    ['i915-gen3-display', 'i915-gen7-display', 'i915-skl-display', 'i915-adl-display', 'i915-dg2'].map(bits),
    [32, 40, 39, 39, 46],
  );
  t.deepEqual(
    ['amdgpu-gfx8', 'amdgpu-gfx9', 'amdgpu-gfx10', 'amdgpu-gfx11', 'amdgpu-gc-9-4-2'].map(bits),
    [40, 44, 44, 44, 48],
  );
  t.deepEqual(['nouveau-nv04', 'nouveau-nv44', 'nouveau-gf100', 'nouveau-gp100'].map(bits), [32, 39, 40, 47]);
  const limit = (id: string): number | undefined => library.profile(id)?.constraints.addressLimit;
  t.deepEqual(['qcom-venus-sdm845', 'qcom-venus-msm8996', 'qcom-venus-sdm660'].map(limit), [
    0xe000_0000 - 1,
    0xddc0_0000 - 1,
    0xd900_0000 - 1,
  ]);
});
