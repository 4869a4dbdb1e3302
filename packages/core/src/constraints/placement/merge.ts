/**
 * What a set of devices demands of physical memory, taken together, and who demanded it.
 *
 * The merge is commutative, associative and idempotent, and monotone: a further device never enlarges what is allowed.
 * It explains; it does not decide. The solver asks every device on its own, because merging a number of segments of one
 * device with the segment length of another is stricter than either.
 */

import { leastCommonMultiple, primePowers } from '../numbers.js';
import { ALL_ADDRESSES, containsWindow, intersectWindows, sizeOfWindows } from './address-windows.js';
import { assertDeviceConstraints } from './check-device-constraints.js';
import {
  type AddressWindow,
  type CoherencyDomain,
  type DeviceConstraints,
  iommuGranuleOf,
  segmentBoundaryBytesOf,
} from './device-constraints.js';
import type { ConstraintField } from './facts.js';
import { reachesOf } from './reach.js';

/** How values of several devices become one. */
export type MergeOperator = 'interval-set intersection' | 'set intersection' | 'or' | 'min' | 'lcm';

/** What one device brought to a merged value. */
export interface Contribution<T> {
  readonly device: string;
  readonly field: ConstraintField;
  readonly value: T;
  /**
   * How far this contribution is from binding; 0 when it alone would give the result. Bytes of addresses it allows
   * beyond the result (intersection), the difference (min), the factor it lacks minus 1 (lcm), always 0 (or).
   */
  readonly slack: number;
}

/** A merged value with its provenance. */
export interface Resolved<T> {
  readonly value: T;
  readonly operator: MergeOperator;
  /** In order of device and field; empty when nobody constrains this. */
  readonly contributions: readonly Contribution<T>[];
  /** The devices that shape the value, sorted: for each, no weaker demand of its own would have given the same. */
  readonly binding: readonly string[];
}

/** The merged demands on physical pages. Devices behind an IOMMU contribute only what it demands of pages. */
export interface MergedConstraints {
  /** Physical addresses every device reaches; empty when there is none. */
  readonly windows: Resolved<readonly AddressWindow[]>;
  /** Whether anybody needs one run of pages. */
  readonly contiguous: Resolved<boolean>;
  /** Devices which need one run of pages, sorted. */
  readonly contiguousBy: readonly string[];
  /** Fewest segments anybody takes; Infinity when nobody minds. */
  readonly maxSegments: Resolved<number>;
  /** Longest segment, in bytes; Infinity when nobody minds. */
  readonly maxSegmentBytes: Resolved<number>;
  /** Distance of boundaries no segment crosses, in bytes; Infinity when nobody minds. */
  readonly segmentBoundaryBytes: Resolved<number>;
  /** Alignment of the start, in bytes; 1 when nobody minds, Infinity when no address below 2^53 meets all. */
  readonly alignmentBytes: Resolved<number>;
  /** What starts and lengths of runs are multiples of, in bytes, for the IOMMUs; 1 when there is none. */
  readonly granuleBytes: Resolved<number>;
  /** Domains everybody works with; empty when there is none. */
  readonly coherency: Resolved<readonly CoherencyDomain[]>;
  /** Heaps everybody may use; `['*']` when nobody minds, empty when there is none. */
  readonly heaps: Resolved<readonly string[]>;
  /** Whether anybody needs protected memory. */
  readonly isProtected: Resolved<boolean>;
}

const ALL_DOMAINS: readonly CoherencyDomain[] = ['cpu', 'ram', 'inaccessible'];
const ANY_HEAP: readonly string[] = ['*'];

type Given<T> = Omit<Contribution<T>, 'slack'>;

/**
 * Merges the demands of devices on physical memory.
 *
 * @throws RangeError when the constraints of a device are malformed
 */
