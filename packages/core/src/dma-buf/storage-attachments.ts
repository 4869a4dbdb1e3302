/**
 * Which attachments the ops of the present storage know of.
 *
 * A device attaches to a buffer, and the buffer may have no storage yet, or change it: this keeps the calls of
 * `DmaBufOps` balanced over all of that. An attachment is mapped once for each storage, and stays so until the storage
 * changes or the device detaches: what a job maps and unmaps are the shared words.
 */
import { type AttachmentSlot, type ErrnoError, isErrno } from '../base/index.js';
import type { DeviceConstraints } from '../constraints/index.js';
import type { SgTable } from '../memory/index.js';
import type { DmaHeap, HeapAllocation } from './dma-heap.js';
import type { ExportedBuffer } from './exported-buffer.js';

interface Known {
  readonly storage: HeapAllocation;
  readonly constraints: DeviceConstraints;
  mapped: SgTable | undefined;
}

export class StorageAttachments {
  readonly #known = new Map<AttachmentSlot, Known>();

  constructor(private readonly heap: (name: string) => DmaHeap) {}

  /**
   * Tells the ops of a buffer's storage who is attached: detaches everybody from what it was, attaches to what it is those
   * that reach it. Whom the ops refuse now, when the storage changes, they refuse again at its map.
   *
   * @param newcomer the device that is attaching: of it a refusal is told
   * @throws ErrnoError of `DmaBufOps.attach` for the newcomer; all others are settled
   */
  settle(
    buffer: ExportedBuffer,
    reaches: (constraints: DeviceConstraints) => boolean,
    newcomer?: AttachmentSlot,
  ): void {
    const { allocation } = buffer;
    let refusal: ErrnoError | undefined;
    for (const { slot, constraints } of buffer.attachments.values()) {
      const known = this.#known.get(slot);
      if (known?.storage === allocation) continue;
      this.drop(slot);
      if (allocation === undefined || !reaches(constraints)) continue;
      try {
        this.heap(allocation.heap).ops.attach?.(allocation, constraints);
        this.#known.set(slot, { storage: allocation, constraints, mapped: undefined });
      } catch (error) {
        if (!isErrno(error)) throw error;
        if (slot === newcomer) refusal = error;
      }
    }
    if (refusal !== undefined) throw refusal;
  }

  /** The pages for an attachment that is settled. @throws ErrnoError of `DmaBufOps.mapDmaBuf` */
  map(slot: AttachmentSlot, storage: HeapAllocation, constraints: DeviceConstraints): SgTable {
    const known = this.#known.get(slot);
    // Whoever is not settled reaches the pages without the heap's leave, which the check of the real addresses decides.
    if (known === undefined || known.storage !== storage) {
      this.heap(storage.heap).ops.attach?.(storage, constraints);
      this.#known.set(slot, { storage, constraints, mapped: undefined });
      return this.map(slot, storage, constraints);
    }
    known.mapped ??= this.heap(storage.heap).ops.mapDmaBuf(storage, constraints);
    return known.mapped;
  }

  /** Unmaps and detaches an attachment, if the ops know it. */
  drop(slot: AttachmentSlot): void {
    const known = this.#known.get(slot);
    if (known === undefined) return;
    this.#known.delete(slot);
    const { ops } = this.heap(known.storage.heap);
    if (known.mapped !== undefined) ops.unmapDmaBuf?.(known.storage, known.constraints);
    ops.detach?.(known.storage, known.constraints);
  }
}
