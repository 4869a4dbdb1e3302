/** Fences on a reservation, as drivers that hold no other lock put them there. */
import { assert, type Task } from '@dmabuf-lab/core/base';
import type { Fence, ResvObject, ResvUsage } from '@dmabuf-lab/core/sync';

/** Locks, makes room, adds, unlocks. For reservations that nobody locks while it waits. */
export function addFences(reservation: ResvObject, fences: readonly Fence[], usage: ResvUsage): void {
  if (fences.length === 0) return;
  const isLocked = reservation.tryLock();
  assert(isLocked, 'system calls lock a reservation only while they do not wait');
  addLocked(reservation, fences, usage);
}

/**
 * As `addFences`, where a driver may hold the lock: waits for it.
 * Source: dma_resv_lock, dma_resv_reserve_fences, dma_resv_add_fence, v6.12.
 */
export function* addFencesWhenFree(reservation: ResvObject, fences: readonly Fence[], usage: ResvUsage): Task<void> {
  if (fences.length === 0) return;
  yield* reservation.lock();
  addLocked(reservation, fences, usage);
}

function addLocked(reservation: ResvObject, fences: readonly Fence[], usage: ResvUsage): void {
  reservation.reserveFences(fences.length);
  for (const fence of fences) reservation.addFence(fence, usage);
  reservation.unlock();
}

/** Pending fences up to a usage; the lock is not needed. */
export function fencesOn(reservation: ResvObject, upTo: ResvUsage): Fence[] {
  return reservation.getFences(upTo);
}
