/**
 * An exporter whose storage moves while it is shared: the example of the rules for pins, moves and mappings.
 *
 *   leases over (no lock held) -> reservation locked -> leases, pins and importers looked at -> moveNotify -> fences waited
 *   for, up to BOOKKEEP -> the time of the copy -> bytes copied, storage published, mappings of user space zapped, all in one
 *   step -> unlocked, old storage freed
 *
 * Why nothing is lost: an importer that follows moves publishes the fence of each job before it gives up the lock, so all its
 * work is among the fences. A CPU access that is open keeps the move waiting. A store of user space without one goes to the
 * old page until the very step that copies it, and to the new page after; no lock and no fence is needed for it.
 *
 * Invariants
 *   I1  The storage changes only under the lock, with no pin, no kernel mapping and no open CPU access.
 *   I2  A move that fails leaves the storage as it was; the target still is the caller's.
 *   I3  Storage is chosen at the first map, kernel mapping or fault, when all who attached before are known.
 *
 * Source: ttm_bo_evict, amdgpu_bo_move_notify and amdgpu_dma_buf.c, v6.12. Differs: the copy is waited for, where TTM puts a
 * fence of usage KERNEL on the reservation; CPU accesses are waited for, since model programs hold views of pages.
 */
import { assert, ErrnoError, type ErrorDetails, type Task } from '../../base/index.js';
import { PAGE_SIZE } from '../../memory/index.js';
import { fenceName, type ResvObject, ResvUsage, type WaitLimit } from '../../sync/index.js';
import type { ObjectAttachment } from './attachment.js';
import type { DmaBufCaller } from './caller.js';
import { DmaBufObject } from './dma-buf-object.js';
import type { DmaBufObjectOps, ObjectVma } from './object-ops.js';
import type { DmaBufRules } from './rules.js';
import type { StorageAccess } from './storage-access.js';

/** What makes a movable buffer. */
export interface MovableExporterInit<Table, Vma extends ObjectVma = ObjectVma> {
  readonly name: string;
  /** exp_name; `movable` when absent. */
  readonly exporterName?: string;
  /** Whole pages. */
  readonly sizeBytes: number;
  readonly reservation: ResvObject;
  readonly rules?: DmaBufRules;
  readonly access: StorageAccess<Table>;
  /** Chooses storage, once, for the devices that have attached. @throws ErrnoError ENOMEM */
  readonly allocate: (devices: readonly string[]) => Table;
  /** Whether a device reaches storage. Absent = every device does. */
  readonly isReachable?: (table: Table, device: string) => boolean;
  /** The ops that the buffer is exported with, such as these with a CPU cache before them. Absent = the exporter's own. */
  readonly decorate?: (exporter: MovableExporter<Table, Vma>) => DmaBufObjectOps<Table, Vma>;
}

export interface MoveOptions {
  /** For leases and fences together; absent = as long as it takes. */
  readonly limit?: WaitLimit;
  /** Lets the time pass that the copy takes. Absent = none. */
  readonly spendCopyTime?: () => Task<void>;
}

export class MovableExporter<Table, Vma extends ObjectVma = ObjectVma> implements DmaBufObjectOps<Table, Vma> {
  readonly buffer: DmaBufObject<Table, Vma>;
  #storage: Table | undefined;
  #generation = 0;
  #zappedPages = 0;
  #faults = 0;
  /** Pages in the page tables of user space. */
  readonly #present = new Set<number>();

  constructor(private readonly init: MovableExporterInit<Table, Vma>) {
    const { name, exporterName = 'movable', sizeBytes, reservation, rules } = init;
    const ops = init.decorate?.(this) ?? this;
    assert(sizeBytes > 0 && sizeBytes % PAGE_SIZE === 0, `${name} is whole pages`);
    this.buffer = new DmaBufObject({ exporterName, name, sizeBytes, reservation, rules, ops });
  }

  /** Undefined until it is first needed. */
  get storage(): Table | undefined {
    return this.#storage;
  }

  /** A page where it is now; undefined beyond the end. */
  page(index: number): Uint8Array | undefined {
    return this.init.access.page(this.#needStorage(), index);
  }

  /** Moves so far. */
  get generation(): number {
    return this.#generation;
  }

  /** Pages taken out of the page tables of user space by moves, in all. */
  get zappedPages(): number {
    return this.#zappedPages;
  }

  /** Faults of user space, in all. */
  get faults(): number {
    return this.#faults;
  }

  /**
   * Moves the buffer.
   *
   * @param target storage of the same size, whose content does not matter; the caller's again when the move fails
   * @throws ErrnoError EBUSY when the storage is pinned, mapped for the kernel, or mapped by an importer that is not told of
   *   moves; ETIMEDOUT when CPU accesses or fences do not end in time. The details name who is in the way
   * @throws ErrnoError EINVAL when the target is of another size
   */
  *move(caller: DmaBufCaller, target: Table, options: MoveOptions = {}): Task<void> {
    const length = this.init.access.lengthBytes(target);
    if (length !== this.buffer.sizeBytes) throw this.#refusal('EINVAL', `the target has ${length} bytes`);
    yield* this.#lockWithoutLeases(caller, options.limit);
    try {
      yield* this.#moveLocked(caller, target, options);
    } finally {
      caller.unlock(this.buffer.reservation);
    }
  }

  /** An access may end only after its program took the lock for something else: so leases are waited for without it. */
  *#lockWithoutLeases(caller: DmaBufCaller, limit?: WaitLimit): Task<void> {
    const { buffer } = this;
    for (;;) {
      const isOver = yield* buffer.changes.until(() => buffer.cpuAccesses.length === 0, 'CPU accesses', limit);
      if (!isOver) {
        const open = buffer.cpuAccesses;
        throw this.#refusal('ETIMEDOUT', `CPU accesses are open: ${open.join(', ')}`, { holders: open });
      }
      yield* caller.lock(buffer.reservation);
      if (buffer.cpuAccesses.length === 0) return;
      caller.unlock(buffer.reservation);
    }
  }

