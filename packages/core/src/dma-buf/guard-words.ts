/**
 * Guard words: the ends of the rows of buffers, attachments, reservations and timelines, which say nothing and which a wild
 * write runs over.
 *
 * Purpose   A driver that writes beyond its own words is found at the exporter's next operation on the slot, and only the buffer
 *           concerned is given up. Source: the cookies around the objects of DPDK's mempools, and the red zones of slub
 *           (mm/slub.c, v6.12).
 *
 * Layout    buffer row      word  name     written by  meaning
 *                           14    GUARD_0  exporter    a value of the slot, its life and the column
 *                           15    GUARD_1  exporter    likewise
 *           attachment row  14    GUARD_0  exporter    a value of the slot, the buffer's slot and life, and the column
 *                           15    GUARD_1  exporter    likewise
 *           reservation     62,63 GUARD     exporter    as of the buffer's row
 *           timeline row    46,47 GUARD     exporter    a value of the slot and the column, in all lives of the slot
 *           The words before them are those of `buffer-words.ts`, `sync/resv-words.ts` and `sync/timeline-words.ts`. Those of frames,
 *           pools, rings and queues are the same in the whole run: `row-guards.ts`.
 *
 * Invariants
 *   I1  From the exporter's open of a slot until it is opened anew both guards hold its value: nobody else writes them. Those
 *       of timelines are written once, before any actor has a lane, and again when a life of a damaged one is over.
 *   I2  Guards of different slots, lives or columns differ, so that a row copied over another is found too.
 *
 * Only the exporter reads and writes them, so no interleaving needs arguing; a wild write is no protocol.
 * Crash     An exporter that starts over finds all guards as they are, and looks at them: a buffer enters its journal after its
 *           guards were written.
 * Shown by  tests/unit/core/dma-buf/slot-watch.test.ts.
 */
import type { AtomicWords, AttachmentSlot, BufferSlot, TableRegion, TimelineSlot } from '../base/index.js';
import { wordAt } from '../base/index.js';
import { RESV_ROW_WORDS, TIMELINE_ROW_WORDS } from '../sync/index.js';
import { ATTACHMENT_ROW_WORDS, BUFFER_ROW_WORDS } from './buffer-words.js';
import { guardDamage, guardOf } from './row-guards.js';

const BUFFER_GUARDS = [BUFFER_ROW_WORDS - 2, BUFFER_ROW_WORDS - 1];
const ATTACHMENT_GUARDS = [ATTACHMENT_ROW_WORDS - 2, ATTACHMENT_ROW_WORDS - 1];
const RESV_GUARDS = [RESV_ROW_WORDS - 2, RESV_ROW_WORDS - 1];
const TIMELINE_GUARDS = [TIMELINE_ROW_WORDS - 2, TIMELINE_ROW_WORDS - 1];
/** What the guards of a timeline are made of besides its slot: no buffer's life. */
const TIMELINE_KEY = -1;

export class GuardWords {
  constructor(
    private readonly words: AtomicWords,
    private readonly buffers: TableRegion,
    private readonly attachments: TableRegion,
    private readonly resv: TableRegion,
    private readonly timelines: TableRegion,
  ) {}

  /** Of a buffer and of its reservation. */
  openBuffer(buffer: BufferSlot, life: number): void {
    this.#write(this.buffers, buffer, BUFFER_GUARDS, life);
    this.#write(this.resv, buffer, RESV_GUARDS, life);
  }

  openTimeline(timeline: TimelineSlot): void {
    this.#write(this.timelines, timeline, TIMELINE_GUARDS, TIMELINE_KEY);
  }

  openAttachment(attachment: AttachmentSlot, buffer: BufferSlot, life: number): void {
    this.#write(this.attachments, attachment, ATTACHMENT_GUARDS, keyOf(buffer, life));
  }

  /** What is wrong with the guards of a buffer; undefined when they are whole. */
  bufferDamage(buffer: BufferSlot, life: number): string | undefined {
    return this.#damage(this.buffers, buffer, BUFFER_GUARDS, life);
  }

  /** What is wrong with the guards of a reservation; undefined when they are whole. */
  reservationDamage(buffer: BufferSlot, life: number): string | undefined {
    return this.#damage(this.resv, buffer, RESV_GUARDS, life);
  }

  /** What is wrong with the guards of a timeline; undefined when they are whole. */
  timelineDamage(timeline: TimelineSlot): string | undefined {
    return this.#damage(this.timelines, timeline, TIMELINE_GUARDS, TIMELINE_KEY);
  }

  /** What is wrong with the guards of an attachment; undefined when they are whole. */
  attachmentDamage(attachment: AttachmentSlot, buffer: BufferSlot, life: number): string | undefined {
    return this.#damage(this.attachments, attachment, ATTACHMENT_GUARDS, keyOf(buffer, life));
  }

  #write(table: TableRegion, row: number, columns: readonly number[], key: number): void {
    for (const column of columns) this.words.store(wordAt(table, row, column), guardOf(row, column, key)); // I1
  }

  #damage(table: TableRegion, row: number, columns: readonly number[], key: number): string | undefined {
    for (const column of columns) {
      const held = this.words.load(wordAt(table, row, column));
      const due = guardOf(row, column, key);
      if (held !== due) return guardDamage(column, held, due);
    }
    return undefined;
  }
}

/** One number of a buffer's slot and life. */
const keyOf = (buffer: BufferSlot, life: number): number => Math.imul(buffer + 1, 0x01000193) ^ life;
