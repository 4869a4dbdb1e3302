/**
 * A dma-buf within one actor: what drivers, device files and the simulated kernel share.
 *
 * It keeps the rules between one exporter and any number of importers: who may call what under which lock, what is paired
 * with what, what is undone when a step fails. What the storage is, and where, is the exporter's business; `Table` is what
 * it hands to importers.
 *
 * Every call says who makes it, since the locking convention is about the lock that the caller holds. A breach of the
 * convention is an `InvariantError`; a violation that Linux does not check is a finding (`rules.ts`).
 *
 * Source: struct dma_buf and drivers/dma-buf/dma-buf.c, v6.12. Differs: storage is mapped at map and not at attach, as later
 * kernels do; attach and detach take no lock for their list, which changes in one step here.
 */
import { assert, ErrnoError, type Task } from '../../base/index.js';
import { PAGE_SIZE } from '../../memory/index.js';
import type { ResvObject } from '../../sync/index.js';
import { ObjectAttachment, type ObjectMapping } from './attachment.js';
import type { DmaBufCaller } from './caller.js';
import { CpuAccesses } from './cpu-accesses.js';
import { GuardedOps } from './guarded-ops.js';
import { KernelView } from './kernel-view.js';
import { assertCallbackRule, assertCallRule } from './lock-rules.js';
import { ObjectAudit } from './object-audit.js';
import { ObjectMappings } from './object-mappings.js';
import {
  type DataDirection,
  type DmaBufObjectOps,
  type ObjectImporterOps,
  type ObjectVma,
  type ResvWaiter,
  waitUninterrupted,
} from './object-ops.js';
import type { ObjectParts } from './object-parts.js';
import { DmaBufRules } from './rules.js';
import { WakeList } from './wake-list.js';

/** Page offsets of the kernel are 64-bit. */
const PAGE_OFFSETS = 2 ** 64;

/** What makes a buffer. Source: struct dma_buf_export_info, v6.12. */
export interface DmaBufObjectInit<Table, Vma extends ObjectVma = ObjectVma> {
  /** exp_name. */
  readonly exporterName: string;
  /** What messages call the buffer; the exporter's name when absent. */
  readonly name?: string;
  /** Whole pages, for life. */
  readonly sizeBytes: number;
  readonly ops: DmaBufObjectOps<Table, Vma>;
  /** Its own, or one that it shares with the exporter's object. */
  readonly reservation: ResvObject;
  /** Like Linux 6.12, on its own, when absent. */
  readonly rules?: DmaBufRules;
}

export class DmaBufObject<Table, Vma extends ObjectVma = ObjectVma> {
  readonly exporterName: string;
  readonly name: string;
  readonly sizeBytes: number;
  readonly reservation: ResvObject;
  readonly rules: DmaBufRules;
  /** Woken when a mapping, a pin or a CPU access has ended. */
  readonly changes = new WakeList();
  readonly #parts: ObjectParts<Table, Vma>;
  readonly #attachments = new Set<ObjectAttachment<Table>>();
  /** Attachments with pins; those too that were detached with them. */
  readonly #pinners = new Set<ObjectAttachment<Table>>();
  readonly #mappings: ObjectMappings<Table, Vma>;
  readonly #cpu: CpuAccesses<Table, Vma>;
  readonly #view: KernelView;
  #references = 1;
  /** No new mapping is given; see `revokeMappings`. */
  isRevoked = false;

  /**
   * Exports a buffer, held once.
   *
   * @param caller who exports; absent = somebody who holds no lock
   * @throws ErrnoError EINVAL when a mandatory op is missing, or one of pin and unpin
   * Source: dma_buf_export, v6.12.
   */
  constructor(init: DmaBufObjectInit<Table, Vma>, caller?: DmaBufCaller) {
    const { reservation, exporterName, ops, name = exporterName, sizeBytes, rules = new DmaBufRules() } = init;
    if (caller !== undefined) assertCallRule('dma_buf_export', caller, reservation);
    this.exporterName = exporterName;
    this.name = name;
    this.sizeBytes = sizeBytes;
    this.reservation = reservation;
    this.rules = rules;
    const exporter = new GuardedOps(name, ops, reservation);
    const parts = { name, reservation, exporter, audit: new ObjectAudit(rules, name), changes: this.changes };
    this.#parts = parts;
    this.#mappings = new ObjectMappings(parts);
    this.#cpu = new CpuAccesses(parts);
    this.#view = new KernelView(exporter);
  }

  /** In the order in which they came. */
  get attachments(): ReadonlySet<ObjectAttachment<Table>> {
    return this.#attachments;
  }

