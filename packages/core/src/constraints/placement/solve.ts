/**
 * Places a buffer: the least scarce heap that guarantees what every device demands, and why it is that one.
 *
 * The answer does not depend on the order of the devices. All of it is data; `explanation.prose` says it in a sentence.
 */
import { type ConflictLimits, conflictSets } from '../conflict-sets.js';
import { alignUp } from '../numbers.js';
import { assertDeviceConstraints } from './check-device-constraints.js';
import { type CoherencyDomain, type DeviceConstraints, PAGE_BYTES, pageAlignedBytes } from './device-constraints.js';
import { explainPlaced, explainUnsatisfiable } from './explain.js';
import { type ConstraintFact, compareFacts } from './facts.js';
import { checkHeapTraits, type HeapTraits, sharedWindows, windowsFor, worstSegments } from './heap-traits.js';
import { type HeapVerdict, verdictOf } from './heap-verdict.js';
import { type MergedConstraints, mergeConstraints } from './merge.js';
import {
  type BufferDemand,
  type DeviceObjections,
  isSharedBy,
  type Objection,
  objectionsTo,
  suitsAll,
} from './objections.js';
import { coherencyDomain, type PreferenceVerdict, preferencesIn } from './preferences.js';

/** What is asked: buffers of so many bytes, for these devices, from one of these heaps. */
export interface PlacementRequest {
  readonly devices: readonly DeviceConstraints[];
  readonly heaps: readonly HeapTraits[];
  /** Of one buffer. */
  readonly sizeBytes: number;
  /** How many; 1 when absent. What a budget of IOVAs and the room in a heap are counted for. */
  readonly buffers?: number;
  /** Whether the CPU is going to access them; absent = false. */
  readonly cpuAccess?: boolean;
  /** Bytes of IOVA that devices have mapped already, by name. */
  readonly iovaInUse?: Readonly<Record<string, number>>;
  /** How many conflicts to look for. */
  readonly limits?: ConflictLimits;
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
  /** Of one buffer: whole pages, which is also what a move would copy. */
  readonly sizeBytes: number;
  readonly buffers: number;
  /** One for each window the buffer may come to lie in. */
  readonly startRanges: readonly StartRange[];
  /** In which domain it is shared; undefined when nothing is known of it. */
  readonly coherency: CoherencyDomain | undefined;
  /** Device-local memory must come from the part that others see. */
  readonly visible: boolean;
  /** Every heap, cheapest first. */
  readonly candidates: readonly HeapVerdict[];
  /** What devices would rather have, in the chosen heap. */
  readonly preferences: readonly PreferenceVerdict[];
  /** The devices each of which, if it left, would let a cheaper heap win; sorted. Empty also when two force it jointly. */
  readonly bindingDevices: readonly string[];
  /** A smallest set of facts that rules out every cheaper heap; empty when there is no cheaper one. */
  readonly forcedBy: readonly ConstraintFact[];
  /** All such sets that are minimal, smallest first, up to the limit. */
  readonly forcedByAll: readonly (readonly ConstraintFact[])[];
  readonly explanation: PlacementExplanation & {
    /** What each device can see at most, by name. */
    readonly segments: readonly DeviceSegments[];
  };
}

/** No heap suits everybody. */
export interface UnsatisfiableResult {
  readonly status: 'unsatisfiable';
  readonly sizeBytes: number;
  readonly buffers: number;
  readonly candidates: readonly HeapVerdict[];
  /**
   * A smallest conflict: these facts leave no heap, and any of them taken away leaves one. The request is not listed;
   * empty when no heap is large enough whoever asks.
   */
  readonly conflict: readonly ConstraintFact[];
  /** All minimal conflicts, smallest first, up to the limit. */
  readonly conflicts: readonly (readonly ConstraintFact[])[];
  /** The same by participant: sets of devices that cannot share, and any of which left out leaves a heap for the others. */
  readonly conflictingDevices: readonly (readonly string[])[];
  /** Whether these are all conflicts. */
  readonly complete: boolean;
  /** Sets of facts without which the rest could be met, smallest first; not all there are. */
  readonly waysOut: readonly (readonly ConstraintFact[])[];
  readonly explanation: PlacementExplanation;
}

/** The answer of {@link solvePlacement}. */
export type PlacementResult = PlacedResult | UnsatisfiableResult;

/**
 * Chooses the heap of a buffer, before any page exists.
 *
 * Context: any-thread; pure; slow path.
 *
 * @param ofDevice a memory of what devices object to; absent = looked for anew
 * @returns the cheapest heap that suits every device, the earlier in the list among equals; or the conflicts
 * @throws RangeError when a size, a device or a heap is malformed
 */
