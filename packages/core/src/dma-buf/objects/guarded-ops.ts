import { ErrnoError, type Task } from '../../base/index.js';
import type { ResvObject } from '../../sync/index.js';
import type { ObjectAttachment } from './attachment.js';
import type { DmaBufCaller } from './caller.js';
import { assertCallbackRule } from './lock-rules.js';
import type { DataDirection, DmaBufObjectOps, ObjectVma } from './object-ops.js';

/**
 * The ops of an exporter, called as the locking convention says: each has to come back with the lock as it was.
 *
 * An optional op that is missing does nothing, where Linux does nothing.
 */
export class GuardedOps<Table, Vma extends ObjectVma> {
  /**
   * @throws ErrnoError EINVAL when a mandatory op is missing, or one of pin and unpin
   * Source: the checks of dma_buf_export, v6.12.
   */
  constructor(
    readonly name: string,
    private readonly ops: DmaBufObjectOps<Table, Vma>,
    private readonly reservation: ResvObject,
  ) {
    const given: Partial<DmaBufObjectOps<Table, Vma>> = ops;
    const refuse = (reason: string): ErrnoError =>
      new ErrnoError('EINVAL', 'dma_buf_export', `Cannot export a buffer of ${name}: ${reason}`);
    for (const op of ['mapDmaBuf', 'unmapDmaBuf', 'release'] as const) {
      if (given[op] === undefined) throw refuse(`the exporter has no ${op}`);
    }
    if ((given.pin === undefined) !== (given.unpin === undefined)) throw refuse('pin and unpin come together');
  }

  /** Whether the storage can move. Source: dma_buf_is_dynamic, v6.12. */
  get isMovable(): boolean {
    return this.ops.pin !== undefined;
  }

  get canMmap(): boolean {
    return this.ops.mmap !== undefined;
  }

  attach(attachment: ObjectAttachment<Table>, caller: DmaBufCaller): void {
    this.ops.attach?.(attachment, caller);
    assertCallbackRule('attach', caller, this.reservation);
  }

  detach(attachment: ObjectAttachment<Table>, caller: DmaBufCaller): void {
    this.ops.detach?.(attachment, caller);
    assertCallbackRule('detach', caller, this.reservation);
  }

  *pin(attachment: ObjectAttachment<Table>, caller: DmaBufCaller): Task<void> {
    if (this.ops.pin !== undefined) yield* this.ops.pin(attachment, caller);
    assertCallbackRule('pin', caller, this.reservation);
  }

  unpin(attachment: ObjectAttachment<Table>, caller: DmaBufCaller): void {
    this.ops.unpin?.(attachment, caller);
    assertCallbackRule('unpin', caller, this.reservation);
  }

  /** @throws ErrnoError ENOMEM when the exporter gives no table */
  *map(attachment: ObjectAttachment<Table>, direction: DataDirection, caller: DmaBufCaller): Task<Table> {
    const table = yield* this.ops.mapDmaBuf(attachment, direction, caller);
    assertCallbackRule('map_dma_buf', caller, this.reservation);
    if (table !== undefined) return table;
    const message = `Cannot map ${this.name} for ${attachment.device}: the exporter gave no table`;
    throw new ErrnoError('ENOMEM', 'dma_buf_map_attachment', message);
  }

  unmap(attachment: ObjectAttachment<Table>, table: Table, direction: DataDirection, caller: DmaBufCaller): void {
    this.ops.unmapDmaBuf(attachment, table, direction, caller);
    assertCallbackRule('unmap_dma_buf', caller, this.reservation);
  }

  release(caller: DmaBufCaller): void {
    this.ops.release(caller);
    assertCallbackRule('release', caller, this.reservation);
  }

  *beginCpuAccess(direction: DataDirection, caller: DmaBufCaller): Task<void> {
    if (this.ops.beginCpuAccess !== undefined) yield* this.ops.beginCpuAccess(direction, caller);
    assertCallbackRule('begin_cpu_access', caller, this.reservation);
  }

  endCpuAccess(direction: DataDirection, caller: DmaBufCaller): void {
    this.ops.endCpuAccess?.(direction, caller);
    assertCallbackRule('end_cpu_access', caller, this.reservation);
  }

  mmap(vma: Vma, caller: DmaBufCaller): void {
    this.ops.mmap?.(vma, caller);
    assertCallbackRule('mmap', caller, this.reservation);
  }

  /** @throws ErrnoError EINVAL when the exporter has no vmap */
  vmap(caller: DmaBufCaller): readonly Uint8Array[] {
    if (this.ops.vmap === undefined) {
      throw new ErrnoError('EINVAL', 'dma_buf_vmap', `Cannot vmap ${this.name}: the exporter has no vmap`);
    }
    const pages = this.ops.vmap(caller);
    assertCallbackRule('vmap', caller, this.reservation);
    return pages;
  }

  vunmap(pages: readonly Uint8Array[], caller: DmaBufCaller): void {
    this.ops.vunmap?.(pages, caller);
    assertCallbackRule('vunmap', caller, this.reservation);
  }
}
