import { assert, type Nanoseconds, type Task } from '../../base/index.js';
import type { ResvUsage } from '../resv-words.js';
import { ResvUsage as Usage } from '../resv-words.js';
import { type Fence, isLaterOrSameFence } from './fence.js';
import { FenceArray } from './fence-array.js';
import type { FenceContexts } from './fence-contexts.js';
import { type WaitLimit, waitFor } from './fence-wait.js';
import { ResvCursor, type ResvEntry, type ResvList } from './resv-cursor.js';
import { type WwAcquireContext, type WwClass, WwMutex } from './ww-mutex.js';

/** The least capacity of a list. Source: dma_resv_reserve_fences, v6.12. */
const LEAST_CAPACITY = 4;

interface GrowingList extends ResvList {
  readonly entries: ResvEntry[];
  capacity: number;
}

/** A wait for the fences of a reservation that has registered itself. */
export interface ResvWait {
  readonly cancel: () => void;
}

/**
 * The reservation of a buffer within one actor: a wait-die lock and the fences that implicit synchronisation knows.
 *
 * Fences are added and exchanged under the lock, and looked at without it. A query at a usage gives the fences of that
 * usage and of all before it: KERNEL < WRITE < READ < BOOKKEEP.
 *
 * Source: struct dma_resv, drivers/dma-buf/dma-resv.c, v6.12. Differs: a reservation is void after every unlock, which Linux
 * does in debug builds only.
 */
export class ResvObject {
  readonly mutex: WwMutex;
  #list: GrowingList | undefined;
  /** Whether `reserveFences` has been asked since the lock was taken. */
  #isReserved = false;

  /**
   * @param wwClass the class whose contexts lock several reservations together
   * @param name what messages call it
   */
  constructor(
    private readonly contexts: FenceContexts,
    wwClass: WwClass,
    readonly name: string,
  ) {
    this.mutex = new WwMutex(wwClass, name);
  }

  /** The list as it is, for cursors; another object after it has grown. */
  get list(): ResvList | undefined {
    return this.#list;
  }

  /** Fences in it, signalled ones included. */
  get count(): number {
    return this.#list?.entries.length ?? 0;
  }

  /** Fences it has room for. */
  get capacity(): number {
    return this.#list?.capacity ?? 0;
  }

  /** Locks it: as `WwMutex.lock`, with its errors. Source: dma_resv_lock, v6.12. */
  *lock(context?: WwAcquireContext): Task<void> {
    yield* this.mutex.lock(context);
  }

  /** Locks it if it is free. Source: dma_resv_trylock, v6.12. */
  tryLock(context?: WwAcquireContext): boolean {
    return this.mutex.tryLock(context);
  }

  /**
   * Unlocks it. What was reserved and not used is void; the room stays, so that a list exchanges signalled fences for new
   * ones only when it is full. Source: dma_resv_unlock, v6.12.
   */
  unlock(context?: WwAcquireContext): void {
    this.assertHeld();
    this.#isReserved = false;
    this.mutex.unlock(context);
  }

  /** Source: dma_resv_assert_held, v6.12. */
  assertHeld(): void {
    assert(this.mutex.isLocked, `the lock of ${this.name} is held`);
  }

