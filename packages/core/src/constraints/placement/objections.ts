/**
 * Everything that speaks against a heap for a buffer: for each device the demands which the heap might not meet.
 *
 * A guarantee, not luck: a heap that might scatter the pages does not suit a device that needs them contiguous, though
 * unfragmented memory may happen to satisfy it. An objection is a minimal set of facts that rules the heap out; mostly one
 * fact, several where only together they are too much, as a number of segments and their length.
 */
import { conflictSets } from '../conflict-sets.js';
import { formatAddress, formatSize, formatWindow } from '../describe.js';
import { greatestCommonDivisor } from '../numbers.js';
import { containsWindow, windowEnd } from './address-windows.js';
import { MAX_BOUNCE_BYTES } from './bounce.js';
import {
  type AddressWindow,
  type CoherencyDomain,
  type DeviceConstraints,
  iommuGranuleOf,
} from './device-constraints.js';
import {
  ANY_DISTANCE,
  type ConstraintFact,
  type ConstraintField,
  type ConstraintValue,
  CPU,
  statedValue,
  withoutFields,
} from './facts.js';
import {
  buffersFitting,
  chunkOf,
  coherencyOf,
  type HeapTraits,
  isOneRun,
  sharedWindows,
  windowsFor,
  worstSegments,
} from './heap-traits.js';
import { highestIssued, lowestIova } from './iova.js';
import { busCuts, busOffsets, type Reach, type ReachField, reachesOf } from './reach.js';

/** A set of facts that rules a heap out. */
export interface Objection {
  /** None when the heap cannot hold the buffers, whoever asks. */
  readonly facts: readonly ConstraintFact[];
  /** The value that cannot be met, or the bytes for which there is no room. */
  readonly value: ConstraintValue;
  readonly message: string;
}

/** The buffers for which heaps are judged. */
export interface BufferDemand {
  /** Whole pages. */
  readonly bytes: number;
  /** How many of them. */
  readonly buffers: number;
  /** The CPU is going to access them. */
  readonly cpuAccess: boolean;
  /** IOVA bytes that each device has mapped already, by name. */
  readonly iovaInUse: Readonly<Record<string, number>>;
}

/** How the objections of one device to a heap are come by: {@link objectionsOfDevice}, or a memory of what it found. */
export type DeviceObjections = (heap: HeapTraits, c: DeviceConstraints, demand: BufferDemand) => readonly Objection[];

/** All objections to a heap: those of the heap itself, then device by device in the order given. */
export function objectionsTo(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  demand: BufferDemand,
  ofDevice: DeviceObjections = objectionsOfDevice,
): Objection[] {
  const objections = objectionsOfSize(heap, devices, demand);
  for (const c of devices) objections.push(...ofDevice(heap, c, demand));
  if (demand.cpuAccess) objections.push(...objectionsOfCpu(heap, demand.bytes));
  objections.push(...objectionsOfCoherency(heap, devices, demand));
  return objections;
}

/** Whether there is none; stops at the first. */
export function suitsAll(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  demand: BufferDemand,
  ofDevice: DeviceObjections = objectionsOfDevice,
): boolean {
  if (objectionsOfSize(heap, devices, demand).length > 0) return false;
  if (devices.some((c) => ofDevice(heap, c, demand).length > 0)) return false;
  if (demand.cpuAccess && objectionsOfCpu(heap, demand.bytes).length > 0) return false;
  return objectionsOfCoherency(heap, devices, demand).length === 0;
}

function objectionsOfSize(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  { bytes, buffers, cpuAccess }: BufferDemand,
): Objection[] {
  if (heap.maxBytes !== undefined && bytes > heap.maxBytes) {
    const most = `${heap.name} gives at most ${formatSize(heap.maxBytes)} in one buffer, but ${formatSize(bytes)} are needed`;
    return [{ facts: [], value: bytes, message: most }];
  }
  const whole = buffersFitting(heap, bytes);
  const room = isSharedBy(heap, devices, cpuAccess) ? buffersFitting(heap, bytes, sharedWindows(heap)) : whole;
  // Where not even one is seen, whoever needs to see it objects.
  if (room >= buffers || (room === 0 && whole >= buffers)) return [];
  const run = heap.contiguous ? ' in one run' : '';
  const what =
    buffers === 1 ? `${formatSize(bytes)}${run}` : `${buffers} buffers of ${formatSize(bytes)}${run}, only for ${room}`;
  return [{ facts: [], value: bytes, message: `${heap.name} is too small: it has no room for ${what}` }];
}

/** Whether others than the owner of device-local memory are to reach a buffer, so that it must lie in what they see. */
export function isSharedBy(heap: HeapTraits, devices: readonly DeviceConstraints[], cpuAccess: boolean): boolean {
  const { deviceLocal } = heap;
  return deviceLocal !== undefined && (cpuAccess || devices.some((c) => c.device !== deviceLocal.owner));
}

