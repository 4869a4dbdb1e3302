/**
 * The history of buffers: what happened to each, who touches it now, and what was found wrong, in shared words of their own.
 *
 * Purpose   The history outlives the driver that wrote it, since drivers are killed at any instruction. The process that started
 *           the run reads all of it at any time. An order over all buffers is drawn from one counter, also across threads.
 *
 * Layout    table       row          words
 *           totals      one          0 EVENTS logged; 1 VIOLATIONS
 *           content     a slot       0 BEGUN, 1 DONE, 2 GIVEN_UP: content numbers; 3 WRITER: actor * 65536 + life;
 *                                    4 LOGGED events; 5 FROZEN: 1 once a violation has been found here; 6 LIFE
 *           access      a slot       one word a lane: 0 not touching, else life * 4 + mode (1 reads, 2 writes)
 *           waits       a lane       0 SLOT + 1 of the buffer it waits for, 0 = none; 1 LIFE; 2 since, low; 3 high (ns)
 *           history     a slot       HISTORY entries of 8: order, time low, time high, lane, life, kind, two values
 *           violations  a violation  0 SLOT + 1; 1 LANE; 2 LENGTH of the text; 3 CULPRIT lane + 1; 4 LIFE + 1 of the slot, 0 = the
 *                                    present one; text, 4 bytes a word
 *
 * Written   BEGUN, DONE, GIVEN_UP and WRITER are written by whoever has the slot's pages to itself, between the publishing of
 *   by      its write fence and its signal: production code orders these, and a breach is what the checker looks for. An access
 *           word and a row of waits have one writer. Counters are only ever added to. A violation's row is drawn from VIOLATIONS.
 *
 * Pairs     P1 touch: store the own access word, load all others' of the slot   with   the same of another lane
 *           Of two touches that overlap at least one sees the other, as the words are sequentially consistent.
 *           P2 log: order 0, fields, order   with   read: order, fields, order unchanged
 * Crash     An access word of a dead life counts for nothing: lives are compared with the deaths that the runtime counts,
 *           which it does before the dead's fences end. A half-written entry of the history has order 0 and is left out.
 * Shown by  tests/unit/lab/history/history-checker.test.ts.
 */
import { AtomicWords, type TableRegion, type WordLayout, wordAt, wordIndex } from '@dmabuf-lab/core/base';

/** Events kept of each slot. */
export const HISTORY = 96;
const ENTRY_WORDS = 8;
/** Violations whose text is kept. */
export const MAX_VIOLATIONS = 32;
const VIOLATION_WORDS = 5;
const TEXT_WORDS = 124;
const TWO_31 = 2_147_483_648;

const TOTALS = { events: 0, violations: 1 } as const;
const CONTENT = { begun: 0, done: 1, givenUp: 2, writer: 3, logged: 4, frozen: 5, life: 6 } as const;

/** Where everything lies: plain data, the same for every actor, and the memory itself. */
export interface HistoryBoard {
  readonly memory: SharedArrayBuffer;
  /** Lanes are numbered from `actor * lanesPerActor`. */
  readonly lanesPerActor: number;
  readonly totals: TableRegion;
  readonly content: TableRegion;
  readonly access: TableRegion;
  readonly waits: TableRegion;
  readonly history: TableRegion;
  readonly violations: TableRegion;
}

/** @param actors the highest actor number @returns all but the memory, which is made when everything is laid out */
export function layOutHistory(
  layout: WordLayout,
  slots: number,
  actors: number,
  lanesPerActor: number,
): Omit<HistoryBoard, 'memory'> {
  const lanes = (actors + 1) * lanesPerActor;
  return {
    lanesPerActor,
    totals: layout.table(1, 16),
    content: layout.table(slots, 8),
    access: layout.table(slots, lanes),
    waits: layout.table(lanes, 4),
    history: layout.table(slots, HISTORY * ENTRY_WORDS),
    violations: layout.table(MAX_VIOLATIONS, VIOLATION_WORDS + TEXT_WORDS),
  };
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
  /** Of the buffer that had the slot, when it is not the present one. */
  readonly life?: number;
  readonly text: string;
}

export class HistoryWords<Board extends HistoryBoard = HistoryBoard> {
  protected readonly words: AtomicWords;

  constructor(protected readonly board: Board) {
    this.words = new AtomicWords(board.memory);
  }

  get slotCount(): number {
    return this.board.content.rows;
  }

  get laneCount(): number {
    return this.board.waits.rows;
  }

  get lanesPerActor(): number {
    return this.board.lanesPerActor;
  }

  /** Events logged, or violations found, in the whole run. */
  total(what: keyof typeof TOTALS): number {
    return this.words.load(wordAt(this.board.totals, 0, TOTALS[what]));
  }

  // ---- content and access of a slot ----

