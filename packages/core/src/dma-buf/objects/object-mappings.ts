import type { Task } from '../../base/index.js';
import { ResvUsage } from '../../sync/index.js';
import { type ObjectAttachment, ObjectMapping } from './attachment.js';
import type { DmaBufCaller } from './caller.js';
import type { DataDirection, ObjectVma, ResvWaiter } from './object-ops.js';
import type { ObjectParts } from './object-parts.js';

/**
 * The mappings of a buffer, each paired with its unmap, and with a pin where the importer does not follow moves.
 *
 * The lock is held in every call. Source: dma_buf_map_attachment, dma_buf_unmap_attachment, v6.12.
 */
export class ObjectMappings<Table, Vma extends ObjectVma> {
  readonly #live = new Set<ObjectMapping<Table>>();
  #number = 0;

  constructor(private readonly parts: ObjectParts<Table, Vma>) {}

  get live(): ReadonlySet<ObjectMapping<Table>> {
    return this.#live;
  }

  /** What a failure takes back, it takes back in reverse. */
  *map(
    caller: DmaBufCaller,
    attachment: ObjectAttachment<Table>,
    direction: DataDirection,
    wait: ResvWaiter,
  ): Task<ObjectMapping<Table>> {
    const { exporter, reservation, name } = this.parts;
    const undo: (() => void)[] = [];
    try {
      const isPinned = exporter.isMovable && !attachment.isDynamic;
      if (isPinned) {
        yield* this.#pin(caller, attachment);
        undo.push(() => exporter.unpin(attachment, caller));
      }
      const table = yield* exporter.map(attachment, direction, caller);
      undo.push(() => exporter.unmap(attachment, table, direction, caller));
      if (!attachment.isDynamic) yield* wait(reservation, ResvUsage.Kernel, `KERNEL fences of ${name}`);
      undo.length = 0;
      return this.#add(attachment, direction, table, isPinned);
    } finally {
      for (const step of undo.reverse()) step();
    }
  }

  /** Whoever is attached was told that it can reach the buffer: a pin that says otherwise is the exporter's fault. */
  *#pin(caller: DmaBufCaller, attachment: ObjectAttachment<Table>): Task<void> {
    try {
      yield* this.parts.exporter.pin(attachment, caller);
    } catch (error) {
      this.parts.audit.pinForMapFailed(caller, attachment, error);
      throw error;
    }
  }

  #add(
    attachment: ObjectAttachment<Table>,
    direction: DataDirection,
    table: Table,
    isPinned: boolean,
  ): ObjectMapping<Table> {
    this.#number += 1;
    const mapping = new ObjectMapping(attachment, this.#number, direction, table, isPinned);
    this.#live.add(mapping);
    attachment.addMapping(mapping);
    return mapping;
  }

  unmap(caller: DmaBufCaller, mapping: ObjectMapping<Table>, direction: DataDirection): void {
    const { exporter, audit, changes } = this.parts;
    if (!this.#live.has(mapping)) {
      audit.unmapTwice(caller, mapping);
      return;
    }
    audit.unmap(caller, mapping, direction);
    const { attachment } = mapping;
    this.#live.delete(mapping);
    attachment.removeMapping(mapping);
    mapping.state = 'ended';
    try {
      exporter.unmap(attachment, mapping.exporterTable, direction, caller);
    } finally {
      if (mapping.isPinned) exporter.unpin(attachment, caller);
      changes.wake();
    }
  }

  /** The fences of what was invalidated are over: the storage is no longer that of those mappings. */
  voidInvalidated(): void {
    for (const mapping of this.#live) if (mapping.state === 'invalidated') mapping.state = 'void';
  }
}
