/**
 * Whether a heap guarantees, for every layout it may hand out, what every device demands.
 *
 * A guarantee, not luck: a heap that might scatter the pages does not suit a device that needs them contiguous, though
 * unfragmented memory may happen to satisfy it.
 */

import { formatAddress, formatSize, formatWindow } from '../describe.js';
import { alignUp, greatestCommonDivisor } from '../numbers.js';
import { containsWindow, sizeOfWindows, windowEnd, windowOfBits } from './address-windows.js';
import {
  type AddressWindow,
  type CoherencyDomain,
  checkAddressWindow,
  type DeviceConstraints,
  iommuGranuleOf,
  PAGE_BYTES,
  pageAlignedBytes,
} from './device-constraints.js';
import { dmaSegments, worstSegmentsOfRun } from './dma-segments.js';
import { type ConstraintField, type ConstraintValue, withoutField } from './facts.js';
import { lowestIova } from './iova.js';

/** What a heap promises of every buffer it hands out. */
export interface HeapTraits {
  readonly name: string;
  /** Where its pages may lie. A run never reaches from one window into another. */
  readonly windows: readonly AddressWindow[];
  /** One run guaranteed. */
  readonly contiguous: boolean;
  /** Of the start of every run, guaranteed for an allocation of that size; a multiple of 4096. */
  readonly alignmentBytes: number;
  /** Every run but the last is a whole number of these, so no run is shorter; absent = 4096. Only if scattered. */
  readonly chunkBytes?: number;
  /** Scarcity: system 0 < system-dma32 1 < cma 2 < device-local 3, unless configured. The lowest that suits wins. */
  readonly cost: number;
  /** The CPU may not access it, nor any device that is not allowed in. Absent = false. */
  readonly protected?: boolean;
  /** Coherency domains it offers; absent = `cpu` and `ram`, or only `inaccessible` when it is protected. */
  readonly coherency?: readonly CoherencyDomain[];
  /** It is the memory of one device. Absent = it is the system's. */
  readonly deviceLocal?: DeviceLocalMemory;
}

/** Memory behind a device's PCIe port. Source: struct pci_p2pdma, drivers/pci/p2pdma.c, v6.12. */
export interface DeviceLocalMemory {
  /** The device whose memory it is: it reaches all of it. */
  readonly owner: string;
  /** The part that its BAR shows to the CPU and to peers, at CPU-physical addresses; empty when nothing is. */
  readonly visible: readonly AddressWindow[];
  /** Bridges on the way from each peer; who is not listed cannot reach it. */
  readonly distances: Readonly<Record<string, number>>;
}

/** The fact that rules a heap out. */
export interface HeapObjection {
  /** Whose demand; undefined when the heap itself cannot hold a buffer of that size. */
  readonly device: string | undefined;
  readonly field: ConstraintField | 'sizeBytes';
  readonly value: ConstraintValue;
  readonly message: string;
}

/** How a heap fared: it suits everybody, or the first fact that ruled it out. */
export type HeapVerdict =
  | { readonly heap: string; readonly cost: number; readonly suits: true }
  | ({ readonly heap: string; readonly cost: number; readonly suits: false } & HeapObjection);

/**
 * Says what is wrong with a heap's traits.
 *
 * @returns one sentence a problem; empty when they are well formed
 */
export function checkHeapTraits(heap: HeapTraits): string[] {
  const problems = heap.windows.flatMap((window, index) =>
    checkAddressWindow(window).map((problem) => `windows[${index}].${problem}`),
  );
  if (heap.windows.length === 0) problems.push('windows must hold at least one window');
  for (const [field, value] of [
    ['alignmentBytes', heap.alignmentBytes],
    ['chunkBytes', chunkOf(heap)],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < PAGE_BYTES || value % PAGE_BYTES !== 0) {
      problems.push(`${field} must be a multiple of ${PAGE_BYTES}, got ${value}`);
    }
  }
  if (!Number.isFinite(heap.cost)) problems.push(`cost must be a number, got ${heap.cost}`);
  return problems;
}

/**
 * Judges one heap for one buffer.
 *
 * @param devices well-formed constraints, in the order in which to look for an objection
 * @param sizeBytes at least 1; whole pages are counted
 */
export function judgeHeap(heap: HeapTraits, devices: readonly DeviceConstraints[], sizeBytes: number): HeapVerdict {
  const bytes = pageAlignedBytes(sizeBytes);
  let objection = objectionToSize(heap, bytes);
  for (const c of devices) objection ??= objectionToHeap(heap, c, bytes);
  const { name, cost } = heap;
  return objection === undefined ? { heap: name, cost, suits: true } : { heap: name, cost, suits: false, ...objection };
}

/**
 * Most segments the device can see of a buffer from that heap; behind an IOMMU the number at an aligned IOVA.
 *
 * @param bytes whole pages
 */
