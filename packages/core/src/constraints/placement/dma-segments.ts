/** How a device sees a buffer: pages coalesced where they abut, cut where the device demands it. */

import { greatestCommonDivisor } from '../numbers.js';
import { windowEnd } from './address-windows.js';
import { assertDeviceConstraints } from './check-device-constraints.js';
import {
  type AddressRun,
  type AddressWindow,
  type DeviceConstraints,
  maxSegmentBytesOf,
  segmentBoundaryBytesOf,
} from './device-constraints.js';
import { lowestIova } from './iova.js';
import { busRuns } from './reach.js';

/** A coalesced run and the index, in the list it came from, of the first run in it. */
export interface CoalescedRun extends AddressRun {
  readonly runIndex: number;
}

/**
 * The segments the device sees: abutting runs joined, in the order of the list, then cut at the longest segment and at
 * the segment boundary, at the addresses that its bus shows. Behind an IOMMU the runs are one range of IOVAs, whatever their addresses, and cut likewise.
 *
 * It only describes; whether the device may use it is {@link checkMapping}'s question.
 *
 * Source: __finalise_sg, drivers/iommu/dma-iommu.c, and sg_alloc_table_from_pages_segment, lib/scatterlist.c, v6.12.
 *
 * @param runs physical runs in buffer order
 * @param iovaStart first IOVA; behind an IOMMU only, absent = the lowest suitable one
 * @throws RangeError when the constraints are malformed
 */
export function dmaSegments(runs: readonly AddressRun[], c: DeviceConstraints, iovaStart?: number): AddressRun[] {
  assertDeviceConstraints(c);
  const maxBytes = maxSegmentBytesOf(c);
  const boundary = segmentBoundaryBytesOf(c);
  const segments: AddressRun[] = [];
  for (const run of deviceRuns(runs, c, iovaStart)) {
    const end = run.address + run.lengthBytes;
    let address = run.address;
    while (address < end) {
      const toBoundary = boundary === undefined ? end - address : boundary - (address % boundary);
      const lengthBytes = Math.min(end - address, maxBytes, toBoundary);
      segments.push({ address, lengthBytes });
      address += lengthBytes;
    }
  }
  return segments;
}

/** Joins runs that abut, in the order of the list. */
export function coalesceRuns(runs: readonly (AddressRun & { readonly runIndex?: number })[]): CoalescedRun[] {
  const joined: CoalescedRun[] = [];
  let [address, lengthBytes, runIndex] = [0, 0, 0];
  runs.forEach((run, index) => {
    if (lengthBytes > 0 && address + lengthBytes === run.address) {
      lengthBytes += run.lengthBytes;
      return;
    }
    if (lengthBytes > 0) joined.push({ address, lengthBytes, runIndex });
    [address, lengthBytes, runIndex] = [run.address, run.lengthBytes, run.runIndex ?? index];
  });
  if (lengthBytes > 0) joined.push({ address, lengthBytes, runIndex });
  return joined;
}

/** Sum of the lengths, in bytes. */
export function lengthOfRuns(runs: readonly AddressRun[]): number {
  return runs.reduce((sum, run) => sum + run.lengthBytes, 0);
}

/**
 * Upper bound of the segments one run is cut into, wherever in the window it starts at a multiple of the alignment.
 *
 * Exact up to the ends of the window when the longest segment divides the boundary or is not shorter than it. Otherwise
 * a bound: n pieces between boundaries, of L bytes together, make at most n + floor((L - n) / longest) segments.
 *
 * @param lengthBytes length of the run
 * @param alignmentBytes alignment of its start
 */
export function worstSegmentsOfRun(
  lengthBytes: number,
  alignmentBytes: number,
  window: AddressWindow,
  c: DeviceConstraints,
): number {
  const maxBytes = maxSegmentBytesOf(c);
  const uncut = Math.ceil(lengthBytes / maxBytes);
  const boundary = segmentBoundaryBytesOf(c);
  if (boundary === undefined) return uncut;
  // The run starts at a multiple of `phase` past a boundary, so at least `phase` bytes lie before the first cut.
  const phase = greatestCommonDivisor(alignmentBytes, boundary);
  const inWindow = Math.floor((windowEnd(window) - 1) / boundary) - Math.floor(window.base / boundary);
  const crossed = lengthBytes <= phase ? 0 : Math.min(inWindow, Math.ceil((lengthBytes - phase) / boundary));
  if (crossed === 0) return uncut;
  if (maxBytes >= boundary) return 1 + crossed;
  if (boundary % maxBytes === 0) return phase >= maxBytes ? uncut : 1 + Math.ceil((lengthBytes - phase) / maxBytes);
  return 1 + crossed + Math.floor((lengthBytes - 1 - crossed) / maxBytes);
}

function deviceRuns(runs: readonly AddressRun[], c: DeviceConstraints, iovaStart?: number): readonly AddressRun[] {
  if (c.iommu === undefined) return coalesceRuns(busRuns(runs, c));
  const lengthBytes = lengthOfRuns(runs);
  if (lengthBytes === 0) return [];
  return [{ address: iovaStart ?? lowestIova(c, lengthBytes) ?? c.iommu.iovaBase ?? 0, lengthBytes }];
}
