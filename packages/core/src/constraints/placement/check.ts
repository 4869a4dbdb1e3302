/** Whether a device may really use these pages: the check at map time, on the addresses as they are. */

import { formatAddress, formatSize, formatWindow } from '../describe.js';
import { containsWindow, windowEnd } from './address-windows.js';
import { canBounce } from './bounce.js';
import { type AddressRun, type AddressWindow, type DeviceConstraints, iommuGranuleOf } from './device-constraints.js';
import { coalesceRuns, dmaSegments, lengthOfRuns } from './dma-segments.js';
import type { ConstraintField, ConstraintValue } from './facts.js';
import { highestIssued, iovaAlignmentBytes, iovaAperture, lowestIova } from './iova.js';
import { busRuns, type ReachField, reachesOf } from './reach.js';

/** The first constraint a mapping breaks. */
export interface MappingViolation {
  readonly field: ConstraintField;
  readonly message: string;
  /** Index of the offending run, if it is one run's doing. */
  readonly runIndex?: number;
  /** What was found: an address, a length or a number of segments. */
  readonly value: number;
  /** What the device allows. */
  readonly limit: ConstraintValue;
  /** What the kernel would answer. */
  readonly errno: 'EINVAL' | 'EIO' | 'ENOMEM';
}

/**
 * Checks a mapping against the real addresses.
 *
 * EIO for a page the device cannot reach (dma_direct_map_sg, unless it may bounce), EINVAL for a layout it refuses
 * (drm_gem_dma_prime_import_sg_table, iommu_map), ENOMEM for an IOVA range that does not fit (iommu_dma_map_sg); v6.12.
 *
 * @param runs physical runs in buffer order
 * @param iovaStart first IOVA; behind an IOMMU only, absent = the lowest suitable one
 * @returns undefined when the device may use it, else the first constraint that is broken
 * @throws RangeError when the constraints or a run are malformed
 */
export function checkMapping(
  runs: readonly AddressRun[],
  c: DeviceConstraints,
  iovaStart?: number,
): MappingViolation | undefined {
  runs.forEach(assertRun);
  const segments = dmaSegments(runs, c, iovaStart);
  const broken =
    checkReach(runs, c) ?? (c.iommu === undefined ? checkPages(runs, c) : checkTranslated(runs, c, iovaStart));
  if (broken !== undefined || segments.length === 0) return broken;
  const { device, maxSegments } = c;
  if (maxSegments !== undefined && segments.length > maxSegments) {
    const message = `the buffer maps to ${segments.length} segments, but ${device} takes at most ${maxSegments}`;
    return { field: 'maxSegments', message, value: segments.length, limit: maxSegments, errno: 'EINVAL' };
  }
  return undefined;
}

/** The first run that lies where the device cannot reach it, and cannot be bounced. */
function checkReach(runs: readonly AddressRun[], c: DeviceConstraints): MappingViolation | undefined {
  for (const { field, value, windows } of reachesOf(c)) {
    for (const [runIndex, run] of runs.entries()) {
      if (containsWindow(windows, { base: run.address, sizeBytes: run.lengthBytes }) || canBounce(run, c)) continue;
      const message = `${formatRun(run, runIndex)} ${outOfReach(c, field, windows)}`;
      const at = field === 'windows' ? run.address : lastByte(run);
      return { field, message, runIndex, value: at, limit: value, errno: 'EIO' };
    }
  }
  return undefined;
}

function outOfReach(c: DeviceConstraints, field: ReachField, windows: readonly AddressWindow[]): string {
  const { device } = c;
  switch (field) {
    case 'dmaMask':
      return `ends above the ${nameOfLimit(c.dmaMask ?? 0)} of ${device}`;
    case 'addressLimit':
      return `ends above the ${nameOfLimit(c.addressLimit ?? 0)} of ${device}`;
    case 'windows':
      return `lies outside ${windows.map(formatWindow).join(', ')}, all that ${device} reaches`;
    case 'physLimit':
      return `ends above ${formatAddress(c.physLimit ?? 0)}, the last byte of memory that ${device} reaches`;
    case 'iommu.physBits':
      return `ends above ${formatWindow(windows[0]).split('..')[1]}, the last page the IOMMU of ${device} can map (${c.iommu?.physBits} bits)`;
  }
}