export function mergeConstraints(devices: readonly DeviceConstraints[]): MergedConstraints {
  for (const c of devices) assertDeviceConstraints(c);
  const direct = devices.filter((c) => c.iommu === undefined);
  const numbers = (
    from: readonly DeviceConstraints[],
    field: ConstraintField,
    read: (c: DeviceConstraints) => number | undefined,
  ): Given<number>[] => {
    return from.flatMap((c) => {
      const value = read(c);
      return value === undefined ? [] : [{ device: c.device, field, value }];
    });
  };
  return resolveAll({
    windows: devices.flatMap((c) =>
      reachesOf(c).map(({ field, windows }) => ({ device: c.device, field, value: windows })),
    ),
    contiguous: direct.flatMap((c) => (c.contiguous ? [{ device: c.device, field: 'contiguous', value: true }] : [])),
    maxSegments: numbers(direct, 'maxSegments', (c) => c.maxSegments),
    maxSegmentBytes: numbers(direct, 'maxSegmentBytes', (c) => c.maxSegmentBytes),
    segmentBoundaryBytes: numbers(direct, 'segmentBoundaryMask', segmentBoundaryBytesOf),
    alignmentBytes: numbers(direct, 'alignmentBytes', (c) => c.alignmentBytes),
    granuleBytes: numbers(devices, 'iommu.pageSizes', (c) => c.iommu && iommuGranuleOf(c.iommu)),
    coherency: devices.flatMap((c) =>
      c.coherency ? [{ device: c.device, field: 'coherency', value: c.coherency }] : [],
    ),
    heaps: devices.flatMap((c) => (c.heaps ? [{ device: c.device, field: 'heaps', value: c.heaps }] : [])),
    isProtected: devices.flatMap((c) =>
      c.protected === 'required' ? [{ device: c.device, field: 'protected', value: true }] : [],
    ),
  });
}

/** Merges two merged results: the same as merging all their devices at once. */
export function combineMerged(a: MergedConstraints, b: MergedConstraints): MergedConstraints {
  return resolveAll({
    windows: [...a.windows.contributions, ...b.windows.contributions],
    contiguous: [...a.contiguous.contributions, ...b.contiguous.contributions],
    maxSegments: [...a.maxSegments.contributions, ...b.maxSegments.contributions],
    maxSegmentBytes: [...a.maxSegmentBytes.contributions, ...b.maxSegmentBytes.contributions],
    segmentBoundaryBytes: [...a.segmentBoundaryBytes.contributions, ...b.segmentBoundaryBytes.contributions],
    alignmentBytes: [...a.alignmentBytes.contributions, ...b.alignmentBytes.contributions],
    granuleBytes: [...a.granuleBytes.contributions, ...b.granuleBytes.contributions],
    coherency: [...a.coherency.contributions, ...b.coherency.contributions],
    heaps: [...a.heaps.contributions, ...b.heaps.contributions],
    isProtected: [...a.isProtected.contributions, ...b.isProtected.contributions],
  });
}

interface AllGiven {
  readonly windows: readonly Given<readonly AddressWindow[]>[];
  readonly contiguous: readonly Given<boolean>[];
  readonly maxSegments: readonly Given<number>[];
  readonly maxSegmentBytes: readonly Given<number>[];
  readonly segmentBoundaryBytes: readonly Given<number>[];
  readonly alignmentBytes: readonly Given<number>[];
  readonly granuleBytes: readonly Given<number>[];
  readonly coherency: readonly Given<readonly CoherencyDomain[]>[];
  readonly heaps: readonly Given<readonly string[]>[];
  readonly isProtected: readonly Given<boolean>[];
}

function resolveAll(given: AllGiven): MergedConstraints {
  const contiguous = resolveOr(given.contiguous);
  return {
    windows: resolveWindows(given.windows),
    contiguous,
    contiguousBy: contiguous.binding,
    maxSegments: resolveMin(given.maxSegments),
    maxSegmentBytes: resolveMin(given.maxSegmentBytes),
    segmentBoundaryBytes: resolveMin(given.segmentBoundaryBytes),
    alignmentBytes: resolveLcm(given.alignmentBytes),
    granuleBytes: resolveLcm(given.granuleBytes),
    coherency: resolveSet(given.coherency, ALL_DOMAINS),
    heaps: resolveSet(given.heaps, ANY_HEAP),
    isProtected: resolveOr(given.isProtected),
  };
}

