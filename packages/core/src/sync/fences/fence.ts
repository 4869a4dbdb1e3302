/**
 * Fences as objects of one actor: what kernel drivers, sync files and sync objects hold in their hands.
 *
 * A fence is pending, then signalled, and never pending again. All of it is single-threaded: nothing here is shared
 * memory. What crosses threads is the value `DmaFence`, a point on a shared timeline.
 *
 * Source: drivers/dma-buf/dma-fence.c and include/linux/dma-fence.h, v6.12.
 */
import { assert, type Clock, ERRNO, type ErrnoCode, ErrnoError, type Nanoseconds } from '../../base/index.js';

/** The largest errno there is. Source: MAX_ERRNO, include/linux/err.h, v6.12. */
const MAX_ERRNO = 4095;

/** Called once, when the fence signals. It must not throw. */
export type FenceCallbackFunction = (fence: Fence) => void;

/** A callback as it stands in the queue of one fence; keep it to remove it. Source: struct dma_fence_cb, v6.12. */
export class FenceCallback {
  constructor(readonly run: FenceCallbackFunction) {}
}

/** What makes a fence. */
export interface FenceInit {
  /** Where the time of the signal is read. */
  readonly clock: Clock;
  /** The line of fences it belongs to, from `FenceContexts.allocate`; 0 is that of stubs. */
  readonly context: number;
  /** Its place on that line: an integer from 0 to 2^53 - 1. */
  readonly seqno: number;
  /** Compare sequence numbers as they are; else modulo 2^32. Default false. */
  readonly seqno64?: boolean;
  readonly driverName: string;
  readonly timelineName: string;
}

/**
 * One fence. A driver uses it as it is, or extends it and overrides the three hooks.
 *
 * Context: owner-actor; never waits.
 * Source: struct dma_fence, v6.12. Differs: no reference count, so `release` is called by whoever drops the last hold;
 * no lock, so a callback may use its fence; `dma_fence_init64` is the flag `seqno64`.
 */
export class Fence {
  readonly clock: Clock;
  readonly context: number;
  readonly seqno: number;
  readonly seqno64: boolean;
  readonly driverName: string;
  readonly timelineName: string;
  #timestampNs: Nanoseconds | undefined;
  #error = 0;
  #enabled = false;
  #deadlineNs: Nanoseconds | undefined;
  #callbacks: Set<FenceCallback> | undefined;

  constructor(init: FenceInit) {
    assert(Number.isSafeInteger(init.seqno) && init.seqno >= 0, `a sequence number is below 2^53, got ${init.seqno}`);
    this.clock = init.clock;
    this.context = init.context;
    this.seqno = init.seqno;
    this.seqno64 = init.seqno64 ?? false;
    this.driverName = init.driverName;
    this.timelineName = init.timelineName;
  }

  /** Whether it stands for other fences. Source: dma_fence_is_container, v6.12. */
  get isContainer(): boolean {
    return false;
  }

