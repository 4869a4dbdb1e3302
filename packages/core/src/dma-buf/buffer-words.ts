/**
 * Buffers and attachments: the words of the lock-free map/unmap and of the move.
 *
 * Purpose   A driver maps and unmaps without a call; an exporter can stop new maps of one buffer, wait for the present
 *           ones, move the pages and let everybody go on.
 *
 * Layout    buffer row     word  name        written by        meaning
 *                          0     STATE       exporter          generation << 1 | MOVING; generation 0 = not backed
 *                          1     PINS        exporter          pins that forbid a move
 *                          2     LIFE        exporter          of the slot: a handle of another life is stale
 *           attachment row 0     MAPPED_0    the importer      mappings that count, made under an even generation
 *                          1     MAPPED_1    the importer      mappings that count, made under an odd generation
 *                          2     NOTIFIED    exporter          calls of moveNotify; dynamic importers only
 *                          3     PINNED      the importer      pins of this importer that forbid a move
 *                          4     IMPORTER    exporter          its actor; for those who ask who waits for whom, and for
 *                                                        the exporter's next life (exporter-journal.ts)
 *           A row is one line, so no two importers write the same line; NOTIFIED is written once a move, and only ever
 *           by the exporter. After an importer's death its reclaimer writes. The last two words of each row are guards
 *           (`guard-words.ts`).
 *
 * States    STATE: 2g -> 2g|1 (move begins) -> 2(g+1) (published) or 2g (aborted). 0 -> 2 (first placement).
 *           2g -> 0 (disowned: who exported it has died); present mappings go on, no new one begins, and the life ends so.
 *           any -> 0 (condemned, between moves: a wild write was found in the row); as disowned.
 *           A mapping of a static importer counts in MAPPED from map to unmap. One of a dynamic importer counts from map
 *           until its job's fences are published; from there the fences stand for it, and it keeps the SgTable beyond
 *           its jobs without counting anywhere.
 *
 * Invariants
 *   I1  Whoever finds STATE == 2g after adding to MAPPED[g mod 2] may touch generation g's pages until it subtracts; and
 *       beyond that, until the fences signal that it has published on the buffer before it subtracted.
 *   I2  A move copies only after it has seen every MAPPED of its buffer 0 while MOVING was set, then every PINNED 0, then
 *       every fence signalled, in this order, the last under the reservation lock.
 *   I3  The generation grows by one a move, before MOVING is cleared.
 *   I4  A mapping counts in the parity of its own generation, so that the old pages of a moved buffer can be waited for.
 *   I5  PINNED grows only while MAPPED of the same attachment is not 0.
 *
 * Pairs     P1 map: add MAPPED, load STATE        with   P2 move: set MOVING, load MAPPED
 *           P3 unmap: add MAPPED -1, load STATE, notify MAPPED if STATE is not what it was at map
 *                                                 with   P2 parks on the MAPPED value seen
 *           P4 move end: store STATE, notify      with   P5 a refused map parks on the STATE value seen
 *           P6 job of a dynamic importer: publish its fence, add MAPPED -1
 *                                                 with   P2 load MAPPED, later look for fences
 *           P7 pin: add PINNED, add MAPPED -1     with   P2 load MAPPED, later load PINNED
 *           P8 unpin: add PINNED -1, load STATE, notify PINNED if STATE is not what it was at map
 *                                                 with   P2 parks on the PINNED value seen
 *           P9 moveNotify: add NOTIFIED under the lock, later store STATE
 *                                                 with   the importer: learn the new STATE from a call, load NOTIFIED
 *
 * Dynamic importers, by interleaving
 *   A job's map comes before or after P2's store of MOVING. After: its load of STATE sees MOVING, it backs out and parks,
 *   whatever it has cached; so a mapping kept from earlier is never used without that look. Before: P2 finds MAPPED not 0
 *   and parks until the job has published and subtracted (P6); by then its fence is visible, so the look for fences,
 *   which comes later still, finds it, and the copy waits for it. Were the count given back before the fence is
 *   published, a move could find neither between the two, and copy under the job's hands.
 *   The mover can take the lock only when nobody is between map and publish. So a job that waits for a lock of its set
 *   never waits for a mover that waits for a fence of the same job's generator.
 *   moveNotify asks nothing of the importer: it is one add, whatever the importer does or fails to do. An idle importer
 *   learns of it at its next map, where it looks before it tries, and again when the exporter has told it the new STATE,
 *   which was stored after the add. What is safe hangs on STATE alone: a notice that comes between the two looks, or that
 *   a move gives before it is given up, costs a mapping made anew, no correctness.
 *
 * Pins, by interleaving
 *   A pin is made while its own mapping counts (I5). So a mover that has seen MAPPED 0 under MOVING sees each pin that was
 *   made before, and none is made after, until MOVING is cleared: whoever would pin has to map first, and backs out.
 *
 * No lost wake-up
 *   P1/P2 is a store-load pair on both sides: at least one sees the other. If the mapper does, it backs out and notifies,
 *   even if nobody waits. If only the mover does, it parks on the MAPPED value and P3's subtraction changes it; P3's load
 *   of STATE comes after the subtraction, so it sees MOVING unless the mover looks at MAPPED later still. P8 is the same
 *   with PINNED.
 *   Dropping the re-check after MOVING lets a mapper touch pages that are being copied (I2 broken).
 * Progress  map and unmap are wait-free when no move runs.
 * Crash     The reclaimer stores 0 in both MAPPED words and in PINNED of the dead importer (a count is the truth, it is never
 *           subtracted from on behalf of the dead) and notifies even where it was 0: the dead may have subtracted and
 *           not notified. After the exporter's death its next life clears MOVING (the generation is the old one, as publishing
 *           clears it: I3) and notifies STATE in any case. Which pages the generation has it knows from a journal, in which
 *           they are named before STATE says so (exporter-journal.ts). Until then whoever meets MOVING waits, and mappings
 *           are made and ended as ever. NOTIFIED and the words of the importers are left as they are.
 * Shown by  tests/race/map-move.test.ts, tests/race/recovery.test.ts, tests/race/opposite-order-map.test.ts, tests/race/dynamic-importer.test.ts,
 *           tests/race/exporter-restart.test.ts,
 *           tests/unit/core/dma-buf/exporter.test.ts, tests/unit/core/dma-buf/dynamic-importer.test.ts.
 */
