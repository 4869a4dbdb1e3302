/**
 * Frames and the pools they come from.
 *
 * Purpose   A frame is a buffer of a pool with what belongs to this use of it: sequence number, time, fences, references.
 *           Its owner fills it and hands it to the links; it comes back when the last consumer has released it.
 *           Source: the buffer states of drivers/media/common/videobuf2, v6.12 (dequeued, queued, active, done).
 *
 * Layout    pool row   0  RELEASES  any consumer   grows at each frame that comes back and each that is added
 *                      1  COUNT     the owner      frames of the pool that have a buffer
 *           frame row  0  STATUS    see below      0 free: the owner may take it; 1 in use
 *                      1  REFS      see below      references: the owner's own and one a link
 *                      2  ORDER     last releaser  RELEASES when it came back: the owner takes the longest-free first
 *                      3  BUFFER    the owner      slot of the buffer        4  LIFE  of the buffer
 *                      5  SEQUENCE  the owner      of the frame              6,7  CAPTURED  ns, low and high
 *                      8  CHECKSUM  the writer     of the content            9  ERROR  errno the content ended with
 *                      14,15        last releaser  when it came back, ns, low and high
 *                      10-13        the owner      acquire fence: timeline + 1 or 0, generation, seqno low, high
 *                      16-31        consumer i     release fence of the i-th link, likewise
 *
 * States    STATUS 0 -> 1 by the owner alone; 1 -> 0 by whoever takes REFS to 0. REFS is set to 1 while private.
 *
 * Invariants
 *   I1  Words 3 to 13 change only while the owner holds the frame alone (STATUS 1, not handed over yet), except CHECKSUM
 *       and ERROR, which the writer stores before it signals the acquire fence; a consumer reads them after that fence.
 *   I2  A consumer holds one reference from its take to its release; the owner holds one until all links have theirs.
 *
 * Pairs     P1 release: REFS -1 -> 0, ORDER, STATUS 0, add RELEASES, notify   with   P2 acquire: load RELEASES, STATUS,
 *           park on RELEASES.   The hand-over itself is the pair of ring-words.ts.
 *
 * No lost wake-up   P2 loads RELEASES before it looks at any STATUS, so a release it missed changes the word it parks on.
 * Crash     The references of a dead consumer must be recounted by a supervisor: rings and holders tell them.
 * Shown by  tests/unit/core/driver/frame-words.test.ts.
 */
import {
  type AtomicWords,
  assert,
  bufferSlot,
  type TableRegion,
  timelineSlot,
  Wake,
  WordPark,
  wordAt,
  wordIndex,
} from '../base/index.js';
import type { BufferHandle } from '../dma-buf/index.js';
import type { DmaFence } from '../sync/index.js';

const RELEASES = 0;
const COUNT = 1;
/** Words of one pool. */
export const POOL_ROW_WORDS = 16;

const STATUS = 0;
const REFS = 1;
const ORDER = 2;
const BUFFER = 3;
const LIFE = 4;
const SEQUENCE = 5;
const CAPTURED = 6;
const CHECKSUM = 8;
const ERROR = 9;
const ACQUIRE = 10;
const RETURNED = 14;
const RELEASE = 16;
const FENCE_WORDS = 4;
/** Words of one frame. */
export const FRAME_ROW_WORDS = 32;
/** Links of one output that can return a release fence. */
export const MAX_LINKS = 4;

const TWO_32 = 4_294_967_296;

/** Where a pool lies: its row, and its frames. */
export interface PoolRegion {
  readonly row: number;
  readonly firstFrame: number;
  /** Frames it may have. */
  readonly limit: number;
}

export class FrameWords {
  constructor(
    private readonly words: AtomicWords,
    private readonly pools: TableRegion,
    private readonly frames: TableRegion,
  ) {}

  // ---- pools ----

  /** Gives the next frame of a pool a buffer. Only by its owner. Returns the frame. */
  addBuffer(pool: PoolRegion, buffer: BufferHandle): number {
    const count = this.words.load(wordAt(this.pools, pool.row, COUNT));
    assert(count < pool.limit, 'a pool has at most its limit of buffers');
    const frame = pool.firstFrame + count;
    this.#set(frame, BUFFER, buffer.slot);
    this.#set(frame, LIFE, buffer.life);
    this.words.store(wordAt(this.pools, pool.row, COUNT), count + 1);
    this.#announce(pool);
    return frame;
  }

  count(pool: PoolRegion): number {
    return this.words.load(wordAt(this.pools, pool.row, COUNT));
  }

  /** Try-step: until a pool has that many buffers. */
  countStep(pool: PoolRegion, count: number): true | WordPark {
    const word = wordAt(this.pools, pool.row, RELEASES);
    const seen = this.words.load(word);
    return this.count(pool) >= count ? true : new WordPark(word, seen, 'the buffers of a pool');
  }

