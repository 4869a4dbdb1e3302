import { assert, type Clock } from '../../base/index.js';
import type { Fence } from './fence.js';
import { createStubFence } from './fence-stub.js';

/**
 * What the fences of one actor have in common: a clock, the numbers of contexts, and the one public stub.
 *
 * Source: dma_fence_context_alloc and dma_fence_get_stub, v6.12. Differs: an object, so that two actors, or two tests, do
 * not see each other's numbers.
 */
export class FenceContexts {
  #next = 1;
  #stub: Fence | undefined;

  constructor(readonly clock: Clock) {}

  /** Takes unused context numbers in a row, from 1. @returns the first of them */
  allocate(count = 1): number {
    assert(count >= 1, 'at least one context is taken');
    const first = this.#next;
    this.#next += count;
    return first;
  }

  /** The stub that all share, signalled when it was first asked for. Source: dma_fence_get_stub, v6.12. */
  stub(): Fence {
    this.#stub ??= createStubFence(this.clock);
    return this.#stub;
  }
}
