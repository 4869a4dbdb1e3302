/**
 * Reservations: per buffer one wait-die lock and the fences that implicit synchronisation knows.
 *
 * Purpose   Who may touch a buffer next. Source: drivers/dma-buf/dma-resv.c and the ww_mutex of kernel/locking/ww_mutex.h
 *           (class wait-die), v6.12. Differs: 12 slots a buffer, so reserving beyond them is ENOMEM where Linux grows.
 *
 * Layout    word  name     written by     meaning
 *           0     LOCK     any actor      0 free, else the stamp of the acquire context that holds it
 *           1     SEQ      lock holder    odd while the slots are being changed
 *           2     USED     lock holder    slots below this one may be taken; it never falls while the buffer lives
 *           4+4i  SLOT i   lock holder    (usage + 1 or 0 empty, timeline slot, generation and seqno high, seqno low)
 *           62,63 GUARD    exporter       say nothing (dma-buf/guard-words.ts)
 *                 the third word packs generation (16 bits) and seqno high (15 bits)
 *           A stamp is a 24-bit ticket above a 7-bit actor id: a smaller ticket is an older context, and the owner can be
 *           read from the lock word itself, which is what recovery needs.
 *
 * States    LOCK: 0 -> stamp by compare-and-swap; stamp -> 0 by its holder, or by the reclaimer of a dead holder.
 *
 * Invariants
 *   I1  Slots change only under LOCK. I2  A context that finds an older holder backs off (dies): among the holders of a
 *       set the oldest always gets through, so no cycle of waiters can close. Whoever locks plainly (`lockPlainStep`) has no
 *       such promise.
 *   I3  After `reserve` has found room for n fences, n times `add` cannot fail while the lock is held.
 *
 * Pairs     P1 unlock: store LOCK 0, notify   with   P2 lock: load LOCK, park on the value seen
 *           P3 change: SEQ odd, slots, SEQ even, notify   with   P4 snapshot: SEQ even, slots, SEQ unchanged
 *
 * No lost wake-up   P2 parks on the very stamp it saw; an unlock in between changes the word. P4 likewise on SEQ.
 * Progress  The oldest context waits only for holders that no longer wait for locks (I2).
 * Crash     The reclaimer frees LOCK where the stamp's actor is the dead one, and notifies LOCK even where it was not:
 *           the dead may have stored 0 and not notified. SEQ is made even again.
 * Damage    A row that was overwritten is mended by the exporter when it gives the buffer up: a lock that no actor can hold is
 *           free and the slots are empty, a change that nobody makes is over. A lock that somebody may hold is left to him.
 * Shown by  tests/unit/core/sync/dma-resv.test.ts, tests/race/reservation.test.ts, tests/race/opposite-order-map.test.ts.
 */
import {
  type ActorId,
  type AtomicWords,
  assert,
  type BufferSlot,
  type TableRegion,
  type TimelineSlot,
  timelineSlot,
  Wake,
  type WordIndex,
  WordPark,
  wordAt,
  wordIndex,
} from '../base/index.js';
import type { DmaFence } from './dma-fence.js';

const LOCK = 0;
const SEQ = 1;
const USED = 2;
const SLOTS = 4;
const SLOT_WORDS = 4;
/** Fences that one reservation can hold. */
export const RESV_SLOTS = 12;
/** Words of one reservation. */
export const RESV_ROW_WORDS = 64;

const TWO_32 = 4_294_967_296;
const ACTOR_BITS = 7;
const TICKET_MASK = 0xff_ffff;

/** What a fence on a reservation is for; a query at one level returns that level and all before it. */
export const ResvUsage = { Kernel: 0, Write: 1, Read: 2, Bookkeep: 3 } as const;
export type ResvUsage = (typeof ResvUsage)[keyof typeof ResvUsage];

export interface ResvFence {
  readonly slot: number;
  readonly usage: ResvUsage;
  readonly fence: DmaFence;
}

/** The identity under which a set of reservations is locked. */
export interface AcquireContext {
  readonly stamp: number;
}

/** The outcome of trying to lock: `EDEADLK` asks to drop every lock held and to take this one first. */
export type LockOutcome = 'locked' | 'EDEADLK' | 'EALREADY';