function objectionsOfCpu(heap: HeapTraits, bytes: number): Objection[] {
  const object = (why: string): Objection[] => [
    { facts: [{ device: CPU, field: 'cpuAccess', value: true }], value: true, message: `the CPU ${why}` },
  ];
  if (heap.protected) return object(`may not access ${heap.name}, which is protected`);
  if (buffersFitting(heap, bytes, sharedWindows(heap)) > 0) return [];
  return object(`sees no ${formatSize(bytes)} of ${heap.name}`);
}

/** What one device, whoever else takes part, has against a heap. */
export function objectionsOfDevice(heap: HeapTraits, c: DeviceConstraints, demand: BufferDemand): Objection[] {
  const found: Objection[] = [];
  const object = (field: ConstraintField, message: string, also: readonly ConstraintField[] = []): void => {
    const facts = [field, ...also].map((one) => ({ device: c.device, field: one, value: statedValue(c, one) }));
    found.push({ facts, value: statedValue(c, field), message: `${c.device} ${message}` });
  };
  if (c.heaps !== undefined && !c.heaps.includes(heap.name)) {
    object('heaps', `may use only ${c.heaps.join(', ')}, not ${heap.name}`);
  }
  if (heap.protected && c.protected === undefined)
    object('protected', `is not allowed into ${heap.name}, which is protected`);
  if (!heap.protected && c.protected === 'required')
    object('protected', `needs protected memory, which ${heap.name} is not`);
  // Its own memory a device reaches by its own means.
  if (heap.deviceLocal?.owner === c.device) return found;
  if (heap.deviceLocal !== undefined) objectToPeer(heap, heap.deviceLocal.distances[c.device], c, demand.bytes, object);
  const windows = windowsFor(heap, demand.bytes, sharedWindows(heap));
  if (windows.length === 0) return found; // said already
  for (const reach of reachesOf(c)) objectToReach(heap, c, reach, windows, demand.bytes, object);
  if (c.iommu === undefined) objectToPages(heap, c, windows, demand.bytes, object);
  else objectToTranslation(heap, c, demand, object);
  objectToSegments(heap, c, demand.bytes, object);
  return found;
}

type Object = (field: ConstraintField, message: string, also?: readonly ConstraintField[]) => void;

function objectToPeer(
  heap: HeapTraits,
  distance: number | undefined,
  c: DeviceConstraints,
  bytes: number,
  object: Object,
): void {
  const most = c.peerToPeerDistance;
  const { name, deviceLocal } = heap;
  const far = distance === undefined || distance < 0;
  if (most === ANY_DISTANCE) return;
  if (most === undefined) {
    object('peerToPeerDistance', `does not map memory of other devices, but ${name} is that of ${deviceLocal?.owner}`);
  } else if (far || distance > most) {
    const path = far ? 'has no path' : `is ${distance} bridges away, more than ${most},`;
    object('peerToPeerDistance', `${path} to ${name}, the memory of ${deviceLocal?.owner}`);
  } else if (buffersFitting(heap, bytes, sharedWindows(heap)) === 0) {
    object('peerToPeerDistance', `sees no ${formatSize(bytes)} of ${name} through its BAR`);
  }
}

function objectToReach(
  heap: HeapTraits,
  c: DeviceConstraints,
  { field, windows: reach }: Reach,
  windows: readonly AddressWindow[],
  bytes: number,
  object: Object,
): void {
  const outside = windows.find((window) => !containsWindow(reach, window));
  if (outside === undefined) return;
  if (c.bounceAllowed && c.iommu === undefined && bytes <= MAX_BOUNCE_BYTES) return; // a cost: preferences.ts
  const top = formatAddress(Math.max(...windows.map((w) => windowEnd(w) - 1)));
  const uses = `but ${heap.name} may use pages up to ${top}`;
  object(field, cannotReach(heap, c, field, reach, outside, uses));
}

function cannotReach(
  heap: HeapTraits,
  c: DeviceConstraints,
  field: ReachField,
  reach: readonly AddressWindow[],
  outside: AddressWindow,
  uses: string,
): string {
  switch (field) {
    case 'dmaMask':
    case 'addressLimit':
      return `reaches nothing above ${formatAddress(c[field] ?? 0)}, ${uses}`;
    case 'physLimit':
      return `reaches no memory above ${formatAddress(c.physLimit ?? 0)}, ${uses}`;
    case 'windows':
      return `reaches only ${reach.map(formatWindow).join(', ')}, but ${heap.name} may use ${formatWindow(outside)}`;
    case 'iommu.physBits':
      return `has an IOMMU that maps no page above ${formatAddress(windowEnd(reach[0]) - 1)}, ${uses}`;
  }
}

function objectToPages(
  heap: HeapTraits,
  c: DeviceConstraints,
  windows: readonly AddressWindow[],
  bytes: number,
  object: Object,
): void {
  const offsets = busOffsets(c, windows);
  const isCut = windows.some((window) => busCuts(window, c) > 1);
  if (c.contiguous && (!isOneRun(heap, bytes) || isCut)) {
    object('contiguous', `needs contiguous memory and has no IOMMU, but ${heap.name} may scatter the pages`);
  }
  const guaranteed = offsets.reduce((gcd, offset) => greatestCommonDivisor(gcd, Math.abs(offset)), heap.alignmentBytes);
  if (c.alignmentBytes !== undefined && guaranteed % c.alignmentBytes !== 0) {
    const text = `needs a start aligned to ${formatSize(c.alignmentBytes)}, but ${heap.name} guarantees only ${formatSize(guaranteed)}`;
    object('alignmentBytes', text);
  }
}

