/**
 * Who can end a wait on a word of a pipeline's tables, told from what the words say now.
 *
 * To be sound it names everybody who could: of a driver any generator, since a driver may end in one what it began in another,
 * and of a link both ends, since the producer may drop and the consumer may leave. Only of the exporter it names one: who
 * serves a buffer, or is served by the copy engine, says so itself (HOLDER of `exporter-words.ts`), and it moves the buffer and holds
 * its reservation only meanwhile.
 * Where nobody is named nobody is taken for stuck: words of the runtime, the changes of attachments, polls.
 */
import {
  type ActorId,
  type AtomicWords,
  attachmentSlot,
  bufferSlot,
  type TableRegion,
  type WordPark,
} from '../base/index.js';
import type { WaitOwner, WaitOwners } from '../runtime/index.js';
import { FRAME_OWNER, linkHolder } from './frame-words.js';
import type { PipelineOwners } from './reclaim.js';
import { ringEndAwaited } from './ring-words.js';
import { type OpenTables, openTables, type SharedTables } from './shared-tables.js';

/** Answers for the words of one table. */
interface Place {
  readonly region: TableRegion;
  ownersOf(row: number, column: number, park: WordPark): readonly WaitOwner[];
}

const NOBODY: readonly WaitOwner[] = [];

export class PipelineWaits implements WaitOwners {
  readonly #places: readonly Place[];
  readonly #open: OpenTables;

  /** @param exporter the actor that serves the buffers */
  constructor(
    words: AtomicWords,
    tables: SharedTables,
    private readonly owners: PipelineOwners,
    private readonly exporter: ActorId,
  ) {
    const open = openTables(words, tables, exporter);
    this.#open = open;
    const { lanesPerActor } = owners;
    const actor = (id: number): readonly WaitOwner[] => (id === 0 ? NOBODY : [{ actor: id as ActorId }]);
    const places: Place[] = [
      { region: tables.timelines, ownersOf: (slot) => actor(Math.floor(slot / lanesPerActor) + 1) },
      { region: tables.attachments, ownersOf: (slot) => actor(open.buffers.importerOf(attachmentSlot(slot))) },
      { region: tables.buffers, ownersOf: (slot) => this.#serving(slot) },
      { region: tables.resv, ownersOf: (slot, column) => this.#lockHolder(slot, column) },
      { region: tables.queues, ownersOf: (row, column) => (open.queues.isQueue(column) ? this.#serving(row) : NOBODY) },
      { region: tables.pools, ownersOf: (row, _, park) => this.#frameHolders(row, park) },
      { region: tables.jobs, ownersOf: (row) => actor(row) },
      ...owners.links.map((link): Place => {
        const both = [{ actor: link.producer }, { actor: link.consumer }];
        const byEnd = { either: both, producer: [{ actor: link.producer }] };
        return {
          region: tables.rings[link.ring].region,
          ownersOf: (_, column) => byEnd[ringEndAwaited(column)],
        };
      }),
    ];
    this.#places = places.sort((a, b) => a.region.base - b.region.base);
  }

  ownersOf(park: WordPark): readonly WaitOwner[] {
    if (park.word < this.#places[0].region.base) return NOBODY; // the runtime's own words, on which every tick waits
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#places[middle].region.base <= park.word) low = middle + 1;
      else high = middle;
    }
    const place = this.#places[low - 1];
    const offset = park.word - place.region.base;
    const row = Math.floor(offset / place.region.rowWords);
    return row < place.region.rows ? place.ownersOf(row, offset % place.region.rowWords, park) : NOBODY;
  }

  /** The generator of the exporter that serves a buffer, or that the copy engine serves. */
  #serving(row: number): readonly WaitOwner[] {
    const generator = this.#open.queues.holder(row);
    return generator === 0 ? NOBODY : [{ actor: this.exporter, generator }];
  }

  #lockHolder(slot: number, column: number): readonly WaitOwner[] {
    if (!this.#open.resv.isLock(column)) return NOBODY;
    const holder = this.#open.resv.lockOwner(bufferSlot(slot));
    if (holder === 0) return NOBODY;
    return holder === this.exporter ? this.#serving(slot) : [{ actor: holder as ActorId }];
  }

  /** The owner of a pool, and whoever holds one of its frames. A wait that ends by time is a poll for memory. */
  #frameHolders(row: number, park: WordPark): readonly WaitOwner[] {
    const pool = this.owners.pools.find(({ region }) => region.row === row);
    if (pool === undefined || park.untilNs !== Number.POSITIVE_INFINITY) return NOBODY;
    const { frames } = this.#open;
    const { region } = pool;
    let held = FRAME_OWNER;
    for (let i = 0; i < frames.count(region); i += 1) held |= frames.holders(region.firstFrame + i);
    const links = this.owners.links.filter((link) => link.pool.row === row && (held & linkHolder(link.place)) !== 0);
    const actors = new Set([pool.owner, ...links.flatMap(({ producer, consumer }) => [producer, consumer])]);
    return [...actors].map((actor) => ({ actor }));
  }
}
