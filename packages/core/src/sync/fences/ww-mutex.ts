/**
 * Wait-die locks between the tasks of one actor.
 *
 * Purpose   Several tasks lock sets of objects in any order. A context is as old as its stamp. Who holds locks and meets
 *           an older context gives way: it is refused with EDEADLK, drops all it holds, takes the contended lock first
 *           (`lockSlow`) and starts over. Who holds none always waits. So the oldest context always gets through, and no
 *           cycle of waiters can close.
 *           Source: kernel/locking/ww_mutex.h (wait-die class), v6.12. Differs: an unlock hands the lock to the first
 *           waiter, where Linux wakes it and lets it compete; so the order does not depend on who is scheduled when.
 *
 * Invariants
 *   I1  `acquired` of a context is the number of mutexes it owns.
 *   I2  Waiters with a context stand by age, the oldest first; those without, where they came.
 *   I3  No waiter with a context holds locks and has an older context before it: as owner, or as waiter.
 *
 * Re-entry  A runtime may step a waiter right within the call that settles it. So the queue and the owner are in order
 *           before anybody is settled, and a waiter may be settled before it has come to park.
 * Shown by  tests/unit/core/sync/fences/ww-mutex.test.ts (each rule, and random sets of random tasks).
 */
import { assert, ErrnoError, isErrno, ReplyPark, type Task } from '../../base/index.js';
import type { LockOrder } from './lock-order.js';

/** A class of mutexes, which draws the stamps of its contexts. Source: struct ww_class, DEFINE_WD_CLASS, v6.12. */
export class WwClass {
  #stamp = 0;

  /** @param order records the order of its plain locks; absent = nobody does */
  constructor(
    readonly name: string,
    readonly order?: LockOrder,
  ) {}

  /** Starts to acquire a set. @param owner who, for messages. Source: ww_acquire_init, v6.12. */
  acquireContext(owner: string): WwAcquireContext {
    this.#stamp += 1;
    return new WwAcquireContext(this, this.#stamp, owner);
  }
}

/** Who acquires a set of mutexes. It keeps its age when it backs off and starts over. Source: struct ww_acquire_ctx. */
export class WwAcquireContext {
  /** Mutexes it holds (I1). */
  acquired = 0;
  #done = false;

  constructor(
    readonly wwClass: WwClass,
    /** Smaller is older. */
    readonly stamp: number,
    readonly owner: string,
  ) {}

  /** Ends the phase of locking: from now on it only unlocks. Optional. Source: ww_acquire_done, v6.12. */
  done(): void {
    this.#done = true;
  }

  /** Ends it. @throws InvariantError when it still holds a lock. Source: ww_acquire_fini, v6.12. */
  fini(): void {
    assert(this.acquired === 0, `${this.owner} has unlocked all it held`);
    this.#done = true;
  }

  assertAcquiring(): void {
    assert(!this.#done, `${this.owner} locks only until it is done`);
  }
}

interface Waiter {
  readonly context: WwAcquireContext | undefined;
  /** Called once: without an error it now owns the mutex. */
  readonly settle: (error?: ErrnoError) => void;
}

/** A request that waits; `cancel` takes it back. */
export interface WwRequest {
  readonly cancel: () => void;
}

export class WwMutex {
  #held = false;
  #owner: WwAcquireContext | undefined;
  /** Who holds it as a plain lock, where it has said so. */
  #plainOwner: string | undefined;
  readonly #waiters: Waiter[] = [];

  /** @param name what messages call it */
  constructor(
    readonly wwClass: WwClass,
    readonly name: string,
  ) {}

  get isLocked(): boolean {
    return this.#held;
  }

  /** Whether a context holds it. */
  isHeldBy(context: WwAcquireContext): boolean {
    return this.#owner === context;
  }

  /** Tasks that wait for it. */
  get waiters(): number {
    return this.#waiters.length;
  }

