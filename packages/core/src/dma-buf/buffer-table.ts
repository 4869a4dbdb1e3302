/**
 * Which buffers and attachments an exporter has: their slots, their handles, and what an earlier life of the exporter left.
 */
import {
  type AttachmentSlot,
  attachmentSlot,
  type BoundedList,
  type BufferSlot,
  bufferSlot,
  type Journal,
  type Nanoseconds,
} from '../base/index.js';
import { addTallies, type BufferTally, NO_TALLY } from './buffer-history.js';
import type { BufferWords } from './buffer-words.js';
import type { HeapAllocation, StoredAllocation } from './dma-heap.js';
import { type AttachedDevice, ExportedBuffer } from './exported-buffer.js';
import { staleHandle } from './exporter-errors.js';
import { ExporterJournal, type PastBuffer } from './exporter-journal.js';
import type { ActorLives } from './exporter-ports.js';
import type { AttachRequest, BufferHandle, CreateRequest } from './protocol.js';
import { SlotPool } from './slot-pool.js';

export class BufferTable {
  readonly journal: ExporterJournal;
  readonly #live = new Map<BufferSlot, ExportedBuffer>();
  /** Buffers that are gone, for the report: the first `MAX_RECORDS`, and the counts of all. */
  readonly #past: BoundedList<PastBuffer>;
  #pastTally: BufferTally;
  readonly #bufferSlots: SlotPool;
  readonly #attachmentSlots: SlotPool;
  /** Buffers and attachments of an earlier life whose creator may not have heard of them, and asks again. */
  readonly #restored = new Set<ExportedBuffer | AttachedDevice>();

  /** @param journal where the next life will find them; absent = there is none */
  constructor(
    private readonly words: BufferWords,
    journal: Journal | undefined,
    lives?: ActorLives,
  ) {
    this.journal = new ExporterJournal(journal, words, lives);
    const { past, tally } = this.journal.restoredPast();
    this.#past = past;
    this.#pastTally = tally;
    this.#bufferSlots = new SlotPool(words.bufferCount);
    this.#attachmentSlots = new SlotPool(words.attachmentCount);
  }

  /** Those that have not been freed. */
  get live(): Iterable<ExportedBuffer> {
    return this.#live.values();
  }

