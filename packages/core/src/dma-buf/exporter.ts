/**
 * The exporter actor's services: create, attach, map (the slow path), detach, destroy; and what it takes back of the dead.
 *
 * Here is the life of a buffer, and its map; how devices attach to it and detach is in `buffer-attachments.ts`.
 *
 * Storage is not allocated until the first map, where every attached device can reach it; a device that attaches later
 * and cannot reach it makes the buffer move. Services of one buffer run one after the other; other buffers go on.
 *
 * Source: the contract of dma_buf_ops (attach, map_dma_buf) in include/linux/dma-buf.h, v6.12, and the deferred
 * allocation of the cenalloc RFC of 2014. Differs: no upstream exporter defers or moves for an attach.
 */
import {
  type ActorId,
  assert,
  attempt,
  attemptUntil,
  type BoundedList,
  type CallHandler,
  ErrnoError,
  isErrno,
  type Task,
  TIMED_OUT,
} from '../base/index.js';
import { pageAlign } from '../memory/index.js';
import { BufferAttachments, type LeakedMappings } from './buffer-attachments.js';
import type { BufferTally } from './buffer-history.js';
import { BufferMoves } from './buffer-moves.js';
import { BufferStorage } from './buffer-storage.js';
import { BufferTable } from './buffer-table.js';
import { generationOf } from './buffer-words.js';
import type { DmaHeap, HeapAllocation } from './dma-heap.js';
import type { AttachedDevice, ExportedBuffer } from './exported-buffer.js';
import { detachedMeanwhile, exporterDied, refuseCorrupt, staleHandle } from './exporter-errors.js';
import type { PastBuffer } from './exporter-journal.js';
import type { ExporterParts, Mover } from './exporter-ports.js';
import { ExporterRecords } from './exporter-records.js';
import type {
  AttachReply,
  AttachRequest,
  BufferHandle,
  BufferRequest,
  CreateRequest,
  DetachRequest,
  MapReply,
  MapRequest,
} from './protocol.js';
import type { EagerAllocation } from './storage-planner.js';

export class Exporter<M extends Mover = Mover> {
  readonly records: ExporterRecords;
  readonly leaks: BoundedList<LeakedMappings>;
  readonly mover: M;
  readonly #table: BufferTable;
  readonly #storage: BufferStorage;
  readonly #moves: BufferMoves;
  readonly #attachments: BufferAttachments;

