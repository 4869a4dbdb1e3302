/**
 * Timelines: the shared words behind every fence.
 *
 * Purpose   A timeline is a line of points; a fence is the value (timeline, generation, seqno) and is signalled once the
 *           timeline's signalled seqno has reached it. Nothing is allocated per frame and a wait is a wait on one word.
 *           Source: struct dma_fence and the timelines of drivers/dma-buf/dma-fence.c and dma-fence-chain.c, v6.12.
 *           Differs: a seqno is 64 bits in two words, compared as an integer below 2^53, never modulo 2^32.
 *
 * Layout    word  name        written by  meaning
 *           0     EPOCH       owner       grows by 1 at every change of words 1 to 3; the word that waiters sleep on
 *           1     SEQ_LO      owner       low 31 bits of the signalled seqno; bit 31 is the lowest bit of its high part
 *           2     SEQ_HI      owner       high part: seqno / 2^31
 *           3     FAILED      owner       0 alive; else the errno (positive) that every point above the seqno ends with
 *           4     GENERATION  owner       of the slot: a fence of another generation has ended
 *           5     ERRORS      owner       number of failed points ever logged
 *           6     LOG         owner       8 entries of (errno, seqno low, seqno high): the latest failed points
 *           30    PAST        owner       4 entries of (generation, SEQ_LO, SEQ_HI, errno): how past lives ended
 *           46,47 GUARD       exporter    say nothing (dma-buf/guard-words.ts)
 *           "owner" is the actor the slot was given to; after its death, the one that reclaims it. FAILED is also stored by the
 *           exporter when it finds the row overwritten.
 *
 * States    pending -> signalled (errno 0 or from LOG), or pending -> failed. Never back (I1).
 *
 * Invariants
 *   I1  The signalled seqno never falls, and FAILED, once set, stays what it is within a generation.
 *   I2  SEQ_LO alone decides (P1): it tells by its bit 31 that a carry is under way, and a reader adds it to the high part
 *       that it has loaded before (P2). So no reader sees a seqno that is not signalled, nor one that falls.
 *   I3  An entry of LOG is complete before EPOCH tells of its point.
 *   I4  A fence of a past life ends as that life ended: signalled up to its last seqno, above it with its errno, never as
 *       signalled because a new life came. PAST tells of the last four; of an older one only the error is certain enough.
 *
 * Pairs     P1 signal: store SEQ_LO, SEQ_HI, add EPOCH, notify   with   P2 step: load EPOCH, SEQ_HI, SEQ_LO, park on EPOCH
 *           P3 open: PAST, add GENERATION, then SEQ and FAILED      with   P4 status: SEQ and FAILED, load GENERATION, PAST
 *           P4 loads GENERATION after what it judges by: if that was of a new life, the word has changed by then, and the
 *           answer comes from PAST, which was written before.
 *           P5 death: SEQ_LO by the owner, later FAILED by its reclaimer   with   look: load FAILED, then SEQ_HI, SEQ_LO
 *
 * Interleavings
 *   A carry: with plain halves, a reader between the two stores would see a point pending that has ended, and the death of
 *   the owner there would make it fail for ever after it had success. With the bit, the store of SEQ_LO is the signal.
 *   A signal and a death: whoever has loaded the seqno before the signal and FAILED after the death would tell of an error
 *   where all others tell of success. The seqno is final once FAILED is set: it is looked at again (P5).
 *
 * No lost wake-up   P2 loads EPOCH first. A signal that P2's loads missed changes EPOCH afterwards, so the park finds the
 *           word changed and does not sleep, or is already asleep and is notified.
 * Progress  signal is wait-free; a step is wait-free.
 * Damage    A reservation that was overwritten may name a slot that is not there: its points have ended with EIO. A row that was
 *           overwritten is condemned: its pending points end with EIO, so that nobody waits for ever, and its owner
 *           signals and publishes nothing more on it. Until then readers go by what stands there.
 * Crash     An owner that dies before it stores SEQ_LO has not signalled, one that dies after it has; waiters are woken by
 *           its reclaimer in both cases: it calls fail(), which makes every point above the seqno end with an error. An owner
 *           that dies while it opens the slot leaves it failed, in the old life or in a new one without points.
 * Shown by  tests/unit/core/sync/timeline-words.test.ts (carry, order of stores step by step, reuse, errors),
 *           tests/race/fence.test.ts.
 */
