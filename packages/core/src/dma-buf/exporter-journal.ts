/**
 * What the exporter writes down for its next life, and how that life reads it: the words decide, the journal describes.
 *
 * One entry a live buffer, written anew at each change: who is attached, and which pages belong to which generation. An entry
 * that names the pages of a generation is written before the generation is published. So whatever STATE says in the next life,
 * the entry knows its pages: those of the generation that STATE holds are the buffer's, those of the other are free again.
 * A move that was not published is rolled back thereby, one that was is complete. Reports are written one by one.
 *
 * Without a journal (an exporter that nobody starts again) nothing is written.
 */
import type { BufferSlot, Journal, Nanoseconds } from '../base/index.js';
import type { BufferWords } from './buffer-words.js';
import { generationOf } from './buffer-words.js';
import { type HeapAllocation, type StoredAllocation, storedOf } from './dma-heap.js';
import { type AttachedDevice, ExportedBuffer, type MoveRecord, type Placement } from './exported-buffer.js';
import type { BufferHandle, CreateRequest } from './protocol.js';

/** A buffer as its entry describes it: plain data. */
interface BufferEntry {
  readonly slot: BufferSlot;
  readonly life: number;
  readonly request: CreateRequest;
  readonly sizeBytes: number;
  readonly attachments: readonly AttachedDevice[];
  readonly awaited: readonly string[];
  readonly orphaned: boolean;
  readonly firstMap: ExportedBuffer['firstMap'];
  readonly placements: readonly Placement[];
  readonly moves: readonly MoveRecord[];
  /** The pages of the generation. */
  readonly present?: { readonly generation: number; readonly storage: StoredAllocation };
  /** The pages of the generation after it, once it is about to be published. */
  readonly incoming?: StoredAllocation;
  readonly reserved?: StoredAllocation;
}

/** What of a buffer is in the report only. */
export type PastBuffer = Pick<
  ExportedBuffer,
  'slot' | 'life' | 'name' | 'request' | 'sizeBytes' | 'placements' | 'moves' | 'firstMap'
>;

const BUFFER = 'buffer/';
const PAST = 'past/';

export class ExporterJournal {
  readonly #counts = new Map<string, number>();

  constructor(
    private readonly journal: Journal | undefined,
    private readonly words: BufferWords,
  ) {}

  /** Writes a buffer as it is. */
  write(buffer: ExportedBuffer): void {
    if (this.journal === undefined) return;
    const { slot, life, request, sizeBytes, orphaned, firstMap, placements, moves } = buffer;
    const { allocation, generation, incoming, reserved } = buffer;
    const entry: BufferEntry = {
      ...{ slot, life, request, sizeBytes, orphaned, firstMap, placements, moves },
      // One whose attach is under way is not told of it yet, and asks again.
      attachments: [...buffer.attachments.values()].filter((one) => one.slot !== buffer.arriving),
      awaited: [...buffer.awaited],
      ...(allocation && { present: { generation, storage: storedOf(allocation) } }),
      ...(incoming && { incoming: storedOf(incoming) }),
      ...(reserved && { reserved: storedOf(reserved) }),
    };
    this.journal.set(`${BUFFER}${slot}`, entry);
  }

  /** A buffer is gone; what the report says of it stays. */
  close(buffer: ExportedBuffer): void {
    if (this.journal === undefined) return;
    const { slot, life, name, request, sizeBytes, placements, moves, firstMap } = buffer;
    const past: PastBuffer = { slot, life, name, request, sizeBytes, placements, moves, firstMap };
    this.append(PAST, past);
    this.forget(buffer);
  }

  /** Takes the entry of a buffer out. */
  forget({ slot }: ExportedBuffer): void {
    this.journal?.set(`${BUFFER}${slot}`, undefined);
  }

  /** Writes one more entry of a kind. */
  append(kind: string, value: unknown): void {
    if (this.journal === undefined) return;
    const count = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, count + 1);
    this.journal.set(`${kind}${count}`, value);
  }

  /** The entries of a kind, in the order in which they were appended; further ones come after them. */
  restore<T>(kind: string): T[] {
    const values: T[] = [];
    for (const [key, value] of this.journal?.restored ?? []) if (key.startsWith(kind)) values.push(value as T);
    this.#counts.set(kind, values.length);
    return values;
  }

  restoredPast(): PastBuffer[] {
    return this.restore(PAST);
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
      const buffer = this.#rebuild(value as BufferEntry, adopt, isGivenUp, nowNs);
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
    for (const attached of entry.attachments) buffer.attachments.set(attached.slot, attached);
    buffer.placements.push(...entry.placements);
    buffer.moves.push(...entry.moves);
    buffer.firstMap = entry.firstMap;
    // A buffer that has been placed and has STATE 0 was given up, whatever the entry says.
    buffer.orphaned = entry.orphaned || (generation === 0 && present !== undefined && !isGivenUp(entry));
    buffer.dying = buffer.orphaned; // whoever else had asked to destroy it lives, and asks again
    const storage = storageOf(generation, entry);
    buffer.generation = generation > 0 ? generation : (present?.generation ?? 0);
    if (storage !== undefined) buffer.allocation = adopt(storage);
    if (storage !== undefined && storage === incoming) {
      buffer.placements.push({ heap: storage.heap, atNs, why: 'the exporter died just after it had published it' });
    }
    if (reserved !== undefined) buffer.reserved = adopt(reserved);
    return buffer;
  }
}

/** The pages that a generation has; where STATE is 0, those that it had last: they are written as present once published. */
function storageOf(generation: number, { present, incoming }: BufferEntry): StoredAllocation | undefined {
  return generation === 0 || present?.generation === generation ? present?.storage : incoming;
}
