import { assert, type Nanoseconds } from '../../base/index.js';
import { Fence } from './fence.js';
import type { FenceContexts } from './fence-contexts.js';

export interface FenceArrayOptions {
  /** Signal with the first member; else with the last. Default false. */
  readonly signalOnAny?: boolean;
  /** Default: a context of its own. */
  readonly context?: number;
  /** Default 1. */
  readonly seqno?: number;
}

/**
 * Several fences as one. It signals with all of them, or with any; the first error among those it heard of is its own.
 *
 * As in Linux it hears of members only once somebody waits. An array that is only polled ends without an error, whatever
 * its members ended with.
 *
 * Source: drivers/dma-buf/dma-fence-array.c, v6.12.
 */
export class FenceArray extends Fence {
  readonly fences: readonly Fence[];
  #pending: number;

  /** @throws InvariantError when there is no member, or a member is itself a container */
  constructor(contexts: FenceContexts, fences: readonly Fence[], options: FenceArrayOptions = {}) {
    super({
      clock: contexts.clock,
      context: options.context ?? contexts.allocate(),
      seqno: options.seqno ?? 1,
      driverName: 'dma_fence_array',
      timelineName: 'unbound',
    });
    assert(fences.length > 0, 'a fence array has a member');
    assert(!fences.some((fence) => fence.isContainer), 'a fence array holds no containers');
    this.fences = [...fences];
    this.#pending = options.signalOnAny === true ? 1 : fences.length;
  }

  override get isContainer(): boolean {
    return true;
  }

  protected override watch(): boolean {
    for (const member of this.fences) {
      if (member.tryAddCallback((signalled) => this.#memberSignalled(signalled)) !== undefined) continue;
      this.noteError(member.error);
      this.#pending -= 1;
      if (this.#pending === 0) return false;
    }
    return true;
  }

  protected override pollSignalled(): boolean {
    if (this.signallingEnabled) return this.#pending <= 0;
    let pending = this.#pending;
    for (const member of this.fences) {
      if (!member.isSignalled()) continue;
      pending -= 1;
      if (pending === 0) return true;
    }
    return false;
  }

  protected override deadlineHinted(deadlineNs: Nanoseconds): void {
    for (const member of this.fences) member.setDeadline(deadlineNs);
  }

  #memberSignalled(member: Fence): void {
    if (this.#pending > 0) this.noteError(member.error);
    this.#pending -= 1;
    if (this.#pending === 0) this.signal();
  }
}