  /**
   * Whether it is signalled. It asks the hook `pollSignalled` too, and signals if that says so.
   * Source: dma_fence_is_signaled, v6.12.
   */
  isSignalled(): boolean {
    if (this.#timestampNs !== undefined) return true;
    if (!this.pollSignalled()) return false;
    this.signal();
    return true;
  }

  /** 0 pending, 1 signalled, or the negative errno it was signalled with. Source: dma_fence_get_status, v6.12. */
  get status(): number {
    if (!this.isSignalled()) return 0;
    return this.#error === 0 ? 1 : this.#error;
  }

  /** The negative errno set on it, or 0; also while it is pending. Source: the member `error` of struct dma_fence. */
  get error(): number {
    return this.#error;
  }

  /** When it signalled, in nanoseconds of model time; undefined while it is pending. Source: dma_fence_timestamp. */
  get timestampNs(): Nanoseconds | undefined {
    return this.#timestampNs;
  }

  /** The earliest deadline hinted so far, in nanoseconds of model time. */
  get deadlineNs(): Nanoseconds | undefined {
    return this.#deadlineNs;
  }

  /** Whether somebody waits, or has waited. Source: DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, v6.12. */
  get signallingEnabled(): boolean {
    return this.#enabled;
  }

  /**
   * Signals: notes the time and runs the callbacks, in the order in which they were added.
   *
   * @param timestampNs when it happened, in nanoseconds of model time; now, if it is not given
   * @returns true if this call signalled it; false, and nothing done, if it was signalled before
   * Source: dma_fence_signal_timestamp, v6.12.
   */
  signal(timestampNs?: Nanoseconds): boolean {
    if (this.#timestampNs !== undefined) return false;
    this.#timestampNs = timestampNs ?? this.clock.now();
    const callbacks = this.#callbacks;
    if (callbacks === undefined) return true;
    for (const callback of callbacks) {
      callbacks.delete(callback);
      callback.run(this);
    }
    return true;
  }

  /**
   * Notes the error it will signal with. Only before it signals.
   *
   * @param error an errno by name, or as a negative number from -4095
   * @throws InvariantError when it is signalled, or the number is no errno
   * Source: dma_fence_set_error, v6.12. Differs: the kernel warns and goes on.
   */
  setError(error: ErrnoCode | number): void {
    const errno = typeof error === 'string' ? -ERRNO[error] : error;
    assert(this.#timestampNs === undefined, 'an error is set before its fence signals');
    assert(Number.isInteger(errno) && errno < 0 && errno >= -MAX_ERRNO, `${errno} is no negative errno`);
    this.#error = errno;
  }

  /**
   * Queues a callback, and has the signal watched for if nobody waited before.
   *
   * @returns the entry, for `removeCallback`
   * @throws ErrnoError ENOENT when it is signalled: the callback is never called
   * Source: dma_fence_add_callback, v6.12.
   */
  addCallback(run: FenceCallbackFunction): FenceCallback {
    const callback = this.tryAddCallback(run);
    if (callback !== undefined) return callback;
    throw new ErrnoError(
      'ENOENT',
      'dma_fence_add_callback',
      `Cannot add a callback to ${fenceName(this)}: it is signalled`,
      { context: this.context, seqno: this.seqno },
    );
  }

  /** As `addCallback`, but undefined where that throws: the usual case for those who then go on at once. */
  tryAddCallback(run: FenceCallbackFunction): FenceCallback | undefined {
    if (!this.enableSignalling()) return undefined;
    const callback = new FenceCallback(run);
    this.#callbacks ??= new Set();
    this.#callbacks.add(callback);
    return callback;
  }

  /** Takes a callback out. @returns true if it was still queued and is now never called. Source: dma_fence_remove_callback. */
  removeCallback(callback: FenceCallback): boolean {
    return this.#callbacks?.delete(callback) ?? false;
  }

  /**
   * Has the signal watched for, once. @returns false when the fence is signalled, before or by this.
   * Source: dma_fence_enable_sw_signaling, v6.12.
   */
  enableSignalling(): boolean {
    const first = !this.#enabled;
    this.#enabled = true;
    if (this.#timestampNs !== undefined) return false;
    if (first && !this.watch()) this.signal();
    return this.#timestampNs === undefined;
  }

  /**
   * Hints that somebody needs it signalled by an absolute time. It may be ignored, and the earliest hint counts.
   *
   * @param deadlineNs nanoseconds of model time
   * Source: dma_fence_set_deadline, v6.12.
   */
  setDeadline(deadlineNs: Nanoseconds): void {
    if (this.isSignalled()) return;
    this.#deadlineNs = Math.min(this.#deadlineNs ?? deadlineNs, deadlineNs);
    this.deadlineHinted(deadlineNs);
  }

  /**
   * The last hold was dropped. If somebody still waits, that is a bug of the owner: the fence ends with EDEADLK, so that
   * they wake up.
   * Source: dma_fence_release, v6.12.
   */
  release(): void {
    if (this.#timestampNs !== undefined || (this.#callbacks?.size ?? 0) === 0) return;
    this.#error = -ERRNO.EDEADLK;
    this.signal();
  }

  /** Hook: looks whether the work is done, without being told. Source: dma_fence_ops.signaled, v6.12. */
  protected pollSignalled(): boolean {
    return false;
  }

  /** Hook: somebody waits for the first time. @returns false if the work is done. Source: dma_fence_ops.enable_signaling. */
  protected watch(): boolean {
    return true;
  }

  /** Hook: a deadline was hinted on the pending fence. Source: dma_fence_ops.set_deadline, v6.12. */
  protected deadlineHinted(_deadlineNs: Nanoseconds): void {}

  /** Notes an error found in a member of a container: the first one counts. */
  protected noteError(error: number): void {
    if (this.#error === 0) this.#error = error;
  }
}

/** How messages and sync files call a fence: `driver-timeline<context>-<seqno>`. Source: sync_file_get_name, v6.12. */
export function fenceName(fence: Fence): string {
  return `${fence.driverName}-${fence.timelineName}${fence.context}-${fence.seqno}`;
}

/** Whether sequence number `a` is later than `b`: as it is, or modulo 2^32. Source: __dma_fence_is_later, v6.12. */
export function isLaterSeqno(a: number, b: number, seqno64: boolean): boolean {
  return seqno64 ? a > b : ((a - b) | 0) > 0;
}

/**
 * Whether a fence is later than another of its context. Source: dma_fence_is_later, v6.12.
 *
 * @throws InvariantError when they are of different contexts: those have no order. Differs: the kernel warns, says no
 */
export function isLaterFence(a: Fence, b: Fence): boolean {
  assert(a.context === b.context, 'only fences of one context have an order');
  return isLaterSeqno(a.seqno, b.seqno, a.seqno64);
}

/** As `isLaterFence`, or the very same fence. Source: dma_fence_is_later_or_same, v6.12. */
export function isLaterOrSameFence(a: Fence, b: Fence): boolean {
  return a === b || isLaterFence(a, b);
}

/** The later of two fences of one context if it is pending, else undefined. Source: dma_fence_later, v6.12. */
export function laterFence(a: Fence, b: Fence): Fence | undefined {
  const later = isLaterFence(a, b) ? a : b;
  return later.isSignalled() ? undefined : later;
}
