/**
 * Who calls: one line of execution of an actor, and the reservations it has locked.
 *
 * An actor runs many tasks, and a lock is held by one of them. "Is it locked" is therefore not the question of the locking
 * convention; "is it locked by whoever calls" is. So every call says who makes it, and locks are taken through the caller.
 *
 * Source: `current` and its held locks, as lockdep keeps them, v6.12.
 */
import { assert, type Task } from '../../base/index.js';
import { lockAll, type ResvObject, type WwAcquireContext } from '../../sync/index.js';

export class DmaBufCaller {
  readonly #held = new Map<ResvObject, WwAcquireContext | undefined>();

  /** @param name what messages call it */
  constructor(readonly name: string) {}

  /** Whether it holds the lock of a reservation. */
  holds(reservation: ResvObject): boolean {
    return this.#held.has(reservation);
  }

  /** Reservations that it holds. */
  get heldCount(): number {
    return this.#held.size;
  }

  /**
   * Locks one reservation, waiting as long as it takes.
   *
   * @throws InvariantError when it holds this one, which would wait for itself, or another: several are locked by `lockAll`
   * Source: dma_resv_lock with no context, v6.12.
   */
  *lock(reservation: ResvObject): Task<void> {
    this.#assertMayLock(reservation);
    yield* reservation.lock();
    this.#held.set(reservation, undefined);
  }

  /** Locks one reservation if it is free. @throws InvariantError as `lock` */
  tryLock(reservation: ResvObject): boolean {
    this.#assertMayLock(reservation);
    if (!reservation.tryLock()) return false;
    this.#held.set(reservation, undefined);
    return true;
  }

  /**
   * Locks a set of reservations of one class with one acquire context, backing off as often as it has to.
   *
   * @param reservations one at least; one that is in it twice is locked once
   * @throws InvariantError when it holds a reservation already
   * Source: drm_exec_lock_obj, v6.12.
   */
  *lockAll(reservations: readonly ResvObject[]): Task<void> {
    assert(reservations.length > 0, 'a set of reservations to lock is not empty');
    for (const reservation of reservations) this.#assertMayLock(reservation);
    const context = reservations[0].mutex.wwClass.acquireContext(this.name);
    const mutexes = reservations.map(({ mutex }) => mutex);
    yield* lockAll(mutexes, context);
    context.done();
    for (const reservation of reservations) this.#held.set(reservation, context);
  }

  /** Gives a reservation up. @throws InvariantError when it does not hold it */
  unlock(reservation: ResvObject): void {
    assert(this.holds(reservation), `dma_resv_unlock: ${this.name} holds the lock of ${reservation.name}`);
    const context = this.#held.get(reservation);
    this.#held.delete(reservation);
    reservation.unlock(context);
  }

  /** Runs something under the lock, and unlocks whatever it ends with. */
  *locked<T>(reservation: ResvObject, run: () => Task<T>): Task<T> {
    yield* this.lock(reservation);
    try {
      return yield* run();
    } finally {
      this.unlock(reservation);
    }
  }

  #assertMayLock(reservation: ResvObject): void {
    const { name } = this;
    assert(!this.holds(reservation), `dma_resv_lock: ${name} already holds the lock of ${reservation.name}`);
    const rule = 'several reservations are locked with one acquire context';
    assert(this.#held.size === 0, `dma_resv_lock: ${name} holds another reservation: ${rule}`);
  }
}
