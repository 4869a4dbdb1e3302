/**
 * What the exporter writes down for its next life, and how that life reads it: the words decide, the journal describes.
 *
 * One entry a live buffer, written anew at each change but one (below): who is attached, and which pages belong to which generation. An entry
 * that names the pages of a generation is written before the generation is published. So whatever STATE says in the next life,
 * the entry knows its pages: those of the generation that STATE holds are the buffer's, those of the other are free again.
 * A move that was not published is rolled back thereby, one that was is complete. Reports are written one by one, each kind up to
 * the capacity of its list, and the count of those that did not fit.
 *
 * A buffer that is closed takes three entries, and the exporter may die between them. The second says which buffer it counts, so that
 * from there on the buffer is gone; before it, the buffer is live and is closed anew, and its record is not there yet.
 *
 * What a dead actor was attached to is taken back without an entry, so that a death costs none: RECLAIMED of the actor says that the
 * attachments of that life are gone. A life that finds RECLAIMED behind is told of the death and takes them back itself, but for
 * those whose slots were taken back already and are others' since: their row names another importer. (The actor itself attaches
 * again only once RECLAIMED has followed. A row that names no actor at all was overwritten, which is to be found.) A detach is
 * written in any case: after it the slot may be the same actor's again.
 *
 * Without a journal (an exporter that nobody starts again) nothing is written.
 */
import { BoundedList, type BufferSlot, type Journal, type Nanoseconds } from '../base/index.js';
import { type BufferTally, type MoveRecord, NO_TALLY, type Placement } from './buffer-history.js';
import type { BufferWords } from './buffer-words.js';
import { generationOf } from './buffer-words.js';
import { type HeapAllocation, type StoredAllocation, storedOf } from './dma-heap.js';
import { type AttachedDevice, ExportedBuffer } from './exported-buffer.js';
import type { ActorLives } from './exporter-ports.js';
import type { BufferHandle, CreateRequest } from './protocol.js';

/** A buffer as its entry describes it: plain data. */
interface BufferEntry {
  readonly slot: BufferSlot;
  readonly life: number;
  readonly request: CreateRequest;
  readonly sizeBytes: number;
  readonly attachments: readonly AttachedDevice[];
  readonly formerHolders: readonly number[];
  readonly awaited: readonly string[];
  readonly orphaned: boolean;
  readonly firstMap: ExportedBuffer['firstMap'];
  readonly placements: readonly Placement[];
  readonly moves: readonly MoveRecord[];
  readonly tally: BufferTally;
  /** The pages of the generation. */
  readonly present?: { readonly generation: number; readonly storage: StoredAllocation };
  /** The pages of the generation after it, once it is about to be published. */
  readonly incoming?: StoredAllocation;
  readonly reserved?: StoredAllocation;
}

/** The counts of all buffers that are gone. */
interface PastTally {
  readonly tally: BufferTally;
  /** The last that is counted. */
  readonly last: BufferHandle;
  /** Of those, how many are not kept. */
  readonly dropped: number;
}

/** What of a buffer is in the report only. */
export type PastBuffer = Pick<
  ExportedBuffer,
  'slot' | 'life' | 'name' | 'request' | 'sizeBytes' | 'placements' | 'moves' | 'firstMap'
>;

const BUFFER = 'buffer/';
const PAST = 'past/';
const DROPPED = 'dropped/';
const PAST_TALLY = 'past-tally';

export class ExporterJournal {
  constructor(
    private readonly journal: Journal | undefined,
    private readonly words: BufferWords,
    private readonly lives?: ActorLives,
  ) {}

  /** Whether an attachment is of a life of its actor that has died. */
  isOfTheDead({ actor, actorLife }: AttachedDevice): boolean {
    return actorLife !== undefined && this.lives !== undefined && actorLife < this.lives.deaths(actor);
  }