  /** All of the run that are kept, the present ones last. */
  get all(): readonly PastBuffer[] {
    return [...this.#past.items, ...this.#live.values()];
  }

  /** Buffers that are gone and are not kept. */
  get dropped(): number {
    return this.#past.dropped;
  }

  /** The counts of all buffers of the run. */
  get tally(): BufferTally {
    return [...this.#live.values()].reduce((sum, { tally }) => addTallies(sum, tally), this.#pastTally);
  }

  /** The buffer of a handle; undefined when it is gone. */
  find(handle: BufferHandle): ExportedBuffer | undefined {
    const buffer = this.#live.get(handle.slot);
    return buffer?.life === handle.life ? buffer : undefined;
  }

  /** The buffer of a handle. @throws ErrnoError ESTALE when it is gone */
  lookUp(handle: BufferHandle, op: string): ExportedBuffer {
    const buffer = this.find(handle);
    if (buffer === undefined) throw staleHandle(op, handle);
    return buffer;
  }

  /** A slot for a buffer that is about to be opened. @throws ErrnoError ENOSPC */
  takeSlot(name: string): BufferSlot {
    return bufferSlot(this.#bufferSlots.take(`create ${name}`));
  }

  /** Gives a slot back that no buffer was opened in. */
  giveSlot(slot: BufferSlot): void {
    this.#bufferSlots.give(slot);
  }

  /** Opens a buffer in a slot that was taken for it. */
  open(slot: BufferSlot, request: CreateRequest, sizeBytes: number): ExportedBuffer {
    const buffer = new ExportedBuffer(slot, this.words.openBuffer(slot), request, sizeBytes);
    this.#live.set(slot, buffer);
    return buffer;
  }

  /** A buffer is gone; its slot is free, and the report keeps what it says of it. */
  close(buffer: ExportedBuffer): void {
    this.#pastTally = addTallies(this.#pastTally, buffer.tally);
    if (this.#past.items.length >= this.#past.capacity) {
      const { placements, moves } = buffer;
      const lost = { placementsDropped: placements.length, movesDropped: moves.length };
      this.#pastTally = addTallies(this.#pastTally, { ...NO_TALLY, ...lost });
    }
    this.journal.close(buffer, this.#past, this.#pastTally);
    this.#drop(buffer);
  }

  /** Drops a buffer that was never heard of: whoever wanted it asks again. */
  forget(buffer: ExportedBuffer): void {
    this.journal.forget(buffer);
    this.#drop(buffer);
  }

  #drop(buffer: ExportedBuffer): void {
    this.#restored.delete(buffer);
    this.#live.delete(buffer.slot);
    this.#bufferSlots.give(buffer.slot);
    this.words.openBuffer(buffer.slot); // a handle of the past life is stale from here on
  }

  /** A slot for an attachment. @throws ErrnoError ENOSPC */
  takeAttachmentSlot(device: string, { name }: ExportedBuffer): AttachmentSlot {
    return attachmentSlot(this.#attachmentSlots.take(`attach ${device} to ${name}`));
  }

  /** Gives the slot of an attachment back. */
  giveAttachmentSlot(slot: AttachmentSlot): void {
    this.#attachmentSlots.give(slot);
  }

  /**
   * Takes an attachment off its buffer.
   *
   * @param reclaims its actor has died, and is told of as reclaimed when all that it held has been taken back
   * @returns undefined when it is gone already: the slot may be somebody else's
   */
  dropAttachment(buffer: ExportedBuffer, slot: AttachmentSlot, reclaims: boolean): AttachedDevice | undefined {
    const attached = buffer.attachments.get(slot);
    if (attached === undefined) return undefined;
    buffer.attachments.delete(slot);
    if (attached.actor !== undefined) buffer.addFormerHolder(slot, attached.actor);
    this.#restored.delete(attached);
    if (buffer.arriving === slot) buffer.arriving = undefined;
    if (!reclaims || !this.journal.isOfTheDead(attached)) this.journal.write(buffer);
    return attached;
  }

  /**
   * Takes over what an earlier life has left.
   *
   * @param adopt takes pages over from the heap that had handed them out
   * @param isGivenUp whether a buffer has STATE 0 because a wild write was found in its row
   * @returns the buffers, in the order of their slots
   */
  restore(
    adopt: (stored: StoredAllocation) => HeapAllocation,
    isGivenUp: (buffer: BufferHandle) => boolean,
    atNs: Nanoseconds,
  ): readonly ExportedBuffer[] {
    const buffers = this.journal.restoreBuffers(adopt, isGivenUp, atNs);
    for (const buffer of buffers) {
      this.#live.set(buffer.slot, buffer);
      this.#bufferSlots.claim(buffer.slot);
      this.#restored.add(buffer);
      for (const attached of buffer.attachments.values()) {
        this.#attachmentSlots.claim(attached.slot);
        this.#restored.add(attached);
      }
    }
    return buffers;
  }

  /** A buffer that was created before this life began, and the answer was lost. Found once. */
  takeRestored({ actor, pool, name }: CreateRequest): ExportedBuffer | undefined {
    for (const one of this.#restored) {
      if (!(one instanceof ExportedBuffer) || one.dying || one.attachments.size > 0) continue;
      if (one.request.actor !== actor || one.request.pool !== pool || one.name !== name) continue;
      this.#restored.delete(one);
      return one;
    }
    return undefined;
  }

  /** An attachment that was made before this life began, and the answer was lost. Found once. */
  takeRestoredAttachment(
    { attachments }: ExportedBuffer,
    { actor, device, call }: AttachRequest,
  ): AttachedDevice | undefined {
    for (const one of attachments.values()) {
      const isOfCall = one.actor === actor && one.device === device && one.call === call;
      if (isOfCall && this.#restored.delete(one)) return one;
    }
    return undefined;
  }
}