export function worstSegments(heap: HeapTraits, c: DeviceConstraints, bytes: number): number {
  if (c.iommu !== undefined) return dmaSegments([{ address: 0, lengthBytes: bytes }], c).length;
  const worst = (lengthBytes: number, alignmentBytes: number): number =>
    Math.max(...windowsFor(heap, bytes).map((w) => worstSegmentsOfRun(lengthBytes, alignmentBytes, w, c)));
  if (isOneRun(heap, bytes)) return worst(bytes, heap.alignmentBytes);
  // Joining chunks only takes cuts away, so chunk by chunk is the worst; inside a run a chunk is aligned to both.
  const chunk = chunkOf(heap);
  const alignment = greatestCommonDivisor(heap.alignmentBytes, chunk);
  const rest = bytes % chunk;
  return Math.floor(bytes / chunk) * worst(chunk, alignment) + (rest === 0 ? 0 : worst(rest, alignment));
}

/** The heap's windows in which a buffer of that many bytes may come to lie. */
export function windowsFor(heap: HeapTraits, bytes: number): AddressWindow[] {
  if (!heap.contiguous) return [...heap.windows];
  return heap.windows.filter((w) => alignUp(w.base, heap.alignmentBytes) + bytes <= windowEnd(w));
}

function objectionToSize(heap: HeapTraits, bytes: number): HeapObjection | undefined {
  const windows = windowsFor(heap, bytes);
  if (windows.length > 0 && bytes <= sizeOfWindows(heap.windows)) return undefined;
  const message = `${heap.name} is too small: it has no room for ${formatSize(bytes)}${heap.contiguous ? ' in one run' : ''}`;
  return { device: undefined, field: 'sizeBytes', value: bytes, message };
}

function objectionToHeap(heap: HeapTraits, c: DeviceConstraints, bytes: number): HeapObjection | undefined {
  const object = (field: ConstraintField, value: ConstraintValue, message: string): HeapObjection => ({
    device: c.device,
    field,
    value,
    message: `${c.device} ${message}`,
  });
  const windows = windowsFor(heap, bytes);
  const top = Math.max(...windows.map((w) => windowEnd(w) - 1));
  const { iommu, addressLimit, maxSegments, alignmentBytes } = c;
  if (iommu === undefined) {
    if (addressLimit !== undefined && top > addressLimit) {
      const text = `reaches nothing above ${formatAddress(addressLimit)}, but ${heap.name} may use pages up to ${formatAddress(top)}`;
      return object('addressLimit', addressLimit, text);
    }
    const reach = c.windows;
    const outside = reach && windows.find((window) => !containsWindow(reach, window));
    if (reach !== undefined && outside !== undefined) {
      const text = `reaches only ${reach.map(formatWindow).join(', ')}, but ${heap.name} may use ${formatWindow(outside)}`;
      return object('windows', reach, text);
    }
    if (c.contiguous && !isOneRun(heap, bytes)) {
      return object(
        'contiguous',
        true,
        `needs contiguous memory and has no IOMMU, but ${heap.name} may scatter the pages`,
      );
    }
    if (alignmentBytes !== undefined && heap.alignmentBytes % alignmentBytes !== 0) {
      const text = `needs a start aligned to ${formatSize(alignmentBytes)}, but ${heap.name} guarantees only ${formatSize(heap.alignmentBytes)}`;
      return object('alignmentBytes', alignmentBytes, text);
    }
  } else {
    const reach = iommu.physBits === undefined ? undefined : windowEnd(windowOfBits(iommu.physBits)) - 1;
    if (iommu.physBits !== undefined && reach !== undefined && top > reach) {
      const text = `has an IOMMU that maps no page above ${formatAddress(reach)}, but ${heap.name} may use pages up to ${formatAddress(top)}`;
      return object('iommu.physBits', iommu.physBits, text);
    }
    const granule = iommuGranuleOf(iommu);
    if (heap.alignmentBytes % granule !== 0 || !(isOneRun(heap, bytes) || chunkOf(heap) % granule === 0)) {
      const text = `has an IOMMU with pages of ${formatSize(granule)}, but runs of ${heap.name} need not start and end at multiples of that`;
      return object('iommu.pageSizes', iommu.pageSizes ?? [granule], text);
    }
    if (lowestIova(c, bytes) === undefined) {
      const unlimited = lowestIova(withoutField(c, 'addressLimit'), bytes) !== undefined;
      const text = `has no IOVA range of ${formatSize(bytes)}`;
      if (unlimited && addressLimit !== undefined) {
        return object('addressLimit', addressLimit, `${text} up to ${formatAddress(addressLimit)}`);
      }
      return object('iommu.iovaBits', iommu.iovaBits, `${text} in its aperture`);
    }
  }
  const segments = maxSegments === undefined ? 0 : worstSegments(heap, c, bytes);
  if (maxSegments !== undefined && segments > maxSegments) {
    const text = `takes at most ${maxSegments} segment${maxSegments === 1 ? '' : 's'}, but a buffer from ${heap.name} may need ${segments}`;
    return object('maxSegments', maxSegments, text);
  }
  return undefined;
}

function isOneRun(heap: HeapTraits, bytes: number): boolean {
  return heap.contiguous || bytes <= chunkOf(heap);
}

function chunkOf(heap: HeapTraits): number {
  return heap.chunkBytes ?? PAGE_BYTES;
}