  /** Try-step of an acquire: takes the frame that has been free longest, of those that suit. Only by the owner. */
  acquireStep(pool: PoolRegion, suits: (frame: number) => boolean): number | WordPark {
    const word = wordAt(this.pools, pool.row, RELEASES);
    const seen = this.words.load(word); // P2
    let best = -1;
    let bestAge = -1;
    const count = this.count(pool);
    for (let frame = pool.firstFrame; frame < pool.firstFrame + count; frame += 1) {
      if (this.#get(frame, STATUS) !== 0) continue;
      const age = (seen - this.#get(frame, ORDER)) >>> 0;
      if (age <= bestAge || !suits(frame)) continue;
      best = frame;
      bestAge = age;
    }
    if (best < 0) return new WordPark(word, seen, 'a free buffer');
    this.#set(best, STATUS, 1);
    this.#set(best, REFS, 1);
    for (let column = CHECKSUM; column < RETURNED; column += 1) this.#set(best, column, 0);
    return best;
  }

  /** Try-step: until every frame has come back. */
  allFreeStep(pool: PoolRegion): true | WordPark {
    const word = wordAt(this.pools, pool.row, RELEASES);
    const seen = this.words.load(word); // P2
    return this.inUse(pool) === 0 ? true : new WordPark(word, seen, 'its frames to come back');
  }

  /** Frames of a pool that are out. */
  inUse(pool: PoolRegion): number {
    let used = 0;
    const count = this.count(pool);
    for (let i = 0; i < count; i += 1) used += this.#get(pool.firstFrame + i, STATUS);
    return used;
  }

  // ---- frames ----

  buffer(frame: number): BufferHandle {
    return { slot: bufferSlot(this.#get(frame, BUFFER)), life: this.#get(frame, LIFE) };
  }

  /** Describes what the frame holds. Only by the one that holds it alone (I1). */
  describe(frame: number, sequence: number, capturedNs: number): void {
    this.#set(frame, SEQUENCE, sequence);
    this.#set(frame, CAPTURED, (capturedNs % TWO_32) | 0);
    this.#set(frame, CAPTURED + 1, Math.floor(capturedNs / TWO_32));
  }

  sequence(frame: number): number {
    return this.#get(frame, SEQUENCE);
  }

  capturedNs(frame: number): number {
    return this.#get(frame, CAPTURED + 1) * TWO_32 + (this.#get(frame, CAPTURED) >>> 0);
  }

  checksum(frame: number): number {
    return this.#get(frame, CHECKSUM) >>> 0;
  }

  setChecksum(frame: number, checksum: number): void {
    this.#set(frame, CHECKSUM, checksum | 0);
  }

  error(frame: number): number {
    return this.#get(frame, ERROR);
  }

  setError(frame: number, errno: number): void {
    this.#set(frame, ERROR, errno);
  }

  acquireFence(frame: number): DmaFence | undefined {
    return this.#fence(frame, ACQUIRE);
  }

  setAcquireFence(frame: number, fence: DmaFence | undefined): void {
    this.#setFence(frame, ACQUIRE, fence);
  }

  /** Whether a consumer left a release fence on the frame's last use. */
  hasReleaseFences(frame: number): boolean {
    for (let link = 0; link < MAX_LINKS; link += 1)
      if (this.#get(frame, RELEASE + link * FENCE_WORDS) !== 0) return true;
    return false;
  }

  /** Release fences that consumers left on the frame's last use. */
  releaseFences(frame: number): DmaFence[] {
    const fences: DmaFence[] = [];
    for (let link = 0; link < MAX_LINKS; link += 1) {
      const fence = this.#fence(frame, RELEASE + link * FENCE_WORDS);
      if (fence !== undefined) fences.push(fence);
    }
    return fences;
  }

  setReleaseFence(frame: number, link: number, fence: DmaFence | undefined): void {
    if (link < MAX_LINKS) this.#setFence(frame, RELEASE + link * FENCE_WORDS, fence);
  }

  /** Adds references for links, before the frame is handed to them (I2). */
  addReferences(frame: number, count: number): void {
    this.words.add(wordAt(this.frames, frame, REFS), count);
  }

  /** When the frame came back last. */
  returnedNs(frame: number): number {
    return this.#get(frame, RETURNED + 1) * TWO_32 + (this.#get(frame, RETURNED) >>> 0);
  }

  /** Drops a reference; the last one gives the frame back to its owner. */
  release(pool: PoolRegion, frame: number, nowNs: number): void {
    const before = this.words.add(wordAt(this.frames, frame, REFS), -1);
    assert(before > 0, 'I2 of frames: a reference is dropped once');
    if (before > 1) return;
    this.#set(frame, ORDER, this.words.load(wordAt(this.pools, pool.row, RELEASES))); // P1
    this.#set(frame, RETURNED, (nowNs % TWO_32) | 0);
    this.#set(frame, RETURNED + 1, Math.floor(nowNs / TWO_32));
    this.#set(frame, STATUS, 0);
    this.#announce(pool);
  }

  #announce(pool: PoolRegion): void {
    const word = wordAt(this.pools, pool.row, RELEASES);
    this.words.add(word, 1);
    this.words.notify(word, Wake.Release);
  }

  #fence(frame: number, column: number): DmaFence | undefined {
    const timeline = this.#get(frame, column);
    if (timeline === 0) return undefined;
    const seqno = this.#get(frame, column + 3) * TWO_32 + (this.#get(frame, column + 2) >>> 0);
    return { timeline: timelineSlot(timeline - 1), generation: this.#get(frame, column + 1), seqno };
  }

  #setFence(frame: number, column: number, fence: DmaFence | undefined): void {
    this.#set(frame, column, 0);
    if (fence === undefined) return;
    this.#set(frame, column + 1, fence.generation);
    this.#set(frame, column + 2, (fence.seqno % TWO_32) | 0);
    this.#set(frame, column + 3, Math.floor(fence.seqno / TWO_32));
    this.#set(frame, column, fence.timeline + 1);
  }

  #get(frame: number, column: number): number {
    return this.words.load(wordAt(this.frames, frame, column));
  }

  #set(frame: number, column: number, value: number): void {
    this.words.store(wordIndex(wordAt(this.frames, frame, column)), value);
  }
}
