/** A device that has attached to a buffer, and its mappings. */
import { ResvUsage } from '../../sync/index.js';
import type { DmaBufObject } from './dma-buf-object.js';
import type { DataDirection, ObjectImporterOps, ObjectVma } from './object-ops.js';

/**
 * Source: struct dma_buf_attachment, include/linux/dma-buf.h, v6.12.
 */
export class ObjectAttachment<Table> {
  readonly #mappings = new Set<ObjectMapping<Table>>();
  /** Pins that the importer took and has not given back. */
  pins = 0;
  /** Whether it is on the list of its buffer. */
  isAttached = false;
  /** The importer reaches memory of other devices; an exporter takes it away in its attach where there is no path. */
  peer2peer: boolean;
  /** Whatever the exporter keeps for it. */
  exporterData: unknown;

  constructor(
    readonly buffer: DmaBufObject<Table, ObjectVma>,
    readonly device: string,
    readonly importerOps?: ObjectImporterOps,
  ) {
    this.peer2peer = importerOps?.allowPeer2peer ?? false;
  }

  /** Whether the importer follows moves. Source: dma_buf_attachment_is_dynamic, v6.12. */
  get isDynamic(): boolean {
    return this.importerOps !== undefined;
  }

  /** Mapped and not yet unmapped, in order. */
  get mappings(): ReadonlySet<ObjectMapping<Table>> {
    return this.#mappings;
  }

  /** For `DmaBufObject`. */
  addMapping(mapping: ObjectMapping<Table>): void {
    this.#mappings.add(mapping);
  }

  /** For `DmaBufObject`. */
  removeMapping(mapping: ObjectMapping<Table>): void {
    this.#mappings.delete(mapping);
  }
}

/**
 * How far a mapping may be trusted.
 *
 *   mapped ──moveNotify──▶ invalidated ──fences over──▶ void
 *     └──────────────────────────┴──────unmap──────────────┴──▶ ended
 *
 * `invalidated`: what is in flight may still use it, new work may not. `void`: the storage is another's.
 */
export type ObjectMappingState = 'mapped' | 'invalidated' | 'void' | 'ended';

/**
 * What `mapAttachment` gives: the storage as a device sees it.
 *
 * Pages are reached through `touch`, so that a use beyond the end of the mapping is found. Source: struct sg_table as
 * dma_buf_map_attachment returns it, v6.12.
 */
export class ObjectMapping<Table> {
  state: ObjectMappingState = 'mapped';

  constructor(
    readonly attachment: ObjectAttachment<Table>,
    /** Counts the mappings of a buffer from 1. */
    readonly number: number,
    readonly direction: DataDirection,
    private readonly table: Table,
    /** It holds a pin, since its importer does not follow moves. */
    readonly isPinned: boolean,
  ) {}

  /** What messages call it. */
  get name(): string {
    return `${this.attachment.device} mapping ${this.number} (${this.direction})`;
  }

  /** The table, without a check; for the exporter that made it. */
  get exporterTable(): Table {
    return this.table;
  }

  /**
   * The device touches the pages.
   *
   * @returns the table
   * @throws ErrnoError in strict mode: EFAULT after unmap, or after the storage went elsewhere; EAGAIN while a fence of
   *   usage KERNEL is pending, which dynamic importers have to wait for themselves. After a revocation a device may still
   *   read ahead and throw away what it read; it may not write
   */
  touch(access: 'read' | 'write'): Table {
    const { state } = this;
    if (state === 'ended') this.#report('touch-after-unmap', 'EFAULT', 'it is unmapped');
    else if (state === 'void') this.#touchVoid(access);
    else if (!this.attachment.buffer.reservation.testSignalled(ResvUsage.Kernel)) {
      this.#report('touch-before-kernel-fence', 'EAGAIN', 'the storage is not ready: a fence of KERNEL is pending');
    }
    return this.table;
  }

  #touchVoid(access: 'read' | 'write'): void {
    const { isRevoked } = this.attachment.buffer;
    if (isRevoked && access === 'read') return;
    const reason = isRevoked ? 'the buffer has been revoked' : 'the storage has moved';
    this.#report('touch-after-move', 'EFAULT', reason);
  }

  #report(
    kind: 'touch-after-unmap' | 'touch-after-move' | 'touch-before-kernel-fence',
    code: 'EFAULT' | 'EAGAIN',
    reason: string,
  ): void {
    const { buffer, device: who } = this.attachment;
    buffer.rules.report({
      kind,
      code,
      op: 'device_access',
      buffer: buffer.name,
      who,
      message: `Cannot touch ${buffer.name} through ${this.name}: ${reason}`,
      details: { mapping: this.number },
    });
  }
}
