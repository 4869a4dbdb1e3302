/**
 * The pages that a heap keeps between its buffers: the pool of zeroed blocks, and what is freed and not zeroed yet.
 *
 * Freed blocks go, in the normal case, by way of the queue and of zeroing into the pool; under pressure straight back to
 * the page allocator, dirty as they are. Without deferred freeing they are zeroed on the spot where there is a pool.
 *
 * Source: deferred_free (DF_NORMAL, DF_UNDER_PRESSURE) and the page pool of John Stultz' RFC of 2020; never merged.
 */
import { physAddr } from '@dmabuf-lab/core/base';
import type { HeapBackground } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type PhysicalMemory } from '@dmabuf-lab/core/memory';
import type { CacheState } from './buf-ops.js';
import { PagePool, type PoolOptions } from './page-pool.js';
import type { Block, PageZones, Reach, Shrinker } from './page-zones.js';

/** What a heap keeps back. */
export interface ReserveOptions {
  readonly pool?: PoolOptions;
  /** Freed pages wait for a kernel thread that zeroes them; absent = false. */
  readonly deferredFree?: boolean;
  readonly cache: CacheState;
}

export class PageReserve implements HeapBackground, Shrinker {
  readonly pool: PagePool | undefined;
  /** Freed and dirty, the last first. */
  readonly #queue: Block[] = [];
  #queuedPages = 0;
  backgroundZeroedBytes = 0;
  /** Zeroed while somebody waited for the free. */
  zeroedAtFreeBytes = 0;

  /** @param orders of the blocks that the pool is filled with, largest first */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly zones: PageZones,
    private readonly reach: Reach,
    private readonly options: ReserveOptions,
    private readonly orders: readonly number[],
  ) {
    const { pool, cache } = options;
    if (pool !== undefined) this.pool = new PagePool(cache, Math.floor(pool.limitBytes / PAGE_SIZE));
    zones.addShrinker(this);
  }

  /**
   * Fills the pool before the run, as far as there are pages: the same share of bytes in blocks of each order. What is too
   * little for a large block goes to the smaller ones.
   */
  fill(): void {
    const pages = Math.floor((this.options.pool?.fillBytes ?? 0) / PAGE_SIZE);
    const share = Math.floor(pages / this.orders.length);
    let left = pages % this.orders.length;
    for (const order of this.orders) {
      for (left += share; left >= 2 ** order; left -= 2 ** order) {
        const block = this.zones.take(order, this.reach);
        if (block === undefined) break;
        this.#zero(block);
        if (this.pool?.put(block) === true) continue;
        this.zones.give(block);
        return;
      }
    }
  }

  get pendingBytes(): number {
    return this.#queuedPages * PAGE_SIZE;
  }

  get deferred(): boolean {
    return this.options.deferredFree === true;
  }

  /** Takes a zeroed block. */
  take(order: number): Block | undefined {
    return this.pool?.take(order);
  }

  /** Takes freed blocks. */
  give(blocks: readonly Block[]): void {
    for (const block of blocks) {
      if (this.deferred) {
        this.#queue.push(block);
        this.#queuedPages += 2 ** block.order;
      } else if (this.pool !== undefined) {
        this.zeroedAtFreeBytes += this.#keep(block);
      } else this.zones.give(block);
    }
  }

  step(): number | undefined {
    const block = this.#queue.pop();
    if (block === undefined) return undefined;
    this.#queuedPages -= 2 ** block.order;
    const bytes = this.#keep(block);
    this.backgroundZeroedBytes += bytes;
    return bytes;
  }

  reclaimablePages(reach: Reach): number {
    const will = (page: number): boolean => this.zones.reaches(page, reach);
    const queued = this.#queue.reduce((sum, { page, order }) => (will(page) ? sum + 2 ** order : sum), 0);
    return queued + (this.pool?.pagesThat(will) ?? 0);
  }

  shrink(pageCount: number, reach: Reach): void {
    const will = (page: number): boolean => this.zones.reaches(page, reach);
    let left = pageCount;
    // What is dirty first: it has cost nothing yet.
    for (let i = this.#queue.length - 1; i >= 0 && left > 0; i -= 1) {
      const block = this.#queue[i];
      if (!will(block.page)) continue;
      this.#queue.splice(i, 1);
      this.#queuedPages -= 2 ** block.order;
      left -= 2 ** block.order;
      this.zones.give(block);
    }
    if (left > 0) for (const block of this.pool?.shrink(left, will) ?? []) this.zones.give(block);
  }

  /** Zeroes a block into the pool; a full pool is no reason to zero. @returns bytes zeroed */
  #keep(block: Block): number {
    if (this.pool === undefined || this.pool.put(block) === false) {
      this.zones.give(block);
      return 0;
    }
    return this.#zero(block);
  }

  #zero({ page, order }: Block): number {
    const bytes = 2 ** order * PAGE_SIZE;
    this.memory.fill(physAddr(page * PAGE_SIZE), 0, bytes);
    return bytes;
  }
}
