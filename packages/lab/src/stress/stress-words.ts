/**
 * The board of a stress run: what its actors tell each other and the checker, in shared words of their own.
 *
 * Purpose   Drivers find each other's buffers; the history of each buffer, the counters and the violations outlive the
 *           driver that wrote them, since drivers are killed at any instruction. The process that started the run reads all
 *           of it at any time.
 *
 * Layout    table       row          words
 *           run         one          0 OPERATIONS done; 1 EVENTS logged; 2 VIOLATIONS; 3 MOVES; 4 ENDED drivers; 5 DEATHS
 *           directory   a listing    0 HANDLE: 0 nothing listed, else life * 1024 + slot + 1 of a buffer
 *           content     a slot       0 BEGUN, 1 DONE, 2 GIVEN_UP: content numbers; 3 WRITER: actor * 65536 + life;
 *                                    4 LOGGED events; 5 FROZEN: 1 once a violation has been found here; 6 LIFE
 *           access      a slot       one word a lane: 0 not touching, else life * 4 + mode (1 reads, 2 writes)
 *           history     a slot       HISTORY entries of 8: order, time low, time high, lane, life, kind, two values
 *           lanes       a lane       0 DOING: operation + 1; 1 SINCE in ms
 *           counts      an operation 0 ended well; 1 … ended with the errno of that place
 *           latency     an operation a histogram, see `latency-histogram.ts`
 *           violations  a violation  0 SLOT + 1; 1 LANE; 2 LENGTH of the text; 3 CULPRIT lane + 1; text, 4 bytes a word
 *
 * Written   A listing is written by its owner alone; after its death by the exporter, and then by its next life. BEGUN, DONE, GIVEN_UP and WRITER
 *   by        are written by whoever has the slot's pages to itself, between the publishing of its write fence and its
 *           signal: production code orders these, and a breach is what the checker looks for. An access word and a lane
 *           row have one writer. Counters are only ever added to. A violation's row is drawn from VIOLATIONS.
 *
 * Pairs     P1 touch: store the own access word, load all others' of the slot   with   the same of another lane
 *           Of two touches that overlap at least one sees the other, as the words are sequentially consistent.
 *           P2 log: order 0, fields, order   with   read: order, fields, order unchanged
 * Crash     An access word of a dead life counts for nothing: lives are compared with the deaths that the runtime counts,
 *           which it does before the dead's fences end. A half-written entry of the history has order 0 and is left out.
 * Shown by  tests/unit/lab/stress/history-checker.test.ts.
 */
import { AtomicWords, type BufferSlot, type TableRegion, WordLayout, wordAt, wordIndex } from '@dmabuf-lab/core/base';
import type { BufferHandle } from '@dmabuf-lab/core/dma-buf';
import { BUCKETS } from './latency-histogram.js';
import { ERRORS, OPERATIONS } from './operations.js';

/** Generators of one driver. */
export const LANES = 2;
/** Events kept of each slot. */
export const HISTORY = 96;
const ENTRY_WORDS = 8;
const MAX_SLOTS = 1024;
/** Violations whose text is kept. */
export const MAX_VIOLATIONS = 32;
const TEXT_WORDS = 124;
const TWO_31 = 2_147_483_648;

const RUN = { operations: 0, events: 1, violations: 2, moves: 3, ended: 4, deaths: 5 } as const;
const CONTENT = { begun: 0, done: 1, givenUp: 2, writer: 3, logged: 4, frozen: 5, life: 6 } as const;

/** Where everything lies: plain data, the same for every actor, and the memory itself. */
export interface StressBoard {
  readonly memory: SharedArrayBuffer;
  readonly run: TableRegion;
  readonly directory: TableRegion;
  readonly content: TableRegion;
  readonly access: TableRegion;
  readonly history: TableRegion;
  readonly lanes: TableRegion;
  readonly counts: TableRegion;
  readonly latency: TableRegion;
  readonly violations: TableRegion;
}