import {
  type ActorId,
  type AtomicWords,
  type AttachmentSlot,
  assert,
  type BufferSlot,
  type TableRegion,
  type WordIndex,
  WordPark,
  wordAt,
} from '../base/index.js';

const STATE = 0;
const PINS = 1;
const LIFE = 2;
const NOTIFIED = 2;
const PINNED = 3;
const IMPORTER = 4;
/** Words of one buffer. */
export const BUFFER_ROW_WORDS = 16;
/** Words of one attachment. */
export const ATTACHMENT_ROW_WORDS = 16;

/** The STATE of a buffer, seen whole. */
export type BufferState = number;

export const isMoving = (state: BufferState): boolean => state % 2 === 1;
export const generationOf = (state: BufferState): number => Math.floor(state / 2);
export const settledState = (generation: number): BufferState => generation * 2;

/** What a try at mapping found. */
export type MapOutcome = { readonly mapped: true } | { readonly mapped: false; readonly state: BufferState };
const MAPPED: MapOutcome = { mapped: true };

export class BufferWords {
  constructor(
    private readonly words: AtomicWords,
    private readonly buffers: TableRegion,
    private readonly attachments: TableRegion,
  ) {}

  get bufferCount(): number {
    return this.buffers.rows;
  }

  get attachmentCount(): number {
    return this.attachments.rows;
  }

  state(buffer: BufferSlot): BufferState {
    return this.words.load(wordAt(this.buffers, buffer, STATE));
  }

  /** Life of the slot; part of every handle. */
  life(buffer: BufferSlot): number {
    return this.words.load(wordAt(this.buffers, buffer, LIFE));
  }

  // ---- the importer's side ----

