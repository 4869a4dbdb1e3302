/** Fences on a reservation, as drivers that hold no other lock put them there. */
import { assert } from '@dmabuf-lab/core/base';
import type { Fence, ResvObject, ResvUsage } from '@dmabuf-lab/core/sync';

/** Locks, makes room, adds, unlocks. Source: dma_resv_lock, dma_resv_reserve_fences, dma_resv_add_fence, v6.12. */
export function addFences(reservation: ResvObject, fences: readonly Fence[], usage: ResvUsage): void {
  if (fences.length === 0) return;
  const isLocked = reservation.tryLock();
  assert(isLocked, 'system calls lock a reservation only while they do not wait');
  reservation.reserveFences(fences.length);
  for (const fence of fences) reservation.addFence(fence, usage);
  reservation.unlock();
}

/** Every fence up to a usage, signalled or not. */
export function fencesOn(reservation: ResvObject, upTo: ResvUsage): Fence[] {
  const isLocked = reservation.tryLock();
  assert(isLocked, 'system calls lock a reservation only while they do not wait');
  const fences = [...reservation.entries(upTo)].map(({ fence }) => fence);
  reservation.unlock();
  return fences;
}