export function solvePlacement(request: PlacementRequest, ofDevice?: DeviceObjections): PlacementResult {
  const { buffers = 1, cpuAccess = false, limits } = request;
  const choice = choose(request, ofDevice);
  const { devices, sizeBytes, judged, candidates, chosen, prose } = choice;
  const requirements = mergeConstraints(devices);
  if (chosen === undefined) {
    const { conflicts, corrections: waysOut, complete } = choice.against;
    return {
      status: 'unsatisfiable',
      sizeBytes,
      buffers,
      candidates,
      conflict: conflicts[0] ?? [],
      conflicts,
      conflictingDevices: devicesInConflict(judged, devices, limits),
      complete,
      waysOut,
      explanation: { prose, requirements },
    };
  }
  const { heap, verdict } = chosen;
  const forcedByAll = choice.against.conflicts;
  const cheaper = cheaperThan(chosen, judged);
  const bindingDevices = namesOf(devices).filter((name) =>
    cheaper.some(({ objections }) => objections.every((o) => o.facts.some((f) => f.device === name))),
  );
  const visible = isSharedBy(heap, devices, cpuAccess);
  const windows = windowsFor(heap, sizeBytes, visible ? sharedWindows(heap) : heap.windows);
  const segments = devices.map((c) => ({
    device: c.device,
    segments: worstSegments(heap, c, sizeBytes, visible ? sharedWindows(heap) : heap.windows),
  }));
  return {
    status: 'placed',
    heap: heap.name,
    sizeBytes,
    buffers,
    startRanges: windows.flatMap((window) => startRangeIn(window, heap, sizeBytes)),
    coherency: coherencyDomain(heap, devices),
    visible,
    candidates,
    preferences: verdict.preferences,
    bindingDevices,
    forcedBy: forcedByAll[0] ?? [],
    forcedByAll,
    explanation: { prose, requirements, segments },
  };
}

/** Where buffers would go, and the reason in a sentence: what {@link solvePlacement} answers, in short. */
export interface PlacementInShort {
  readonly heap: HeapTraits | undefined;
  readonly prose: string;
}

/** Answers as {@link solvePlacement} does, with no more than the heap and the prose. */
export function solvePlacementInShort(request: PlacementRequest, ofDevice?: DeviceObjections): PlacementInShort {
  const { chosen, prose } = choose(request, ofDevice);
  return { heap: chosen?.heap, prose };
}

/**
 * The heap that {@link solvePlacement} would choose, without the reasons: for trying many variants.
 *
 * @param request well formed
 * @param ofDevice a memory of what devices object to; absent = looked for anew
 */
export function cheapestHeap(request: PlacementRequest, ofDevice?: DeviceObjections): HeapTraits | undefined {
  const { devices, heaps, sizeBytes, buffers = 1, cpuAccess = false, iovaInUse = {} } = request;
  const demand: BufferDemand = { bytes: pageAlignedBytes(sizeBytes), buffers, cpuAccess, iovaInUse };
  let best: { readonly heap: HeapTraits; readonly totalCost: number } | undefined;
  for (const heap of heaps) {
    if (best !== undefined && heap.cost >= best.totalCost) continue;
    if (!suitsAll(heap, devices, demand, ofDevice)) continue;
    const wishes = preferencesIn(heap, devices, demand.bytes);
    const totalCost = wishes.reduce((sum, { cost }) => sum + cost, heap.cost);
    if (best === undefined || totalCost < best.totalCost) best = { heap, totalCost };
  }
  return best?.heap;
}

interface JudgedHeap {
  readonly heap: HeapTraits;
  readonly verdict: HeapVerdict;
  readonly objections: readonly Objection[];
}

/** What was chosen, and what that follows from. */
interface Choice {
  /** In order of name. */
  readonly devices: readonly DeviceConstraints[];
  readonly sizeBytes: number;
  /** Every heap, cheapest first. */
  readonly judged: readonly JudgedHeap[];
  readonly candidates: readonly HeapVerdict[];
  /** The first that suits. */
  readonly chosen: JudgedHeap | undefined;
  /** What rules out every heap that is cheaper than the chosen one; every heap, where none is chosen. */
  readonly against: FactConflicts;
  readonly prose: string;
}

