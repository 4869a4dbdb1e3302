import type { ResvUsage } from '../resv-words.js';
import type { Fence } from './fence.js';

/** One fence of a reservation. */
export interface ResvEntry {
  readonly fence: Fence;
  readonly usage: ResvUsage;
}

/** The fences of a reservation; another list takes its place when it grows. Source: struct dma_resv_list, v6.12. */
export interface ResvList {
  readonly entries: readonly ResvEntry[];
  readonly capacity: number;
}

/** What a cursor walks over. */
export interface ResvSource {
  readonly list: ResvList | undefined;
}

/**
 * A walk over the pending fences of a reservation up to a usage, without its lock. When the list is exchanged meanwhile
 * the walk starts over, and says so: what was collected so far is to be dropped.
 *
 * Source: dma_resv_iter_first_unlocked and dma_resv_iter_next_unlocked, drivers/dma-buf/dma-resv.c, v6.12.
 */
export class ResvCursor {
  #list: ResvList | undefined;
  #index = 0;
  #count = 0;
  #isRestarted = false;
  #usage: ResvUsage | undefined;

  constructor(
    private readonly source: ResvSource,
    private readonly upTo: ResvUsage,
  ) {}

  /** Whether the fence just given is the first of a new walk. Source: dma_resv_iter_is_restarted, v6.12. */
  get isRestarted(): boolean {
    return this.#isRestarted;
  }

  /** The usage of the fence just given. */
  get usage(): ResvUsage | undefined {
    return this.#usage;
  }

  /** Fences in the list that is walked, of any usage. */
  get listLength(): number {
    return this.#count;
  }

  /** Starts over. @returns the first pending fence, or undefined */
  first(): Fence | undefined {
    this.#restart();
    return this.#walk();
  }

  /** Steps on. @returns the next pending fence, the first one of a new walk, or undefined at the end */
  next(): Fence | undefined {
    this.#isRestarted = false;
    if (this.source.list !== this.#list) this.#restart();
    return this.#walk();
  }

  #restart(): void {
    this.#list = this.source.list;
    this.#index = 0;
    this.#count = this.#list?.entries.length ?? 0;
    this.#isRestarted = true;
  }

  /** To look at a fence may signal it, whose callbacks may exchange the list: then it starts over. */
  #walk(): Fence | undefined {
    for (;;) {
      const entry = this.#step();
      if (this.source.list === this.#list) {
        this.#usage = entry?.usage;
        return entry?.fence;
      }
      this.#restart();
    }
  }

  #step(): ResvEntry | undefined {
    while (this.#list !== undefined && this.#index < this.#count) {
      const entry = this.#list.entries[this.#index];
      this.#index += 1;
      if (entry.usage <= this.upTo && !entry.fence.isSignalled()) return entry;
    }
    return undefined;
  }
}
