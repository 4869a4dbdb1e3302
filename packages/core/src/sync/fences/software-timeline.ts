import { assert, ErrnoError, type Nanoseconds } from '../../base/index.js';
import { Fence, isLaterSeqno } from './fence.js';
import type { FenceContexts } from './fence-contexts.js';

/** The most that a timeline moves in one go. Source: INT_MAX in sw_sync_ioctl_inc, v6.12. */
const INT_MAX = 0x7fff_ffff;
const U32_MAX = 0xffff_ffff;

/** A fence on a software timeline: signalled once the timeline's value has reached its own. Source: struct sync_pt, v6.12. */
export class SoftwareFence extends Fence {
  constructor(
    readonly timeline: SoftwareTimeline,
    contexts: FenceContexts,
    seqno: number,
  ) {
    super({
      clock: contexts.clock,
      context: timeline.context,
      seqno,
      driverName: 'sw_sync',
      timelineName: timeline.name,
    });
  }

  protected override pollSignalled(): boolean {
    return this.timeline.hasReached(this.seqno);
  }
}

/**
 * A timeline that user space moves on by hand: a 32-bit value that wraps around, and fences at values of it.
 *
 * Context: owner-actor.
 * Source: struct sync_timeline, drivers/dma-buf/sw_sync.c, v6.12.
 */
export class SoftwareTimeline {
  readonly context: number;
  #value = 0;
  #closed = false;
  /** Pending fences, earliest first; no two of one value. */
  #pending: SoftwareFence[] = [];

  /** @param name the timeline name of its fences; the kernel takes that of the process */
  constructor(
    private readonly contexts: FenceContexts,
    readonly name: string,
  ) {
    this.context = contexts.allocate();
  }

  /** Its value, 0 to 2^32 - 1. */
  get value(): number {
    return this.#value;
  }

  /** Whether its value has reached a seqno, modulo 2^32. Source: timeline_fence_signaled, v6.12. */
  hasReached(seqno: number): boolean {
    return !isLaterSeqno(seqno, this.#value, false);
  }

  /**
   * The fence at a value. While it is pending, asking for the same value again gives the same fence.
   *
   * @param value 0 to 2^32 - 1
   * @throws ErrnoError EBADF after `close`
   * Source: sync_pt_create, v6.12.
   */
  createFence(value: number): SoftwareFence {
    this.#checkOpen('sw_sync_ioctl_create_fence');
    assertU32(value);
    const fence = new SoftwareFence(this, this.contexts, value);
    if (fence.isSignalled()) return fence;
    const place = this.#pending.findLastIndex((other) => !isLaterSeqno(other.seqno, value, false));
    if (place >= 0 && this.#pending[place].seqno === value) return this.#pending[place];
    this.#pending.splice(place + 1, 0, fence);
    return fence;
  }

  /**
   * Moves on and signals the fences reached, in the order of their values.
   *
   * @param count 0 to 2^32 - 1; more than 2^31 - 1 is gone in several steps, so that no fence is jumped over
   * @throws ErrnoError EBADF after `close`
   * Source: sw_sync_ioctl_inc, v6.12.
   */
  increase(count: number): void {
    this.#checkOpen('sw_sync_ioctl_inc');
    assertU32(count);
    let left = count;
    for (; left > INT_MAX; left -= INT_MAX) this.#step(INT_MAX);
    this.#step(left);
  }

  /** Ends it: fences still pending signal with ENOENT. Again, does nothing. Source: sw_sync_debugfs_release, v6.12. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fence of this.#pending.splice(0)) {
      if (fence.isSignalled()) continue;
      fence.setError('ENOENT');
      fence.signal();
    }
  }

  #step(count: number): void {
    this.#value = (this.#value + count) >>> 0;
    const pending = this.#pending.findIndex((fence) => !this.hasReached(fence.seqno));
    const reached = this.#pending.splice(0, pending === -1 ? this.#pending.length : pending);
    for (const fence of reached) fence.signal();
  }

  #checkOpen(op: string): void {
    if (!this.#closed) return;
    throw new ErrnoError('EBADF', op, `Cannot use timeline ${this.name}: it is closed`, { context: this.context });
  }
}

/**
 * The earliest deadline hinted on a software fence, in nanoseconds of model time.
 *
 * @throws ErrnoError EINVAL when the fence is of another driver, ENOENT when there is no deadline
 * Source: sw_sync_ioctl_get_deadline, v6.12.
 */
export function softwareFenceDeadline(fence: Fence): Nanoseconds {
  const op = 'sw_sync_ioctl_get_deadline';
  const { context, seqno, deadlineNs } = fence;
  if (!(fence instanceof SoftwareFence)) {
    throw new ErrnoError(
      'EINVAL',
      op,
      `Cannot get a deadline: fence ${context}-${seqno} is not of a software timeline`,
    );
  }
  if (deadlineNs !== undefined) return deadlineNs;
  throw new ErrnoError('ENOENT', op, `Cannot get a deadline: nobody hinted one on fence ${context}-${seqno}`);
}

function assertU32(value: number): void {
  assert(Number.isInteger(value) && value >= 0 && value <= U32_MAX, `a value of a timeline has 32 bits, got ${value}`);
}
