/**
 * Four ways in which systems decide where a buffer goes, on the same devices and heaps, so that they can be compared.
 *
 * - `constraints`: nothing is allocated until the devices are known, and they decide (cenalloc, 2014).
 * - `heap`: the caller names a heap (dma-buf heaps, /dev/dma_heap/NAME, since v5.6).
 * - `ion`: the caller gives a mask of heap ids; the allocator tries those heaps in order of priority and never asks the
 *   devices (ION, drivers/staging/android/ion, until v5.11).
 * - `device`: one device allocates as it likes, such as a dumb buffer of the display, and the others import it: what most
 *   people really do.
 */
import type { DeviceConstraints } from './device-constraints.js';
import { buffersFitting, type HeapTraits } from './heap-traits.js';
import { objectionToHeap } from './heap-verdict.js';
import type { DeviceObjections } from './objections.js';
import { type PredictedOutcome, predictImport } from './predict.js';
import { rememberObjections } from './remembered-objections.js';
import { cheapestHeap, solvePlacementInShort } from './solve.js';

/** How the heap is chosen. */
export type AllocationPolicy =
  | { readonly policy: 'constraints' }
  | { readonly policy: 'heap'; readonly heap: string }
  | { readonly policy: 'ion'; readonly heaps: readonly IonHeapId[]; readonly mask: number }
  | { readonly policy: 'device'; readonly device: string };

/** A heap as ION numbered them: its id is its bit in the mask, and a higher id is tried first. */
export interface IonHeapId {
  readonly heap: string;
  /** 0 to 31. Source: ION_NUM_HEAP_IDS, drivers/staging/android/uapi/ion.h, v5.10. */
  readonly id: number;
}

/** What a policy leads to. */
export interface PolicyOutcome {
  readonly policy: AllocationPolicy['policy'];
  /** Where the buffers go; absent when the allocation fails. */
  readonly heap?: string;
  /** Why there, or why nowhere. */
  readonly why: string;
  /** Devices for which that heap promises nothing, with what Linux answers when the pages do not happen to suit. */
  readonly failures: readonly PredictedOutcome[];
  /** Bytes a frame to copy so that those devices can work after all: one copy each. */
  readonly bytesPerFrame: number;
}

/** The heap that ION takes: of those in the mask, the first in order of priority that has room. */
export function ionHeap(
  heaps: readonly HeapTraits[],
  ids: readonly IonHeapId[],
  mask: number,
  bytes: number,
): HeapTraits | undefined {
  // Bit n of a mask of up to 32, without a 32-bit operator.
  const inMask = ({ id }: IonHeapId): boolean => Math.floor(mask / 2 ** id) % 2 === 1;
  const byPriority = ids.filter(inMask).sort((a, b) => b.id - a.id);
  for (const { heap: name } of byPriority) {
    const heap = heaps.find((candidate) => candidate.name === name);
    if (heap !== undefined && buffersFitting(heap, bytes) > 0) return heap;
  }
  return undefined;
}

/** The ids that ION's own numbering gives: the least scarce heap has the highest, so that it is tried first. */
export function ionIds(heaps: readonly HeapTraits[]): IonHeapId[] {
  const byCost = [...heaps].sort((a, b) => b.cost - a.cost);
  return byCost.map((heap, id) => ({ heap: heap.name, id }));
}

/**
 * What a policy leads to on these devices and heaps.
 *
 * @param bytes of one buffer, whole pages
 */
export function outcomeOfPolicy(
  policy: AllocationPolicy,
  devices: readonly DeviceConstraints[],
  heaps: readonly HeapTraits[],
  bytes: number,
): PolicyOutcome {
  return outcomesOfPolicies([policy], devices, heaps, bytes)[0];
}

/**
 * What each policy leads to on the same devices and heaps.
 *
 * @param bytes of one buffer, whole pages
 * @param ofDevice a memory of what devices object to; absent = one for these policies
 */
export function outcomesOfPolicies(
  policies: readonly AllocationPolicy[],
  devices: readonly DeviceConstraints[],
  heaps: readonly HeapTraits[],
  bytes: number,
  ofDevice = rememberObjections(),
): PolicyOutcome[] {
  // Many policies end in the same few heaps.
  const failuresByHeap = new Map<HeapTraits, PredictedOutcome[]>();
  return policies.map((policy) => {
    const { heap, why } = chooseHeap(policy, devices, heaps, bytes, ofDevice);
    if (heap === undefined) return { policy: policy.policy, why, failures: [], bytesPerFrame: 0 };
    const failures = failuresByHeap.get(heap) ?? failedImports(heap, devices, bytes, ofDevice);
    failuresByHeap.set(heap, failures);
    return { policy: policy.policy, heap: heap.name, why, failures, bytesPerFrame: failures.length * bytes };
  });
}

/**
 * How Linux answers each device for which a heap promises too little, when the pages do not happen to suit.
 *
 * @param bytes of one buffer, whole pages
 * @param ofDevice a memory of what devices object to; absent = looked for anew
 */
export function failedImports(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  bytes: number,
  ofDevice?: DeviceObjections,
): PredictedOutcome[] {
  return devices.flatMap((c) => {
    const objection = objectionToHeap(heap, [c], bytes, ofDevice);
    return objection === undefined ? [] : [predictImport(objection, heap, c, bytes)];
  });
}

function chooseHeap(
  policy: AllocationPolicy,
  devices: readonly DeviceConstraints[],
  heaps: readonly HeapTraits[],
  bytes: number,
  ofDevice: DeviceObjections,
): { heap?: HeapTraits; why: string } {
  const named = (name: string): HeapTraits | undefined => heaps.find((heap) => heap.name === name);
  switch (policy.policy) {
    case 'constraints':
      return solvedFor(devices);
    case 'heap': {
      const heap = named(policy.heap);
      return heap === undefined
        ? { why: `there is no heap ${policy.heap}` }
        : { heap, why: 'its creator named the heap' };
    }
    case 'ion': {
      const heap = ionHeap(heaps, policy.heaps, policy.mask, bytes);
      if (heap === undefined) return { why: `no heap of the mask 0x${policy.mask.toString(16)} has room` };
      return { heap, why: `the first heap of the mask 0x${policy.mask.toString(16)} in order of priority` };
    }
    case 'device': {
      const own = devices.filter((c) => c.device === policy.device);
      if (own.length === 0) return { why: `there is no device ${policy.device}` };
      const { heap, why } = solvedFor(own);
      return { ...(heap && { heap }), why: `${policy.device} allocates for itself: ${why}` };
    }
  }

  function solvedFor(some: readonly DeviceConstraints[]): { heap?: HeapTraits; why: string } {
    const request = { devices: some, heaps, sizeBytes: bytes };
    // The reasons of a placement are worth their time only where there is something to tell.
    const alone = some.length <= 1 ? cheapestHeap(request, ofDevice) : undefined;
    if (alone !== undefined) return { heap: alone, why: `the least scarce heap that suits it is ${alone.name}` };
    const { heap, prose } = solvePlacementInShort(request, ofDevice);
    return { ...(heap && { heap }), why: prose };
  }
}
