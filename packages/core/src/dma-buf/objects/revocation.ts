/**
 * Taking a buffer away from its importers: a device is reset, or its memory is no longer there.
 *
 *   (a) lock; no new mapping is given
 *   (b) `invalidateMappings`: importers are told
 *   (c) wait for all fences up to BOOKKEEP: until then importers may use the storage as before
 *   (d) unlock; wait for every unmap: until then importers may read ahead and throw it away, and must not write
 *
 * Both waits are bounded here, and whoever holds one up is named: an importer that is told of the revocation promises to
 * unmap in bounded time, and one that is not told may never.
 *
 * Source: "dma_buf_invalidate_mappings" and dma_buf_attach_revocable, kernel 7. Differs: Linux leaves (d) unbounded; that no
 * mapping is given any more is kept by the buffer, where Linux has each exporter refuse.
 */
import { ErrnoError, type Task } from '../../base/index.js';
import { fenceName, ResvUsage, type WaitLimit } from '../../sync/index.js';
import type { ObjectAttachment } from './attachment.js';
import type { DmaBufCaller } from './caller.js';
import type { DmaBufObject } from './dma-buf-object.js';
import type { ObjectVma } from './object-ops.js';

/** Whether the importer of an attachment can have its mappings revoked. Source: dma_buf_attach_revocable, kernel 7. */
export function isRevocable<Table>(attachment: ObjectAttachment<Table>): boolean {
  return attachment.isDynamic && attachment.buffer.isNotified(attachment);
}

/**
 * For the attach of an exporter that revokes: refuses an importer that would not be told.
 *
 * @throws ErrnoError EOPNOTSUPP
 * Source: the use of dma_buf_attach_revocable in exporters, kernel 7.
 */
export function attachRevocable<Table>(attachment: ObjectAttachment<Table>): void {
  if (isRevocable(attachment)) return;
  const { device, buffer } = attachment;
  const message = `Cannot attach ${device} to ${buffer.name}: its importer has no invalidateMappings, and the buffer can be revoked`;
  throw new ErrnoError('EOPNOTSUPP', 'dma_buf_attach_revocable', message, { device });
}

/**
 * Revokes all mappings, and has seen the last of them end.
 *
 * Context: the caller holds no reservation; waits.
 *
 * @param limit for both waits together; absent = as long as it takes
 * @throws ErrnoError EOPNOTSUPP before kernel 7; nothing is done
 * @throws ErrnoError ETIMEDOUT, naming the fences or the mappings that are left (`holders`). The buffer stays revoked, and
 *   calling again goes on waiting
 */
export function* revokeMappings<Table, Vma extends ObjectVma>(
  caller: DmaBufCaller,
  buffer: DmaBufObject<Table, Vma>,
  limit?: WaitLimit,
): Task<void> {
  if (buffer.rules.kernel === '6.12') {
    const message = `Cannot revoke ${buffer.name}: kernel 6.12 has no revocation`;
    throw new ErrnoError('EOPNOTSUPP', 'dma_buf_revoke', message);
  }
  yield* caller.locked(buffer.reservation, () => invalidateAndWait(caller, buffer, limit)); // (a) to (c)
  const isOver = yield* buffer.changes.until(() => buffer.mappings.size === 0, 'unmaps after a revocation', limit); // (d)
  if (!isOver) throw late(buffer, 'not unmapped are', describeMappings(buffer));
}

/** Mappings are given again: the memory is back. Context: the caller does not hold the reservation; waits for it. */
export function* allowMappings<Table, Vma extends ObjectVma>(
  caller: DmaBufCaller,
  buffer: DmaBufObject<Table, Vma>,
): Task<void> {
  yield* caller.lock(buffer.reservation);
  buffer.isRevoked = false;
  caller.unlock(buffer.reservation);
}

function* invalidateAndWait<Table, Vma extends ObjectVma>(
  caller: DmaBufCaller,
  buffer: DmaBufObject<Table, Vma>,
  limit: WaitLimit | undefined,
): Task<void> {
  buffer.isRevoked = true;
  buffer.invalidateMappings(caller);
  const { reservation } = buffer;
  const inTime = yield* reservation.wait(ResvUsage.Bookkeep, `fences before ${buffer.name} is revoked`, limit);
  if (!inTime) throw late(buffer, 'pending are', reservation.getFences(ResvUsage.Bookkeep).map(fenceName));
  buffer.voidInvalidatedMappings();
}

function describeMappings<Table, Vma extends ObjectVma>(buffer: DmaBufObject<Table, Vma>): string[] {
  return [...buffer.mappings].map((mapping) => {
    return buffer.isNotified(mapping.attachment) ? mapping.name : `${mapping.name}, which nobody tells`;
  });
}

function late<Table, Vma extends ObjectVma>(
  { name }: DmaBufObject<Table, Vma>,
  what: string,
  holders: readonly string[],
): ErrnoError {
  const message = `Cannot revoke ${name} in time: ${what} ${holders.join('; ')}`;
  return new ErrnoError('ETIMEDOUT', 'dma_buf_revoke', message, { holders });
}