  /** Of all attachments; those too whose attachment went before them. */
  get mappings(): ReadonlySet<ObjectMapping<Table>> {
    return this.#mappings.live;
  }

  get references(): number {
    return this.#references;
  }

  /** CPU accesses that are open, such as `camera (to-device)`. */
  get cpuAccesses(): readonly string[] {
    return this.#cpu.open;
  }

  /** Users of the kernel's mapping. Source: vmapping_counter, v6.12. */
  get vmapUsers(): readonly string[] {
    return this.#view.users;
  }

  /** Why the storage has to stay where it is, such as `display (pinned)`; one for each pin. */
  get pinnedBy(): readonly string[] {
    const explicit = [...this.#pinners].flatMap(({ device, pins }) => Array<string>(pins).fill(`${device} (pinned)`));
    const implicit = [...this.#mappings.live].filter(({ isPinned }) => isPinned).map(({ name }) => name);
    return [...explicit, ...implicit];
  }

  // --- references ----------------------------------------------------------------------------------------------------

  /** Source: get_dma_buf, v6.12. */
  get(): this {
    assert(this.#references > 0, `get_dma_buf: ${this.name} is not released`);
    this.#references += 1;
    return this;
  }

  /**
   * Gives a reference up; with the last one the storage goes.
   *
   * @throws InvariantError when it is still vmapped, naming the users: BUG_ON in Linux
   * @throws ErrnoError EBUSY in strict mode when devices are attached, or a CPU access is open
   * Source: dma_buf_put, dma_buf_release, v6.12.
   */
  put(caller: DmaBufCaller): void {
    assertCallRule('dma_buf_put', caller, this.reservation);
    assert(this.#references > 0, `dma_buf_put: ${this.name} is not released`);
    if (this.#references === 1) {
      const users = this.#view.users.join(', ');
      assert(users === '', `dma_buf_release: ${this.name} is not vmapped, by ${users}`);
      this.#parts.audit.release(caller, this.#attachments, this.#cpu.open);
    }
    this.#references -= 1;
    if (this.#references > 0) return;
    this.#parts.exporter.release(caller);
  }

  // --- attachments ---------------------------------------------------------------------------------------------------

  /**
   * Attaches a device whose driver does not follow moves: what it maps is pinned.
   *
   * @throws ErrnoError EINVAL without a device, and what the exporter throws, as it is; nothing is attached then
   * Source: dma_buf_attach, v6.12.
   */
  attach(caller: DmaBufCaller, device: string): ObjectAttachment<Table> {
    assertCallRule('dma_buf_attach', caller, this.reservation);
    return this.#attach('dma_buf_attach', caller, device);
  }

  /**
   * Attaches a device whose driver follows moves.
   *
   * @throws ErrnoError EINVAL without a device, or in 6.12 without `moveNotify`, and what the exporter throws
   * Source: dma_buf_dynamic_attach, v6.12.
   */
  dynamicAttach(caller: DmaBufCaller, device: string, importerOps: ObjectImporterOps): ObjectAttachment<Table> {
    const op = 'dma_buf_dynamic_attach';
    assertCallRule(op, caller, this.reservation);
    if (this.rules.kernel === '6.12' && importerOps.moveNotify === undefined) {
      throw new ErrnoError('EINVAL', op, `Cannot attach ${device} to ${this.name}: the importer has no moveNotify`);
    }
    return this.#attach(op, caller, device, importerOps);
  }

  #attach(op: string, caller: DmaBufCaller, device: string, importerOps?: ObjectImporterOps): ObjectAttachment<Table> {
    if (device === '') throw new ErrnoError('EINVAL', op, `Cannot attach to ${this.name}: there is no device`);
    const attachment = new ObjectAttachment<Table>(this.#erased(), device, importerOps);
    this.#parts.exporter.attach(attachment, caller);
    attachment.isAttached = true;
    this.#attachments.add(attachment);
    return attachment;
  }

  /** Attachments need no more of a mapping of user space than every buffer knows. */
  #erased(): DmaBufObject<Table, ObjectVma> {
    return this as unknown as DmaBufObject<Table, ObjectVma>;
  }

  /**
   * Detaches.
   *
   * @throws ErrnoError in strict mode: EINVAL when it is not attached here, EBUSY while it is mapped or pinned. Linux
   *   ignores the first and does not look at the second
   * Source: dma_buf_detach, v6.12.
   */
  detach(caller: DmaBufCaller, attachment: ObjectAttachment<Table>): void {
    assertCallRule('dma_buf_detach', caller, this.reservation);
    const { audit, exporter } = this.#parts;
    if (!this.#attachments.has(attachment)) {
      audit.detachForeign(caller, attachment);
      return;
    }
    audit.detach(caller, attachment);
    this.#attachments.delete(attachment);
    attachment.isAttached = false;
    exporter.detach(attachment, caller);
    this.changes.wake();
  }

  // --- pins ----------------------------------------------------------------------------------------------------------

  /**
   * Pins the storage where it is, for an importer that has to keep its mapping for long, such as a display.
   *
   * @throws ErrnoError what the exporter throws; EINVAL in strict mode for an importer that does not follow moves: its
   *   mappings are pinned anyhow, where Linux warns and pins
   * Source: dma_buf_pin, v6.12.
   */
  *pin(caller: DmaBufCaller, attachment: ObjectAttachment<Table>): Task<void> {
    assertCallRule('dma_buf_pin', caller, this.reservation);
    this.#needAttached('dma_buf_pin', attachment);
    this.#parts.audit.pin(caller, attachment);
    yield* this.#parts.exporter.pin(attachment, caller);
    attachment.pins += 1;
    this.#pinners.add(attachment);
  }

  /** Counterpart of `pin`. @throws ErrnoError EINVAL in strict mode when it has no pin; else nothing is done. Source: dma_buf_unpin. */
  unpin(caller: DmaBufCaller, attachment: ObjectAttachment<Table>): void {
    assertCallRule('dma_buf_unpin', caller, this.reservation);
    const { audit, exporter } = this.#parts;
    if (attachment.pins === 0) {
      audit.unpinUnbalanced(caller, attachment);
      return;
    }
    attachment.pins -= 1;
    if (attachment.pins === 0) this.#pinners.delete(attachment);
    exporter.unpin(attachment, caller);
    this.changes.wake();
  }

  // --- mappings ------------------------------------------------------------------------------------------------------

  /**
   * Maps the storage for a device. For an importer that does not follow moves, storage that could move is pinned while it is
   * mapped, and fences of usage KERNEL are waited for; the others wait for them themselves, before they touch it.
   *
   * @param wait how it waits; an error that ends the wait undoes the mapping
   * @throws ErrnoError EINVAL when it is not attached, ENODEV after a revocation, ENOMEM when the exporter has no table, and
   *   what the exporter throws, as it is
   * Source: dma_buf_map_attachment, v6.12.
   */
  *mapAttachment(
    caller: DmaBufCaller,
    attachment: ObjectAttachment<Table>,
    direction: DataDirection,
    wait: ResvWaiter = waitUninterrupted,
  ): Task<ObjectMapping<Table>> {
    const op = 'dma_buf_map_attachment';
    assertCallRule(op, caller, this.reservation);
    this.#needAttached(op, attachment);
    if (this.isRevoked) {
      throw new ErrnoError('ENODEV', op, `Cannot map ${this.name} for ${attachment.device}: the buffer is revoked`);
    }
    return yield* this.#mappings.map(caller, attachment, direction, wait);
  }

  /**
   * Ends a mapping. Never waits.
   *
   * @param direction that of the map
   * @throws ErrnoError EINVAL in strict mode, for another direction, a second unmap, or one that comes after the detach
   * Source: dma_buf_unmap_attachment, v6.12.
   */
  unmapAttachment(
    caller: DmaBufCaller,
    mapping: ObjectMapping<Table>,
    direction: DataDirection = mapping.direction,
  ): void {
    assertCallRule('dma_buf_unmap_attachment', caller, this.reservation);
    this.#mappings.unmap(caller, mapping, direction);
  }

  #needAttached(op: string, attachment: ObjectAttachment<Table>): void {
    if (this.#attachments.has(attachment)) return;
    throw new ErrnoError('EINVAL', op, `Cannot use ${this.name} for ${attachment.device}: it is not attached`);
  }

  // --- moves ---------------------------------------------------------------------------------------------------------

  /** The exporter is about to change the storage: tells every importer that follows moves. Source: dma_buf_move_notify, v6.12. */
  moveNotify(caller: DmaBufCaller): void {
    assertCallRule('dma_buf_move_notify', caller, this.reservation);
    this.#notify(caller);
  }

  /** `moveNotify` by its later name. @throws ErrnoError EOPNOTSUPP before kernel 7. Source: dma_buf_invalidate_mappings. */
  invalidateMappings(caller: DmaBufCaller): void {
    const op = 'dma_buf_invalidate_mappings';
    assertCallRule(op, caller, this.reservation);
    if (this.rules.kernel === '6.12') {
      throw new ErrnoError('EOPNOTSUPP', op, `Cannot invalidate mappings of ${this.name}: kernel 6.12 has moveNotify`);
    }
    this.#notify(caller);
  }

  #notify(caller: DmaBufCaller): void {
    for (const attachment of [...this.#attachments]) {
      const { importerOps } = attachment;
      if (importerOps === undefined || !this.isNotified(attachment)) continue;
      for (const mapping of attachment.mappings) if (mapping.state === 'mapped') mapping.state = 'invalidated';
      const erased = attachment as unknown as ObjectAttachment<unknown>;
      if (importerOps.invalidateMappings !== undefined && this.rules.kernel === '7') {
        importerOps.invalidateMappings(erased, caller);
      } else importerOps.moveNotify?.(erased, caller);
      assertCallbackRule('move_notify', caller, this.reservation);
    }
  }

  /** Whether the importer of an attachment hears of moves. */
  isNotified({ importerOps }: ObjectAttachment<Table>): boolean {
    if (importerOps?.moveNotify !== undefined) return true;
    return this.rules.kernel === '7' && importerOps?.invalidateMappings !== undefined;
  }

  /** The exporter has seen all fences of invalidated mappings signalled: their storage is no longer theirs. The lock is held. */
  voidInvalidatedMappings(): void {
    this.reservation.assertHeld();
    this.#mappings.voidInvalidated();
  }

  // --- the CPU -------------------------------------------------------------------------------------------------------

  /**
   * Begins a CPU access: first the exporter, then the fences of writers and, to write, of readers too.
   *
   * @throws ErrnoError what the exporter throws, before any wait; what ends the wait, such as EINTR
   * Source: dma_buf_begin_cpu_access, v6.12.
   */
  *beginCpuAccess(caller: DmaBufCaller, direction: DataDirection, wait: ResvWaiter = waitUninterrupted): Task<void> {
    assertCallRule('dma_buf_begin_cpu_access', caller, this.reservation);
    yield* this.#cpu.begin(caller, direction, wait);
  }

  /**
   * Ends a CPU access. Never waits.
   *
   * @throws ErrnoError what the exporter throws; EINVAL in strict mode when none of that direction is open
   * Source: dma_buf_end_cpu_access, v6.12.
   */
  endCpuAccess(caller: DmaBufCaller, direction: DataDirection): void {
    assertCallRule('dma_buf_end_cpu_access', caller, this.reservation);
    this.#cpu.end(caller, direction);
  }

  /**
   * Maps the buffer for user space.
   *
   * @param firstPage where a driver puts it; the mapping's own first page when absent, as for mmap(2) of the file
   * @throws ErrnoError EINVAL when the exporter has no mmap or the range ends beyond the buffer, EOVERFLOW when it wraps,
   *   and what the exporter throws
   * Source: dma_buf_mmap, dma_buf_mmap_internal, v6.12.
   */
  mmap(caller: DmaBufCaller, vma: Vma, firstPage?: number): void {
    assertCallRule('dma_buf_mmap', caller, this.reservation);
    const refuse = (code: 'EINVAL' | 'EOVERFLOW', reason: string): ErrnoError =>
      new ErrnoError(code, 'dma_buf_mmap', `Cannot map ${this.name}: ${reason}`);
    if (!this.#parts.exporter.canMmap) throw refuse('EINVAL', 'the exporter has no mmap');
    const first = firstPage ?? vma.first;
    if (firstPage !== undefined && first + vma.count >= PAGE_OFFSETS) throw refuse('EOVERFLOW', 'the range wraps');
    if (first + vma.count > Math.floor(this.sizeBytes / PAGE_SIZE)) {
      throw refuse('EINVAL', `the range ends beyond ${this.sizeBytes} bytes`);
    }
    if (firstPage !== undefined) vma.first = firstPage;
    this.#parts.exporter.mmap(vma, caller);
  }

  /** Maps it for the kernel; all users share one mapping. @throws ErrnoError EINVAL without the op. Source: dma_buf_vmap, v6.12. */
  vmap(caller: DmaBufCaller): readonly Uint8Array[] {
    assertCallRule('dma_buf_vmap', caller, this.reservation);
    return this.#view.map(caller);
  }

  /** Counterpart of `vmap`. @throws InvariantError when it is not vmapped, or as other pages. Source: dma_buf_vunmap, v6.12. */
  vunmap(caller: DmaBufCaller, pages: readonly Uint8Array[]): void {
    assertCallRule('dma_buf_vunmap', caller, this.reservation);
    this.#view.unmap(pages, caller);
    this.changes.wake();
  }
}
