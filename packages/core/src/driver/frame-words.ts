/**
 * Frames and the pools they come from.
 *
 * Purpose   A frame is a buffer of a pool with what belongs to this use of it: sequence number, time, fences, references.
 *           Its owner fills it and hands it to the links; it comes back when the last consumer has released it.
 *           Source: the buffer states of drivers/media/common/videobuf2, v6.12 (dequeued, queued, active, done).
 *
 * Layout    pool row   0  RELEASES  any consumer   grows at each frame that comes back and each that is added
 *                      1  COUNT     the owner      frames of the pool that have a buffer
 *                      14,15 GUARD  exporter       say nothing (dma-buf/row-guards.ts)
 *           frame row  1  HOLDERS   see below      one bit for the owner, one for each link that carries it; 0 = free
 *                      2  ORDER     last holder    RELEASES when it came back: the owner takes the longest-free first
 *                      14,15        last holder    when it came back, ns, low and high
 *                      3-13, 16-31  what it holds: frame-content-words.ts
 *                      32 HANDING   producers      the bits of the links that it is being pushed to, each set and cleared by its producer
 *                      46,47 GUARD  exporter       say nothing (dma-buf/row-guards.ts)
 *
 * States    HOLDERS: 0 -> OWNER by the owner alone; a link's bit is set by the producer of its ring and cleared by whoever
 *           took the frame out of that ring: the consumer, or the producer that drops it. The last bit out frees the frame.
 *
 * Invariants
 *   I1  That of frame-content-words.ts: what a frame holds changes only while its owner holds it alone.
 *   I2  A bit is set by one actor and cleared once: who holds what can be read from the word, without a count.
 *   I3  Bits are added only by somebody whose own bit is set. So one who finds only its own bit is the last.
 *
 * Pairs     P1 release: ORDER, HOLDERS -> 0, add RELEASES, notify   with   P2 acquire: load RELEASES, HOLDERS, park on
 *           RELEASES.   The hand-over itself is the pair of ring-words.ts.
 *
 * No lost wake-up   P2 loads RELEASES before it looks at any HOLDERS, so a release it missed changes the word it parks on.
 * Crash     The bits are the truth of each holder. The reclaimer of a consumer, once its ring is disabled, quiet and drained,
 *           clears its link's bit wherever it is set; that of an owner clears OWNER. Clearing is idempotent. It adds to
 *           RELEASES and notifies even where it cleared nothing: the dead may have freed a frame and not told.
 *           A producer that dies between setting a link's bit and its push is told from the journal of ring-words.ts, and where the
 *           ring was overwritten from HANDING: set before the link's bit, cleared after the push. Its reclaimer clears HANDING last.
 * Damage    As of rings: a wild write comes from the end of the row, guards first, and what was loaded is trusted if they are whole after it.
 *           A frame whose row was overwritten is lost to its pool: its owner acquires it no more, and it is not waited for. Whoever holds
 *           it lets go of it as ever. Of a pool whose row was overwritten, or all of whose frames were, nothing is acquired any more: EIO.
 * Shown by  tests/unit/core/driver/frame-words.test.ts, tests/unit/core/driver/damaged-rows.test.ts, tests/race/frame-pool.test.ts,
 *           tests/race/ring.test.ts.
 */
import {
  type AtomicWords,
  assert,
  ErrnoError,
  isErrno,
  type TableRegion,
  Wake,
  WordPark,
  wordAt,
} from '../base/index.js';
import type { BufferHandle, RowGuards } from '../dma-buf/index.js';
import { FrameContentWords } from './frame-content-words.js';

const RELEASES = 0;
const COUNT = 1;
/** Words of one pool. */
export const POOL_ROW_WORDS = 16;

const HOLDERS = 1;
const ORDER = 2;
const RETURNED = 14;
const HANDING = 32;

/** Who holds a frame: a bit of HOLDERS. */
export type FrameHolder = number;
/** The owner of the pool, from acquire until it has handed the frame to its links. */
export const FRAME_OWNER: FrameHolder = 1;
/** The link at a position among those that carry the pool's frames, from push until its consumer releases. */
export function linkHolder(consumer: number): FrameHolder {
  assert(consumer >= 0 && consumer < 30, 'a pool has at most 30 links');
  return 2 << consumer;
}

const TWO_32 = 4_294_967_296;

/** Where a pool lies: its row, and its frames. */
export interface PoolRegion {
  readonly row: number;
  readonly firstFrame: number;
  /** Frames it may have. */
  readonly limit: number;
}

export class FrameWords extends FrameContentWords {
  /** @param guards absent = nobody has opened them */
  constructor(
    words: AtomicWords,
    private readonly pools: TableRegion,
    frames: TableRegion,
    private readonly guards?: { readonly pools: RowGuards; readonly frames: RowGuards },
  ) {
    super(words, frames, guards?.frames);
  }

