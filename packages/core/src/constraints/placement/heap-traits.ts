/** What a heap promises, and what follows from it for a buffer. */
import { alignUp, greatestCommonDivisor } from '../numbers.js';
import { windowEnd } from './address-windows.js';
import { checkAddressWindow } from './check-device-constraints.js';
import { type AddressWindow, type CoherencyDomain, type DeviceConstraints, PAGE_BYTES } from './device-constraints.js';
import { dmaSegments, worstSegmentsOfRun } from './dma-segments.js';
import { busCuts, busOffsets } from './reach.js';

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
  /** Largest buffer, however much is free; absent = no such limit. */
  readonly maxBytes?: number;
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
  if (heap.coherency?.length === 0) problems.push('coherency must hold at least one domain, or be left out');
  heap.deviceLocal?.visible.forEach((window, index) => {
    problems.push(...checkAddressWindow(window).map((problem) => `deviceLocal.visible[${index}].${problem}`));
  });
  return problems;
}

/** The coherency domains a heap offers, in order of preference. */
export function coherencyOf(heap: HeapTraits): readonly CoherencyDomain[] {
  return heap.coherency ?? (heap.protected ? ['inaccessible'] : ['cpu', 'ram']);
}

/** Whether a buffer of that many bytes is one run. */
export function isOneRun(heap: HeapTraits, bytes: number): boolean {
  return heap.contiguous || bytes <= chunkOf(heap);
}

/** What runs are made of, in bytes. */
export function chunkOf(heap: HeapTraits): number {
  return heap.chunkBytes ?? PAGE_BYTES;
}

/** Where buffers of the heap may lie when a device that does not own it, or the CPU, is to reach them. */
export function sharedWindows(heap: HeapTraits): readonly AddressWindow[] {
  return heap.deviceLocal?.visible ?? heap.windows;
}

/**
 * Where in those windows a buffer of that many bytes may come to lie: for a heap of single runs, from the first aligned
 * start to the end of the run at the last.
 */
export function windowsFor(heap: HeapTraits, bytes: number, windows = heap.windows): AddressWindow[] {
  if (!heap.contiguous) return [...windows];
  return windows.flatMap((w) => {
    const first = alignUp(w.base, heap.alignmentBytes);
    const last = Math.floor((windowEnd(w) - bytes) / heap.alignmentBytes) * heap.alignmentBytes;
    return first <= last ? [{ base: first, sizeBytes: last + bytes - first }] : [];
  });
}

/**
 * How many buffers of that many bytes an empty heap holds.
 *
 * @param bytes whole pages
 */
export function buffersFitting(heap: HeapTraits, bytes: number, windows = heap.windows): number {
  if (!heap.contiguous) {
    const chunks = Math.ceil(bytes / chunkOf(heap));
    const room = windows.reduce((sum, w) => {
      const start = alignUp(w.base, chunkOf(heap));
      return sum + Math.max(0, Math.floor((windowEnd(w) - start) / chunkOf(heap)));
    }, 0);
    return Math.floor(room / chunks);
  }
  const step = alignUp(bytes, heap.alignmentBytes);
  return windows.reduce((sum, w) => {
    const room = windowEnd(w) - alignUp(w.base, heap.alignmentBytes) - bytes;
    return room < 0 ? sum : sum + Math.floor(room / step) + 1;
  }, 0);
}

/**
 * Most segments the device can see of a buffer from that heap; behind an IOMMU the number at an aligned IOVA.
 *
 * @param bytes whole pages
 */
export function worstSegments(heap: HeapTraits, c: DeviceConstraints, bytes: number, windows = heap.windows): number {
  if (c.iommu !== undefined) return dmaSegments([{ address: 0, lengthBytes: bytes }], c).length;
  const candidates = windowsFor(heap, bytes, windows);
  const worst = (lengthBytes: number, alignmentBytes: number): number =>
    Math.max(0, ...candidates.map((w) => worstInWindow(w, lengthBytes, alignmentBytes, c)));
  if (isOneRun(heap, bytes)) return worst(bytes, heap.alignmentBytes);
  // Joining chunks only takes cuts away, so chunk by chunk is the worst; inside a run a chunk is aligned to both.
  const chunk = chunkOf(heap);
  const alignment = greatestCommonDivisor(heap.alignmentBytes, chunk);
  const rest = bytes % chunk;
  return Math.floor(bytes / chunk) * worst(chunk, alignment) + (rest === 0 ? 0 : worst(rest, alignment));
}

/** On the bus, the window and the alignment are those of the translated addresses. */
function worstInWindow(w: AddressWindow, lengthBytes: number, alignmentBytes: number, c: DeviceConstraints): number {
  const offsets = busOffsets(c, [w]);
  const most = offsets.map((offset) => {
    const alignment = offset === 0 ? alignmentBytes : greatestCommonDivisor(alignmentBytes, Math.abs(offset));
    return worstSegmentsOfRun(
      lengthBytes,
      alignment,
      { base: Math.max(0, w.base + offset), sizeBytes: w.sizeBytes },
      c,
    );
  });
  // A run that reaches from one translation into the next is cut there.
  return Math.max(...most) + busCuts(w, c) - 1;
}
