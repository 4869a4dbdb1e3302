import { assert, ErrnoError, type Nanoseconds } from '../../base/index.js';
import { Fence, isLaterSeqno } from './fence.js';
import type { FenceContexts } from './fence-contexts.js';

/**
 * A node of a chain: one fence, and all that came before it. It signals once its own fence and every earlier one have.
 *
 * The chain is what a timeline sync object holds: each point is a node whose seqno is the point. A walk towards the past
 * drops predecessors that have signalled, so that a long-lived chain stays as short as its work in flight.
 *
 * Source: drivers/dma-buf/dma-fence-chain.c, v6.12. Errors of the fences inside do not become errors of the node.
 * Differs: nodes that are dropped go to the garbage collector, so no release walks the chain.
 */
export class FenceChain extends Fence {
  /** The fence of this node; it may be an array, not a chain. */
  readonly fence: Fence;
  /** The seqno of the node that this one follows on its context, or 0. It stays when that node is dropped. */
  readonly prevSeqno: number;
  #prev: Fence | undefined;

  /**
   * @param prev what comes before: a node, any other fence, or nothing
   * @param fence what this node stands for
   * @param seqno the point, 0 to 2^53 - 1. If it is not later than `prev`'s, the node starts a context of its own and
   *   takes the larger of the two
   * @throws InvariantError when the fence is a chain
   * Source: dma_fence_chain_init, v6.12.
   */
  constructor(contexts: FenceContexts, prev: Fence | undefined, fence: Fence, seqno: number) {
    const before = prev instanceof FenceChain ? prev : undefined;
    const follows = before !== undefined && isLaterSeqno(seqno, before.seqno, true);
    super({
      clock: contexts.clock,
      context: follows ? before.context : contexts.allocate(),
      seqno: Math.max(seqno, before?.seqno ?? 0),
      seqno64: true,
      driverName: 'dma_fence_chain',
      timelineName: 'unbound',
    });
    assert(!(fence instanceof FenceChain), 'chains are linked through prev, not through their fences');
    this.fence = fence;
    this.prevSeqno = follows ? before.seqno : 0;
    this.#prev = prev;
  }

  override get isContainer(): boolean {
    return true;
  }

  /** What comes before this node now, or undefined. */
  get prev(): Fence | undefined {
    return this.#prev;
  }

  /**
   * Steps to what comes before and has not signalled, dropping what has.
   * Source: dma_fence_chain_walk, v6.12.
   */
  walk(): Fence | undefined {
    for (let prev = this.#prev; prev !== undefined; prev = this.#prev) {
      if (!containedFence(prev).isSignalled()) return prev;
      this.#prev = prev instanceof FenceChain ? prev.#prev : undefined;
    }
    return undefined;
  }

  protected override watch(): boolean {
    for (const link of chainLinks(this)) {
      const entry = containedFence(link).tryAddCallback(() => this.#rearm());
      if (entry !== undefined) return true;
    }
    return false;
  }

  protected override pollSignalled(): boolean {
    for (const link of chainLinks(this)) {
      if (!containedFence(link).isSignalled()) return false;
    }
    return true;
  }

  protected override deadlineHinted(deadlineNs: Nanoseconds): void {
    for (const link of chainLinks(this)) containedFence(link).setDeadline(deadlineNs);
  }

  /** The link that was waited for has signalled: wait for the next one, or signal. Source: dma_fence_chain_irq_work. */
  #rearm(): void {
    if (!this.watch()) this.signal();
  }
}

/** The fence of a node, or the fence itself where it is none. Source: dma_fence_chain_contained, v6.12. */
export function containedFence(fence: Fence): Fence {
  return fence instanceof FenceChain ? fence.fence : fence;
}

/**
 * The links of a chain from its head towards the past: the head itself, then what has not signalled. A fence that is no
 * chain is its own only link.
 * Source: dma_fence_chain_for_each, v6.12.
 */
export function* chainLinks(head: Fence | undefined): Generator<Fence, void, undefined> {
  let link = head;
  while (link !== undefined) {
    yield link;
    link = link instanceof FenceChain ? link.walk() : undefined;
  }
}

/**
 * Finds the node to wait for, so that a point is complete: the first node at or after it, or, where its own fence has
 * signalled but earlier ones have not, the earlier one.
 *
 * @param head the latest fence; a chain, unless the point is 0
 * @param seqno the point; 0 means the head, whatever it is
 * @returns the node; undefined when all up to the point has signalled and been dropped
 * @throws ErrnoError EINVAL when the head is no chain, or does not reach the point
 * Source: dma_fence_chain_find_seqno, v6.12.
 */
export function findChainSeqno(head: Fence | undefined, seqno: number): Fence | undefined {
  if (reachesSeqno(head, seqno)) return lookUpChainSeqno(head, seqno);
  throw new ErrnoError(
    'EINVAL',
    'dma_fence_chain_find_seqno',
    `Cannot find point ${seqno}: ${head instanceof FenceChain ? `the chain ends at ${head.seqno}` : 'there is no chain'}`,
    { seqno, head: head?.seqno },
  );
}

/** Whether `findChainSeqno` finds a point. */
export function reachesSeqno(head: Fence | undefined, seqno: number): boolean {
  return seqno === 0 || (head instanceof FenceChain && head.seqno >= seqno);
}

function lookUpChainSeqno(head: Fence | undefined, seqno: number): Fence | undefined {
  if (seqno === 0) return head;
  for (const link of chainLinks(head)) {
    if (link.context !== head?.context || !(link instanceof FenceChain) || link.prevSeqno < seqno) return link;
  }
  return undefined;
}