  // ---- pools ----

  /** Gives the next frame of a pool a buffer. Only by its owner. Returns the frame. */
  addBuffer(pool: PoolRegion, buffer: BufferHandle): number {
    this.#checkPool(pool);
    const count = this.words.load(wordAt(this.pools, pool.row, COUNT));
    assert(count < pool.limit, 'a pool has at most its limit of buffers');
    const frame = pool.firstFrame + count;
    this.setBuffer(frame, buffer);
    this.words.store(wordAt(this.pools, pool.row, COUNT), count + 1);
    this.#announce(pool);
    return frame;
  }

  count(pool: PoolRegion): number {
    // Whatever a wild write has left there: a reader stays within the pool.
    return Math.min(pool.limit, Math.max(0, this.words.load(wordAt(this.pools, pool.row, COUNT))));
  }

  /** Whether somebody has overwritten the row of a pool. */
  isPoolLost(pool: PoolRegion): boolean {
    return this.guards?.pools.isDamaged(pool.row) === true;
  }

  /** Try-step: until a pool has that many buffers. */
  countStep(pool: PoolRegion, count: number): true | WordPark {
    const word = wordAt(this.pools, pool.row, RELEASES);
    const seen = this.words.load(word);
    // Whoever comes before the exporter's first step finds guards that are not open yet: those of frames are opened after the pools'.
    const isLost = this.guards?.frames.isOpen === true && this.isPoolLost(pool);
    return this.count(pool) >= count || isLost ? true : new WordPark(word, seen, 'the buffers of a pool');
  }

  /**
   * Try-step of an acquire: takes the frame that has been free longest, of those that suit. Only by the owner.
   *
   * @throws ErrnoError EIO when the row of the pool was overwritten, or those of all its frames
   */
  acquireStep(pool: PoolRegion, suits: (frame: number) => boolean): number | WordPark {
    this.#checkPool(pool);
    const word = wordAt(this.pools, pool.row, RELEASES);
    const seen = this.words.load(word); // P2
    let best = -1;
    let bestAge = -1;
    const count = this.count(pool);
    for (let frame = pool.firstFrame; frame < pool.firstFrame + count; frame += 1) {
      if (this.get(frame, HOLDERS) !== 0) continue;
      const age = (seen - this.get(frame, ORDER)) >>> 0;
      if (age <= bestAge || !this.#suits(frame, suits)) continue;
      best = frame;
      bestAge = age;
    }
    if (best < 0) {
      if (count > 0 && this.#areAllLost(pool, count)) throw refusal('all its frames', pool);
      return new WordPark(word, seen, 'a free buffer');
    }
    this.set(best, HOLDERS, FRAME_OWNER);
    this.clearContent(best);
    return best;
  }

  #suits(frame: number, suits: (frame: number) => boolean): boolean {
    if (this.isLost(frame)) return false;
    try {
      return suits(frame);
    } catch (error) {
      if (!isErrno(error, 'EIO')) throw error;
      return false; // overwritten since
    }
  }

  #areAllLost({ firstFrame }: PoolRegion, count: number): boolean {
    for (let i = 0; i < count; i += 1) if (!this.isLost(firstFrame + i)) return false;
    return true;
  }

  /** Try-step: until every frame has come back. */
  allFreeStep(pool: PoolRegion): true | WordPark {
    const word = wordAt(this.pools, pool.row, RELEASES);
    const seen = this.words.load(word); // P2
    return this.inUse(pool) === 0 ? true : new WordPark(word, seen, 'its frames to come back');
  }

  /** Frames of a pool that are out, but for those that were lost. */
  inUse(pool: PoolRegion): number {
    let used = 0;
    const count = this.count(pool);
    for (let frame = pool.firstFrame; frame < pool.firstFrame + count; frame += 1) {
      if (this.get(frame, HOLDERS) !== 0 && !this.isLost(frame)) used += 1;
    }
    return used;
  }

  // ---- frames ----

  /** Makes a link a holder, before the frame is pushed to it. Only by the producer of its ring (I2, I3). */
  addHolder(frame: number, holder: FrameHolder): void {
    const before = this.words.add(wordAt(this.frames, frame, HOLDERS), holder);
    assert((before & holder) === 0 || this.isLost(frame), 'I2 of frames: a link holds a frame once');
  }

  /** Says that a frame is about to be pushed to a link. Only by the producer of its ring, before `addHolder`. */
  beginHandOver(frame: number, link: FrameHolder): void {
    this.words.add(wordAt(this.frames, frame, HANDING), link);
  }