/** @param actors the highest actor number; lanes are numbered from `actor * LANES` */
export function layOutBoard(listings: number, slots: number, actors: number): StressBoard {
  const layout = new WordLayout();
  const lanes = (actors + 1) * LANES;
  const regions = {
    run: layout.table(1, 16),
    directory: layout.table(listings, 1),
    content: layout.table(slots, 8),
    access: layout.table(slots, lanes),
    history: layout.table(slots, HISTORY * ENTRY_WORDS),
    lanes: layout.table(lanes, 16),
    counts: layout.table(OPERATIONS.length, ERRORS.length + 1),
    latency: layout.table(OPERATIONS.length, BUCKETS),
    violations: layout.table(MAX_VIOLATIONS, 4 + TEXT_WORDS),
  };
  return { ...regions, memory: new SharedArrayBuffer(layout.sizeBytes) };
}

export interface LoggedEvent {
  /** Among the events of all buffers. */
  readonly order: number;
  readonly timeNs: number;
  readonly lane: number;
  readonly life: number;
  readonly kind: number;
  readonly values: readonly [number, number];
}

export interface LoggedViolation {
  readonly slot: number | undefined;
  readonly lane: number;
  readonly culprit: number | undefined;
  readonly text: string;
}

export class StressWords {
  readonly #words: AtomicWords;

  constructor(private readonly board: StressBoard) {
    this.#words = new AtomicWords(board.memory);
  }

  get slotCount(): number {
    return this.board.content.rows;
  }

  get laneCount(): number {
    return this.board.lanes.rows;
  }

  // ---- the run ----

  runCount(what: keyof typeof RUN): number {
    return this.#words.load(wordAt(this.board.run, 0, RUN[what]));
  }

  addToRun(what: keyof typeof RUN): number {
    return this.#words.add(wordAt(this.board.run, 0, RUN[what]), 1) + 1;
  }

  /** @param error place in ERRORS + 1, or 0 */
  count(operation: number, error: number): void {
    this.#words.add(wordAt(this.board.counts, operation, error), 1);
  }

  counted(operation: number, error: number): number {
    return this.#words.load(wordAt(this.board.counts, operation, error));
  }

  addLatency(operation: number, bucket: number): void {
    this.#words.add(wordAt(this.board.latency, operation, bucket), 1);
  }

  latencies(operation: number): number[] {
    return Array.from({ length: BUCKETS }, (_, bucket) =>
      this.#words.load(wordAt(this.board.latency, operation, bucket)),
    );
  }

  // ---- what each lane is about ----

  beginOperation(lane: number, operation: number, timeNs: number): void {
    this.#words.store(wordAt(this.board.lanes, lane, 1), Math.floor(timeNs / 1e6));
    this.#words.store(wordAt(this.board.lanes, lane, 0), operation + 1);
  }

  endOperation(lane: number): void {
    this.#words.store(wordAt(this.board.lanes, lane, 0), 0);
  }