function objectToTranslation(heap: HeapTraits, c: DeviceConstraints, demand: BufferDemand, object: Object): void {
  const { iommu } = c;
  if (iommu === undefined) return;
  const { bytes } = demand;
  const granule = iommuGranuleOf(iommu);
  if (heap.alignmentBytes % granule !== 0 || !(isOneRun(heap, bytes) || chunkOf(heap) % granule === 0)) {
    const text = `has an IOMMU with pages of ${formatSize(granule)}, but runs of ${heap.name} need not start and end at multiples of that`;
    object('iommu.pageSizes', text);
  }
  const needed = iovaBytesNeeded(c, demand);
  if (iommu.iovaBudgetBytes !== undefined && needed > iommu.iovaBudgetBytes) {
    const text = `has a budget of ${formatSize(iommu.iovaBudgetBytes)} of IOVAs, but would need ${formatSize(needed)}`;
    object('iommu.iovaBudgetBytes', text);
  }
  if (lowestIova(c, bytes) !== undefined) return;
  const fields: ConstraintField[] = [
    'addressLimit',
    'alignmentBytes',
    'dmaMask',
    'iommu.iovaBits',
    'iommu.pageSizes',
    'segmentBoundaryMask',
  ];
  forEachCore(
    fields,
    (kept) => lowestIova(withoutFields(c, kept), bytes) !== undefined,
    (core) => {
      const limited = core.includes('addressLimit') || core.includes('dmaMask');
      const where = limited ? `up to ${formatAddress(highestIssued(c))}` : 'in its aperture';
      object(core[0], `has no IOVA range of ${formatSize(bytes)} ${where}`, core.slice(1));
    },
  );
}

/** What counts against a device's budget of IOVAs, in bytes. */
export function iovaBytesNeeded({ device }: DeviceConstraints, { bytes, buffers, iovaInUse }: BufferDemand): number {
  return buffers * bytes + (iovaInUse[device] ?? 0);
}

function objectToSegments(heap: HeapTraits, c: DeviceConstraints, bytes: number, object: Object): void {
  const { maxSegments } = c;
  if (maxSegments === undefined) return;
  const windows = sharedWindows(heap);
  if (worstSegments(heap, c, bytes, windows) <= maxSegments) return;
  const fields: ConstraintField[] = ['maxSegmentBytes', 'segmentBoundaryMask'];
  const within = (without: readonly ConstraintField[]): boolean =>
    worstSegments(heap, withoutFields(c, without), bytes, windows) <= maxSegments;
  forEachCore(fields, within, (core) => {
    const others = fields.filter((field) => !core.includes(field));
    const segments = worstSegments(heap, withoutFields(c, others), bytes, windows);
    const text = `takes at most ${maxSegments} segment${maxSegments === 1 ? '' : 's'}, but a buffer from ${heap.name} may need ${segments}`;
    object('maxSegments', text, core);
  });
}

/** Each minimal set of fields that is too much, given what holds once some others are taken away. */
function forEachCore(
  fields: readonly ConstraintField[],
  holdsWithout: (without: readonly ConstraintField[]) => boolean,
  use: (core: readonly ConstraintField[]) => void,
): void {
  const { conflicts } = conflictSets(fields.length, (kept) => holdsWithout(fields.filter((_, i) => !kept[i])));
  for (const conflict of conflicts) use(conflict.map((index) => fields[index]));
}

/** The domains of a heap may each suit somebody, and none all of them. */
function objectionsOfCoherency(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  { cpuAccess }: BufferDemand,
): Objection[] {
  const picky = devices.filter((c) => c.coherency !== undefined);
  const offered = coherencyOf(heap);
  const suitAll = (kept: readonly boolean[]): boolean =>
    offered.some(
      (domain) =>
        picky.every((c, i) => !kept[i] || c.coherency?.includes(domain)) && !(cpuAccess && domain === 'inaccessible'),
    );
  if (picky.length === 0 || suitAll(picky.map(() => true))) return [];
  return conflictSets(picky.length, suitAll).conflicts.flatMap((conflict) => {
    const facts = conflict.map(
      (i): ConstraintFact => ({ device: picky[i].device, field: 'coherency', value: picky[i].coherency ?? [] }),
    );
    if (facts.length === 0) return [];
    const wishes = facts.map(
      ({ device, value }) => `${device} works with ${(value as CoherencyDomain[]).join(' or ')}`,
    );
    const message = `${wishes.join(', ')}, but ${heap.name} offers ${offered.join(' and ')}`;
    return [{ facts, value: facts[0].value, message }];
  });
}
