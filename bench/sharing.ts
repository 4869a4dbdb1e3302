/** A large sharing problem: 16 devices, 8 heaps, 64 formats and modifiers. */
import type {
  DeviceConstraints,
  FormatSupport,
  HeapTraits,
  LayoutConstraints,
  SharingProblem,
} from '@dmabuf-lab/core/constraints';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const FORMATS = ['NV12', 'NV16', 'P010', 'YUV420', 'XRGB8888', 'ARGB8888', 'XBGR8888', 'ABGR8888'];
const MODIFIERS = ['LINEAR', 'AFBC_A', 'AFBC_B', 'I915_X_TILED', 'I915_Y_TILED', 'VC4_T_TILED', 'SAND128', 'UIF'];

/** @param satisfiable false = two devices ask for what no heap and no layout has */
export function largeProblem(satisfiable: boolean): SharingProblem {
  const devices: DeviceConstraints[] = [];
  const layouts: LayoutConstraints[] = [];
  for (let i = 0; i < 16; i += 1) {
    const device = `device${String(i).padStart(2, '0')}`;
    devices.push(
      i % 3 === 0
        ? { device, dmaMask: 0xffff_ffff, contiguous: i % 6 === 0, maxSegments: 64, segmentBoundaryMask: 0xffff_ffff }
        : { device, iommu: { iovaBits: 32 + (i % 9), physBits: 40 }, coherency: ['cpu', 'ram'] },
    );
    const formats: FormatSupport[] = FORMATS.map((format) => ({ format, modifiers: MODIFIERS }));
    const rules = { strideAlignmentBytes: [16, 32, 64, 128, 256][i % 5], heightAlignment: [1, 2, 8, 16][i % 4] };
    layouts.push({ device, options: [{ formats, rules, counts: { held: 1 } }] });
  }
  if (!satisfiable) {
    devices[15] = { device: 'device15', contiguous: true, windows: [{ base: 5 * GiB, sizeBytes: GiB }] };
    devices[14] = { device: 'device14', protected: 'required' };
  }
  return { image: { widthPixels: 1920, heightPixels: 1080 }, devices, layouts, heaps: () => eightHeaps() };
}

function eightHeaps(): HeapTraits[] {
  const base = { contiguous: false, alignmentBytes: 4096 };
  const region = { contiguous: true, alignmentBytes: MiB, cost: 2 };
  return [
    { ...base, name: 'system', windows: [{ base: 0, sizeBytes: 8 * GiB }], cost: 0 },
    { ...base, name: 'system-dma32', windows: [{ base: 0, sizeBytes: 4 * GiB }], cost: 1 },
    { ...region, name: 'system-contig', windows: [{ base: 0, sizeBytes: 8 * GiB }], maxBytes: 4 * MiB, cost: 1.5 },
    { ...region, name: 'cma', windows: [{ base: GiB, sizeBytes: 512 * MiB }] },
    { ...region, name: 'carveout', windows: [{ base: 2 * GiB, sizeBytes: 256 * MiB }], alignmentBytes: 4096 },
    {
      ...base,
      name: 'chunk',
      windows: [{ base: 3 * GiB, sizeBytes: 256 * MiB }],
      alignmentBytes: MiB,
      chunkBytes: MiB,
      cost: 2,
    },
    { ...region, name: 'protected', windows: [{ base: 3.5 * GiB, sizeBytes: 128 * MiB }], protected: true },
    {
      ...base,
      name: 'vram',
      windows: [{ base: 64 * GiB, sizeBytes: 4 * GiB }],
      cost: 3,
      deviceLocal: { owner: 'device01', visible: [{ base: 64 * GiB, sizeBytes: 256 * MiB }], distances: {} },
    },
  ];
}
