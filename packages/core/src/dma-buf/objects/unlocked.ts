/**
 * Calls that need the reservation lock, made by those who do not hold it: each takes it, calls, and gives it up.
 *
 * Context: the caller holds no reservation; waits for the lock.
 * Source: dma_buf_map_attachment_unlocked and the like, v6.12. Differs: Linux has none for pin and unpin.
 */
import type { Task } from '../../base/index.js';
import type { ObjectAttachment, ObjectMapping } from './attachment.js';
import type { DmaBufCaller } from './caller.js';
import type { DmaBufObject } from './dma-buf-object.js';
import type { DataDirection, ObjectVma, ResvWaiter } from './object-ops.js';

/** As `DmaBufObject.pin`. */
export function* pinUnlocked<Table>(caller: DmaBufCaller, attachment: ObjectAttachment<Table>): Task<void> {
  const { buffer } = attachment;
  yield* caller.locked(buffer.reservation, () => buffer.pin(caller, attachment));
}

/** As `DmaBufObject.unpin`. */
export function* unpinUnlocked<Table>(caller: DmaBufCaller, attachment: ObjectAttachment<Table>): Task<void> {
  const { buffer } = attachment;
  yield* caller.locked(buffer.reservation, () => atOnce(() => buffer.unpin(caller, attachment)));
}

/** As `DmaBufObject.mapAttachment`. Source: dma_buf_map_attachment_unlocked, v6.12. */
export function* mapAttachmentUnlocked<Table>(
  caller: DmaBufCaller,
  attachment: ObjectAttachment<Table>,
  direction: DataDirection,
  wait?: ResvWaiter,
): Task<ObjectMapping<Table>> {
  const { buffer } = attachment;
  return yield* caller.locked(buffer.reservation, () => buffer.mapAttachment(caller, attachment, direction, wait));
}

/** As `DmaBufObject.unmapAttachment`. Source: dma_buf_unmap_attachment_unlocked, v6.12. */
export function* unmapAttachmentUnlocked<Table>(
  caller: DmaBufCaller,
  mapping: ObjectMapping<Table>,
  direction?: DataDirection,
): Task<void> {
  const { buffer } = mapping.attachment;
  yield* caller.locked(buffer.reservation, () => atOnce(() => buffer.unmapAttachment(caller, mapping, direction)));
}

/** As `DmaBufObject.vmap`. Source: dma_buf_vmap_unlocked, v6.12. */
export function* vmapUnlocked<Table, Vma extends ObjectVma>(
  caller: DmaBufCaller,
  buffer: DmaBufObject<Table, Vma>,
): Task<readonly Uint8Array[]> {
  return yield* caller.locked(buffer.reservation, () => atOnce(() => buffer.vmap(caller)));
}

/** As `DmaBufObject.vunmap`. Source: dma_buf_vunmap_unlocked, v6.12. */
export function* vunmapUnlocked<Table, Vma extends ObjectVma>(
  caller: DmaBufCaller,
  buffer: DmaBufObject<Table, Vma>,
  pages: readonly Uint8Array[],
): Task<void> {
  yield* caller.locked(buffer.reservation, () => atOnce(() => buffer.vunmap(caller, pages)));
}

/** A call that never waits, as a task. */
function* atOnce<T>(call: () => T): Task<T> {
  return call();
}
