import type { Nanoseconds } from '../../base/index.js';
import { type Fence, type FenceCallback, fenceName } from './fence.js';
import type { FenceContexts } from './fence-contexts.js';
import { mergeFences, unwrapFence } from './fence-unwrap.js';

/** Characters of a name, without its terminator. Source: struct sync_file_info, include/uapi/linux/sync_file.h. */
const NAME_LENGTH = 31;

/** One fence of a sync file as user space sees it. Source: struct sync_fence_info, v6.12. */
export interface SyncFenceInfo {
  readonly driverName: string;
  readonly timelineName: string;
  /** 0 pending, 1 signalled, or a negative errno. */
  readonly status: number;
  /** When it signalled, in nanoseconds of model time; 0 while it is pending. */
  readonly timestampNs: Nanoseconds;
}

/** Source: struct sync_file_info, v6.12. */
export interface SyncFileInfo {
  readonly name: string;
  /** 0 pending, 1 signalled, or the negative errno of the first fence that has one. */
  readonly status: number;
  readonly fences: readonly SyncFenceInfo[];
}

/**
 * A fence in the hands of user space: what it stands for is fixed when it is made.
 *
 * Source: drivers/dma-buf/sync_file.c, v6.12. Descriptors, and the arguments of the ioctls, are the business of others.
 */
export class SyncFile {
  readonly #userName: string;

  /** @param name at most 31 characters are kept; empty means a name made of the fence's */
  constructor(
    readonly fence: Fence,
    name = '',
  ) {
    this.#userName = name.slice(0, NAME_LENGTH);
  }

  /** The name it was given, or `driver-timeline<context>-<seqno>`; at most 31 characters. Source: sync_file_get_name. */
  get name(): string {
    return this.#userName === '' ? fenceName(this.fence).slice(0, NAME_LENGTH) : this.#userName;
  }

  /**
   * A sync file that is signalled when both are.
   *
   * @param name at most 31 characters are kept
   * Source: sync_file_merge, v6.12.
   */
  merge(other: SyncFile, name: string, contexts: FenceContexts): SyncFile {
    return new SyncFile(mergeFences(contexts, [this.fence, other.fence]), name);
  }

  /**
   * Whether it polls readable: its fence is signalled. The look has the signal watched for, as a poll does.
   * Source: sync_file_poll, v6.12.
   */
  poll(): boolean {
    this.fence.enableSignalling();
    return this.fence.isSignalled();
  }

  /**
   * Calls once when it becomes readable.
   *
   * @returns the entry to cancel with `fence.removeCallback`, or undefined, and no call, when it is readable
   */
  whenReadable(wake: () => void): FenceCallback | undefined {
    return this.fence.tryAddCallback(() => wake());
  }

  /** The number of fences it stands for: 1 or more. */
  countFences(): number {
    let count = 0;
    for (const _ of unwrapFence(this.fence)) count += 1;
    return count;
  }

  /** The status alone, as user space gets it when it has no room for fences. Source: sync_file_ioctl_fence_info, v6.12. */
  get status(): number {
    return this.fence.status;
  }

  /** The fences it stands for, and the status that follows from them. Source: sync_file_ioctl_fence_info, v6.12. */
  info(): SyncFileInfo {
    const fences: SyncFenceInfo[] = [];
    let status = 1;
    for (const fence of unwrapFence(this.fence)) {
      const one = fenceInfo(fence);
      fences.push(one);
      if (status > 0) status = one.status;
    }
    return { name: this.name, status, fences };
  }

  /** Passes a deadline on to its fence, in nanoseconds of model time. Source: sync_file_ioctl_set_deadline, v6.12. */
  setDeadline(deadlineNs: Nanoseconds): void {
    this.fence.setDeadline(deadlineNs);
  }
}

function fenceInfo(fence: Fence): SyncFenceInfo {
  const { driverName, timelineName, status } = fence;
  return { driverName, timelineName, status, timestampNs: fence.timestampNs ?? 0 };
}
