/**
 * The contract of fences that cross drivers, checked as it is used.
 *
 * Who publishes a fence promises that it signals in bounded time. Others wait for it while they hold reservation locks, and
 * from within the reclaim of memory. So whatever is on the way to the signal may
 *   R1  take no reservation lock,
 *   R2  make no allocation that may reclaim memory,
 *   R3  wait for no fence that can itself only signal after this one.
 * The way begins when the fence can be seen by others, even before the reservation is unlocked, and ends when it signals.
 *
 * A *path* is one line of execution: a job, a ring, a work item. The rules bind the path that will signal and no other: a
 * pipelined device may lock the reservations of its next job on another path. As with lockdep, a breach is reported where it
 * is asked for, whether or not the deadlock happens this time.
 *
 * Source: "DMA fence cross-driver contract" and dma_fence_begin_signalling, drivers/dma-buf/dma-fence.c, v6.12. Differs:
 * the kernel has one lockdep class for all fences and forbids by class; here it is known which fence waits for which.
 */
import { assert, ErrnoError } from '../../base/index.js';
import { type Fence, fenceName } from './fence.js';
import { unwrapFence } from './fence-unwrap.js';

/** Where a fence was published, and by whom it will be signalled. */
interface Publication {
  readonly fence: Fence;
  readonly path: SignallingPath;
  readonly where: string;
  /** What has to signal before. */
  readonly after: readonly Fence[];
}

/** A stretch that is critical without a published fence; from `beginSignalling`. */
export interface SignallingSection {
  readonly where: string;
}

/** A wait under way; from `beginWait`. */
export interface FenceWaitToken {
  readonly fence: Fence;
  readonly where: string;
}

/** All that is known of an actor's published fences. */
export class FenceContract {
  readonly #publications = new WeakMap<Fence, Publication>();

  /** A new path. @param name what messages call it */
  path(name: string): SignallingPath {
    return new SignallingPath(this, name);
  }

  /** Where a fence was published, or undefined. */
  publication(fence: Fence): Publication | undefined {
    return this.#publications.get(fence);
  }

  /** For `SignallingPath`. */
  record(publication: Publication): void {
    assert(!this.#publications.has(publication.fence), 'a fence is published once, by the path that signals it');
    this.#publications.set(publication.fence, publication);
  }

  /** The publication by a path that has to signal before a fence can, or undefined. It looks through containers and waits. */
  whatBlocks(fence: Fence, path: SignallingPath): Publication | undefined {
    const seen = new Set<Fence>();
    const open = [...unwrapFence(fence)];
    for (let leaf = open.pop(); leaf !== undefined; leaf = open.pop()) {
      if (seen.has(leaf) || leaf.timestampNs !== undefined) continue;
      seen.add(leaf);
      const publication = this.#publications.get(leaf);
      if (publication === undefined) continue;
      if (publication.path === path) return publication;
      for (const before of [...publication.after, ...publication.path.waitsFor]) open.push(...unwrapFence(before));
    }
    return undefined;
  }
}

/** One line of execution that publishes and signals fences. */
export class SignallingPath {
  readonly #published = new Set<Publication>();
  readonly #sections = new Set<SignallingSection>();
  readonly #waits = new Set<FenceWaitToken>();

  constructor(
    private readonly contract: FenceContract,
    readonly name: string,
  ) {}

  /** Fences it waits for now. */
  get waitsFor(): Fence[] {
    return [...this.#waits].map(({ fence }) => fence);
  }

  /** Whether it has yet to signal. */
  get isCritical(): boolean {
    return this.#openedAt() !== undefined;
  }

  /**
   * A fence becomes visible to others, and this path will signal it: the rules bind from here to its signal.
   *
   * @param where the place, for the report of a breach
   * @param after fences that have to signal before this one can, such as those a job waits for
   */
  publish(fence: Fence, where: string, after: readonly Fence[] = []): void {
    const publication: Publication = { fence, path: this, where, after: [...after] };
    this.contract.record(publication);
    this.#published.add(publication);
  }

  /** Begins a stretch to which the rules apply as if a fence were published. Source: dma_fence_begin_signalling, v6.12. */
  beginSignalling(where: string): SignallingSection {
    const section: SignallingSection = { where };
    this.#sections.add(section);
    return section;
  }

  /** Source: dma_fence_end_signalling, v6.12. */
  endSignalling(section: SignallingSection): void {
    assert(this.#sections.delete(section), `${this.name} ends a stretch that it has begun`);
  }

  /** Asks to take a reservation lock (R1). @throws ErrnoError EDEADLK when it has yet to signal */
  mightLock(lock: string, where: string): void {
    this.#refuse('dma_resv_lock', `lock ${lock}`, where);
  }

  /** Asks to allocate in a way that may reclaim memory (R2). @throws ErrnoError EDEADLK when it has yet to signal */
  mightReclaim(where: string): void {
    this.#refuse('fs_reclaim_acquire', 'allocate with reclaim', where);
  }

  /**
   * Asks to wait for a fence (R3).
   *
   * @throws ErrnoError EDEADLK when that fence is this path's own to signal, or can only signal after one that is
   * Source: __dma_fence_might_wait, v6.12.
   */
  mightWait(fence: Fence, where: string): void {
    const blocking = this.contract.whatBlocks(fence, this);
    if (blocking === undefined) return;
    const reason = `it cannot signal before ${fenceName(blocking.fence)}`;
    throw this.#breach('dma_fence_might_wait', `wait for ${fenceName(fence)}`, where, blocking.where, reason);
  }

  /** As `mightWait`, and notes that it waits until `endWait`, so that circles over several paths are found. */
  beginWait(fence: Fence, where: string): FenceWaitToken {
    this.mightWait(fence, where);
    const token: FenceWaitToken = { fence, where };
    this.#waits.add(token);
    return token;
  }

  endWait(token: FenceWaitToken): void {
    assert(this.#waits.delete(token), `${this.name} ends a wait that it has begun`);
  }

  #refuse(op: string, what: string, where: string): void {
    const opened = this.#openedAt();
    if (opened !== undefined) throw this.#breach(op, what, where, opened.where, opened.reason);
  }

  /** Where the rules began to bind, and by what; undefined when they do not. */
  #openedAt(): { where: string; reason: string } | undefined {
    for (const publication of this.#published) {
      if (publication.fence.timestampNs === undefined) {
        return { where: publication.where, reason: `it has yet to signal ${fenceName(publication.fence)}` };
      }
      this.#published.delete(publication);
    }
    for (const { where } of this.#sections) return { where, reason: 'it is on the way to a signal' };
    return undefined;
  }

  #breach(op: string, what: string, requested: string, published: string, reason: string): ErrnoError {
    return new ErrnoError(
      'EDEADLK',
      op,
      `Cannot ${what} at ${requested}: on path ${this.name} ${reason}, published at ${published}`,
      { path: this.name, requested, published },
    );
  }
}
