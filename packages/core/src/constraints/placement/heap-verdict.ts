/** How a heap fared: whether it guarantees, for every layout it may hand out, what every device demands. */
import { type DeviceConstraints, pageAlignedBytes } from './device-constraints.js';
import type { ConstraintField, ConstraintValue } from './facts.js';
import type { HeapTraits } from './heap-traits.js';
import { type BufferDemand, type DeviceObjections, type Objection, objectionsTo } from './objections.js';
import type { PreferenceVerdict } from './preferences.js';

/** The fact that rules a heap out. */
export interface HeapObjection {
  /** Whose demand; undefined when the heap itself cannot hold a buffer of that size. */
  readonly device: string | undefined;
  readonly field: ConstraintField | 'sizeBytes';
  readonly value: ConstraintValue;
  readonly message: string;
}

/** What is known of a heap that lost or won. */
export interface HeapScore {
  readonly heap: string;
  /** Its scarcity. */
  readonly cost: number;
  /** Scarcity and the preferences it does not meet. */
  readonly totalCost: number;
  /** What devices would rather have, met or not. */
  readonly preferences: readonly PreferenceVerdict[];
}

/** How a heap fared: it suits everybody, or the first fact that ruled it out. */
export type HeapVerdict =
  | (HeapScore & { readonly suits: true })
  | (HeapScore & {
      readonly suits: false;
      /** All that speaks against it; the first is told beside. */
      readonly objections: readonly Objection[];
    } & HeapObjection);

/**
 * Judges one heap for one buffer, preferences aside.
 *
 * @param devices well-formed constraints, in the order in which to look for an objection
 * @param sizeBytes at least 1; whole pages are counted
 * @param ofDevice a memory of what devices object to; absent = looked for anew
 * @returns the first objection, or undefined when it suits
 */
export function objectionToHeap(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  sizeBytes: number,
  ofDevice?: DeviceObjections,
): HeapObjection | undefined {
  const demand: BufferDemand = { bytes: pageAlignedBytes(sizeBytes), buffers: 1, cpuAccess: false, iovaInUse: {} };
  const objections = objectionsTo(heap, devices, demand, ofDevice);
  return objections.length === 0 ? undefined : firstObjection(objections);
}

/** The verdict, from all that speaks against a heap. */
export function verdictOf(score: HeapScore, objections: readonly Objection[]): HeapVerdict {
  if (objections.length === 0) return { ...score, suits: true };
  const { heap, cost, totalCost, preferences } = score;
  const { device, field, value, message } = firstObjection(objections);
  return { heap, cost, totalCost, preferences, suits: false, device, field, value, message, objections };
}

function firstObjection([{ facts, value, message }]: readonly Objection[]): HeapObjection {
  return { device: facts[0]?.device, field: facts[0]?.field ?? 'sizeBytes', value, message };
}