import {
  type AtomicWords,
  assert,
  ERRNO,
  type TableRegion,
  type TimelineSlot,
  Wake,
  WordPark,
  wordAt,
  wordIndex,
} from '../base/index.js';

const EPOCH = 0;
const SEQ_LO = 1;
const SEQ_HI = 2;
const FAILED = 3;
const GENERATION = 4;
const ERRORS = 5;
const LOG = 6;
const LOG_ENTRIES = 8;
const LOG_WORDS = 3;
const PAST = 30;
const PAST_ENTRIES = 4;
const PAST_WORDS = 4;

/** Words of one timeline: three lines, of which the last two words are guards. */
export const TIMELINE_ROW_WORDS = 48;

const TWO_31 = 2_147_483_648;
const TWO_32 = 4_294_967_296;

export class TimelineWords {
  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
  ) {}

  /** Generation of the slot; part of every fence on it. */
  generation(slot: TimelineSlot): number {
    return this.words.load(wordAt(this.table, slot, GENERATION));
  }

  /** Starts a new life of a slot: seqno 0, no error. Only by its owner. Fences of the life before keep their end (I4). */
  open(slot: TimelineSlot): void {
    const row = wordAt(this.table, slot, 0);
    this.#remember(row, this.words.load(wordIndex(row + GENERATION))); // P3
    this.words.add(wordIndex(row + GENERATION), 1);
    for (const column of [SEQ_HI, SEQ_LO, FAILED, ERRORS]) this.words.store(wordIndex(row + column), 0);
    this.words.add(wordIndex(row + EPOCH), 1);
    this.words.notify(wordIndex(row + EPOCH));
  }

  /** The signalled seqno (I2). */
  signalledSeqno(slot: TimelineSlot): number {
    const row = wordAt(this.table, slot, 0);
    const high = this.words.load(wordIndex(row + SEQ_HI)); // P2
    return seqnoOf(high, this.words.load(wordIndex(row + SEQ_LO)));
  }

  /**
   * Signals all points up to a seqno. Only by the owner.
   *
   * @param errno 0, or the positive errno that this very point ends with
   */
  signal(slot: TimelineSlot, seqno: number, errno = 0): void {
    const row = wordAt(this.table, slot, 0);
    const before = this.signalledSeqno(slot);
    assert(seqno > before, 'I1 of timelines: the signalled seqno grows');
    if (errno !== 0) this.#log(row, seqno, errno); // I3
    // The bit in SEQ_LO tells of one carry: a leap over several is made one by one.
    const high = Math.floor(seqno / TWO_31);
    for (let next = Math.floor(before / TWO_31) + 1; next < high; next += 1) this.#setSeqno(row, next * TWO_31);
    this.#setSeqno(row, seqno);
    this.#changed(row);
  }

  #setSeqno(row: number, seqno: number): void {
    const high = Math.floor(seqno / TWO_31);
    this.words.store(wordIndex(row + SEQ_LO), (seqno % TWO_31) | (high << 31)); // P1
    this.words.store(wordIndex(row + SEQ_HI), high);
  }

  /** Ends every point above the signalled seqno with an error: the death of a timeline. The first error stays (I1). */
  fail(slot: TimelineSlot, errno: number): void {
    const row = wordAt(this.table, slot, 0);
    this.words.compareExchange(wordIndex(row + FAILED), 0, errno);
    this.#changed(row);
  }

  /** Gives up a slot whose words somebody has overwritten: as `fail`, whatever stood there. Not only by the owner. */
  condemn(slot: TimelineSlot, errno: number): void {
    const row = wordAt(this.table, slot, 0);
    this.words.store(wordIndex(row + FAILED), errno);
    this.#changed(row);
  }

  /** The errno (positive) that the present life of a slot has ended with; 0 while it goes on. */
  failure(slot: TimelineSlot): number {
    return this.words.load(wordAt(this.table, slot, FAILED));
  }

  get slotCount(): number {
    return this.table.rows;
  }

  /**
   * Try-step of a wait.
   *
   * @returns 1 signalled, or the negative errno that the point ended with, or the park to wait with
   */
  step(slot: TimelineSlot, generation: number, seqno: number, what: string): number | WordPark {
    if (!this.#exists(slot)) return -ERRNO.EIO;
    const row = wordAt(this.table, slot, 0);
    const epoch = this.words.load(wordIndex(row + EPOCH)); // P2
    const status = this.#status(row, slot, generation, seqno);
    return status === 0 ? new WordPark(wordIndex(row + EPOCH), epoch, what) : status;
  }

  /** 0 pending, 1 signalled, negative errno when it ended with an error. Source: dma_fence_get_status, v6.12. */
  status(slot: TimelineSlot, generation: number, seqno: number): number {
    if (!this.#exists(slot)) return -ERRNO.EIO;
    return this.#status(wordAt(this.table, slot, 0), slot, generation, seqno);
  }

  #exists(slot: number): boolean {
    return slot >= 0 && slot < this.table.rows;
  }

  #status(row: number, slot: TimelineSlot, generation: number, seqno: number): number {
    const status = this.#statusNow(row, slot, seqno);
    const isPresent = this.words.load(wordIndex(row + GENERATION)) === generation; // P4
    return isPresent ? status : this.#pastStatus(row, generation, seqno);
  }

  #statusNow(row: number, slot: TimelineSlot, seqno: number): number {
    if (this.signalledSeqno(slot) >= seqno) return this.#loggedError(row, seqno);
    const failed = this.words.load(wordIndex(row + FAILED));
    if (failed === 0) return 0;
    return this.signalledSeqno(slot) >= seqno ? this.#loggedError(row, seqno) : -failed; // P5
  }

  /** How a fence of a past life ended (I4). */
  #pastStatus(row: number, generation: number, seqno: number): number {
    const entry = row + PAST + (generation % PAST_ENTRIES) * PAST_WORDS;
    const low = this.words.load(wordIndex(entry + 1));
    const high = this.words.load(wordIndex(entry + 2));
    const errno = this.words.load(wordIndex(entry + 3));
    if (this.words.load(wordIndex(entry)) !== generation) return -ERRNO.EOWNERDEAD;
    return seqnoOf(high, low) >= seqno || errno === 0 ? 1 : -errno;
  }

  /** Has whoever waits for a fence of a timeline look again: there is something else that it has to see. */
  wake(slot: TimelineSlot): void {
    if (this.#exists(slot)) this.words.notify(wordAt(this.table, slot, EPOCH));
  }

  #remember(row: number, generation: number): void {
    const entry = row + PAST + (generation % PAST_ENTRIES) * PAST_WORDS;
    this.words.store(wordIndex(entry), -1); // an old entry ends before its words change
    for (const [i, column] of [SEQ_LO, SEQ_HI, FAILED].entries()) {
      this.words.store(wordIndex(entry + 1 + i), this.words.load(wordIndex(row + column)));
    }
    this.words.store(wordIndex(entry), generation);
  }

  #changed(row: number): void {
    this.words.add(wordIndex(row + EPOCH), 1);
    this.words.notify(wordIndex(row + EPOCH), Wake.Release);
  }

  #log(row: number, seqno: number, errno: number): void {
    const count = this.words.load(wordIndex(row + ERRORS));
    const entry = row + LOG + (count % LOG_ENTRIES) * LOG_WORDS;
    this.words.store(wordIndex(entry), 0);
    this.words.store(wordIndex(entry + 1), (seqno % TWO_32) | 0);
    this.words.store(wordIndex(entry + 2), Math.floor(seqno / TWO_32));
    this.words.store(wordIndex(entry), errno);
    this.words.store(wordIndex(row + ERRORS), count + 1);
  }

  #loggedError(row: number, seqno: number): number {
    const count = Math.min(this.words.load(wordIndex(row + ERRORS)), LOG_ENTRIES);
    for (let i = 0; i < count; i += 1) {
      const entry = row + LOG + i * LOG_WORDS;
      const low = this.words.load(wordIndex(entry + 1)) >>> 0;
      const high = this.words.load(wordIndex(entry + 2));
      if (high * TWO_32 + low === seqno) return -this.words.load(wordIndex(entry)) || 1;
    }
    return 1;
  }
}

/** The seqno that SEQ_HI and SEQ_LO tell of, SEQ_HI loaded first: a carry that has reached SEQ_LO only is completed. */
function seqnoOf(high: number, low: number): number {
  const carry = ((low >>> 31) ^ high) & 1;
  return (high + carry) * TWO_31 + (low & 0x7fff_ffff);
}
