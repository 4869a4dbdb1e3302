/**
 * Ways out of a placement that cannot be had, each tried before it is offered.
 *
 * A repair names what to change and what it costs. None changes what the user did not ask about: the facts, the board and
 * the pipeline stay but for that one change.
 */
import { formatList, formatSize, formatWindow } from '../describe.js';
import { alignUp } from '../numbers.js';
import { ALL_ADDRESSES, intersectWindows } from './address-windows.js';
import { type DeviceConstraints, PAGE_BYTES } from './device-constraints.js';
import { type ConstraintFact, CPU, withoutFields } from './facts.js';
import type { HeapTraits } from './heap-traits.js';
import type { DeviceObjections } from './objections.js';
import { reachOf } from './reach.js';
import { rememberObjections } from './remembered-objections.js';
import { cheapestHeap, type PlacementRequest, type UnsatisfiableResult } from './solve.js';

/** What a repair costs. Fields that are absent cost nothing. */
export interface RepairCost {
  /** Copied for each frame. */
  readonly bytesPerFrame?: number;
  /** Set aside for good. */
  readonly bytesReserved?: number;
  /** Buffers fewer than asked for. */
  readonly buffersFewer?: number;
  /** Other hardware, or another driver. */
  readonly hardware?: boolean;
}

/** A change with which the buffers can be placed. */
export interface PlacementRepair {
  readonly kind: 'fewer-buffers' | 'add-heap' | 'blit' | 'add-iommu' | 'relax';
  /** In one sentence. */
  readonly text: string;
  /** The devices concerned. */
  readonly devices: readonly string[];
  /** Where the buffers lie then. */
  readonly heap: string;
  readonly cost: RepairCost;
}

/** How to look for repairs. */
export interface RepairOptions {
  /** How many to offer; absent = 8. */
  readonly most?: number;
  /** A memory of what devices object to; absent = one for these repairs. */
  readonly ofDevice?: DeviceObjections;
}

/**
 * Looks for repairs, cheapest kind first: fewer buffers, a heap that the board could set aside, a copy, other hardware.
 */
export function repairPlacement(
  request: PlacementRequest,
  result: UnsatisfiableResult,
  { most = 8, ofDevice = rememberObjections() }: RepairOptions = {},
): PlacementRepair[] {
  const heapWith: HeapWith = (variant) => cheapestHeap(variant, ofDevice)?.name;
  const repairs = [
    ...fewerBuffers(request, heapWith),
    ...anotherHeap(request, result, heapWith),
    ...copies(request, result, heapWith),
    ...iommus(request, result, heapWith),
    ...relaxations(request, result, heapWith),
  ];
  return repairs.slice(0, most);
}

/** The heap in which a variant of the request could be placed. */
type HeapWith = (variant: PlacementRequest) => string | undefined;

function fewerBuffers(request: PlacementRequest, heapWith: HeapWith): PlacementRepair[] {
  const { buffers = 1 } = request;
  let [low, high] = [0, buffers];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (heapWith({ ...request, buffers: middle }) === undefined) high = middle;
    else low = middle;
  }
  const heap = low === 0 ? undefined : heapWith({ ...request, buffers: low });
  if (heap === undefined) return [];
  const text = `use ${low} buffer${low === 1 ? '' : 's'} instead of ${buffers}: so many fit ${heap}`;
  return [{ kind: 'fewer-buffers', text, devices: [], heap, cost: { buffersFewer: buffers - low } }];
}

