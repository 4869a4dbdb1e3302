/**
 * Where behind an IOMMU a buffer may start, as the device sees it.
 *
 * Pages are the heap's choice, an IOVA is ours: the solver counts on a start aligned as {@link iovaAlignmentBytes} says,
 * and whoever allocates IOVAs must align so. Source: iommu_dma_alloc_iova, drivers/iommu/dma-iommu.c, v6.12, which aligns
 * to the size. Differs: only as far as a boundary or an alignment needs it.
 */

import { leastCommonMultiple } from '../numbers.js';
import { windowEnd, windowOfBits } from './address-windows.js';
import {
  type AddressWindow,
  type DeviceConstraints,
  iommuGranuleOf,
  segmentBoundaryBytesOf,
} from './device-constraints.js';

/**
 * The IOVAs the device can issue: its aperture, cut at its mask and its address limit.
 *
 * @returns undefined when there is no IOMMU, or nothing is left
 */
export function iovaAperture(c: DeviceConstraints): AddressWindow | undefined {
  if (c.iommu === undefined) return undefined;
  const base = c.iommu.iovaBase ?? 0;
  const bits = windowEnd(windowOfBits(c.iommu.iovaBits));
  const limit = Math.min(bits, highestIssued(c) + 1);
  const end = c.iommu.iovaSizeBytes === undefined ? limit : Math.min(limit, base + c.iommu.iovaSizeBytes);
  return base < end ? { base, sizeBytes: end - base } : undefined;
}

/** The highest bus address or IOVA that mask and limit let the device issue; below 2^53. */
export function highestIssued({ dmaMask, addressLimit }: DeviceConstraints): number {
  return Math.min(dmaMask ?? Number.MAX_SAFE_INTEGER, addressLimit ?? Number.MAX_SAFE_INTEGER);
}

/**
 * The alignment an IOVA start must have so that the device's own alignment holds and the range is cut by as few
 * boundaries as its length allows.
 *
 * @param sizeBytes length of the range
 * @returns a multiple of the IOMMU's granule, in bytes
 */
export function iovaAlignmentBytes(c: DeviceConstraints, sizeBytes: number): number {
  const granule = c.iommu === undefined ? 1 : iommuGranuleOf(c.iommu);
  const boundary = segmentBoundaryBytesOf(c);
  let uncut = 1;
  while (boundary !== undefined && uncut < boundary && uncut < sizeBytes) uncut *= 2;
  return leastCommonMultiple(leastCommonMultiple(granule, uncut), c.alignmentBytes ?? 1);
}

/**
 * The lowest suitable IOVA for a range of that size in an empty aperture.
 *
 * @returns undefined when the device has no IOMMU or the range does not fit
 */
export function lowestIova(c: DeviceConstraints, sizeBytes: number): number | undefined {
  const aperture = iovaAperture(c);
  if (aperture === undefined) return undefined;
  const alignment = iovaAlignmentBytes(c, sizeBytes);
  const start = Math.ceil(aperture.base / alignment) * alignment;
  return start + sizeBytes <= windowEnd(aperture) ? start : undefined;
}