  /** The push is over, whatever came of it. */
  endHandOver(frame: number, link: FrameHolder): void {
    this.words.add(wordAt(this.frames, frame, HANDING), -link);
  }

  /** Whether a push to a link has begun and has not ended. */
  isBeingHandedTo(frame: number, link: FrameHolder): boolean {
    return (this.get(frame, HANDING) & link) !== 0;
  }

  /** Who holds a frame now: bits. */
  holders(frame: number): number {
    return this.get(frame, HOLDERS);
  }

  /** When the frame came back last. */
  returnedNs(frame: number): number {
    const returnedNs = this.get(frame, RETURNED + 1) * TWO_32 + (this.get(frame, RETURNED) >>> 0);
    return this.isLost(frame) ? 0 : returnedNs;
  }

  /**
   * Ends a hold; the last one gives the frame back to its owner.
   *
   * @param carrier the ring that brought it: where that was overwritten, somebody may have ended the hold already
   */
  release(
    pool: PoolRegion,
    frame: number,
    holder: FrameHolder,
    nowNs: number,
    carrier?: { readonly isDamaged: boolean },
  ): void {
    const isEnded = this.#clear(pool, frame, holder, nowNs);
    const isLost = this.isLost(frame);
    assert(isEnded || isLost || carrier?.isDamaged === true, 'I2 of frames: a hold is ended once');
    if (isLost) this.#announce(pool); // the other bits of HOLDERS say nothing then, so it may be this one that is waited for
  }

  #clear(pool: PoolRegion, frame: number, holder: FrameHolder, nowNs: number): boolean {
    const word = wordAt(this.frames, frame, HOLDERS);
    for (;;) {
      const seen = this.words.load(word);
      if ((seen & holder) === 0) return false;
      if (seen !== holder) {
        if (this.words.compareExchange(word, seen, seen & ~holder) === seen) return true;
        continue;
      }
      this.set(frame, ORDER, this.words.load(wordAt(this.pools, pool.row, RELEASES))); // P1, I3
      this.set(frame, RETURNED, (nowNs % TWO_32) | 0);
      this.set(frame, RETURNED + 1, Math.floor(nowNs / TWO_32));
      if (this.words.compareExchange(word, holder, 0) !== holder) return false;
      this.#announce(pool);
      return true;
    }
  }

  // ---- after a death ----

  /** Ends a dead holder's hold on one frame; nothing where it had none. */
  reclaimHold(pool: PoolRegion, frame: number, holder: FrameHolder, nowNs: number): boolean {
    const was = this.#clear(pool, frame, holder, nowNs);
    this.#announce(pool);
    return was;
  }

  /**
   * Ends all holds of a dead holder on frames of a pool, or on some of them (crash story above).
   *
   * @param isOne of which frames; absent = of all
   * @returns how many it had
   */
  reclaimHolds(
    pool: PoolRegion,
    holder: FrameHolder,
    nowNs: number,
    isOne: (frame: number) => boolean = () => true,
  ): number {
    let count = 0;
    for (let frame = pool.firstFrame; frame < pool.firstFrame + pool.limit; frame += 1) {
      if (isOne(frame) && this.#clear(pool, frame, holder, nowNs)) count += 1;
    }
    this.#announce(pool);
    return count;
  }

  /** Ends the pushes of a dead producer to a link, once what they had begun was let go of. Idempotent. */
  reclaimHandOvers({ firstFrame, limit }: PoolRegion, link: FrameHolder): void {
    for (let frame = firstFrame; frame < firstFrame + limit; frame += 1) {
      const word = wordAt(this.frames, frame, HANDING);
      for (let seen = this.words.load(word); (seen & link) !== 0; seen = this.words.load(word)) {
        this.words.compareExchange(word, seen, seen & ~link);
      }
    }
  }

  /** Gives a frame another buffer. Only by the owner, while it holds the frame alone (I1). */
  replaceBuffer(frame: number, buffer: BufferHandle): void {
    assert(this.get(frame, HOLDERS) === FRAME_OWNER || this.isLost(frame), 'I1 of frames: its owner holds it alone');
    this.setBuffer(frame, buffer);
  }

  #checkPool(pool: PoolRegion): void {
    if (this.isPoolLost(pool)) throw refusal('its row', pool);
  }

  #announce(pool: PoolRegion): void {
    const word = wordAt(this.pools, pool.row, RELEASES);
    this.words.add(word, 1);
    this.words.notify(word, Wake.Release);
  }
}

function refusal(what: string, { row }: PoolRegion): ErrnoError {
  const message = `Cannot acquire a frame of pool ${row}: the control words of ${what} have been overwritten`;
  return new ErrnoError('EIO', 'acquire', message, { pool: row });
}