function choose(request: PlacementRequest, ofDevice?: DeviceObjections): Choice {
  const { sizeBytes: askedBytes, buffers = 1, cpuAccess = false, iovaInUse = {}, limits } = request;
  const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
  if (!isCount(askedBytes))
    throw new RangeError(`Cannot place a buffer: sizeBytes must be at least 1, got ${askedBytes}`);
  if (!isCount(buffers)) throw new RangeError(`Cannot place buffers: there must be at least 1, got ${buffers}`);
  for (const c of request.devices) assertDeviceConstraints(c);
  for (const heap of request.heaps) {
    const problems = checkHeapTraits(heap);
    if (problems.length > 0) throw new RangeError(`Cannot use the heap ${heap.name}: ${problems.join('; ')}`);
  }
  const sizeBytes = pageAlignedBytes(askedBytes);
  const demand: BufferDemand = { bytes: sizeBytes, buffers, cpuAccess, iovaInUse };
  const devices = [...request.devices].sort((a, b) => (a.device < b.device ? -1 : a.device > b.device ? 1 : 0));
  const judged = request.heaps.map((heap) => judge(heap, devices, demand, ofDevice));
  judged.sort((a, b) => a.verdict.totalCost - b.verdict.totalCost);
  const candidates = judged.map(({ verdict }) => verdict);
  const chosen = judged.find(({ verdict }) => verdict.suits);
  const ruledOut = chosen === undefined ? judged : cheaperThan(chosen, judged);
  const isFree = chosen !== undefined && ruledOut.length === 0;
  const against = isFree ? NO_CONFLICTS : conflictsAmong(ruledOut, limits);
  const prose =
    chosen === undefined
      ? explainUnsatisfiable(candidates, against.conflicts[0] ?? [], sizeBytes, buffers)
      : explainPlaced(chosen.heap.name, devices, candidates, against.conflicts);
  return { devices, sizeBytes, judged, candidates, chosen, against, prose };
}

function cheaperThan({ verdict }: JudgedHeap, judged: readonly JudgedHeap[]): JudgedHeap[] {
  return judged.filter((other) => other.verdict.totalCost < verdict.totalCost);
}

function judge(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  demand: BufferDemand,
  ofDevice?: DeviceObjections,
): JudgedHeap {
  const objections = objectionsTo(heap, devices, demand, ofDevice);
  const preferences = preferencesIn(heap, devices, demand.bytes);
  const totalCost = preferences.reduce((sum, { cost }) => sum + cost, heap.cost);
  const score = { heap: heap.name, cost: heap.cost, totalCost, preferences };
  return { heap, objections, verdict: verdictOf(score, objections) };
}

/** Minimal sets of facts that conflict, and the ways out of them. */
interface FactConflicts {
  readonly conflicts: readonly (readonly ConstraintFact[])[];
  readonly corrections: readonly (readonly ConstraintFact[])[];
  readonly complete: boolean;
}

const NO_CONFLICTS: FactConflicts = { conflicts: [], corrections: [], complete: true };

/**
 * Minimal sets of facts which together leave none of the heaps. What rules each heap out is known, so that a set of facts
 * leaves a heap unless it contains one of that heap's objections.
 */
function conflictsAmong(judged: readonly JudgedHeap[], limits?: ConflictLimits): FactConflicts {
  const byKey = new Map<string, ConstraintFact>();
  for (const { objections } of judged)
    for (const { facts } of objections) for (const fact of facts) byKey.set(keyOf(fact), fact);
  const facts = [...byKey.values()].sort(compareFacts);
  const indexOf = new Map(facts.map((fact, index) => [keyOf(fact), index]));
  const against = judged.map(({ objections }) =>
    objections.map((one) => one.facts.map((fact) => indexOf.get(keyOf(fact)) ?? 0)),
  );
  const leavesOne = (kept: readonly boolean[]): boolean =>
    against.some((objections) => objections.every((objection) => objection.some((index) => !kept[index])));
  const found = conflictSets(facts.length, leavesOne, limits);
  const named = (sets: readonly (readonly number[])[]): ConstraintFact[][] =>
    sets.map((set) => set.map((index) => facts[index]));
  return { conflicts: named(found.conflicts), corrections: named(found.corrections), complete: found.complete };
}

/** Minimal sets of devices, all their demands taken together, which leave no heap. */
function devicesInConflict(
  judged: readonly JudgedHeap[],
  devices: readonly DeviceConstraints[],
  limits?: ConflictLimits,
): string[][] {
  const stated = judged.flatMap(({ objections }) =>
    objections.flatMap(({ facts }) => facts.map((fact) => fact.device)),
  );
  const names = [...new Set([...namesOf(devices), ...stated])].sort();
  const against = judged.map(({ objections }) =>
    objections.map(({ facts }) => facts.map((fact) => names.indexOf(fact.device))),
  );
  const leavesOne = (kept: readonly boolean[]): boolean =>
    against.some((objections) => objections.every((objection) => objection.some((index) => !kept[index])));
  return conflictSets(names.length, leavesOne, limits).conflicts.map((set) => set.map((index) => names[index]));
}

/** Several entries of one participant fall together. */
const keyOf = ({ device, field }: ConstraintFact): string => `${device}\0${field}`;

function namesOf(devices: readonly DeviceConstraints[]): string[] {
  return [...new Set(devices.map((c) => c.device))];
}

function startRangeIn(window: { base: number; sizeBytes: number }, heap: HeapTraits, sizeBytes: number): StartRange[] {
  const needed = heap.contiguous ? sizeBytes : Math.min(sizeBytes, heap.chunkBytes ?? PAGE_BYTES);
  const first = alignUp(window.base, heap.alignmentBytes);
  const last = Math.floor((window.base + window.sizeBytes - needed) / heap.alignmentBytes) * heap.alignmentBytes;
  return first <= last ? [{ first, last }] : [];
}