  /** Takes it if it is free. Never refused with an errno. Source: ww_mutex_trylock, v6.12. */
  tryLock(context?: WwAcquireContext): boolean {
    this.#checkContext(context);
    if (this.#held) return false;
    this.#take(context);
    return true;
  }

  /**
   * Takes it, or asks for it.
   *
   * @param settled called once if it has to wait: without an error when it owns the mutex, or with EDEADLK
   * @returns undefined when it owns it at once
   * @throws ErrnoError EALREADY when the context holds it; EDEADLK when the context holds locks and an older one is here
   */
  request(context: WwAcquireContext | undefined, settled: (error?: ErrnoError) => void): WwRequest | undefined {
    this.#checkContext(context);
    if (context !== undefined && this.#owner === context) {
      throw this.#refusal('EALREADY', context, 'it holds it');
    }
    if (!this.#held) {
      this.#take(context);
      return undefined;
    }
    if (context !== undefined && this.#mustDie(context)) throw this.#deadlock(context);
    const waiter: Waiter = { context, settle: settled };
    this.#enqueue(waiter);
    return { cancel: () => this.#cancel(waiter) };
  }

  /**
   * Locks, waiting as long as it takes.
   *
   * @param context without it, a plain lock, which takes no part in wait-die
   * @param by who takes a plain lock, for the record of the class's `order`
   * @throws ErrnoError EALREADY when the context holds it; EDEADLK when the context holds locks and has to back off: it
   *   drops all of them, calls `lockSlow` here and starts over
   * Source: ww_mutex_lock, v6.12.
   */
  *lock(context?: WwAcquireContext, by?: string): Task<void> {
    const plainOwner = context === undefined ? by : undefined;
    if (plainOwner === undefined) return yield* this.#lock(context);
    this.wwClass.order?.taking(plainOwner, this.name);
    yield* this.#lock(undefined);
    this.#plainOwner = plainOwner;
    this.wwClass.order?.taken(plainOwner, this.name);
  }

  *#lock(context: WwAcquireContext | undefined): Task<void> {
    let outcome: { readonly error?: ErrnoError } | undefined;
    let resume: () => void = () => {};
    const request = this.request(context, (error) => {
      outcome = { error };
      resume();
    });
    if (request === undefined) return;
    let resumed = false;
    try {
      yield new ReplyPark(({ resolve, reject }) => {
        resume = () => (outcome?.error === undefined ? resolve(undefined) : reject(outcome.error));
        if (outcome !== undefined) resume(); // settled before it came to park
      }, `the lock of ${this.name}`);
      resumed = true;
    } finally {
      const owns = outcome !== undefined && outcome.error === undefined;
      if (!resumed && owns) this.unlock(context); // the task was ended between getting the lock and going on
      request.cancel();
    }
  }

  /** Locks the contended mutex after backing off. Only while holding no other. Source: ww_mutex_lock_slow, v6.12. */
  *lockSlow(context: WwAcquireContext): Task<void> {
    assert(context.acquired === 0, `${context.owner} has dropped all locks before a slow lock`);
    yield* this.lock(context);
  }

  /** Gives it up; the first waiter owns it then. @param context the one it was locked with. Source: ww_mutex_unlock. */
  unlock(context: WwAcquireContext | undefined = this.#owner): void {
    assert(this.#held && this.#owner === context, `${this.name} is unlocked by its holder`);
    if (this.#owner !== undefined) this.#owner.acquired -= 1; // I1
    this.#held = false;
    this.#owner = undefined;
    if (this.#plainOwner !== undefined) this.wwClass.order?.dropped(this.#plainOwner, this.name);
    this.#plainOwner = undefined;
    const next = this.#waiters.shift();
    if (next === undefined) return;
    this.#take(next.context);
    this.#killYounger(next.context, 0);
    next.settle();
  }

  #take(context: WwAcquireContext | undefined): void {
    this.#held = true;
    this.#owner = context;
    if (context !== undefined) context.acquired += 1; // I1
  }

  /** Stands a waiter in its place (I2) and kills those it must not wait before (I3). */
  #enqueue(waiter: Waiter): void {
    const { context } = waiter;
    const isYounger = (other: Waiter): boolean =>
      context !== undefined && other.context !== undefined && other.context.stamp > context.stamp;
    const younger = this.#waiters.findIndex(isYounger);
    const place = younger === -1 ? this.#waiters.length : younger;
    this.#waiters.splice(place, 0, waiter);
    this.#killYounger(context, place + 1);
  }

  /** Refuses waiters from a place on that hold locks and are younger than a context now before them (I3). */
  #killYounger(context: WwAcquireContext | undefined, from: number): void {
    if (context === undefined) return;
    const dying = this.#waiters.slice(from).filter((waiter) => {
      return waiter.context !== undefined && waiter.context.acquired > 0 && waiter.context.stamp > context.stamp;
    });
    for (const waiter of dying) this.#cancel(waiter);
    for (const waiter of dying) waiter.settle(this.#deadlock(waiter.context)); // they may run, and lock, right here
  }

  /** Whether an older context is the owner, or waits. */
  #mustDie(context: WwAcquireContext): boolean {
    if (context.acquired === 0) return false;
    const isOlder = (other: WwAcquireContext | undefined): boolean =>
      other !== undefined && other.stamp < context.stamp;
    return isOlder(this.#owner) || this.#waiters.some((waiter) => isOlder(waiter.context));
  }

  #cancel(waiter: Waiter): void {
    const place = this.#waiters.indexOf(waiter);
    if (place !== -1) this.#waiters.splice(place, 1);
  }

  #checkContext(context: WwAcquireContext | undefined): void {
    if (context === undefined) return;
    assert(context.wwClass === this.wwClass, `${context.owner} locks mutexes of its class`);
    context.assertAcquiring();
  }

  #deadlock(context: WwAcquireContext | undefined): ErrnoError {
    return this.#refusal('EDEADLK', context, 'it holds locks and an older one was here first');
  }

  #refusal(code: 'EALREADY' | 'EDEADLK', context: WwAcquireContext | undefined, reason: string): ErrnoError {
    const owner = context?.owner ?? 'nobody';
    return new ErrnoError(code, 'ww_mutex_lock', `Cannot lock ${this.name} for ${owner}: ${reason}`, {
      mutex: this.name,
      owner,
      holder: this.#owner?.owner,
    });
  }
}

/**
 * Locks a set, backing off as often as it has to. Source: the loop of drm_exec_lock_obj, v6.12.
 *
 * Context: the context holds no lock; may wait. A mutex that is in the set twice is locked once.
 */
export function* lockAll(mutexes: readonly WwMutex[], context: WwAcquireContext): Task<void> {
  assert(context.acquired === 0, `${context.owner} starts with no lock`);
  const held = new Set<WwMutex>();
  for (;;) {
    const contended = yield* lockRest(mutexes, context, held);
    if (contended === undefined) return;
    for (const mutex of held) mutex.unlock(context);
    held.clear();
    yield* contended.lockSlow(context);
    held.add(contended);
  }
}

/** @returns the mutex at which it has to back off, or undefined when all are held */
function* lockRest(
  mutexes: readonly WwMutex[],
  context: WwAcquireContext,
  held: Set<WwMutex>,
): Task<WwMutex | undefined> {
  for (const mutex of mutexes) {
    if (held.has(mutex)) continue;
    try {
      yield* mutex.lock(context);
    } catch (error) {
      if (!isErrno(error, 'EDEADLK')) throw error;
      return mutex;
    }
    held.add(mutex);
  }
  return undefined;
}