  *#moveLocked(caller: DmaBufCaller, target: Table, { limit, spendCopyTime }: MoveOptions): Task<void> {
    const { buffer } = this;
    this.#refuseIfHeld();
    if (this.#storage === undefined) {
      this.#storage = target; // nobody has seen any storage yet
      return;
    }
    if (buffer.rules.kernel === '7') buffer.invalidateMappings(caller);
    else buffer.moveNotify(caller);
    const inTime = yield* buffer.reservation.wait(ResvUsage.Bookkeep, 'fences before a move', limit);
    if (!inTime) {
      const fences = buffer.reservation.getFences(ResvUsage.Bookkeep).map(fenceName);
      throw this.#refusal('ETIMEDOUT', `fences are pending: ${fences.join(', ')}`, { holders: fences });
    }
    if (spendCopyTime !== undefined) yield* spendCopyTime();
    this.#publish(this.#storage, target);
  }

  /** Copies and publishes in one step, so that no store falls between (I1). */
  #publish(from: Table, to: Table): void {
    this.init.access.copy(to, from);
    this.#storage = to;
    this.#generation += 1;
    this.#zappedPages += this.#present.size;
    this.#present.clear();
    this.buffer.voidInvalidatedMappings();
    this.init.access.free(from);
  }

  #refuseIfHeld(): void {
    const { buffer } = this;
    const refuse = (why: string, holders: readonly string[]): void => {
      if (holders.length > 0) throw this.#refusal('EBUSY', `${why} ${holders.join(', ')}`, { holders });
    };
    refuse('it is pinned by', buffer.pinnedBy);
    refuse('it is mapped for the kernel by', buffer.vmapUsers);
    const untold = [...buffer.mappings].filter(({ attachment }) => !buffer.isNotified(attachment));
    refuse(
      'nobody tells the importer of',
      untold.map(({ name }) => name),
    );
  }

  #refusal(code: 'EBUSY' | 'EINVAL' | 'ETIMEDOUT', reason: string, details: ErrorDetails = {}): ErrnoError {
    return new ErrnoError(code, 'dma_buf_move', `Cannot move ${this.buffer.name}: ${reason}`, details);
  }

  // --- the ops of an exporter ----------------------------------------------------------------------------------------

  attach({ device }: ObjectAttachment<Table>): void {
    if (this.#storage === undefined || this.#reaches(this.#storage, device)) return;
    const holders = [...this.buffer.pinnedBy, ...this.buffer.vmapUsers];
    if (holders.length === 0) return;
    throw this.#unreachable('dma_buf_attach', device, `and it cannot move, for ${holders.join(', ')}`);
  }

  /** The storage is chosen now at the latest; the counts of the buffer keep it where it is. */
  *pin({ device }: ObjectAttachment<Table>): Task<void> {
    this.#reachableStorage('dma_buf_pin', device);
  }

  unpin(): void {}

  *mapDmaBuf({ device }: ObjectAttachment<Table>): Task<Table> {
    return this.#reachableStorage('dma_buf_map_attachment', device);
  }

  unmapDmaBuf(): void {}

  release(): void {
    if (this.#storage !== undefined) this.init.access.free(this.#storage);
    this.#storage = undefined;
  }

  /** Waits for a move that is under way; one that comes later sees the access. */
  *beginCpuAccess(_direction: unknown, caller: DmaBufCaller): Task<void> {
    yield* caller.lock(this.buffer.reservation);
    caller.unlock(this.buffer.reservation);
  }

  mmap(vma: Vma): void {
    vma.fixedLength = true;
    vma.pager = { page: (index) => this.#fault(index) };
  }

  vmap(): readonly Uint8Array[] {
    const pages: Uint8Array[] = [];
    for (let i = 0; i < this.buffer.sizeBytes / PAGE_SIZE; i += 1) {
      const page = this.page(i);
      if (page !== undefined) pages.push(page);
    }
    return pages;
  }

  vunmap(): void {}

  /** Source: ttm_bo_vm_fault, v6.12. Differs: it never waits for a move, since the old page is good until its last step. */
  #fault(index: number): Uint8Array | undefined {
    const page = this.page(index);
    if (page === undefined) return undefined;
    if (!this.#present.has(index)) this.#faults += 1;
    this.#present.add(index);
    return page;
  }

  #reachableStorage(op: string, device: string): Table {
    const storage = this.#needStorage();
    if (this.#reaches(storage, device)) return storage;
    throw this.#unreachable(op, device, 'move it first');
  }

  #needStorage(): Table {
    this.#storage ??= this.init.allocate([...this.buffer.attachments].map(({ device }) => device)); // I3
    return this.#storage;
  }

  #reaches(table: Table, device: string): boolean {
    return this.init.isReachable?.(table, device) ?? true;
  }

  #unreachable(op: string, device: string, reason: string): ErrnoError {
    const message = `Cannot give ${this.buffer.name} to ${device}: it is placed out of its reach, ${reason}`;
    return new ErrnoError('EBUSY', op, message, { device });
  }
}
