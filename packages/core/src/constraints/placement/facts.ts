/**
 * Constraints as single facts, so that a conflict can be cut down to the ones that matter.
 *
 * Having an IOMMU is an ability, not a demand: what it demands are its limits. Taking a fact away never makes a place
 * unsuitable that suited before, which the search for minimal conflicts relies on.
 */
import { type AddressWindow, type DeviceConstraints, PAGE_BYTES } from './device-constraints.js';

/** A demand of a device, by the field that states it; `iommu.iovaBits` stands for the whole aperture. */
export type ConstraintField =
  | 'addressLimit'
  | 'windows'
  | 'contiguous'
  | 'maxSegments'
  | 'maxSegmentBytes'
  | 'segmentBoundaryMask'
  | 'alignmentBytes'
  | 'iommu.physBits'
  | 'iommu.iovaBits'
  | 'iommu.pageSizes';

/** What a field holds. */
export type ConstraintValue = number | boolean | readonly number[] | readonly AddressWindow[];

/** One demand of one device. */
export interface ConstraintFact {
  readonly device: string;
  readonly field: ConstraintField;
  readonly value: ConstraintValue;
}

/** The facts a device states, in a fixed order. */
export function constraintFacts(c: DeviceConstraints): ConstraintFact[] {
  const values: readonly (readonly [ConstraintField, ConstraintValue | undefined])[] = [
    ['addressLimit', c.addressLimit],
    ['windows', c.windows],
    ['contiguous', c.contiguous === true ? true : undefined],
    ['maxSegments', c.maxSegments],
    ['maxSegmentBytes', c.maxSegmentBytes],
    ['segmentBoundaryMask', c.segmentBoundaryMask],
    ['alignmentBytes', c.alignmentBytes],
    ['iommu.physBits', c.iommu?.physBits],
    ['iommu.iovaBits', c.iommu?.iovaBits],
    ['iommu.pageSizes', c.iommu?.pageSizes],
  ];
  return values.flatMap(([field, value]) => (value === undefined ? [] : [{ device: c.device, field, value }]));
}

/** The same device without that demand. */
export function withoutField(c: DeviceConstraints, field: ConstraintField): DeviceConstraints {
  const { iommu } = c;
  switch (field) {
    case 'iommu.physBits':
      return iommu === undefined ? c : { ...c, iommu: { ...iommu, physBits: undefined } };
    case 'iommu.iovaBits':
      return iommu === undefined
        ? c
        : { ...c, iommu: { physBits: iommu.physBits, pageSizes: iommu.pageSizes, iovaBits: 64 } };
    case 'iommu.pageSizes':
      return iommu === undefined ? c : { ...c, iommu: { ...iommu, pageSizes: [PAGE_BYTES] } };
    default:
      return { ...c, [field]: undefined };
  }
}
