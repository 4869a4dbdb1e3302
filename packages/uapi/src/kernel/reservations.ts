/** Fences on a reservation, as drivers that hold no other lock put them there. */
import type { Task } from '@dmabuf-lab/core/base';
import type { Fence, ResvObject, ResvUsage } from '@dmabuf-lab/core/sync';

/**
 * Locks, makes room, adds, unlocks; waits for the lock, which a move may hold.
 *
 * Source: dma_resv_lock, dma_resv_reserve_fences, dma_resv_add_fence, v6.12.
 */
export function* addFences(reservation: ResvObject, fences: readonly Fence[], usage: ResvUsage): Task<void> {
  if (fences.length === 0) return;
  yield* reservation.lock();
  reservation.reserveFences(fences.length);
  for (const fence of fences) reservation.addFence(fence, usage);
  reservation.unlock();
}

/** Pending fences up to a usage; the lock is not needed. */
export function fencesOn(reservation: ResvObject, upTo: ResvUsage): Fence[] {
  return reservation.getFences(upTo);
}
