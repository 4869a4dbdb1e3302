/**
 * Constraints as single facts, so that a conflict can be cut down to the ones that matter.
 *
 * Having an IOMMU, a translating bus or the right to enter protected memory is an ability, not a demand: what it demands
 * are its limits, and what is demanded of others is that they lack it. Taking a fact away never makes a place unsuitable
 * that suited before, which the search for minimal conflicts relies on.
 */
import type { CoherencyDomain, DeviceConstraints, DmaWindow } from './device-constraints.js';

/**
 * A demand, by the field that states it. `iommu.iovaBits` stands for the whole aperture; `protected` and
 * `peerToPeerDistance` also for not being allowed in, or having no way, where the device says nothing; `cpuAccess` is the
 * CPU's.
 */
export type ConstraintField =
  | 'dmaMask'
  | 'addressLimit'
  | 'physLimit'
  | 'windows'
  | 'contiguous'
  | 'maxSegments'
  | 'maxSegmentBytes'
  | 'segmentBoundaryMask'
  | 'alignmentBytes'
  | 'iommu.physBits'
  | 'iommu.iovaBits'
  | 'iommu.iovaBudgetBytes'
  | 'iommu.pageSizes'
  | 'coherency'
  | 'protected'
  | 'peerToPeerDistance'
  | 'heaps'
  | 'cpuAccess';

/** What a field holds. */
export type ConstraintValue =
  | number
  | boolean
  | string
  | readonly number[]
  | readonly DmaWindow[]
  | readonly CoherencyDomain[]
  | readonly string[];

/** One demand of one device. */
export interface ConstraintFact {
  readonly device: string;
  readonly field: ConstraintField;
  readonly value: ConstraintValue;
}

/** The name under which the CPU takes part, where the request says that it will access the buffer. */
export const CPU = 'cpu';

/** A device with this distance reaches device-local memory wherever it is, as if it were the system's. */
export const ANY_DISTANCE = Number.MAX_SAFE_INTEGER;

/** What a device states in a field; what stands for its silence where that matters. */
export function statedValue(c: DeviceConstraints, field: ConstraintField): ConstraintValue {
  switch (field) {
    case 'iommu.physBits':
      return c.iommu?.physBits ?? 64;
    case 'iommu.iovaBits':
      return c.iommu?.iovaBits ?? 64;
    case 'iommu.iovaBudgetBytes':
      return c.iommu?.iovaBudgetBytes ?? Number.POSITIVE_INFINITY;
    case 'iommu.pageSizes':
      return c.iommu?.pageSizes ?? [4096];
    case 'protected':
      return c.protected ?? 'not allowed in';
    case 'peerToPeerDistance':
      return c.peerToPeerDistance ?? 'none';
    case 'cpuAccess':
      return true;
    default:
      return c[field] ?? false;
  }
}

/** By device, then by field: the order of all lists of facts, whoever attached first. */
export function compareFacts(a: ConstraintFact, b: ConstraintFact): number {
  if (a.device !== b.device) return a.device < b.device ? -1 : 1;
  return a.field === b.field ? 0 : a.field < b.field ? -1 : 1;
}

/** The same device with some of its demands taken away; its abilities stay. */
export function withoutFields(c: DeviceConstraints, fields: readonly ConstraintField[]): DeviceConstraints {
  const kept: Record<string, unknown> = { ...c };
  const iommu: Record<string, unknown> = { ...c.iommu };
  for (const field of fields) {
    if (field === 'iommu.iovaBits') {
      Object.assign(iommu, { iovaBits: 64, iovaBase: undefined, iovaSizeBytes: undefined });
    } else if (field.startsWith('iommu.')) delete iommu[field.slice('iommu.'.length)];
    else if (field === 'windows') kept.unconfined = true;
    else if (field === 'protected') kept.protected = 'capable';
    else if (field === 'peerToPeerDistance') kept.peerToPeerDistance = ANY_DISTANCE;
    else delete kept[field];
  }
  if (c.iommu !== undefined) kept.iommu = iommu;
  return kept as unknown as DeviceConstraints;
}