  /** Whether an attachment was taken back without an entry. */
  #isTakenBack(attached: AttachedDevice): boolean {
    const { slot, actor, actorLife = Infinity } = attached;
    if (!this.isOfTheDead(attached) || this.lives === undefined) return false;
    const importer = this.words.importerOf(slot);
    const isOthers = importer !== actor && importer >= 1 && importer <= this.lives.last;
    return actorLife < this.lives.reclaimed(actor) || isOthers;
  }

  /** Writes a buffer as it is. */
  write(buffer: ExportedBuffer): void {
    if (this.journal === undefined) return;
    const { slot, life, request, sizeBytes, orphaned, firstMap, placements, moves, tally } = buffer;
    const { allocation, generation, incoming, reserved } = buffer;
    const entry: BufferEntry = {
      ...{ slot, life, request, sizeBytes, orphaned, firstMap, placements, moves, tally },
      // One whose attach is under way is not told of it yet, and asks again.
      attachments: [...buffer.attachments.values()].filter((one) => one.slot !== buffer.arriving),
      formerHolders: [...buffer.formerHolders],
      awaited: [...buffer.awaited],
      ...(allocation && { present: { generation, storage: storedOf(allocation) } }),
      ...(incoming && { incoming: storedOf(incoming) }),
      ...(reserved && { reserved: storedOf(reserved) }),
    };
    this.journal.set(`${BUFFER}${slot}`, entry);
  }

  /** A buffer is gone; what the report says of it stays. @param tally of all that are gone, this one among them */
  close(buffer: ExportedBuffer, past: BoundedList<PastBuffer>, tally: BufferTally): void {
    const { slot, life, name, request, sizeBytes, placements, moves, firstMap } = buffer;
    const place = past.items.length;
    const record = { slot, life, name, request, sizeBytes, placements, moves, firstMap };
    if (past.add(record)) this.journal?.set(`${PAST}${place}`, record);
    const counted: PastTally = { tally, last: { slot, life }, dropped: past.dropped };
    this.journal?.set(PAST_TALLY, counted);
    this.forget(buffer);
  }

  /** Takes the entry of a buffer out. */
  forget({ slot }: ExportedBuffer): void {
    this.journal?.set(`${BUFFER}${slot}`, undefined);
  }

  /** Adds a record to the list of its kind, and an entry for it; of one that does not fit only the count. */
  append<T>(kind: string, list: BoundedList<T>, record: T): void {
    const place = list.items.length;
    if (list.add(record)) this.journal?.set(`${kind}${place}`, record);
    else this.journal?.set(`${DROPPED}${kind}`, list.dropped);
  }

  /** The records of a kind as earlier lives have left them, in the order in which they were appended. */
  restore<T>(kind: string, capacity?: number): BoundedList<T> {
    const list = new BoundedList<T>(capacity);
    const restored = this.journal?.restored;
    for (const [key, value] of restored ?? []) if (key.startsWith(kind)) list.add(value as T);
    list.dropped = (restored?.get(`${DROPPED}${kind}`) as number | undefined) ?? 0;
    return list;
  }

  restoredPast(): { past: BoundedList<PastBuffer>; tally: BufferTally } {
    const past = this.restore<PastBuffer>(PAST);
    const counted = this.#pastTally;
    past.dropped = counted?.dropped ?? 0;
    const record = past.items.at(-1);
    if (record !== undefined && !isSame(record, counted?.last)) {
      const entry = this.journal?.restored.get(`${BUFFER}${record.slot}`) as BufferEntry | undefined;
      if (isSame(record, entry)) past.items.pop(); // the buffer has not been counted, and lives
    }
    return { past, tally: counted?.tally ?? NO_TALLY };
  }

  get #pastTally(): PastTally | undefined {
    return this.journal?.restored.get(PAST_TALLY) as PastTally | undefined;
  }

  /**
   * Rebuilds the buffers of the life before: settles their words, and takes over the pages that are theirs.
   *
   * @param adopt takes pages over from the heap that had handed them out
   * @param isGivenUp whether a buffer has STATE 0 because a wild write was found in its row
   */
  restoreBuffers(
    adopt: (stored: StoredAllocation) => HeapAllocation,
    isGivenUp: (buffer: BufferHandle) => boolean,
    nowNs: Nanoseconds,
  ): ExportedBuffer[] {
    return [...(this.journal?.restored ?? [])].flatMap(([key, value]) => {
      if (!key.startsWith(BUFFER)) return [];
      const entry = value as BufferEntry;
      const isCounted = isSame(entry, this.#pastTally?.last);
      const buffer = isCounted ? undefined : this.#rebuild(entry, adopt, isGivenUp, nowNs);
      if (buffer === undefined) this.journal?.set(key, undefined);
      return buffer === undefined ? [] : [buffer];
    });
  }

  #rebuild(
    entry: BufferEntry,
    adopt: (stored: StoredAllocation) => HeapAllocation,
    isGivenUp: (buffer: BufferHandle) => boolean,
    atNs: Nanoseconds,
  ): ExportedBuffer | undefined {
    const { slot, life, request, sizeBytes, present, incoming, reserved } = entry;
    const opened = this.words.life(slot) - life;
    // It was freed, perhaps opened anew, and the entry came after it. Any other life is a wild write, and the pages are in use.
    if (opened === 1 || opened === 2) return undefined;
    const generation = generationOf(this.words.recoverState(slot));
    const buffer = new ExportedBuffer(slot, life, request, sizeBytes);
    buffer.awaited.clear();
    for (const device of entry.awaited) buffer.awaited.add(device);
    for (const pair of entry.formerHolders) buffer.formerHolders.add(pair);
    for (const attached of entry.attachments) {
      if (!this.#isTakenBack(attached)) buffer.attachments.set(attached.slot, attached);
    }
    buffer.restoreHistory(entry);
    buffer.firstMap = entry.firstMap;
    // A buffer that has been placed and has STATE 0 was given up, whatever the entry says.
    buffer.orphaned = entry.orphaned || (generation === 0 && present !== undefined && !isGivenUp(entry));
    buffer.dying = buffer.orphaned; // whoever else had asked to destroy it lives, and asks again
    const storage = storageOf(generation, entry);
    buffer.generation = generation > 0 ? generation : (present?.generation ?? 0);
    if (storage !== undefined) buffer.allocation = adopt(storage);
    if (storage !== undefined && storage === incoming) {
      buffer.placed({ heap: storage.heap, atNs, why: 'the exporter died just after it had published it' });
    }
    if (reserved !== undefined) buffer.reserved = adopt(reserved);
    return buffer;
  }
}

const isSame = (one: BufferHandle, other: BufferHandle | undefined): boolean =>
  one.slot === other?.slot && one.life === other.life;

/** The pages that a generation has; where STATE is 0, those that it had last: they are written as present once published. */
function storageOf(generation: number, { present, incoming }: BufferEntry): StoredAllocation | undefined {
  return generation === 0 || present?.generation === generation ? present?.storage : incoming;
}