function resolveWindows(given: readonly Given<readonly AddressWindow[]>[]): MergedConstraints['windows'] {
  const unique = inOrder(given);
  const reachOfAll = (some: typeof unique): readonly AddressWindow[] =>
    some.reduce<readonly AddressWindow[]>((set, one) => intersectWindows(set, one.value), ALL_ADDRESSES);
  const value = reachOfAll(unique);
  const contributions = unique.map((one) => ({ ...one, slack: sizeOfWindows(one.value) - sizeOfWindows(value) }));
  // Whoever owns an edge of the result shapes it; without a result, whoever excludes a part that the others leave.
  const binding = unique.filter((one) => {
    if (value.length === 0) return reachOfAll(unique.filter((other) => other !== one)).length > 0;
    return !value.every((window) => containsWindow(one.value, widened(window)));
  });
  // An empty result several alike would each give is bound by nobody alone, so by all.
  const bound = names(value.length === 0 && binding.length === 0 ? unique : binding);
  return { value, operator: 'interval-set intersection', contributions, binding: bound };
}

function resolveOr(given: readonly Given<boolean>[]): Resolved<boolean> {
  const contributions = inOrder(given).map((one) => ({ ...one, slack: 0 }));
  return { value: contributions.length > 0, operator: 'or', contributions, binding: names(contributions) };
}

function resolveSet<T extends string>(
  given: readonly Given<readonly T[]>[],
  all: readonly T[],
): Resolved<readonly T[]> {
  const unique = inOrder(given.map((one) => ({ ...one, value: [...new Set(one.value)].sort() })));
  const common = (some: typeof unique): readonly T[] =>
    some.length === 0 ? all : some[0].value.filter((item) => some.every((one) => one.value.includes(item)));
  const value = common(unique);
  const contributions = unique.map((one) => ({ ...one, slack: one.value.length - value.length }));
  const binding = unique.filter((one) => common(unique.filter((other) => other !== one)).length > value.length);
  const bound = names(binding.length === 0 && value !== all ? unique : binding);
  return { value, operator: 'set intersection', contributions, binding: bound };
}

function resolveMin(given: readonly Given<number>[]): Resolved<number> {
  const unique = inOrder(given);
  const value = Math.min(...unique.map((one) => one.value));
  const contributions = unique.map((one) => ({ ...one, slack: one.value - value }));
  return { value, operator: 'min', contributions, binding: names(contributions.filter((one) => one.slack === 0)) };
}

function resolveLcm(given: readonly Given<number>[]): Resolved<number> {
  const unique = inOrder(given);
  const value = unique.reduce((multiple, one) => leastCommonMultiple(multiple, one.value), 1);
  const contributions = unique.map((one) => ({ ...one, slack: value / one.value - 1 }));
  // A device binds where nobody has a higher power of one of its primes: 64, 256 and 48 are bound by 256 and 48.
  const factors = unique.map((one) => primePowers(one.value));
  const binding = unique.filter((_, index) =>
    [...factors[index]].some(([prime, power]) => factors.every((other) => (other.get(prime) ?? 0) <= power)),
  );
  return { value, operator: 'lcm', contributions, binding: names(binding) };
}

/** Sorts by device, field and value and drops what was said twice. */
function inOrder<T>(given: readonly Given<T>[]): Given<T>[] {
  const byKey = new Map<string, Given<T>>();
  for (const { device, field, value } of given) {
    byKey.set(JSON.stringify([device, field, value]), { device, field, value });
  }
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function names(contributions: readonly { readonly device: string }[]): string[] {
  return [...new Set(contributions.map((one) => one.device))].sort();
}

function widened(window: AddressWindow): AddressWindow {
  const base = Math.max(0, window.base - 1);
  const end = Math.min(2 ** 53, window.base + window.sizeBytes + 1);
  return { base, sizeBytes: end - base };
}
