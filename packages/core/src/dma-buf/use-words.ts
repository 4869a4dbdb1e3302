/**
 * Uses: which mappings are open, since when, and the fence that each has published. Only in runs that ask for limits of age.
 *
 * Purpose   Somebody who is no actor can tell what has lasted too long, also of an actor that hangs. Source: what
 *           /sys/kernel/debug/dma_buf/bufinfo shows, drivers/dma-buf/dma-buf.c, v6.12; Linux keeps no times there.
 *
 * Layout    word  name      written by  meaning
 *           0     KIND      owner       0 free, 1 the mapping of a job, 2 one that is held from job to job
 *           1     SERIAL    owner       grows by 1 before the row is used anew
 *           2     BUFFER    owner       slot
 *           3     LIFE      owner       of the slot
 *           4     GENERATION owner      of the buffer's storage
 *           5,6   SINCE     owner       model time in ns, low and high word
 *           7     FENCED    owner       1 once words 8 to 13 tell of the fence that the job has published
 *           8     TIMELINE  owner
 *           9     OF        owner       generation of the timeline
 *           10,11 SEQNO     owner       low and high word
 *           12,13 PUBLISHED owner       model time in ns, low and high word
 *           14    LOST      owner       only of an actor's first row: uses for which it had no row
 *           An actor has the rows from actor * `rowsPerActor` on. A row is one line, so no two actors write the same one.
 *
 * States    KIND: 0 -> 1 or 2 -> 0; 1 -> 2. FENCED: 0 -> 1 while KIND is 1.
 *
 * Invariants
 *   I1  While KIND is not 0, words 1 to 6 do not change; while FENCED is 1 too, neither do words 8 to 13.
 *
 * Pairs     P1 open: KIND is 0, add SERIAL, words 2 to 7, store KIND   with   P2 read: load SERIAL, KIND, the others, SERIAL, KIND
 *           P3 publish: words 8 to 13, store FENCED                 with   P2, which loads FENCED before them
 *           A reader that finds another SERIAL or KIND 0 at its end takes nothing for read: the use has ended meanwhile.
 *
 * Progress  All is wait-free. Nobody waits for these words and nothing but reports depends on them.
 * Crash     The reclaimer stores KIND 0 in all rows of the dead, in any order, and again if it has to.
 * Shown by  tests/unit/core/dma-buf/age-watch.test.ts.
 */
import {
  type ActorId,
  type AtomicWords,
  type Nanoseconds,
  type TableRegion,
  wordAt,
  wordIndex,
} from '../base/index.js';
import type { DmaFence } from '../sync/index.js';

const KIND = 0;
const SERIAL = 1;
const BUFFER = 2;
const LIFE = 3;
const GENERATION = 4;
const SINCE = 5;
const FENCED = 7;
const TIMELINE = 8;
const OF = 9;
const SEQNO = 10;
const PUBLISHED = 12;
const LOST = 14;
/** Words of one use. */
export const USE_ROW_WORDS = 16;

const FREE = 0;
const TWO_32 = 4_294_967_296;

/** Whose a mapping is: a job's, or the device's from job to job. */
export const UseKind = { Job: 1, Held: 2 } as const;
export type UseKind = (typeof UseKind)[keyof typeof UseKind];

/** A mapping as its row tells of it. */
export interface UseRecord {
  readonly kind: UseKind;
  /** Tells the uses of one row apart. */
  readonly serial: number;
  readonly buffer: number;
  readonly life: number;
  readonly generation: number;
  readonly sinceNs: Nanoseconds;
  /** The fence that its job has published, as plain numbers, and when. */
  readonly published?: {
    readonly timeline: number;
    readonly generation: number;
    readonly seqno: number;
    readonly atNs: Nanoseconds;
  };
}

export class UseWords {
  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
    readonly rowsPerActor: number,
  ) {}

  get rows(): number {
    return this.table.rows;
  }

  /** Only by the owner of the row, while it is free. */
  open(row: number, kind: UseKind, use: Omit<UseRecord, 'kind' | 'serial' | 'published'>): void {
    this.words.add(wordAt(this.table, row, SERIAL), 1); // P1
    this.#store(row, BUFFER, use.buffer);
    this.#store(row, LIFE, use.life);
    this.#store(row, GENERATION, use.generation);
    this.#storeLong(row, SINCE, use.sinceNs);
    this.#store(row, FENCED, 0);
    this.#store(row, KIND, kind);
  }

  /** The job of a row's mapping has published its fence. Only by its owner. */
  publish(row: number, fence: DmaFence, atNs: Nanoseconds): void {
    this.#store(row, TIMELINE, fence.timeline); // P3
    this.#store(row, OF, fence.generation);
    this.#storeLong(row, SEQNO, fence.seqno);
    this.#storeLong(row, PUBLISHED, atNs);
    this.#store(row, FENCED, 1);
  }

  /** A mapping stays beyond its job. Only by its owner. */
  hold(row: number): void {
    this.#store(row, KIND, UseKind.Held);
  }

  close(row: number): void {
    this.#store(row, KIND, FREE);
  }

  /** Ends all uses of an actor: by itself when its life begins, or by its reclaimer. Idempotent. */
  clear(actor: ActorId): void {
    const first = actor * this.rowsPerActor;
    for (let i = 0; i < this.rowsPerActor; i += 1) this.close(first + i);
  }

  /** An actor has no row for a use. Only by that actor. */
  countLost(actor: ActorId): void {
    this.words.add(wordAt(this.table, actor * this.rowsPerActor, LOST), 1);
  }

  lost(actor: number): number {
    return this.#load(actor * this.rowsPerActor, LOST);
  }

  /** The use of a row; undefined when there is none. By anybody. */
  read(row: number): UseRecord | undefined {
    const serial = this.#load(row, SERIAL); // P2
    const kind = this.#load(row, KIND);
    if (kind === FREE) return undefined;
    const use = {
      kind: kind as UseKind,
      serial,
      buffer: this.#load(row, BUFFER),
      life: this.#load(row, LIFE),
      generation: this.#load(row, GENERATION),
      sinceNs: this.#loadLong(row, SINCE),
    };
    const published = this.#load(row, FENCED) === 0 ? undefined : this.#fence(row);
    if (this.#load(row, SERIAL) !== serial || this.#load(row, KIND) === FREE) return undefined;
    return published === undefined ? use : { ...use, published };
  }

  #fence(row: number): NonNullable<UseRecord['published']> {
    return {
      timeline: this.#load(row, TIMELINE),
      generation: this.#load(row, OF),
      seqno: this.#loadLong(row, SEQNO),
      atNs: this.#loadLong(row, PUBLISHED),
    };
  }

  #load(row: number, column: number): number {
    return this.words.load(wordAt(this.table, row, column));
  }

  #store(row: number, column: number, value: number): void {
    this.words.store(wordAt(this.table, row, column), value);
  }

  #loadLong(row: number, column: number): number {
    const first = wordAt(this.table, row, column);
    return this.words.load(wordIndex(first + 1)) * TWO_32 + (this.words.load(first) >>> 0);
  }

  #storeLong(row: number, column: number, value: number): void {
    const first = wordAt(this.table, row, column);
    this.words.store(first, (value % TWO_32) | 0);
    this.words.store(wordIndex(first + 1), Math.floor(value / TWO_32));
  }
}