  /** One try at mapping generation `generationOf(cached)`. Wait-free. */
  tryMap(buffer: BufferSlot, attachment: AttachmentSlot, cached: BufferState): MapOutcome {
    const mapped = this.#mapped(attachment, cached);
    this.words.add(mapped, 1); // P1
    const state = this.words.load(wordAt(this.buffers, buffer, STATE));
    if (state === cached && state !== 0) return MAPPED; // I1
    this.words.add(mapped, -1);
    this.words.notify(mapped);
    return { mapped: false, state };
  }

  /** Maps once more on an attachment that this importer has mapped already: nothing can move it meanwhile. */
  mapNested(attachment: AttachmentSlot, cached: BufferState): void {
    const before = this.words.add(this.#mapped(attachment, cached), 1);
    assert(before > 0, 'a nested map finds its attachment mapped');
  }

  unmap(buffer: BufferSlot, attachment: AttachmentSlot, cached: BufferState): void {
    const mapped = this.#mapped(attachment, cached);
    const before = this.words.add(mapped, -1); // P3
    assert(before > 0, 'unmap pairs with map');
    if (this.words.load(wordAt(this.buffers, buffer, STATE)) !== cached) this.words.notify(mapped);
  }

  /** Pins the buffer for an importer that has it mapped. Source: dma_buf_pin, drivers/dma-buf/dma-buf.c, v6.12. */
  pinMapped(attachment: AttachmentSlot): void {
    assert(this.mappings(attachment) > 0, 'I5');
    this.words.add(wordAt(this.attachments, attachment, PINNED), 1); // P7
  }

  /** Ends a pin of an importer. Source: dma_buf_unpin, v6.12. */
  unpinMapped(buffer: BufferSlot, attachment: AttachmentSlot, cached: BufferState): void {
    const word = wordAt(this.attachments, attachment, PINNED);
    const before = this.words.add(word, -1); // P8
    assert(before > 0, 'unpin pairs with pin');
    if (this.words.load(wordAt(this.buffers, buffer, STATE)) !== cached) this.words.notify(word);
  }

  /** Calls of moveNotify for an attachment. */
  notified(attachment: AttachmentSlot): number {
    return this.words.load(wordAt(this.attachments, attachment, NOTIFIED)); // P9
  }

  /** Try-step: until the buffer is not being moved any more. */
  settledStep(buffer: BufferSlot): BufferState | WordPark {
    const word = wordAt(this.buffers, buffer, STATE);
    const state = this.words.load(word);
    return isMoving(state) ? new WordPark(word, state, 'a buffer being moved') : state; // P5
  }

  // ---- the exporter's side ----

  /** Forbids new maps. */
  beginMove(buffer: BufferSlot): void {
    const word = wordAt(this.buffers, buffer, STATE);
    const state = this.words.load(word);
    assert(!isMoving(state), 'a buffer is moved once at a time');
    this.words.store(word, state + 1); // P2
  }

  /** Publishes the next generation and allows maps again. */
  publish(buffer: BufferSlot): BufferState {
    const word = wordAt(this.buffers, buffer, STATE);
    const next = settledState(generationOf(this.words.load(word)) + 1);
    this.words.store(word, next); // I3, P4
    this.words.notify(word);
    return next;
  }

  /** Gives a move up: the generation stays. */
  abortMove(buffer: BufferSlot): void {
    const word = wordAt(this.buffers, buffer, STATE);
    const state = this.words.load(word);
    assert(isMoving(state), 'only a move that runs is given up');
    this.words.store(word, state - 1); // P4
    this.words.notify(word);
  }

  /** Forbids new maps for good: whoever exported the buffer has died. Present mappings stay good until they end. */
  disown(buffer: BufferSlot): void {
    const word = wordAt(this.buffers, buffer, STATE);
    assert(!isMoving(this.words.load(word)), 'a buffer is disowned between moves');
    this.words.store(word, 0);
    this.words.notify(word);
  }

  /** Forbids new maps for good, and says again whose slot it is, whatever a wild write has left in the row. */
  condemn(buffer: BufferSlot, life: number): void {
    const word = wordAt(this.buffers, buffer, STATE);
    this.words.store(wordAt(this.buffers, buffer, LIFE), life);
    this.words.store(word, 0);
    this.words.notify(word);
  }

  /**
   * Settles STATE after the death of an exporter: a move that it had not published is given up, and everybody who waits looks
   * again, since it may have stored and not notified. Returns the state.
   */
  recoverState(buffer: BufferSlot): BufferState {
    const word = wordAt(this.buffers, buffer, STATE);
    const state = this.words.load(word);
    if (isMoving(state)) this.words.store(word, state - 1);
    this.words.notify(word);
    return isMoving(state) ? state - 1 : state;
  }

  /** Try-step: until an attachment has no mapping of any generation. */
  drainedStep(attachment: AttachmentSlot): true | WordPark {
    for (const parity of [0, 1]) {
      const word = wordAt(this.attachments, attachment, parity);
      const count = this.words.load(word); // P2
      if (count !== 0) return new WordPark(word, count, 'the mappings of an importer');
    }
    return true;
  }

  /** Try-step: until an importer has no pin. */
  unpinnedStep(attachment: AttachmentSlot): true | WordPark {
    const word = wordAt(this.attachments, attachment, PINNED);
    const count = this.words.load(word); // P2
    return count === 0 ? true : new WordPark(word, count, 'the pin of an importer');
  }

  /** Pins of one importer. */
  pinsOf(attachment: AttachmentSlot): number {
    return this.words.load(wordAt(this.attachments, attachment, PINNED));
  }

  /** Tells a dynamic importer that its mapping is about to end. Context: holds the reservation lock. */
  notifyMove(attachment: AttachmentSlot): void {
    this.words.add(wordAt(this.attachments, attachment, NOTIFIED), 1); // P9
  }

  /** Mappings that count: of static importers all, of dynamic ones those without a fence. */
  mappings(attachment: AttachmentSlot): number {
    return (
      this.words.load(wordAt(this.attachments, attachment, 0)) +
      this.words.load(wordAt(this.attachments, attachment, 1))
    );
  }

  /** Pins of the exporter itself, for others than importers. */
  pins(buffer: BufferSlot): number {
    return this.words.load(wordAt(this.buffers, buffer, PINS));
  }

  pin(buffer: BufferSlot): void {
    this.words.add(wordAt(this.buffers, buffer, PINS), 1);
  }

  unpin(buffer: BufferSlot): void {
    const before = this.words.add(wordAt(this.buffers, buffer, PINS), -1);
    assert(before > 0, 'unpin pairs with pin');
  }

  /** Starts a new life of a buffer slot: not backed, not pinned. Returns the life. */
  openBuffer(buffer: BufferSlot): number {
    this.words.store(wordAt(this.buffers, buffer, STATE), 0);
    this.words.store(wordAt(this.buffers, buffer, PINS), 0);
    return this.words.add(wordAt(this.buffers, buffer, LIFE), 1) + 1;
  }

  /** @param importer the actor that attaches */
  openAttachment(attachment: AttachmentSlot, importer: ActorId): void {
    for (const index of [0, 1, NOTIFIED, PINNED]) this.words.store(wordAt(this.attachments, attachment, index), 0);
    this.words.store(wordAt(this.attachments, attachment, IMPORTER), importer);
  }

  /** The actor whose attachment it is, or was last; 0 = nobody's yet. */
  importerOf(attachment: AttachmentSlot): number {
    return this.words.load(wordAt(this.attachments, attachment, IMPORTER));
  }

  /** Takes the mappings and pins of a dead importer away (crash story above). */
  reclaimMappings(attachment: AttachmentSlot): void {
    for (const index of [0, 1, PINNED]) {
      const word = wordAt(this.attachments, attachment, index);
      this.words.store(word, 0);
      this.words.notify(word);
    }
  }

  /** Has a move that waits for an importer look again: there is something else that it has to see. Context: the exporter's actor. */
  wakeMover(attachment: AttachmentSlot): void {
    for (const index of [0, 1, PINNED]) this.words.notify(wordAt(this.attachments, attachment, index));
  }

  #mapped(attachment: AttachmentSlot, cached: BufferState): WordIndex {
    return wordAt(this.attachments, attachment, generationOf(cached) % 2); // I4
  }
}