  /** What a lane is about, and since when; undefined when nothing. */
  doing(lane: number): { readonly operation: number; readonly sinceNs: number } | undefined {
    const doing = this.#words.load(wordAt(this.board.lanes, lane, 0));
    if (doing === 0) return undefined;
    return { operation: doing - 1, sinceNs: this.#words.load(wordAt(this.board.lanes, lane, 1)) * 1e6 };
  }

  // ---- the directory ----

  get listingCount(): number {
    return this.board.directory.rows;
  }

  list(listing: number, handle: BufferHandle | undefined): void {
    const word = handle === undefined ? 0 : handle.life * MAX_SLOTS + handle.slot + 1;
    this.#words.store(wordAt(this.board.directory, listing, 0), word);
  }

  listed(listing: number): BufferHandle | undefined {
    const word = this.#words.load(wordAt(this.board.directory, listing, 0));
    if (word === 0) return undefined;
    return { slot: ((word - 1) % MAX_SLOTS) as BufferSlot, life: Math.floor((word - 1) / MAX_SLOTS) };
  }

  // ---- content and access of a slot ----

  content(slot: number, what: keyof typeof CONTENT): number {
    return this.#words.load(wordAt(this.board.content, slot, CONTENT[what]));
  }

  setContent(slot: number, what: keyof typeof CONTENT, value: number): void {
    this.#words.store(wordAt(this.board.content, slot, CONTENT[what]), value);
  }

  access(slot: number, lane: number): { readonly life: number; readonly writes: boolean } | undefined {
    const word = this.#words.load(wordAt(this.board.access, slot, lane));
    return word === 0 ? undefined : { life: word >>> 2, writes: (word & 2) !== 0 };
  }

  setAccess(slot: number, lane: number, life: number, mode: 'none' | 'reads' | 'writes'): void {
    const word = mode === 'none' ? 0 : life * 4 + (mode === 'writes' ? 2 : 1);
    this.#words.store(wordAt(this.board.access, slot, lane), word); // P1
  }

  // ---- the history of a slot ----

  log(slot: number, timeNs: number, lane: number, life: number, kind: number, a: number, b: number): void {
    if (this.content(slot, 'frozen') !== 0) return;
    const words = this.#words;
    const place = words.add(wordAt(this.board.content, slot, CONTENT.logged), 1) % HISTORY;
    const entry = wordAt(this.board.history, slot, place * ENTRY_WORDS);
    words.store(entry, 0); // P2
    words.store(wordIndex(entry + 1), timeNs % TWO_31);
    words.store(wordIndex(entry + 2), Math.floor(timeNs / TWO_31));
    words.store(wordIndex(entry + 3), lane);
    words.store(wordIndex(entry + 4), life);
    words.store(wordIndex(entry + 5), kind);
    words.store(wordIndex(entry + 6), a | 0);
    words.store(wordIndex(entry + 7), b | 0);
    words.store(entry, this.addToRun('events'));
  }

  /** The events of a slot that are kept, in order. */
  history(slot: number): LoggedEvent[] {
    const events: LoggedEvent[] = [];
    for (let place = 0; place < HISTORY; place += 1) {
      const entry = wordAt(this.board.history, slot, place * ENTRY_WORDS);
      const [order, low, high, lane, life, kind, a, b] = Array.from({ length: ENTRY_WORDS }, (_, i) =>
        this.#words.load(wordIndex(entry + i)),
      );
      if (order === 0 || this.#words.load(entry) !== order) continue; // P2
      events.push({ order, timeNs: high * TWO_31 + low, lane, life, kind, values: [a, b] });
    }
    return events.sort((x, y) => x.order - y.order);
  }

  // ---- violations ----

  /** Writes a violation down; the history of its slot stands still from here on. */
  violation(text: string, slot: number | undefined, lane: number, culprit?: number): void {
    if (slot !== undefined) this.setContent(slot, 'frozen', 1);
    const row = this.addToRun('violations') - 1;
    if (row >= MAX_VIOLATIONS) return;
    const bytes = new TextEncoder().encode(text).subarray(0, TEXT_WORDS * 4);
    const column = (i: number) => wordAt(this.board.violations, row, i);
    this.#words.store(column(0), slot === undefined ? 0 : slot + 1);
    this.#words.store(column(1), lane);
    this.#words.store(column(3), culprit === undefined ? 0 : culprit + 1);
    for (let i = 0; i < bytes.length; i += 4) {
      const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
      this.#words.store(column(4 + i / 4), word);
    }
    this.#words.store(column(2), bytes.length);
  }

  violations(): LoggedViolation[] {
    const count = Math.min(MAX_VIOLATIONS, this.runCount('violations'));
    return Array.from({ length: count }, (_, row): LoggedViolation => {
      const load = (i: number): number => this.#words.load(wordAt(this.board.violations, row, i));
      const bytes = Uint8Array.from({ length: load(2) }, (_, i) => load(4 + (i >> 2)) >>> ((i & 3) * 8));
      const slot = load(0) === 0 ? undefined : load(0) - 1;
      const culprit = load(3) === 0 ? undefined : load(3) - 1;
      return { slot, lane: load(1), culprit, text: new TextDecoder().decode(bytes) };
    });
  }
}