function checkPages(runs: readonly AddressRun[], c: DeviceConstraints): MappingViolation | undefined {
  const { device, alignmentBytes } = c;
  const coalesced = coalesceRuns(busRuns(runs, c));
  if (c.contiguous && coalesced.length > 1) {
    const { runIndex, address } = coalesced[1];
    const expected = coalesced[0].address + coalesced[0].lengthBytes;
    const message = `${formatRun(runs[runIndex], runIndex)} does not follow the run before it, which ends at ${formatAddress(expected)}, but ${device} needs contiguous memory and has no IOMMU`;
    return { field: 'contiguous', message, runIndex, value: address, limit: expected, errno: 'EINVAL' };
  }
  return checkAlignment(coalesced.at(0)?.address ?? 0, device, alignmentBytes, coalesced.at(0)?.runIndex);
}

function checkTranslated(
  runs: readonly AddressRun[],
  c: DeviceConstraints,
  iovaStart?: number,
): MappingViolation | undefined {
  const { device, iommu, alignmentBytes } = c;
  if (iommu === undefined || runs.length === 0) return undefined;
  const granule = iommuGranuleOf(iommu);
  const coalesced = coalesceRuns(runs);
  for (const [index, run] of coalesced.entries()) {
    const isWhole = run.lengthBytes % granule === 0 || index === coalesced.length - 1;
    if (run.address % granule === 0 && isWhole) continue;
    const { runIndex } = run;
    const message = `${formatRun(run, runIndex)} does not start and end at multiples of ${formatSize(granule)}, the smallest page of the IOMMU of ${device}`;
    return { field: 'iommu.pageSizes', message, runIndex, value: run.address, limit: granule, errno: 'EINVAL' };
  }
  const lengthBytes = lengthOfRuns(runs);
  const aperture = iovaAperture(c);
  const start = iovaStart ?? lowestIova(c, lengthBytes);
  const end = start === undefined ? undefined : start + lengthBytes;
  if (
    aperture === undefined ||
    start === undefined ||
    end === undefined ||
    start < aperture.base ||
    end > windowEnd(aperture)
  ) {
    const at = start === undefined ? '' : ` at ${formatAddress(start)}`;
    const inside = aperture === undefined ? 'its empty aperture' : `its aperture ${formatWindow(aperture)}`;
    const message = `an IOVA range of ${formatSize(lengthBytes)}${at} does not fit ${device}: ${inside}`;
    const value = end === undefined ? lengthBytes : end - 1;
    const limit = highestIssued(c);
    if (aperture !== undefined && limit < Number.MAX_SAFE_INTEGER && limit + 1 === windowEnd(aperture)) {
      return { field: limit === c.dmaMask ? 'dmaMask' : 'addressLimit', message, value, limit, errno: 'ENOMEM' };
    }
    return { field: 'iommu.iovaBits', message, value, limit: iommu.iovaBits, errno: 'ENOMEM' };
  }
  if (start % granule !== 0) {
    const message = `the IOVA ${formatAddress(start)} is no multiple of ${formatSize(granule)}, the smallest page of the IOMMU of ${device} (align it to ${formatSize(iovaAlignmentBytes(c, lengthBytes))})`;
    return { field: 'iommu.pageSizes', message, value: start, limit: granule, errno: 'EINVAL' };
  }
  return checkAlignment(start, device, alignmentBytes);
}

function checkAlignment(
  start: number,
  device: string,
  alignmentBytes: number | undefined,
  runIndex?: number,
): MappingViolation | undefined {
  if (alignmentBytes === undefined || start % alignmentBytes === 0) return undefined;
  const message = `the buffer starts at ${formatAddress(start)}, but ${device} needs a start aligned to ${formatSize(alignmentBytes)}`;
  return { field: 'alignmentBytes', message, runIndex, value: start, limit: alignmentBytes, errno: 'EINVAL' };
}

function assertRun(run: AddressRun, index: number): void {
  const { address, lengthBytes } = run;
  if (!Number.isSafeInteger(address) || address < 0 || !Number.isSafeInteger(lengthBytes) || lengthBytes < 1) {
    throw new RangeError(`Cannot map run ${index}: address ${address} and length ${lengthBytes} are no run of bytes`);
  }
}

function lastByte(run: AddressRun): number {
  return run.address + run.lengthBytes - 1;
}

function formatRun(run: AddressRun, runIndex: number): string {
  return `run ${runIndex} at ${formatAddress(run.address)} +${formatSize(run.lengthBytes)}`;
}

function nameOfLimit(addressLimit: number): string {
  const bits = Math.log2(addressLimit + 1);
  return `${Number.isInteger(bits) ? `${bits}-bit ` : ''}limit ${formatAddress(addressLimit)}`;
}
