/** The solver against a model that tries every layout a small heap can hand out. */
import {
  type AddressRun,
  checkMapping,
  type DeviceConstraints,
  type HeapTraits,
  solvePlacement,
} from '@dmabuf-lab/core/constraints';
import { fc, testProp } from '@fast-check/ava';
import { repeated } from './arbitraries.js';

const PAGE = 4096;
const BASE = 2 ** 32 - 4 * PAGE;

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

const window = fc.record({
  base: fc.integer({ min: 0, max: 7 }).map((page) => BASE + page * PAGE),
  sizeBytes: fc.integer({ min: 1, max: 5 }).map((pages) => pages * PAGE),
});

const device: fc.Arbitrary<DeviceConstraints> = fc.record({
  device: fc.constantFrom('camera', 'display', 'encoder'),
  dmaMask: optional(fc.constant(2 ** 32 - 1)),
  addressLimit: optional(fc.integer({ min: 1, max: 8 }).map((page) => BASE + page * PAGE - 1)),
  physLimit: optional(fc.integer({ min: 1, max: 8 }).map((page) => BASE + page * PAGE - 1)),
  windows: optional(fc.array(window, { minLength: 1, maxLength: 2 })),
  contiguous: optional(fc.boolean()),
  maxSegments: optional(fc.integer({ min: 1, max: 3 })),
  alignmentBytes: optional(fc.constantFrom(PAGE, 2 * PAGE)),
});

/** Scattered pages start anywhere; runs may be aligned to more. */
const heap: fc.Arbitrary<HeapTraits> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c'),
    windows: window.map((one) => [one]),
    alignmentBytes: fc.constantFrom(0, PAGE, 2 * PAGE),
    cost: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ alignmentBytes, ...traits }) =>
    alignmentBytes === 0
      ? { ...traits, contiguous: false, alignmentBytes: PAGE }
      : { ...traits, contiguous: true, alignmentBytes },
  );

/** Every layout: all ordered choices of free pages, or every aligned start of one run. */
function layoutsOf({ windows, contiguous, alignmentBytes }: HeapTraits, pages: number): AddressRun[][] {
  const [{ base, sizeBytes }] = windows;
  const starts = Array.from({ length: sizeBytes / PAGE }, (_, i) => base + i * PAGE).filter(
    (start) => start % alignmentBytes === 0,
  );
  if (contiguous) {
    return starts
      .filter((start) => start + pages * PAGE <= base + sizeBytes)
      .map((start) => [{ address: start, lengthBytes: pages * PAGE }]);
  }
  const extend = (runs: AddressRun[]): AddressRun[][] =>
    runs.length === pages
      ? [runs]
      : starts
          .filter((start) => runs.every((run) => run.address !== start))
          .flatMap((start) => extend([...runs, { address: start, lengthBytes: PAGE }]));
  return extend([]);
}

testProp(
  'solvePlacement, calls a heap suitable just when no layout of it breaks any demand (brute force)',
  [
    fc.uniqueArray(device, { selector: (c) => c.device, maxLength: 3 }),
    fc.uniqueArray(heap, { selector: (h) => h.name, minLength: 1, maxLength: 3 }),
    fc.integer({ min: 1, max: 3 }),
  ],
  (t, devices, heaps, pages) => {
    // Runs shorter than the distance of their starts leave gaps, which the solver counts as used.
    fc.pre(heaps.every((one) => pages * PAGE >= one.alignmentBytes));
    const result = solvePlacement({ devices, heaps, sizeBytes: pages * PAGE });
    const suitable = heaps.filter((one) => {
      // An alignment that the only free place happens to have is luck, not a promise.
      if (devices.some((c) => one.alignmentBytes % (c.alignmentBytes ?? 1) !== 0)) return false;
      const layouts = layoutsOf(one, pages);
      return layouts.length > 0 && layouts.every((runs) => devices.every((c) => checkMapping(runs, c) === undefined));
    });
    const found = result.candidates.filter((verdict) => verdict.suits).map((verdict) => verdict.heap);
    t.deepEqual([...found].sort(), suitable.map((one) => one.name).sort());
    const cheapest = [...suitable].sort((a, b) => a.cost - b.cost)[0];
    if (result.status === 'placed') t.is(result.heap, cheapest.name);
    else t.is(suitable.length, 0);
  },
  repeated(3000),
);
