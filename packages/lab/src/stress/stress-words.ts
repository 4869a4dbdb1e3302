/**
 * The board of a stress run: what its actors tell each other and the report, in shared words beside those of the history.
 *
 * Purpose   Drivers find each other's buffers; the counters outlive the driver that wrote them, since drivers are killed at any
 *           instruction. The process that started the run reads all of it at any time.
 *
 * Layout    table       row          words
 *           run         one          0 OPERATIONS done; 1 MOVES; 2 ENDED drivers; 3 DEATHS; 4 OVERDUE fences and mappings; told of
 *                                    the exporter's checkers: 5 DAMAGES of freed pages, 6 CORRUPTIONS of control words, 7 SENDERS of
 *                                    broken messages; 8 WORN pages that the heaps had lost before the run; 9 FREED pages that were
 *                                    looked at
 *           directory   a listing    0 HANDLE: 0 nothing listed, else life * 1024 + slot + 1 of a buffer
 *           actors      an actor     0 DEATHS of it that are counted among those of the run
 *           lanes       a lane       0 DOING: operation + 1; 1 SINCE in ms
 *           counts      an operation 0 ended well; 1 … ended with the errno of that place
 *           latency     an operation a histogram, see `latency-histogram.ts`
 *           sites       a site       0 VISITS; 1 FIRED
 *           The others are those of `history-words.ts`.
 *
 * Written   A listing is written by its owner alone; after its death by the exporter, and then by its next life. A lane row has one
 *   by      writer. Counters are only ever added to.
 * Shown by  tests/stress/stress-trials.test.ts.
 */
import { type BufferSlot, sharedBytes, type TableRegion, WordLayout, wordAt } from '@dmabuf-lab/core/base';
import type { BufferHandle } from '@dmabuf-lab/core/dma-buf';
import { type HistoryBoard, HistoryWords, layOutHistory } from '../history/index.js';
import { BUCKETS } from './latency-histogram.js';
import { ERRORS, OPERATIONS } from './operations.js';
import { SITES } from './sites.js';

/** Generators of one driver. */
export const LANES = 2;
const MAX_SLOTS = 1024;

const RUN = {
  operations: 0,
  moves: 1,
  ended: 2,
  deaths: 3,
  overdue: 4,
  damages: 5,
  corruptions: 6,
  senders: 7,
  worn: 8,
  freed: 9,
} as const;

/** Where everything lies: plain data, the same for every actor, and the memory itself. */
export interface StressBoard extends HistoryBoard {
  readonly run: TableRegion;
  readonly directory: TableRegion;
  readonly actors: TableRegion;
  readonly lanes: TableRegion;
  readonly counts: TableRegion;
  readonly latency: TableRegion;
  readonly sites: TableRegion;
}

/** @param actors the highest actor number; lanes are numbered from `actor * LANES` */
export function layOutBoard(listings: number, slots: number, actors: number): StressBoard {
  const layout = new WordLayout();
  const regions = {
    ...layOutHistory(layout, slots, actors, LANES),
    run: layout.table(1, 16),
    directory: layout.table(listings, 1),
    actors: layout.table(actors + 1, 1),
    lanes: layout.table((actors + 1) * LANES, 16),
    counts: layout.table(OPERATIONS.length, ERRORS.length + 1),
    latency: layout.table(OPERATIONS.length, BUCKETS),
    sites: layout.table(SITES.length, 2),
  };
  return { ...regions, memory: sharedBytes(layout.sizeBytes, 'the words of a trial') };
}

export class StressWords extends HistoryWords<StressBoard> {
  // ---- the run ----

  runCount(what: keyof typeof RUN): number {
    return this.words.load(wordAt(this.board.run, 0, RUN[what]));
  }

  addToRun(what: keyof typeof RUN, count = 1): number {
    return this.words.add(wordAt(this.board.run, 0, RUN[what]), count) + count;
  }

  /**
   * Counts a death, of which an exporter that comes back is told again.
   *
   * @param deaths how often the actor has died by now
   * @returns whether it was not counted yet
   */
  countDeath(actor: number, deaths: number): boolean {
    const counted = wordAt(this.board.actors, actor, 0);
    if (this.words.load(counted) >= deaths) return false;
    this.words.store(counted, deaths);
    this.addToRun('deaths');
    return true;
  }

  setRun(what: 'worn', count: number): void {
    this.words.store(wordAt(this.board.run, 0, RUN[what]), count);
  }

  /** @param error place in ERRORS + 1, or 0 */
  count(operation: number, error: number): void {
    this.words.add(wordAt(this.board.counts, operation, error), 1);
  }

  counted(operation: number, error: number): number {
    return this.words.load(wordAt(this.board.counts, operation, error));
  }

  addLatency(operation: number, bucket: number): void {
    this.words.add(wordAt(this.board.latency, operation, bucket), 1);
  }

  latencies(operation: number): number[] {
    return Array.from({ length: BUCKETS }, (_, bucket) =>
      this.words.load(wordAt(this.board.latency, operation, bucket)),
    );
  }

  // ---- the sites ----

  /** @param site place in SITES */
  countSite(site: number, what: 'visits' | 'fired'): void {
    this.words.add(wordAt(this.board.sites, site, what === 'visits' ? 0 : 1), 1);
  }

  siteCount(site: number, what: 'visits' | 'fired'): number {
    return this.words.load(wordAt(this.board.sites, site, what === 'visits' ? 0 : 1));
  }

  // ---- what each lane is about ----

  beginOperation(lane: number, operation: number, timeNs: number): void {
    this.words.store(wordAt(this.board.lanes, lane, 1), Math.floor(timeNs / 1e6));
    this.words.store(wordAt(this.board.lanes, lane, 0), operation + 1);
  }

  endOperation(lane: number): void {
    this.words.store(wordAt(this.board.lanes, lane, 0), 0);
  }

  /** What a lane is about, and since when; undefined when nothing. */
  doing(lane: number): { readonly operation: number; readonly sinceNs: number } | undefined {
    const doing = this.words.load(wordAt(this.board.lanes, lane, 0));
    if (doing === 0) return undefined;
    return { operation: doing - 1, sinceNs: this.words.load(wordAt(this.board.lanes, lane, 1)) * 1e6 };
  }

  // ---- the directory ----

  get listingCount(): number {
    return this.board.directory.rows;
  }

  list(listing: number, handle: BufferHandle | undefined): void {
    const word = handle === undefined ? 0 : handle.life * MAX_SLOTS + handle.slot + 1;
    this.words.store(wordAt(this.board.directory, listing, 0), word);
  }

  listed(listing: number): BufferHandle | undefined {
    const word = this.words.load(wordAt(this.board.directory, listing, 0));
    if (word === 0) return undefined;
    return { slot: ((word - 1) % MAX_SLOTS) as BufferSlot, life: Math.floor((word - 1) / MAX_SLOTS) };
  }
}