  constructor(private readonly parts: ExporterParts<M>) {
    this.#table = new BufferTable(parts.buffers, parts.journal, parts.lives);
    const { journal } = this.#table;
    this.records = new ExporterRecords(journal);
    parts.watch?.keepIn(journal);
    parts.sanitizer?.keepIn(journal);
    this.#storage = new BufferStorage(parts, this.#table, this.records);
    this.mover = parts.mover(this.#storage);
    this.#moves = new BufferMoves(parts, this.#storage, this.mover);
    const made = { table: this.#table, storage: this.#storage, moves: this.#moves, records: this.records };
    this.#attachments = new BufferAttachments({ ...parts, ...made });
    this.leaks = this.#attachments.leaks;
  }

  /**
   * Takes over what an earlier life has left, before anything is served: its buffers with their pages and attachments. Whoever
   * stood in its queues is gone; the calls are made again.
   *
   * @throws ErrnoError EBUSY when the pages of two buffers overlap, which no journal says
   */
  restore(): void {
    this.parts.queues.reset();
    const adopt = (stored: Parameters<DmaHeap['adopt']>[0]): HeapAllocation => this.heap(stored.heap).adopt(stored);
    const { watch, services } = this.parts;
    const isGivenUp = (buffer: BufferHandle): boolean => watch?.isGivenUp(buffer) === true;
    const buffers = this.#table.restore(adopt, isGivenUp, services.clock.now());
    // An entry names only slots that are guarded already: what does not hold their guards was overwritten.
    for (const buffer of buffers) watch?.look(buffer);
    for (const buffer of buffers) this.#resume(buffer);
  }

  #resume(buffer: ExportedBuffer): void {
    const { allocation, request, attachments, orphaned } = buffer;
    const wasBeingCreated = request.allocate !== 'deferred' && allocation === undefined && attachments.size === 0;
    if (wasBeingCreated && !orphaned) {
      this.#table.forget(buffer);
      return;
    }
    if (orphaned) this.parts.services.spawn(`disown ${buffer.name}`, this.#disown(buffer, false));
    this.#storage.settle(buffer);
    this.#storage.note(buffer);
  }

  /** The services, by the names in `protocol.ts`. */
  handlers(): Record<string, CallHandler> {
    return {
      create: (request: CreateRequest) => this.create(request),
      attach: (request: AttachRequest) => this.attach(request),
      map: (request: MapRequest) => this.map(request),
      detach: (request: DetachRequest) => this.detach(request),
      seal: (request: BufferRequest) => this.seal(request),
      destroy: (request: BufferRequest) => this.destroy(request),
    };
  }

  /** All buffers of the run that are kept, the present ones last. */
  get allBuffers(): readonly PastBuffer[] {
    return this.#table.all;
  }

  /** The counts of all buffers of the run, also of those that are not kept. */
  get tally(): BufferTally & { readonly buffersDropped: number } {
    return { ...this.#table.tally, buffersDropped: this.#table.dropped };
  }

  /** Mappings and pins that were not ended when their device detached; of detaches that are not kept, one each. */
  get leakedMappings(): number {
    return this.leaks.items.reduce((sum, { mappings }) => sum + mappings, this.leaks.dropped);
  }

  /** Bytes that moves have copied, by what is on record. */
  get bytesMoved(): number {
    return this.#table.tally.bytes;
  }

  get liveBuffers(): Iterable<ExportedBuffer> {
    return this.#table.live;
  }

  /** @throws ErrnoError ENODEV when there is no heap of that name */
  heap(name: string): DmaHeap {
    return this.#storage.planner.heap(name);
  }

  /** Creates a buffer; allocates nothing when that is deferred. @throws ErrnoError EINVAL, ENODEV, ENOMEM, ENOSPC */
  *create(request: CreateRequest): Task<BufferHandle> {
    if (!Number.isSafeInteger(request.sizeBytes) || request.sizeBytes <= 0) {
      throw new ErrnoError('EINVAL', 'dma_buf_export', `Cannot create ${request.name}: size ${request.sizeBytes}`);
    }
    const known = this.#table.takeRestored(request);
    if (known !== undefined) return { slot: known.slot, life: known.life };
    const sizeBytes = pageAlign(request.sizeBytes);
    const slot = this.#table.takeSlot(request.name);
    let eager: EagerAllocation | undefined;
    try {
      eager = this.#storage.planner.allocateAtCreate(request.allocate, sizeBytes);
    } catch (error) {
      this.#table.giveSlot(slot);
      throw error;
    }
    const buffer = this.#table.open(slot, request, sizeBytes);
    this.parts.watch?.openedBuffer(buffer);
    this.#storage.note(buffer);
    // Whoever guesses the handle waits until it is backed: a map would place it a second time.
    if (eager !== undefined) yield* this.parts.queues.serialised(slot, () => this.#storage.backEagerly(buffer, eager));
    return { slot, life: buffer.life };
  }

  /** Attaches a device. See `DmaBufImporter.attach` for the errors. */
  attach(request: AttachRequest): Task<AttachReply> {
    return this.#attachments.attach(request);
  }

  /** The slow path of a map: places the buffer, or moves it for a device that cannot reach it. */
  *map(request: MapRequest): Task<MapReply> {
    const buffer = this.#table.lookUp(request.buffer, 'dma_buf_map_attachment');
    const asked = buffer.attachments.get(request.attachment);
    if (buffer.allocation === undefined) yield* this.#awaitExpected(buffer);
    return yield* this.parts.queues.serialised(buffer.slot, () => {
      // Detached in the queue: its slot may be another's by now.
      if (asked !== undefined && buffer.attachments.get(request.attachment) !== asked) {
        throw detachedMeanwhile(buffer, asked.device);
      }
      return this.#map(buffer, request);
    });
  }

  *#map(buffer: ExportedBuffer, request: MapRequest): Task<MapReply> {
    const requestedNs = this.parts.services.clock.now();
    const attached = buffer.attachments.get(request.attachment);
    if (buffer.orphaned) throw exporterDied(buffer, 'dma_buf_map_attachment');
    if (attached === undefined) throw staleHandle('dma_buf_map_attachment', request.buffer);
    refuseCorrupt(this.parts.watch, buffer, 'dma_buf_map_attachment');
    let did: MapReply['did'] = 'mapping';
    if (buffer.allocation === undefined) {
      did = 'placing';
      yield* this.#storage.place(buffer);
      buffer.firstMap = { device: attached.device, atNs: requestedNs };
      this.#storage.note(buffer);
    } else if (this.#mustMove(buffer, attached)) {
      did = 'moving';
      try {
        yield* this.#moves.forMap(buffer, attached, requestedNs);
      } catch (error) {
        if (!isErrno(error)) throw error;
        // Whoever can reach the present storage keeps it; only the one that cannot is refused.
        if (this.#storage.violation(buffer.allocation, attached.constraints) !== undefined) throw error;
      }
    }
    if (buffer.orphaned) throw exporterDied(buffer, 'dma_buf_map_attachment'); // while this waited
    // Detached while this waited, where the move went on for others: nothing may be mapped for its slot any more.
    if (buffer.attachments.get(attached.slot) !== attached) throw detachedMeanwhile(buffer, attached.device);
    assert(buffer.allocation !== undefined, 'a mapped buffer is backed');
    const { slot, constraints, device } = attached;
    const violation = this.#storage.violation(buffer.allocation, constraints);
    if (violation !== undefined) {
      const details = { buffer: buffer.name, device };
      throw new ErrnoError('EIO', 'dma_buf_map_attachment', `Cannot map ${buffer.name}: ${violation}`, details);
    }
    const { runs } = this.#storage.map(slot, buffer.allocation, constraints);
    const isLocal = buffer.allocation.localTo === device;
    const state = this.parts.buffers.state(buffer.slot);
    this.parts.sanitizer?.mapped(buffer.allocation, buffer.name, generationOf(state), device);
    return { state, runs, did, ...(isLocal && { isLocal }) };
  }

  /**
   * Whether a map has to move the buffer: not where the device has it mapped by now, through another of its generators. The move
   * would wait for that mapping, which may last until the asker goes on.
   */
  #mustMove(buffer: ExportedBuffer, { slot }: AttachedDevice): boolean {
    return this.parts.buffers.mappings(slot) === 0 && this.#storage.planner.unreachable(buffer).length > 0;
  }

  /** Detaches a device. Served at once, also while the buffer moves; the constraints widen. */
  detach(request: DetachRequest): Task<void> {
    return this.#attachments.detach(request);
  }

  /** Says that no further device is expected: the first map need not wait. */
  *seal(request: BufferRequest): Task<void> {
    const buffer = this.#table.lookUp(request.buffer, 'dma_buf_seal');
    buffer.awaited.clear();
    this.#storage.note(buffer);
    this.parts.queues.changed(buffer.slot);
  }

  /** Frees a buffer once its last device has detached. Source: the release op at the last dma_buf_put, v6.12. */
  *destroy(request: BufferRequest): Task<void> {
    const buffer = this.#table.lookUp(request.buffer, 'dma_buf_put');
    if (buffer.orphaned) throw exporterDied(buffer, 'dma_buf_put');
    if (buffer.dying) throw staleHandle('dma_buf_put', request.buffer); // its slot may be another's when this is served
    buffer.dying = true;
    yield* this.#releaseWhenDetached(buffer);
  }

  *#releaseWhenDetached(buffer: ExportedBuffer): Task<void> {
    yield* attempt(() =>
      this.parts.queues.whenStep(buffer.slot, () => buffer.attachments.size === 0, `the last detach of ${buffer.name}`),
    );
    yield* this.parts.queues.serialised(buffer.slot, () => this.#release(buffer));
  }

  *#release(buffer: ExportedBuffer): Task<void> {
    this.parts.watch?.look(buffer);
    this.#storage.close(buffer);
  }

  /**
   * Takes back what a dead actor held of buffers: its mappings and attachments; and disowns the buffers that it exported:
   * present mappings of others stay good, new ones and those that wait are ENODEV, and the last detach frees them. Idempotent. The counts are
   * set, never subtracted from, and everybody who waits for them is woken (crash story of `buffer-words.ts`).
   */
  reclaim(dead: ActorId): void {
    this.#attachments.voidAttachesOf(dead);
    for (const buffer of this.#table.live) {
      this.#attachments.reclaim(buffer, dead);
      if (buffer.request.actor !== dead || buffer.orphaned) continue;
      buffer.orphaned = true;
      const wasDying = buffer.dying;
      buffer.dying = true;
      this.#storage.note(buffer);
      // Maps that wait for devices that are expected, or inside a move, end now; only a move that copies ends when it has copied.
      this.mover.giveUp(buffer);
      this.parts.queues.changed(buffer.slot);
      this.parts.services.spawn(`disown ${buffer.name}`, this.#disown(buffer, wasDying));
    }
  }

  /** After the service that is under way, such as a move; `wasDying`: a destroy that was asked for frees it anyway. */
  *#disown(buffer: ExportedBuffer, wasDying: boolean): Task<void> {
    const { queues, buffers } = this.parts;
    const serve = function* (): Task<void> {
      if (buffer.allocation !== undefined) buffers.disown(buffer.slot);
    };
    yield* queues.serialised(buffer.slot, serve);
    if (!wasDying) yield* this.#releaseWhenDetached(buffer);
  }

  *#awaitExpected(buffer: ExportedBuffer): Task<void> {
    if (buffer.awaited.size === 0) return;
    const untilNs = this.parts.services.clock.now() + buffer.request.expectTimeoutNs;
    const isOver = (): boolean => buffer.awaited.size === 0 || buffer.orphaned;
    const outcome = yield* attemptUntil(
      () => this.parts.queues.whenStep(buffer.slot, isOver, 'the devices it expects'),
      untilNs,
    );
    if (outcome !== TIMED_OUT) return;
    const missing = [...buffer.awaited].join(', ');
    throw new ErrnoError(
      'ETIMEDOUT',
      'dma_buf_map_attachment',
      `Cannot place ${buffer.name}: it expects ${missing}, which did not attach within ${buffer.request.expectTimeoutNs} ns`,
      { buffer: buffer.name, missing: [...buffer.awaited] },
    );
  }

  /** The buffer of a handle; undefined when it is gone. */
  find(handle: BufferHandle): ExportedBuffer | undefined {
    return this.#table.find(handle);
  }
}
