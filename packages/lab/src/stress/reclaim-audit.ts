/** What is left of a dead driver once it has been reclaimed, which ought to be nothing. */
import { type ActorId, bufferSlot } from '@dmabuf-lab/core/base';
import type { ExportedBuffer } from '@dmabuf-lab/core/dma-buf';
import type { OpenTables } from '@dmabuf-lab/core/driver';
import { firstTimelineOf, LANES_PER_DEVICE } from '@dmabuf-lab/core/driver';
import { fenceStatus } from '@dmabuf-lab/core/sync';

/**
 * Looks for locks, pending fences and attachments of a dead actor. Its next life has not begun: a restart waits for the reclaim.
 *
 * @returns what there is, in words; empty when nothing is left
 */
export function leftOfDead(
  { buffers, resv, timelines }: Pick<OpenTables, 'buffers' | 'resv' | 'timelines'>,
  live: Iterable<ExportedBuffer>,
  dead: ActorId,
): string[] {
  const left: string[] = [];
  const first = firstTimelineOf(dead);
  for (let i = 0; i < buffers.bufferCount; i += 1) {
    const slot = bufferSlot(i);
    if (resv.lockOwner(slot) === dead) left.push(`the lock of slot ${i}`);
    for (const { fence } of resv.fences(slot)) {
      const isOfDead = fence.timeline >= first && fence.timeline < first + LANES_PER_DEVICE;
      if (isOfDead && fenceStatus(timelines, fence) === 0) left.push(`pending fence ${fence.seqno} on slot ${i}`);
    }
  }
  for (const { slot, attachments } of live) {
    for (const { actor } of attachments.values()) if (actor === dead) left.push(`an attachment to slot ${slot}`);
  }
  return left;
}