/** A region of contiguous memory where every device reaches it, cut out of a heap's window that has the room. */
function anotherHeap(
  request: PlacementRequest,
  { sizeBytes }: UnsatisfiableResult,
  heapWith: HeapWith,
): PlacementRepair[] {
  const { devices, heaps, buffers = 1 } = request;
  const alignmentBytes = devices.reduce(
    (most, c) => Math.max(most, alignUp(c.alignmentBytes ?? 1, PAGE_BYTES)),
    2 ** 20,
  );
  const needed = alignUp(sizeBytes, alignmentBytes) * buffers;
  const reach = devices.reduce<typeof ALL_ADDRESSES>((set, c) => intersectWindows(set, reachOf(c)), ALL_ADDRESSES);
  const ram = heaps.filter((heap) => !heap.protected && heap.deviceLocal === undefined).flatMap((heap) => heap.windows);
  const isProtected = devices.some((c) => c.protected === 'required');
  for (const window of intersectWindows(reach, ram)) {
    const base = alignUp(window.base, alignmentBytes);
    if (base + needed > window.base + window.sizeBytes) continue;
    const name = isProtected ? 'a protected region' : 'a cma region';
    const windows = [{ base, sizeBytes: needed }];
    const common = { name, windows, contiguous: true, alignmentBytes, cost: 2 };
    const heap: HeapTraits = isProtected ? { ...common, protected: true } : common;
    if (heapWith({ ...request, heaps: [heap] }) === undefined) continue;
    const text = `set aside ${name} of at least ${formatSize(needed)} within ${formatWindow(window)}`;
    return [{ kind: 'add-heap', text, devices: [], heap: name, cost: { bytesReserved: needed } }];
  }
  return [];
}

/** One device works on a copy: it and the others must each find a heap. */
function copies(request: PlacementRequest, result: UnsatisfiableResult, heapWith: HeapWith): PlacementRepair[] {
  const involved = [...new Set(result.conflicts.flatMap((set) => set.map((fact) => fact.device)))].sort();
  return involved.flatMap((device): PlacementRepair[] => {
    const alone = request.devices.filter((c) => c.device === device);
    const others = request.devices.filter((c) => c.device !== device);
    if (alone.length === 0 || others.length === 0) return [];
    const heap = heapWith({ ...request, devices: others });
    const copy = heapWith({ ...request, devices: alone, cpuAccess: false });
    if (heap === undefined || copy === undefined) return [];
    const bytesPerFrame = result.sizeBytes;
    const text = `give ${device} a copy: a blit of ${formatSize(bytesPerFrame)} a frame from ${heap} to ${copy}`;
    return [{ kind: 'blit', text, devices: [device], heap, cost: { bytesPerFrame } }];
  });
}

function iommus(request: PlacementRequest, result: UnsatisfiableResult, heapWith: HeapWith): PlacementRepair[] {
  const involved = [...new Set(result.conflicts.flatMap((set) => set.map((fact) => fact.device)))].sort();
  return involved.flatMap((device): PlacementRepair[] => {
    const translated = (c: DeviceConstraints): DeviceConstraints => {
      if (c.device !== device || c.iommu !== undefined) return c;
      const { windows: _, ...rest } = c;
      return { ...rest, iommu: { iovaBits: 32 } };
    };
    if (!request.devices.some((c) => c.device === device && c.iommu === undefined)) return [];
    const heap = heapWith({ ...request, devices: request.devices.map(translated) });
    if (heap === undefined) return [];
    const text = `put ${device} behind an IOMMU with 32-bit addresses: the buffers then lie in ${heap}`;
    return [{ kind: 'add-iommu', text, devices: [device], heap, cost: { hardware: true } }];
  });
}

function relaxations(
  request: PlacementRequest,
  { waysOut }: UnsatisfiableResult,
  heapWith: HeapWith,
): PlacementRepair[] {
  return waysOut.flatMap((facts): PlacementRepair[] => {
    const devices = request.devices.map((c) => {
      const fields = facts.filter((fact) => fact.device === c.device).map((fact) => fact.field);
      return fields.length === 0 ? c : withoutFields(c, fields);
    });
    const cpuAccess = request.cpuAccess === true && !facts.some((fact) => fact.device === CPU);
    const heap = heapWith({ ...request, devices, cpuAccess });
    if (heap === undefined) return [];
    const text = `do without ${formatList(facts.map(describeFact))}: the buffers then lie in ${heap}`;
    const named = [...new Set(facts.map((fact) => fact.device))];
    return [{ kind: 'relax', text, devices: named, heap, cost: { hardware: true } }];
  });
}

function describeFact({ device, field }: ConstraintFact): string {
  return `${device}.${field}`;
}
