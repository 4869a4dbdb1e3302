/** Containers of fences taken apart and put together again. Source: drivers/dma-buf/dma-fence-unwrap.c, v6.12. */
import type { Nanoseconds } from '../../base/index.js';
import { type Fence, isLaterFence } from './fence.js';
import { FenceArray } from './fence-array.js';
import { chainLinks, containedFence } from './fence-chain.js';
import type { FenceContexts } from './fence-contexts.js';
import { createStubFence } from './fence-stub.js';

/**
 * The fences that a fence stands for: of each link of a chain the members of its array. A plain fence stands for itself.
 * Nodes of a chain that have signalled are not listed, apart from its head.
 * Source: dma_fence_unwrap_for_each, v6.12.
 */
export function* unwrapFence(head: Fence | undefined): Generator<Fence, void, undefined> {
  for (const link of chainLinks(head)) {
    const fence = containedFence(link);
    if (fence instanceof FenceArray) yield* fence.fences;
    else yield fence;
  }
}

/**
 * One fence that signals when all of the given have, as flat and as small as it can be.
 *
 * Containers are taken apart, signalled fences dropped, and of each context only the latest is kept, in order of context.
 *
 * @returns an array; the one fence that is left; or a stub, with the time of the latest signal, if none is
 * Source: dma_fence_unwrap_merge, v6.12.
 */
export function mergeFences(contexts: FenceContexts, fences: readonly (Fence | undefined)[]): Fence {
  const { pending, latestNs } = sortOut(fences);
  if (pending.length === 0) return createStubFence(contexts.clock, latestNs);
  const kept = latestPerContext(pending);
  return kept.length === 1 ? kept[0] : new FenceArray(contexts, kept);
}

/** The pending leaves of some fences, and when the latest of the others signalled. */
function sortOut(fences: readonly (Fence | undefined)[]): { pending: Fence[]; latestNs: Nanoseconds } {
  const pending: Fence[] = [];
  let latestNs = 0;
  for (const fence of fences) {
    for (const leaf of unwrapFence(fence)) {
      if (leaf.isSignalled()) latestNs = Math.max(latestNs, leaf.timestampNs ?? 0);
      else pending.push(leaf);
    }
  }
  return { pending, latestNs };
}

function latestPerContext(fences: readonly Fence[]): Fence[] {
  const latest = new Map<number, Fence>();
  for (const fence of fences) {
    const known = latest.get(fence.context);
    if (known === undefined || isLaterFence(fence, known)) latest.set(fence.context, fence);
  }
  return [...latest.values()].sort((a, b) => a.context - b.context);
}
