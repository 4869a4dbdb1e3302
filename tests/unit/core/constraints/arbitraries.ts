/** Random devices and heaps, close enough to each other that they often just fit or just do not. */
import type {
  AddressRun,
  AddressWindow,
  CoherencyDomain,
  DeviceConstraints,
  HeapTraits,
  IommuTraits,
} from '@dmabuf-lab/core/constraints';
import fc from 'fast-check';

const PAGE = 4096;

/** How many runs of each property `npm test` makes, as a part of the full number; `TEST_RUNS=1` makes all, 10 ten times. */
const PART = Number(process.env.TEST_RUNS ?? 0.2);

/** Parameters of a property: its full number of runs, of which `npm test` makes a part; the seed of TEST_SEED if there is one. */
export function repeated(fullRuns: number): { numRuns: number; seed?: number } {
  const numRuns = Math.max(50, Math.round(fullRuns * PART));
  const seed = process.env.TEST_SEED;
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) };
}

/** Addresses around 4 GiB, so that limits, boundaries and 32-bit mistakes matter. */
const BASE = 2 ** 32 - 64 * PAGE;

const page = fc.integer({ min: 0, max: 127 }).map((n) => BASE + n * PAGE);

const window: fc.Arbitrary<AddressWindow> = fc
  .tuple(page, fc.integer({ min: 1, max: 64 }))
  .map(([base, pages]) => ({ base, sizeBytes: pages * PAGE }));

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

const powerOf2 = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max }).map((n) => 2 ** n);

const iommu: fc.Arbitrary<IommuTraits> = fc.record({
  iovaBits: fc.integer({ min: 15, max: 64 }),
  iovaBudgetBytes: optional(fc.integer({ min: 1, max: 64 }).map((pages) => pages * PAGE)),
  physBits: optional(fc.constantFrom(32, 33, 40)),
  pageSizes: optional(fc.constantFrom([4096], [8192], [4096, 65536])),
});

const domains = fc.uniqueArray(fc.constantFrom<CoherencyDomain>('cpu', 'ram', 'inaccessible'), {
  minLength: 1,
  maxLength: 2,
});

/** What is rare in a device: most have none of it. */
const rare = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 4 });

const common = {
  device: fc.constantFrom('camera', 'codec', 'display', 'gpu', 'rga'),
  dmaMask: rare(powerOf2(31, 33).map((end) => end - 1)),
  physLimit: rare(page.map((address) => address - 1)),
  coherency: rare(domains),
  protected: rare(fc.constantFrom<'required' | 'capable'>('required', 'capable', 'capable')),
  peerToPeerDistance: rare(fc.integer({ min: 0, max: 3 })),
  heaps: rare(fc.uniqueArray(fc.constantFrom('system', 'dma32', 'cma', 'vram'), { minLength: 1, maxLength: 3 })),
  addressLimit: optional(page.map((address) => address - 1)),
  contiguous: optional(fc.boolean()),
  maxSegments: optional(fc.integer({ min: 1, max: 24 })),
  maxSegmentBytes: optional(fc.oneof(powerOf2(12, 17), fc.integer({ min: 4096, max: 100_000 }))),
  segmentBoundaryMask: optional(fc.oneof(powerOf2(13, 18), fc.constant(2 ** 32)).map((boundary) => boundary - 1)),
  alignmentBytes: optional(fc.constantFrom(32, 48, 4096, 8192, 3 * 4096, 65536)),
};

export const device: fc.Arbitrary<DeviceConstraints> = fc.oneof(
  fc.record({
    ...common,
    bounceAllowed: rare(fc.constant(true)),
    windows: optional(
      fc.oneof(
        fc.array(window, { minLength: 1, maxLength: 3 }),
        // As dma-ranges translate: all by the same offset, or each by its own.
        fc
          .tuple(window, fc.integer({ min: -64, max: 64 }))
          .map(([w, pages]) => [{ ...w, busBase: w.base + pages * PAGE }]),
        fc.integer({ min: 1, max: 40 }).map((pages) => [
          { base: BASE, sizeBytes: pages * PAGE, busBase: PAGE },
          { base: BASE + pages * PAGE, sizeBytes: 64 * PAGE, busBase: 2 ** 31 + PAGE },
        ]),
      ),
    ),
  }),
  fc.record({ ...common, iommu }),
);

export const devices = fc.uniqueArray(device, { selector: (c) => c.device, maxLength: 5 });

/** Windows of a heap lie apart, as memory regions do. */
const apart = fc
  .uniqueArray(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 3 })
  .chain((slots) =>
    fc.tuple(
      ...slots.map((slot) =>
        fc
          .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 1, max: 16 }))
          .map(([skip, pages]) => ({ base: BASE + (slot * 32 + skip) * PAGE, sizeBytes: pages * PAGE })),
      ),
    ),
  );

export const heap: fc.Arbitrary<HeapTraits> = fc
  .record({
    name: fc.constantFrom('system', 'dma32', 'cma', 'vram'),
    windows: apart,
    contiguous: fc.boolean(),
    alignmentBytes: powerOf2(12, 15),
    chunkBytes: optional(powerOf2(12, 14)),
    cost: fc.integer({ min: 0, max: 3 }),
    protected: rare(fc.constant(true)),
    coherency: rare(domains),
    local: rare(
      fc.record({
        owner: fc.constantFrom('gpu', 'display'),
        shown: fc.integer({ min: 0, max: 2 }),
        distances: fc.constantFrom<Record<string, number>>({}, { camera: 1, codec: 2 }, { display: 0, gpu: 0, rga: 4 }),
      }),
    ),
  })
  .map(({ local, ...traits }): HeapTraits => {
    if (local === undefined) return traits;
    const { owner, shown, distances } = local;
    return { ...traits, deviceLocal: { owner, visible: traits.windows.slice(0, shown), distances } };
  });

export const heaps = fc.uniqueArray(heap, { selector: (h) => h.name, minLength: 1, maxLength: 4 });

export const sizeBytes = fc.integer({ min: 1, max: 24 * PAGE });

/** Some layout the heap may hand out, steered by the numbers drawn; undefined when its room does not allow one. */
export function layoutOf(
  heap: HeapTraits,
  bytes: number,
  draws: readonly number[],
  windows = heap.windows,
): AddressRun[] | undefined {
  const chunk = heap.contiguous ? bytes : (heap.chunkBytes ?? PAGE);
  const step = heap.alignmentBytes;
  const free = windows.flatMap((w) => {
    const starts: number[] = [];
    for (
      let start = Math.ceil(w.base / step) * step;
      start + Math.min(chunk, bytes) <= w.base + w.sizeBytes;
      start += step
    ) {
      starts.push(start);
    }
    return starts;
  });
  const runs: AddressRun[] = [];
  for (let [rest, turn] = [bytes, 0]; rest > 0; turn++) {
    const lengthBytes = Math.min(chunk, rest);
    const usable = free.filter((start) => runs.every((r) => start + chunk <= r.address || r.address + chunk <= start));
    if (usable.length === 0) return undefined;
    runs.push({ address: usable[draws[turn % draws.length] % usable.length], lengthBytes });
    rest -= lengthBytes;
  }
  return runs;
}
