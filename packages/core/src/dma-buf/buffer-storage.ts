/**
 * The storage of buffers: what backs each, what is set aside for its next move, what that costs, and who is attached to it.
 */
import { type AttachmentSlot, sleepUntil, type Task } from '../base/index.js';
import type { BufferSituation, DeviceConstraints } from '../constraints/index.js';
import type { SgTable } from '../memory/index.js';
import { BackgroundFree } from './background-free.js';
import type { BufferTable } from './buffer-table.js';
import { generationOf } from './buffer-words.js';
import type { HeapAllocation } from './dma-heap.js';
import type { ExportedBuffer } from './exported-buffer.js';
import { exporterDied } from './exporter-errors.js';
import type { MovableStorage, StorageParts } from './exporter-ports.js';
import type { AllocationRecord, ExporterRecords } from './exporter-records.js';
import { iovaInUse } from './iova-use.js';
import { StorageAttachments } from './storage-attachments.js';
import { type EagerAllocation, StoragePlanner } from './storage-planner.js';

export class BufferStorage implements MovableStorage {
  readonly planner: StoragePlanner;
  readonly #attachments: StorageAttachments;
  readonly #background: BackgroundFree;

  constructor(
    private readonly parts: StorageParts,
    private readonly table: BufferTable,
    private readonly records: ExporterRecords,
  ) {
    this.planner = new StoragePlanner(parts.heaps);
    this.#attachments = new StorageAttachments((name) => this.planner.heap(name));
    this.#background = new BackgroundFree(parts.services, (bytes) => parts.costs.zeroNs(bytes));
  }

  /** A buffer as the plans take it. */
  situation(buffer: ExportedBuffer, newcomer?: DeviceConstraints): BufferSituation {
    const devices = newcomer === undefined ? buffer.constraints() : [...buffer.constraints(), newcomer];
    const inUse = iovaInUse(this.table.live, buffer, devices);
    return { ...buffer.situation(this.parts.buffers), ...(inUse && { iovaInUse: inUse }) };
  }

  /** Backs a buffer with what was allocated when it was created. @throws ErrnoError ENODEV when its creator has died */
  *backEagerly(buffer: ExportedBuffer, { allocation, why }: EagerAllocation): Task<void> {
    yield* this.spend(buffer, allocation, 'eager');
    if (buffer.orphaned) {
      this.release(allocation);
      throw exporterDied(buffer, 'dma_buf_export');
    }
    this.#back(buffer, allocation, why);
  }

  /** Places a buffer where all that are attached reach it. @throws ErrnoError EINVAL, ENOMEM */
  *place(buffer: ExportedBuffer): Task<void> {
    const placement = this.planner.solve(buffer, iovaInUse(this.table.live, buffer, buffer.constraints()));
    const allocation = this.planner.allocate(buffer, placement, true);
    yield* this.spend(buffer, allocation, 'deferred');
    this.#back(buffer, allocation, this.planner.why(allocation, placement));
  }

  #back(buffer: ExportedBuffer, allocation: HeapAllocation, why: string): void {
    const { clock, trace } = this.parts.services;
    const atNs = clock.now();
    buffer.incoming = allocation;
    this.note(buffer);
    buffer.allocation = allocation;
    buffer.placed({ heap: allocation.heap, atNs, why });
    this.settle(buffer);
    this.lookForHazards(buffer, buffer.constraints());
    trace.add({ track: `buffer ${buffer.name}`, name: `placed in ${allocation.heap}`, startNs: atNs });
    buffer.generation = generationOf(this.parts.buffers.publish(buffer.slot));
    buffer.incoming = undefined;
    this.note(buffer);
  }

  /** Sets storage aside for the next move, in place of what was. */
  reserve(buffer: ExportedBuffer, target: HeapAllocation | undefined): void {
    if (buffer.reserved !== undefined) this.release(buffer.reserved);
    buffer.reserved = target;
    this.note(buffer); // in the step that frees: what it was may be another buffer's from here on
  }

  /** Whether what is set aside is there, and of no use to a device. */
  isReservedBeyond({ reserved }: ExportedBuffer, constraints: DeviceConstraints): boolean {
    return reserved !== undefined && this.violation(reserved, constraints) !== undefined;
  }

  /** The storage for a move: what was set aside, else what its devices need now. @throws ErrnoError EINVAL, ENOMEM */
  *target(buffer: ExportedBuffer): Task<HeapAllocation> {
    const target = buffer.reserved ?? this.planner.allocate(buffer, this.planner.solve(buffer), false);
    buffer.reserved = undefined;
    yield* this.spend(buffer, target, 'move');
    return target;
  }

  /** Closes a buffer, and gives back all that it has. */
  close(buffer: ExportedBuffer): void {
    const storages = [buffer.allocation, buffer.reserved];
    buffer.allocation = undefined;
    buffer.reserved = undefined;
    this.table.close(buffer);
    for (const allocation of storages) if (allocation !== undefined) this.release(allocation);
  }

  /** The pages for an attachment that is settled. @throws ErrnoError of `DmaBufOps.mapDmaBuf` */
  map(slot: AttachmentSlot, storage: HeapAllocation, constraints: DeviceConstraints): SgTable {
    return this.#attachments.map(slot, storage, constraints);
  }

  /** Unmaps and detaches an attachment at the storage. */
  detach(slot: AttachmentSlot): void {
    this.#attachments.drop(slot);
  }

  /**
   * Tells the storage who is attached to it now; after each change of either.
   *
   * @param newcomer the device that is attaching
   * @throws ErrnoError of `DmaBufOps.attach` for the newcomer
   */
  settle(buffer: ExportedBuffer, newcomer?: AttachmentSlot): void {
    const { allocation } = buffer;
    this.#attachments.settle(
      buffer,
      (constraints) => allocation !== undefined && this.violation(allocation, constraints) === undefined,
      newcomer,
    );
  }

  /** Writes a buffer down for the next life. */
  note(buffer: ExportedBuffer): void {
    this.table.journal.write(buffer);
  }

  /** Why a device cannot use storage; undefined when it can. */
  violation(storage: HeapAllocation, constraints: DeviceConstraints): string | undefined {
    return this.planner.violation(storage, constraints);
  }

  /** Gives storage back that nobody is attached to. */
  release(storage: HeapAllocation): void {
    const heap = this.planner.heap(storage.heap);
    heap.ops.release(storage);
    this.#background.wake(heap);
  }

  /** Records what its devices may come to regret of where a buffer lies. */
  lookForHazards(buffer: ExportedBuffer, devices: readonly DeviceConstraints[]): void {
    if (buffer.allocation === undefined) return;
    const traits = this.planner.heap(buffer.allocation.heap).traits(buffer.sizeBytes);
    this.records.look(buffer, traits, devices, this.parts.services.clock.now());
  }

  /** Lets pass what storage costs: finding the pages, and zeroing those that are not, unless a move overwrites them. */
  *spend(buffer: ExportedBuffer, storage: HeapAllocation, kind: AllocationRecord['kind']): Task<void> {
    const { costs, services } = this.parts;
    const dirtyBytes = kind === 'move' ? 0 : buffer.sizeBytes - (storage.pooledBytes ?? 0);
    const ns = costs.allocationNs(storage) + costs.zeroNs(dirtyBytes);
    this.records.allocation(buffer, storage, kind, services.clock.now(), ns);
    if (ns > 0) yield* sleepUntil(services.clock.now() + ns, 'allocating and zeroing');
  }
}
