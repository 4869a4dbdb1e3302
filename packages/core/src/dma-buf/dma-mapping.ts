/** A device's attachment to a buffer, and its access to the pages from map to unmap; both belong to the importer's actor. */
import type { ActorId, AttachmentSlot, ErrnoError } from '../base/index.js';
import type { IovaMapping, PhysicalMemory, SgTable } from '../memory/index.js';
import { type BufferState, generationOf } from './buffer-words.js';
import type { BufferHandle } from './protocol.js';

/** A device attached to a buffer. Source: struct dma_buf_attachment, include/linux/dma-buf.h, v6.12. */
export class DmaBufAttachment {
  /** The STATE for which `sgTable` is valid; 0 when the storage is not known. */
  cached: BufferState = 0;
  sgTable: SgTable | undefined;
  iova: IovaMapping | undefined;
  /** Views over the pages of `sgTable`, made when first asked for. */
  views: readonly Uint8Array[] | undefined;
  /** Mappings that have not ended. */
  mapCount = 0;
  /** Those among them that count in MAPPED: all of a static importer, those without a fence of a dynamic one. */
  counted = 0;
  /** Calls of moveNotify that it has heeded. */
  notified = 0;
  /** Whoever exports the buffer has died: it is let go of when its last mapping ends. */
  orphaned = false;
  /** Its detach has begun. */
  detached = false;
  /** The line that has detached it, where call sites are kept. */
  detachedAt: string | undefined;

  constructor(
    readonly buffer: BufferHandle,
    readonly slot: AttachmentSlot,
    readonly name: string,
    readonly sizeBytes: number,
    /** Who exports the buffer; undefined = the heap's own actor. */
    readonly owner?: ActorId,
    /** The number of the attach that has made it. */
    readonly call?: number,
  ) {}
}

/** Access of a device to a buffer's pages, from map to unmap. */
export class DmaMapping {
  #live = true;
  #endedAt: string | undefined;
  /** Whether it counts in MAPPED; else fences stand for it. */
  counts = true;
  /** Whether it ends a pin when it ends. */
  pins = false;

  constructor(
    readonly attachment: DmaBufAttachment,
    readonly state: BufferState,
    readonly sgTable: SgTable,
    private readonly memory: PhysicalMemory,
    private readonly stale: () => ErrnoError,
  ) {}

  get generation(): number {
    return generationOf(this.state);
  }

  get isLive(): boolean {
    return this.#live;
  }

  /**
   * The pages: one view a run, in buffer order; no copy.
   *
   * @throws ErrnoError EFAULT, an IOMMU fault, after unmap
   */
  segments(): readonly Uint8Array[] {
    if (!this.#live) throw this.stale();
    this.attachment.views ??= this.sgTable.runs.map((run) => this.memory.view(run.address, run.lengthBytes));
    return this.attachment.views;
  }

  /** The line that has ended it, where call sites are kept. */
  get endedAt(): string | undefined {
    return this.#endedAt;
  }

  /** Ends the access. Called by the importer only. @param site the line that does */
  retire(site?: string): void {
    this.#live = false;
    this.#endedAt = site;
  }
}