  /**
   * Makes room, so that as many calls of `addFence` cannot fail. A list that is too short is exchanged for one of at least
   * twice its capacity, without its signalled fences.
   *
   * Context: the lock is held.
   * Source: dma_resv_reserve_fences, v6.12.
   */
  reserveFences(count: number): void {
    this.assertHeld();
    assert(count > 0, 'at least one fence is reserved');
    const wanted = this.count + count;
    this.#isReserved = true;
    if (this.#list !== undefined && this.capacity > 0 && wanted <= this.capacity) return;
    const capacity =
      this.capacity > 0 ? Math.max(wanted, 2 * this.capacity) : Math.max(LEAST_CAPACITY, powerOfTwo(count));
    const pending = (this.#list?.entries ?? []).filter(({ fence }) => !fence.isSignalled());
    this.#list = { entries: pending, capacity: allocatedFor(capacity) };
  }

  /**
   * Adds a fence, in the place of the first one that it replaces: one that has signalled, or an earlier one, or itself, of
   * its context and of the same or a weaker usage. So a fence is promoted by adding it again, and never degraded.
   *
   * Context: the lock is held.
   * @throws InvariantError when no room was reserved, or the fence is a container: add what it stands for
   * Source: dma_resv_add_fence, v6.12.
   */
  addFence(fence: Fence, usage: ResvUsage): void {
    this.assertHeld();
    assert(!fence.isContainer, 'a reservation holds no containers of fences');
    const entries = this.#list?.entries ?? [];
    for (let i = 0; i < entries.length; i += 1) {
      if (!replaces(entries[i], fence, usage)) continue;
      entries[i] = { fence, usage };
      return;
    }
    const isRoom = this.#isReserved && entries.length < this.capacity;
    assert(this.#list !== undefined && isRoom, `room was reserved on ${this.name}`);
    entries.push({ fence, usage });
  }

  /**
   * Exchanges every fence of a context, such as that of a preemption which is over. Their number stays.
   *
   * Context: the lock is held. The new fence must signal no earlier than the old ones may be relied on.
   * Source: dma_resv_replace_fences, v6.12.
   */
  replaceFences(context: number, fence: Fence, usage: ResvUsage): void {
    this.assertHeld();
    const entries = this.#list?.entries ?? [];
    entries.forEach((entry, i) => {
      if (entry.fence.context === context) entries[i] = { fence, usage };
    });
  }

  /** Takes over the pending fences of another, in the place of its own. The lock of this one is held. Source: dma_resv_copy_fences. */
  copyFences(source: ResvObject): void {
    this.assertHeld();
    const entries = source.pending(Usage.Bookkeep);
    this.#list = { entries, capacity: entries.length };
  }

  /** All fences up to a usage, signalled ones included. The lock is held. Source: dma_resv_for_each_fence, v6.12. */
  *entries(upTo: ResvUsage): Generator<ResvEntry, void, undefined> {
    this.assertHeld();
    const list = this.#list;
    for (let i = 0; list !== undefined && i < list.entries.length; i += 1) {
      if (list.entries[i].usage <= upTo) yield list.entries[i];
    }
  }

  /** A walk over pending fences without the lock. Source: dma_resv_for_each_fence_unlocked, v6.12. */
  cursor(upTo: ResvUsage): ResvCursor {
    return new ResvCursor(this, upTo);
  }

  /** Pending fences up to a usage with their usage; without the lock. */
  pending(upTo: ResvUsage): ResvEntry[] {
    let entries: ResvEntry[] = [];
    const cursor = this.cursor(upTo);
    for (let fence = cursor.first(); fence !== undefined; fence = cursor.next()) {
      if (cursor.isRestarted) entries = [];
      entries.push({ fence, usage: cursor.usage ?? upTo });
    }
    return entries;
  }

  /** Pending fences up to a usage; without the lock. Source: dma_resv_get_fences, v6.12. */
  getFences(upTo: ResvUsage): Fence[] {
    return this.pending(upTo).map(({ fence }) => fence);
  }

  /**
   * One fence for all pending ones up to a usage: undefined, the only one, or an array. It must not be added again.
   * Source: dma_resv_get_singleton, v6.12.
   */
  getSingleton(upTo: ResvUsage): Fence | undefined {
    const fences = this.getFences(upTo);
    return fences.length > 1 ? new FenceArray(this.contexts, fences) : fences[0];
  }

  /** Whether every fence up to a usage has signalled; without the lock. Source: dma_resv_test_signaled, v6.12. */
  testSignalled(upTo: ResvUsage): boolean {
    return this.cursor(upTo).first() === undefined;
  }

  /** Hints a deadline on every pending fence up to a usage, in nanoseconds of model time. Source: dma_resv_set_deadline. */
  setDeadline(upTo: ResvUsage, deadlineNs: Nanoseconds): void {
    for (const fence of this.getFences(upTo)) fence.setDeadline(deadlineNs);
  }

  /**
   * Calls once, when every fence up to a usage has signalled, those included that are added while it waits and that make
   * the list grow.
   *
   * @returns undefined, and no call, when there is nothing to wait for
   */
  whenSignalled(upTo: ResvUsage, done: () => void): ResvWait | undefined {
    const cursor = this.cursor(upTo);
    let stop: (() => void) | undefined;
    const awaitFrom = (from: Fence | undefined): boolean => {
      for (let fence = from; fence !== undefined; fence = cursor.next()) {
        const callback = fence.tryAddCallback(() => awaitFrom(cursor.next()) || done());
        if (callback === undefined) continue;
        const awaited = fence;
        stop = () => awaited.removeCallback(callback);
        return true;
      }
      return false;
    };
    return awaitFrom(cursor.first()) ? { cancel: () => stop?.() } : undefined;
  }

  /**
   * Waits for every fence up to a usage; what they ended with does not matter.
   *
   * @param limit without it, as long as it takes
   * @returns false when time ran out
   * Source: dma_resv_wait_timeout, v6.12. Differs: time is absolute.
   */
  *wait(upTo: ResvUsage, what: string, limit?: WaitLimit): Task<boolean> {
    const inTime = yield* waitFor(
      (wake) => this.whenSignalled(upTo, wake),
      (wait) => wait.cancel(),
      what,
      limit,
    );
    return inTime || this.testSignalled(upTo);
  }
}

/** Whether a new fence takes the place of an old one. */
function replaces(old: ResvEntry, fence: Fence, usage: ResvUsage): boolean {
  const isSuccessor = old.fence.context === fence.context && old.usage >= usage && isLaterOrSameFence(fence, old.fence);
  return isSuccessor || old.fence.isSignalled();
}

function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}

/** Head of a list, and one entry, in bytes on a 64-bit machine. Source: struct dma_resv_list. */
const LIST_BYTES = 24;
const ENTRY_BYTES = 8;
/** Sizes of memory blocks below a page. Source: kmalloc_info, mm/slab_common.c, v6.12. */
const BLOCK_BYTES = [32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096];

/** Entries in the memory block that is taken for a list: all of it is used. Source: dma_resv_list_alloc, v6.12. */
function allocatedFor(entries: number): number {
  const needed = LIST_BYTES + entries * ENTRY_BYTES;
  const block = BLOCK_BYTES.find((bytes) => bytes >= needed) ?? powerOfTwo(needed);
  return Math.floor((block - LIST_BYTES) / ENTRY_BYTES);
}
