import { assert, ErrnoError, type Nanoseconds } from '../../base/index.js';
import type { Fence } from './fence.js';
import { chainLinks, FenceChain, findChainSeqno, reachesSeqno } from './fence-chain.js';
import type { FenceContexts } from './fence-contexts.js';
import { createStubFence } from './fence-stub.js';
import { mergeFences } from './fence-unwrap.js';
import { SyncFile } from './sync-file.js';

/** How long a transfer waits for its source to be submitted. Source: DRM_SYNCOBJ_WAIT_FOR_SUBMIT_TIMEOUT, v6.12. */
export const SUBMIT_TIMEOUT_NS: Nanoseconds = 5_000_000_000;

/** Somebody who waits until a point has a fence. Source: struct syncobj_wait_entry, v6.12. */
export interface SubmissionWaiter {
  readonly point: number;
  /** Called once, with the fence to wait for. */
  readonly submitted: (fence: Fence) => void;
}

export interface SyncObjectOptions {
  /** Start with a signalled fence. Source: DRM_SYNCOBJ_CREATE_SIGNALED. */
  readonly signalled?: boolean;
}

/**
 * A container whose fence is exchanged: binary, with one fence or none, or a timeline, with a chain of points.
 *
 * Nothing tells the two kinds apart but what was put in last: `addPoint` makes a timeline, `replaceFence` a binary one.
 * Point 0 always means the fence as it is.
 *
 * Context: owner-actor; never waits. `SyncObjectWait` waits.
 * Source: struct drm_syncobj, drivers/gpu/drm/drm_syncobj.c, v6.12. Differs: a point is below 2^53, where Linux has 64
 * bits; handles, descriptors and the checks of flags are the business of others.
 */
export class SyncObject {
  #fence: Fence | undefined;
  readonly #waiters = new Set<SubmissionWaiter>();
  readonly #listeners = new Set<SubmissionWaiter>();

  constructor(
    private readonly contexts: FenceContexts,
    options: SyncObjectOptions = {},
  ) {
    if (options.signalled === true) this.signal();
  }

  /** The fence it holds now: undefined, a plain fence, or the head of a chain. Source: drm_syncobj_fence_get, v6.12. */
  get fence(): Fence | undefined {
    return this.#fence;
  }