export class ResvWords {
  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
    /** The word from which tickets are drawn. */
    private readonly ticketWord: WordIndex,
  ) {}

  /** Draws a context for an actor. Source: ww_acquire_init, v6.12. */
  acquireContext(owner: ActorId): AcquireContext {
    const ticket = (this.words.add(this.ticketWord, 1) + 1) & TICKET_MASK;
    return { stamp: (ticket << ACTOR_BITS) | owner };
  }

  /** Try-step: takes the lock, refuses (wait-die), or parks behind a younger holder. */
  lockStep(buffer: BufferSlot, context: AcquireContext): LockOutcome | WordPark {
    const lock = wordAt(this.table, buffer, LOCK);
    const seen = this.words.compareExchange(lock, 0, context.stamp);
    if (seen === 0) return 'locked';
    if (seen === context.stamp) return 'EALREADY';
    if (isOlder(seen, context.stamp)) return 'EDEADLK'; // I2
    return new WordPark(lock, seen, 'a reservation lock'); // P2
  }

  /** Try-step: takes the lock, waiting for whoever holds it. Only while holding no other. Source: ww_mutex_lock_slow. */
  lockSlowStep(buffer: BufferSlot, context: AcquireContext): 'locked' | WordPark {
    return this.lockPlainStep(buffer, context);
  }

  /** Try-step: takes the lock, waiting for whoever holds it, whatever else it holds. So nothing keeps a cycle of waiters from closing. */
  lockPlainStep(buffer: BufferSlot, context: AcquireContext): 'locked' | WordPark {
    const lock = wordAt(this.table, buffer, LOCK);
    const seen = this.words.compareExchange(lock, 0, context.stamp);
    assert(seen !== context.stamp, 'a lock is not taken twice by one context');
    return seen === 0 ? 'locked' : new WordPark(lock, seen, 'a reservation lock'); // P2
  }

  unlock(buffer: BufferSlot, context: AcquireContext): void {
    const lock = wordAt(this.table, buffer, LOCK);
    const seen = this.words.compareExchange(lock, context.stamp, 0); // P1
    assert(seen === context.stamp, 'only the holder unlocks a reservation');
    this.words.notify(lock);
  }

  /** Has whoever waits for the lock look again: there is something else that it has to see. */
  wake(buffer: BufferSlot): void {
    this.words.notify(wordAt(this.table, buffer, LOCK));
  }

  isLockedBy(buffer: BufferSlot, context: AcquireContext): boolean {
    return this.words.load(wordAt(this.table, buffer, LOCK)) === context.stamp;
  }

  /** The actor that holds the lock; 0 = nobody. */
  lockOwner(buffer: BufferSlot): number {
    return this.words.load(wordAt(this.table, buffer, LOCK)) & ((1 << ACTOR_BITS) - 1);
  }

  /** Whether a wait on a column is one for the lock. */
  isLock(column: number): boolean {
    return column === LOCK;
  }

  /** Frees the lock of a dead actor, and notifies also where it was not the owner (crash story above). */
  reclaimLock(buffer: BufferSlot, dead: ActorId): void {
    const lock = wordAt(this.table, buffer, LOCK);
    const seen = this.words.load(lock);
    if ((seen & ((1 << ACTOR_BITS) - 1)) === dead && seen !== 0) {
      const seq = wordAt(this.table, buffer, SEQ);
      if (this.words.load(seq) % 2 !== 0) this.words.add(seq, 1);
      this.words.notify(seq);
      this.words.compareExchange(lock, seen, 0);
    }
    this.words.notify(lock);
  }

  /** What a row says that cannot be; undefined when all of it can. */
  nonsense(buffer: BufferSlot, lastActor: number): string | undefined {
    const used = this.words.load(wordAt(this.table, buffer, USED));
    if (used < 0 || used > RESV_SLOTS) return `it says that ${used} of ${RESV_SLOTS} slots are used`;
    const stamp = this.words.load(wordAt(this.table, buffer, LOCK));
    return this.#canHold(stamp, lastActor) ? undefined : `it is locked by ${stamp}, which is nobody`;
  }

  /** Mends a row that was overwritten, so that nobody waits for ever. Only by the exporter, of a buffer that it gives up. */
  mend(buffer: BufferSlot, lastActor: number): void {
    const lock = wordAt(this.table, buffer, LOCK);
    const stamp = this.words.load(lock);
    if (stamp !== 0 && this.#canHold(stamp, lastActor)) return;
    const seq = wordAt(this.table, buffer, SEQ);
    if (this.words.load(seq) % 2 !== 0) this.words.add(seq, 1);
    this.clear(buffer);
    this.words.compareExchange(lock, stamp, 0);
    this.words.notify(lock);
  }

  /** Whether an actor can have stored a stamp: it is free, or names an actor and a ticket that has been drawn. */
  #canHold(stamp: number, lastActor: number): boolean {
    if (stamp === 0) return true;
    const owner = stamp & ((1 << ACTOR_BITS) - 1);
    const newest = ((this.words.load(this.ticketWord) & TICKET_MASK) << ACTOR_BITS) | owner;
    return stamp > 0 && owner > 0 && owner <= lastActor && !isOlder(newest, stamp);
  }

  /** Writes a slot. Only under the lock (I1). */
  setSlot(buffer: BufferSlot, slot: number, usage: ResvUsage, fence: DmaFence): void {
    assert(fence.generation < 65_536, 'a timeline slot is opened fewer than 65536 times');
    const packed = (fence.generation << 15) | Math.floor(fence.seqno / TWO_32);
    this.#change(buffer, () => {
      const base = wordAt(this.table, buffer, SLOTS + slot * SLOT_WORDS);
      this.words.store(wordIndex(base + 1), fence.timeline);
      this.words.store(wordIndex(base + 2), packed);
      this.words.store(wordIndex(base + 3), (fence.seqno % TWO_32) | 0);
      this.words.store(base, usage + 1);
      const used = wordAt(this.table, buffer, USED);
      if (this.words.load(used) <= slot) this.words.store(used, slot + 1);
    });
  }

  /** Slots that have been used since the buffer was opened. */
  usedSlots(buffer: BufferSlot): number {
    // Whatever a wild write has left there: a reader stays within the row.
    return Math.min(RESV_SLOTS, Math.max(0, this.words.load(wordAt(this.table, buffer, USED))));
  }

  /** The slot of the same context at the same or a weaker usage, read under the lock. */
  findSlot(buffer: BufferSlot, fence: DmaFence, usage: ResvUsage): { slot: number; seqno: number } | undefined {
    const used = this.usedSlots(buffer);
    for (let slot = 0; slot < used; slot += 1) {
      const base = wordAt(this.table, buffer, SLOTS + slot * SLOT_WORDS);
      if (this.words.load(base) - 1 < usage) continue;
      const packed = this.words.load(wordIndex(base + 2));
      if (this.words.load(wordIndex(base + 1)) !== fence.timeline || packed >>> 15 !== fence.generation) continue;
      return { slot, seqno: (packed & 0x7fff) * TWO_32 + (this.words.load(wordIndex(base + 3)) >>> 0) };
    }
    return undefined;
  }

  /** Empties every slot. Only under the lock, or when nobody else knows the buffer. */
  clear(buffer: BufferSlot): void {
    this.#change(buffer, () => {
      for (let slot = 0; slot < RESV_SLOTS; slot += 1) {
        this.words.store(wordAt(this.table, buffer, SLOTS + slot * SLOT_WORDS), 0);
      }
      this.words.store(wordAt(this.table, buffer, USED), 0);
    });
  }

  /** The fences, read under the lock. */
  fences(buffer: BufferSlot): ResvFence[] {
    const found: ResvFence[] = [];
    const used = this.usedSlots(buffer);
    for (let slot = 0; slot < used; slot += 1) {
      const base = wordAt(this.table, buffer, SLOTS + slot * SLOT_WORDS);
      const usage = this.words.load(base);
      if (usage === 0) continue;
      const packed = this.words.load(wordIndex(base + 2));
      found.push({
        slot,
        usage: (usage - 1) as ResvUsage,
        fence: {
          timeline: timelineSlot(this.words.load(wordIndex(base + 1))),
          generation: packed >>> 15,
          seqno: (packed & 0x7fff) * TWO_32 + (this.words.load(wordIndex(base + 3)) >>> 0),
        },
      });
    }
    return found;
  }

  /** Try-step: the fences, read without the lock; restarts when they change meanwhile (P4). */
  snapshotStep(buffer: BufferSlot): ResvFence[] | WordPark {
    const seq = wordAt(this.table, buffer, SEQ);
    for (;;) {
      const before = this.words.load(seq);
      if (before % 2 !== 0) return new WordPark(seq, before, 'a reservation being changed');
      const fences = this.fences(buffer);
      if (this.words.load(seq) === before) return fences;
    }
  }

  /** Whether a fence up to a usage makes a test true; undefined when the fences are just being changed. No garbage. */
  someFence(
    buffer: BufferSlot,
    upTo: ResvUsage,
    test: (timeline: TimelineSlot, generation: number, seqno: number) => boolean,
  ): boolean | undefined {
    const seq = wordAt(this.table, buffer, SEQ);
    const before = this.words.load(seq);
    if (before % 2 !== 0) return undefined;
    const used = this.usedSlots(buffer);
    let found = false;
    for (let slot = 0; slot < used && !found; slot += 1) {
      const base = wordAt(this.table, buffer, SLOTS + slot * SLOT_WORDS);
      const usage = this.words.load(base);
      if (usage === 0 || usage - 1 > upTo) continue;
      const timeline = timelineSlot(this.words.load(wordIndex(base + 1)));
      const packed = this.words.load(wordIndex(base + 2));
      const seqno = (packed & 0x7fff) * TWO_32 + (this.words.load(wordIndex(base + 3)) >>> 0);
      found = test(timeline, packed >>> 15, seqno);
    }
    return this.words.load(seq) === before ? found : undefined; // P4
  }

  #change(buffer: BufferSlot, write: () => void): void {
    const seq = wordAt(this.table, buffer, SEQ);
    this.words.add(seq, 1); // P3
    write();
    this.words.add(seq, 1);
    this.words.notify(seq, Wake.Release);
  }
}

/** Whether a stamp's ticket was drawn before another's: modulo 2^24, for contexts that live at the same time. */
function isOlder(stamp: number, than: number): boolean {
  const distance = ((than >>> ACTOR_BITS) - (stamp >>> ACTOR_BITS)) & TICKET_MASK;
  return distance !== 0 && distance < 0x80_0000;
}