  content(slot: number, what: keyof typeof CONTENT): number {
    return this.words.load(wordAt(this.board.content, slot, CONTENT[what]));
  }

  setContent(slot: number, what: keyof typeof CONTENT, value: number): void {
    this.words.store(wordAt(this.board.content, slot, CONTENT[what]), value);
  }

  access(slot: number, lane: number): { readonly life: number; readonly writes: boolean } | undefined {
    const word = this.words.load(wordAt(this.board.access, slot, lane));
    return word === 0 ? undefined : { life: word >>> 2, writes: (word & 2) !== 0 };
  }

  setAccess(slot: number, lane: number, life: number, mode: 'none' | 'reads' | 'writes'): void {
    const word = mode === 'none' ? 0 : life * 4 + (mode === 'writes' ? 2 : 1);
    this.words.store(wordAt(this.board.access, slot, lane), word); // P1
  }

  // ---- who waits ----

  /** A lane waits for a buffer, or not any more. */
  setWait(lane: number, life: number, wait: { readonly slot: number; readonly sinceNs: number } | undefined): void {
    const column = (i: number) => wordAt(this.board.waits, lane, i);
    this.words.store(column(0), 0);
    if (wait === undefined) return;
    this.words.store(column(1), life);
    this.words.store(column(2), wait.sinceNs % TWO_31);
    this.words.store(column(3), Math.floor(wait.sinceNs / TWO_31));
    this.words.store(column(0), wait.slot + 1);
  }

  /** What a lane waits for; undefined when for nothing. */
  waitOf(lane: number): { readonly slot: number; readonly life: number; readonly sinceNs: number } | undefined {
    const load = (i: number): number => this.words.load(wordAt(this.board.waits, lane, i));
    const slot = load(0) - 1;
    return slot < 0 ? undefined : { slot, life: load(1), sinceNs: load(3) * TWO_31 + load(2) };
  }

  // ---- the history of a slot ----

  log(slot: number, timeNs: number, lane: number, life: number, kind: number, a: number, b: number): void {
    if (this.content(slot, 'frozen') !== 0) return;
    const { words } = this;
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
    words.store(entry, this.#addTo('events'));
  }

  /** The events of a slot that are kept, in order. */
  history(slot: number): LoggedEvent[] {
    const events: LoggedEvent[] = [];
    for (let place = 0; place < HISTORY; place += 1) {
      const entry = wordAt(this.board.history, slot, place * ENTRY_WORDS);
      const [order, low, high, lane, life, kind, a, b] = Array.from({ length: ENTRY_WORDS }, (_, i) =>
        this.words.load(wordIndex(entry + i)),
      );
      if (order === 0 || this.words.load(entry) !== order) continue; // P2
      events.push({ order, timeNs: high * TWO_31 + low, lane, life, kind, values: [a, b] });
    }
    return events.sort((x, y) => x.order - y.order);
  }

  // ---- violations ----

  /** Writes a violation down; the history of its slot stands still from here on. */
  violation(text: string, slot: number | undefined, lane: number, culprit?: number, life?: number): void {
    if (slot !== undefined) this.setContent(slot, 'frozen', 1);
    const row = this.#addTo('violations') - 1;
    if (row >= MAX_VIOLATIONS) return;
    const bytes = new TextEncoder().encode(text).subarray(0, TEXT_WORDS * 4);
    const column = (i: number) => wordAt(this.board.violations, row, i);
    this.words.store(column(0), slot === undefined ? 0 : slot + 1);
    this.words.store(column(1), lane);
    this.words.store(column(3), culprit === undefined ? 0 : culprit + 1);
    this.words.store(column(4), life === undefined ? 0 : life + 1);
    for (let i = 0; i < bytes.length; i += 4) {
      const word = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
      this.words.store(column(VIOLATION_WORDS + i / 4), word);
    }
    this.words.store(column(2), bytes.length);
  }

  violations(): LoggedViolation[] {
    const count = Math.min(MAX_VIOLATIONS, this.total('violations'));
    return Array.from({ length: count }, (_, row): LoggedViolation => {
      const load = (i: number): number => this.words.load(wordAt(this.board.violations, row, i));
      const bytes = Uint8Array.from({ length: load(2) }, (_, i) => load(VIOLATION_WORDS + (i >> 2)) >>> ((i & 3) * 8));
      const slot = load(0) === 0 ? undefined : load(0) - 1;
      const culprit = load(3) === 0 ? undefined : load(3) - 1;
      const text = new TextDecoder().decode(bytes);
      return { slot, lane: load(1), culprit, ...(load(4) !== 0 && { life: load(4) - 1 }), text };
    });
  }

  #addTo(what: keyof typeof TOTALS): number {
    return this.words.add(wordAt(this.board.totals, 0, TOTALS[what]), 1) + 1;
  }
}