  /** Puts a fence in place of what was there, or takes it away. Source: drm_syncobj_replace_fence, v6.12. */
  replaceFence(fence: Fence | undefined): void {
    if (fence === this.#fence) return;
    this.#fence = fence;
    this.#tellSubmitted();
  }

  /**
   * Adds a fence as a point behind those that are there.
   *
   * A point that is not later than the last one is taken, with the number of the last: the timeline then starts anew, and
   * `query` reports nothing before all of it is done.
   *
   * @param fence no chain
   * @param point 0 to 2^53 - 1
   * Source: drm_syncobj_add_point, v6.12.
   */
  addPoint(fence: Fence, point: number): void {
    const prev = this.#fence;
    this.#fence = new FenceChain(this.contexts, prev, fence, point);
    this.#tellSubmitted();
    for (const _ of chainLinks(prev)); // the walk drops what has signalled
  }

  /** Signals it as a binary one, from the host. Source: drm_syncobj_assign_null_handle, v6.12. */
  signal(): void {
    this.replaceFence(createStubFence(this.contexts.clock));
  }

  /** Signals a point from the host: adds a signalled fence there. Source: drm_syncobj_timeline_signal_ioctl, v6.12. */
  signalPoint(point: number): void {
    this.addPoint(this.contexts.stub(), point);
  }

  /** Forgets the fence. Who already waits for that fence goes on doing so. Source: drm_syncobj_reset_ioctl, v6.12. */
  reset(): void {
    this.replaceFence(undefined);
  }

  /** The last point that is complete, with all before it; 0 for a binary one. Source: drm_syncobj_query_ioctl, v6.12. */
  query(): number {
    const head = this.#fence;
    if (!(head instanceof FenceChain)) return 0;
    let last = head;
    for (const link of chainLinks(head)) {
      if (link.context !== head.context || !(link instanceof FenceChain)) break;
      last = link;
    }
    return last.isSignalled() ? last.seqno : last.prevSeqno;
  }

  /** The last point that has a fence; 0 for a binary one. Source: DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED, v6.12. */
  queryLastSubmitted(): number {
    return this.#fence instanceof FenceChain ? this.#fence.seqno : 0;
  }

  /** Whether a point has a fence to wait for. */
  isSubmitted(point: number): boolean {
    return this.#fence !== undefined && reachesSeqno(this.#fence, point);
  }

  /**
   * The fence to wait for so that a point is complete; a stub where the point is done and gone.
   *
   * @throws ErrnoError EINVAL when the point has no fence yet
   * Source: drm_syncobj_find_fence without DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT, v6.12.
   */
  findFence(point: number): Fence {
    if (this.#fence === undefined) {
      throw new ErrnoError(
        'EINVAL',
        'drm_syncobj_find_fence',
        `Cannot find point ${point}: the sync object has no fence`,
        {
          point,
        },
      );
    }
    return findChainSeqno(this.#fence, point) ?? this.contexts.stub();
  }

  /**
   * Calls once, when a point has a fence; at once if it has. For a transfer that waits for its source, too.
   *
   * @returns the entry for `forgetSubmission`, or undefined when the call was made
   * Source: drm_syncobj_fence_add_wait, v6.12.
   */
  whenSubmitted(point: number, submitted: (fence: Fence) => void): SubmissionWaiter | undefined {
    return this.#enlist(this.#waiters, { point, submitted });
  }

  /** Takes an entry of `whenSubmitted` out. */
  forgetSubmission(waiter: SubmissionWaiter): void {
    this.#waiters.delete(waiter);
  }

  /**
   * Notifies once, when a point signals; or, with `available`, when it has a fence. At once if it has.
   *
   * A listener that is told of a submission by the same change as a waiter comes after it.
   * Source: drm_syncobj_eventfd_ioctl and syncobj_eventfd_entry_func, v6.12.
   */
  listen(point: number, notify: () => void, available = false): void {
    const submitted = (fence: Fence): void => {
      if (available || fence.tryAddCallback(() => notify()) === undefined) notify();
    };
    this.#enlist(this.#listeners, { point, submitted });
  }

  /**
   * Takes over what another sync object holds at a point. Onto point 0 it is the fence as it is, onto another a point made
   * of its flattened leaves.
   *
   * @throws ErrnoError EINVAL when the source's point has no fence yet; `whenSubmitted` waits for that
   * Source: drm_syncobj_transfer_ioctl, v6.12.
   */
  transferFrom(source: SyncObject, sourcePoint: number, point: number): void {
    const fence = source.findFence(sourcePoint);
    if (point === 0) this.replaceFence(fence);
    else this.addPoint(mergeFences(this.contexts, [fence]), point);
  }

  /** Puts the fence of a sync file in. Source: drm_syncobj_import_sync_file_fence, v6.12. */
  importSyncFile(file: SyncFile): void {
    this.replaceFence(file.fence);
  }

  /** Its present fence as a sync file. @throws ErrnoError EINVAL when there is none. Source: drm_syncobj_export_sync_file. */
  exportSyncFile(): SyncFile {
    return new SyncFile(this.findFence(0));
  }

  /** The last hold was dropped: its fence is let go, and listeners not yet tied to a fence are never notified. */
  release(): void {
    this.replaceFence(undefined);
    this.#listeners.clear();
    assert(this.#waiters.size === 0, 'who waits for a submission holds the sync object');
  }

  #tellSubmitted(): void {
    for (const waiters of [this.#waiters, this.#listeners]) {
      for (const waiter of waiters) this.#trySubmit(waiters, waiter);
    }
  }

  #enlist(waiters: Set<SubmissionWaiter>, waiter: SubmissionWaiter): SubmissionWaiter | undefined {
    waiters.add(waiter);
    return this.#trySubmit(waiters, waiter) ? undefined : waiter;
  }

  #trySubmit(waiters: Set<SubmissionWaiter>, waiter: SubmissionWaiter): boolean {
    if (!this.isSubmitted(waiter.point)) return false;
    waiters.delete(waiter);
    waiter.submitted(this.findFence(waiter.point));
    return true;
  }
}
