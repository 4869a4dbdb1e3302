/** What exporters and importers bring to a dma-buf object. */
import type { Task } from '../../base/index.js';
import type { ResvObject, ResvUsage } from '../../sync/index.js';
import type { ObjectAttachment } from './attachment.js';
import type { DmaBufCaller } from './caller.js';

/** As seen from the CPU. Source: enum dma_data_direction, v6.12. */
export type DataDirection = 'bidirectional' | 'to-device' | 'from-device';

/** Whether the CPU writes, in a CPU access of a direction. Source: dma_buf_begin_cpu_access, v6.12. */
export const isCpuWrite = (direction: DataDirection): boolean => direction !== 'from-device';

/** Finds the pages behind a mapping of user space, at each fault. */
export interface ObjectPager {
  /**
   * @param index of the page in the buffer
   * @param sinceStart pages from the start of the mapping
   * @returns 4096 bytes; undefined where there are none: SIGBUS
   */
  page(index: number, write: boolean, sinceStart: number): Uint8Array | undefined;
}

/** A mapping of user space that an exporter prepares. Source: struct vm_area_struct, v6.12. */
export interface ObjectVma {
  /** Pages. */
  readonly count: number;
  /** First page, in the buffer. */
  first: number;
  pager?: ObjectPager;
  /** It cannot grow. Source: VM_DONTEXPAND. */
  fixedLength: boolean;
}

/**
 * How a call waits for fences: until all up to a usage have signalled.
 *
 * @throws ErrnoError EINTR, or whatever ends the wait early; the call then is undone and throws the same
 */
export type ResvWaiter = (reservation: ResvObject, upTo: ResvUsage, what: string) => Task<void>;

/** Waits as long as it takes: what a kernel thread does. Source: dma_resv_wait_timeout, v6.12. */
export function* waitUninterrupted(reservation: ResvObject, upTo: ResvUsage, what: string): Task<void> {
  yield* reservation.wait(upTo, what);
}

/**
 * The exporter of a buffer. `caller` is who made the call into dma-buf; the lock is held or not as `CALLBACK_LOCK_RULES`
 * says. A callback that throws has changed nothing; what it throws reaches the caller as it is.
 *
 * Source: struct dma_buf_ops, include/linux/dma-buf.h, v6.12. Differs: what may wait is a task.
 */
export interface DmaBufObjectOps<Table, Vma extends ObjectVma = ObjectVma> {
  /** Optional. Looks whether a device can use the buffer. @throws ErrnoError EBUSY when it is placed elsewhere for good */
  attach?(attachment: ObjectAttachment<Table>, caller: DmaBufCaller): void;
  /** Optional. The counterpart of an attach that did not fail. */
  detach?(attachment: ObjectAttachment<Table>, caller: DmaBufCaller): void;
  /** Optional, together with `unpin`. Storage stays where it is until then. */
  pin?(attachment: ObjectAttachment<Table>, caller: DmaBufCaller): Task<void>;
  unpin?(attachment: ObjectAttachment<Table>, caller: DmaBufCaller): void;
  /**
   * Mandatory. At the first call it may look at all attachments and choose the storage; until then there need be none.
   *
   * @returns the storage as the device sees it; undefined for want of memory
   */
  mapDmaBuf(
    attachment: ObjectAttachment<Table>,
    direction: DataDirection,
    caller: DmaBufCaller,
  ): Task<Table | undefined>;
  /** Mandatory. */
  unmapDmaBuf(attachment: ObjectAttachment<Table>, table: Table, direction: DataDirection, caller: DmaBufCaller): void;
  /** Mandatory. The last reference is gone. */
  release(caller: DmaBufCaller): void;
  /** Optional. Called before fences are waited for. */
  beginCpuAccess?(direction: DataDirection, caller: DmaBufCaller): Task<void>;
  /** Optional. Never waits. */
  endCpuAccess?(direction: DataDirection, caller: DmaBufCaller): void;
  /** Optional. Sets the pager of a mapping. */
  mmap?(vma: Vma, caller: DmaBufCaller): void;
  /** Optional. Pages for the kernel; they stay where they are until `vunmap`. Called for the first of several users only. */
  vmap?(caller: DmaBufCaller): readonly Uint8Array[];
  /** Optional. The last of the users is gone. */
  vunmap?(pages: readonly Uint8Array[], caller: DmaBufCaller): void;
}

/**
 * An importer that can follow a buffer when it moves.
 *
 * Source: struct dma_buf_attach_ops, include/linux/dma-buf.h, v6.12.
 */
export interface ObjectImporterOps {
  /** It reaches memory of other devices. Default false. */
  readonly allowPeer2peer?: boolean;
  /**
   * The storage is about to change: unmap what is mapped, and map again before the next use. The lock is held, so it may
   * unmap at once, or later. What is in flight is waited for through its fences. Mandatory in 6.12.
   */
  moveNotify?(attachment: ObjectAttachment<unknown>, caller: DmaBufCaller): void;
  /** The name of `moveNotify` from kernel 7 on, where it is optional. An importer that has it unmaps in bounded time. */
  invalidateMappings?(attachment: ObjectAttachment<unknown>, caller: DmaBufCaller): void;
}
