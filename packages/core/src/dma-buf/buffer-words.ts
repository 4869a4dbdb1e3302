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
 *           attachment row 0     MAPPED_0    the importer      mappings made under an even generation
 *                          1     MAPPED_1    the importer      mappings made under an odd generation
 *           A row is one line, so no two importers write the same line. After an importer's death its reclaimer writes.
 *
 * States    STATE: 2g -> 2g|1 (move begins) -> 2(g+1) (published) or 2g (aborted). 0 -> 2 (first placement).
 *
 * Invariants
 *   I1  Whoever finds STATE == 2g after adding to MAPPED[g mod 2] may touch generation g's pages until it subtracts.
 *   I2  A move copies only after it has seen every static MAPPED of its buffer 0 while MOVING was set.
 *   I3  The generation grows by one a move, before MOVING is cleared.
 *   I4  A mapping counts in the parity of its own generation, so that the old pages of a moved buffer can be waited for.
 *
 * Pairs     P1 map: add MAPPED, load STATE        with   P2 move: set MOVING, load MAPPED
 *           P3 unmap: add MAPPED -1, load STATE, notify MAPPED if STATE is not what it was at map
 *                                                 with   P2 parks on the MAPPED value seen
 *           P4 move end: store STATE, notify      with   P5 a refused map parks on the STATE value seen
 *
 * No lost wake-up
 *   P1/P2 is a store-load pair on both sides: at least one sees the other. If the mapper does, it backs out and notifies,
 *   even if nobody waits. If only the mover does, it parks on the MAPPED value and P3's subtraction changes it; P3's load
 *   of STATE comes after the subtraction, so it sees MOVING unless the mover looks at MAPPED later still.
 *   Dropping the re-check after MOVING lets a mapper touch pages that are being copied (I2 broken).
 * Progress  map and unmap are wait-free when no move runs.
 * Crash     The reclaimer stores 0 in both MAPPED words of the dead importer (a count is the truth, it is never
 *           subtracted from on behalf of the dead) and notifies even where it was 0: the dead may have subtracted and
 *           not notified.
 * Shown by  tests/race/opposite-order-map.test.ts, tests/unit/core/dma-buf/exporter.test.ts.
 */
import {
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

  /** Try-step: until an attachment has no mapping of any generation. */
  drainedStep(attachment: AttachmentSlot): true | WordPark {
    for (const parity of [0, 1]) {
      const word = wordAt(this.attachments, attachment, parity);
      const count = this.words.load(word); // P2
      if (count !== 0) return new WordPark(word, count, 'the mappings of an importer');
    }
    return true;
  }

  mappings(attachment: AttachmentSlot): number {
    return (
      this.words.load(wordAt(this.attachments, attachment, 0)) +
      this.words.load(wordAt(this.attachments, attachment, 1))
    );
  }

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

  openAttachment(attachment: AttachmentSlot): void {
    this.words.store(wordAt(this.attachments, attachment, 0), 0);
    this.words.store(wordAt(this.attachments, attachment, 1), 0);
  }

  /** Takes the mappings of a dead importer away (crash story above). */
  reclaimMappings(attachment: AttachmentSlot): void {
    for (const parity of [0, 1]) {
      const word = wordAt(this.attachments, attachment, parity);
      this.words.store(word, 0);
      this.words.notify(word);
    }
  }

  #mapped(attachment: AttachmentSlot, cached: BufferState): WordIndex {
    return wordAt(this.attachments, attachment, generationOf(cached) % 2); // I4
  }
}
