/**
 * Places a buffer: the least scarce heap that guarantees what every device demands, and why it is that one.
 *
 * The answer does not depend on the order of the devices. All of it is data; `explanation.prose` says it in a sentence.
 */
import { assertDeviceConstraints, type DeviceConstraints, pageAlignedBytes } from './device-constraints.js';
import { explainPlaced, explainUnsatisfiable } from './explain.js';
import { type ConstraintFact, constraintFacts, withoutField } from './facts.js';
import {
  checkHeapTraits,
  type HeapTraits,
  type HeapVerdict,
  judgeHeap,
  windowsFor,
  worstSegments,
} from './heap-verdict.js';
import { type MergedConstraints, mergeConstraints } from './merge.js';

/** What is asked: a buffer of so many bytes, for these devices, from one of these heaps. */
export interface PlacementRequest {
  readonly devices: readonly DeviceConstraints[];
  readonly heaps: readonly HeapTraits[];
  readonly sizeBytes: number;
}

/** Most segments a device can see of the buffer. */
export interface DeviceSegments {
  readonly device: string;
  readonly segments: number;
}

/** Where the first byte of a buffer may lie, inclusive at both ends. */
export interface StartRange {
  readonly first: number;
  readonly last: number;
}

/** Why the answer is what it is. */
export interface PlacementExplanation {
  /** In one sentence, for people. */
  readonly prose: string;
  /** What the devices demand together, and who brought what. */
  readonly requirements: MergedConstraints;
}

/** A heap suits everybody. */
export interface PlacedResult {
  readonly status: 'placed';
  /** Name of the heap. */
  readonly heap: string;
  /** Whole pages, which is also what a move would copy. */
  readonly sizeBytes: number;
  /** One for each window the buffer may come to lie in. */
  readonly startRanges: readonly StartRange[];
  /** Every heap in order of preference. */
  readonly candidates: readonly HeapVerdict[];
  /** The devices each of which, if it left, would let a cheaper heap win; sorted. Empty also when two force it jointly. */
  readonly bindingDevices: readonly string[];
  /** One minimal set of facts that rules out every cheaper heap; empty when there is no cheaper one. */
  readonly forcedBy: readonly ConstraintFact[];
  readonly explanation: PlacementExplanation & {
    /** What each device can see at most, by name. */
    readonly segments: readonly DeviceSegments[];
  };
}

/** No heap suits everybody. */
export interface UnsatisfiableResult {
  readonly status: 'unsatisfiable';
  readonly sizeBytes: number;
  readonly candidates: readonly HeapVerdict[];
  /**
   * One minimal conflict: these facts leave no heap, and any of them taken away leaves one. The request is not listed;
   * empty when no heap is large enough whoever asks.
   */
  readonly conflict: readonly ConstraintFact[];
  readonly explanation: PlacementExplanation;
}

/** The answer of {@link solvePlacement}. */
export type PlacementResult = PlacedResult | UnsatisfiableResult;

/**
 * Chooses the heap of a buffer, before any page exists.
 *
 * Context: any-thread; pure; slow path. Conflicts are found by deletion, one trial a fact.
 *
 * @returns the cheapest heap that suits every device, the earlier in the list among equals; or the conflict
 * @throws RangeError when sizeBytes, a device or a heap is malformed
 */
export function solvePlacement(request: PlacementRequest): PlacementResult {
  const { sizeBytes: askedBytes } = request;
  if (!Number.isSafeInteger(askedBytes) || askedBytes < 1) {
    throw new RangeError(`Cannot place a buffer: sizeBytes must be at least 1, got ${askedBytes}`);
  }
  for (const c of request.devices) assertDeviceConstraints(c);
  for (const heap of request.heaps) {
    const problems = checkHeapTraits(heap);
    if (problems.length > 0) throw new RangeError(`Cannot use the heap ${heap.name}: ${problems.join('; ')}`);
  }
  const sizeBytes = pageAlignedBytes(askedBytes);
  const devices = [...request.devices].sort((a, b) => (a.device < b.device ? -1 : a.device > b.device ? 1 : 0));
  const heaps = [...request.heaps].sort((a, b) => a.cost - b.cost);
  const candidates = heaps.map((heap) => judgeHeap(heap, devices, sizeBytes));
  const requirements = mergeConstraints(devices);
  const heap = heaps.find((_, index) => candidates[index].suits);
  if (heap === undefined) {
    const conflict = minimalConflict(heaps, devices, sizeBytes);
    const prose = explainUnsatisfiable(candidates, conflict, sizeBytes);
    return { status: 'unsatisfiable', sizeBytes, candidates, conflict, explanation: { prose, requirements } };
  }
  const cheaper = heaps.filter((other) => other.cost < heap.cost);
  const forcedBy = cheaper.length === 0 ? [] : minimalConflict(cheaper, devices, sizeBytes);
  const bindingDevices = namesOf(devices).filter((name) => {
    const others = devices.filter((c) => c.device !== name);
    return anySuits(cheaper, others, sizeBytes);
  });
  const segments = devices.map((c) => ({ device: c.device, segments: worstSegments(heap, c, sizeBytes) }));
  const prose = explainPlaced(heap.name, devices, candidates, forcedBy);
  const startRanges = windowsFor(heap, sizeBytes).flatMap((window) => startRangeIn(window, heap, sizeBytes));
  return {
    status: 'placed',
    heap: heap.name,
    sizeBytes,
    startRanges,
    candidates,
    bindingDevices,
    forcedBy,
    explanation: { prose, requirements, segments },
  };
}

/**
 * Facts which together leave none of the heaps, and of which any taken away leaves one.
 *
 * Deletion: a fact without which the rest still conflict is dropped for good. Right because taking a fact away never
 * makes a heap unsuitable.
 */
function minimalConflict(
  heaps: readonly HeapTraits[],
  devices: readonly DeviceConstraints[],
  sizeBytes: number,
): ConstraintFact[] {
  let rest = devices;
  const core: ConstraintFact[] = [];
  const tried = new Set<string>();
  for (const fact of devices.flatMap(constraintFacts)) {
    const key = JSON.stringify([fact.device, fact.field]);
    if (tried.has(key)) continue; // several entries of one participant fall together
    tried.add(key);
    const trial = rest.map((c) => (c.device === fact.device ? withoutField(c, fact.field) : c));
    if (anySuits(heaps, trial, sizeBytes)) core.push(fact);
    else rest = trial;
  }
  return core;
}

function anySuits(heaps: readonly HeapTraits[], devices: readonly DeviceConstraints[], sizeBytes: number): boolean {
  return heaps.some((heap) => judgeHeap(heap, devices, sizeBytes).suits);
}

function namesOf(devices: readonly DeviceConstraints[]): string[] {
  return [...new Set(devices.map((c) => c.device))];
}

function startRangeIn(window: { base: number; sizeBytes: number }, heap: HeapTraits, sizeBytes: number): StartRange[] {
  const needed = heap.contiguous ? sizeBytes : Math.min(sizeBytes, heap.chunkBytes ?? 4096);
  const first = Math.ceil(window.base / heap.alignmentBytes) * heap.alignmentBytes;
  const last = Math.floor((window.base + window.sizeBytes - needed) / heap.alignmentBytes) * heap.alignmentBytes;
  return first <= last ? [{ first, last }] : [];
}
