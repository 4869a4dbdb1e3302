/**
 * The locking convention of dma-buf: who holds the reservation lock in which call.
 *
 * Source: "DOC: locking convention", drivers/dma-buf/dma-buf.c, v6.12. Differs: Linux asserts that the lock is held, and
 * leaves it to lockdep or to a deadlock to show that it must not be.
 */
import { assert } from '../../base/index.js';
import type { ResvObject } from '../../sync/index.js';
import type { DmaBufCaller } from './caller.js';

/** Calls into dma-buf. `held`: the caller must hold the reservation lock. `free`: it must not. */
export const CALL_LOCK_RULES = {
  dma_buf_pin: 'held',
  dma_buf_unpin: 'held',
  dma_buf_map_attachment: 'held',
  dma_buf_unmap_attachment: 'held',
  dma_buf_vmap: 'held',
  dma_buf_vunmap: 'held',
  dma_buf_move_notify: 'held',
  dma_buf_invalidate_mappings: 'held',
  dma_buf_export: 'free',
  dma_buf_put: 'free',
  dma_buf_attach: 'free',
  dma_buf_dynamic_attach: 'free',
  dma_buf_detach: 'free',
  dma_buf_mmap: 'free',
  dma_buf_begin_cpu_access: 'free',
  dma_buf_end_cpu_access: 'free',
} as const;
export type LockedCall = keyof typeof CALL_LOCK_RULES;

/** Callbacks into exporters and importers. `held`: the lock is held, and they may not take it. `free`: they may take it. */
export const CALLBACK_LOCK_RULES = {
  pin: 'held',
  unpin: 'held',
  map_dma_buf: 'held',
  unmap_dma_buf: 'held',
  vmap: 'held',
  vunmap: 'held',
  move_notify: 'held',
  attach: 'free',
  detach: 'free',
  release: 'free',
  begin_cpu_access: 'free',
  end_cpu_access: 'free',
  mmap: 'free',
} as const;
export type LockedCallback = keyof typeof CALLBACK_LOCK_RULES;

/** @throws InvariantError naming call, rule and caller, when the convention is not kept */
export function assertCallRule(call: LockedCall, caller: DmaBufCaller, reservation: ResvObject): void {
  const rule = CALL_LOCK_RULES[call];
  const must = rule === 'held' ? 'must hold' : 'must not hold';
  const isKept = caller.holds(reservation) === (rule === 'held');
  assert(
    isKept,
    `${call}: the caller ${must} the reservation lock of ${reservation.name}, and ${breach(caller, rule)}`,
  );
}

/** Asserts that a callback has come back with the lock as it was. @throws InvariantError naming callback, rule and caller */
export function assertCallbackRule(callback: LockedCallback, caller: DmaBufCaller, reservation: ResvObject): void {
  const rule = CALLBACK_LOCK_RULES[callback];
  const must = rule === 'held' ? 'leaves the reservation lock held' : 'gives up the reservation lock if it took it';
  const isKept = caller.holds(reservation) === (rule === 'held');
  assert(isKept, `${callback}: the callback ${must}, and for ${reservation.name} ${breach(caller, rule)}`);
}

const breach = (caller: DmaBufCaller, rule: 'held' | 'free'): string =>
  `${caller.name} ${rule === 'held' ? 'does not' : 'does'}`;
