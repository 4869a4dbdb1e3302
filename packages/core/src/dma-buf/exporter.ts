/**
 * The exporter actor's services: create, attach, map (the slow path), detach, destroy.
 *
 * Storage is not allocated until the first map, where every attached device can reach it; a device that attaches later
 * and cannot reach it makes the buffer move. Services of one buffer run one after the other; other buffers go on.
 *
 * Source: the contract of dma_buf_ops (attach, map_dma_buf) in include/linux/dma-buf.h, v6.12, and the deferred
 * allocation of the cenalloc RFC of 2014. Differs: no upstream exporter defers or moves for an attach.
 */
import {
  type ActorId,
  type AttachmentSlot,
  assert,
  attachmentSlot,
  attempt,
  attemptUntil,
  type BufferSlot,
  bufferSlot,
  type CallHandler,
  ErrnoError,
  isErrno,
  sleepUntil,
  type Task,
  TIMED_OUT,
} from '../base/index.js';
import {
  type BufferSituation,
  type DeviceConstraints,
  forcingDevices,
  pinnedForStayText,
} from '../constraints/index.js';
import { pageAlign } from '../memory/index.js';
import { BackgroundFree } from './background-free.js';
import { generationOf } from './buffer-words.js';
import type { DmaHeap, HeapAllocation, StoredAllocation } from './dma-heap.js';
import { type AttachedDevice, ExportedBuffer } from './exported-buffer.js';
import {
  cannotMove,
  corruptSlot,
  detachedMeanwhile,
  exporterDied,
  refusedByPlan,
  staleHandle,
} from './exporter-errors.js';
import { ExporterJournal, type PastBuffer } from './exporter-journal.js';
import type { ExporterParts, MoveCause } from './exporter-ports.js';
import { type AllocationRecord, ExporterRecords } from './exporter-records.js';
import { iovaInUse } from './iova-use.js';
import {
  type AttachReply,
  type AttachRequest,
  type BufferHandle,
  type BufferRequest,
  type CreateRequest,
  type DetachRequest,
  type MapReply,
  type MapRequest,
  pinsForItsStay,
} from './protocol.js';
import { SlotPool } from './slot-pool.js';
import { StorageAttachments } from './storage-attachments.js';
import { type EagerAllocation, StoragePlanner } from './storage-planner.js';

const LEAKED = 'leaked mappings';

export class Exporter {
  readonly #buffers = new Map<BufferSlot, ExportedBuffer>();
  /** Buffers that are gone, for the report. */
  readonly #past: PastBuffer[];
  readonly #bufferSlots: SlotPool;
  readonly #attachmentSlots: SlotPool;
  readonly records: ExporterRecords;
  readonly #journal: ExporterJournal;
  /** Buffers and attachments of an earlier life whose creator may not have heard of them, and asks again. */
  readonly #restored = new Set<ExportedBuffer | AttachedDevice>();
  /** Deaths of each actor that were reclaimed: a service that waited across one is void. */
  readonly #deaths = new Map<ActorId, number>();
  /** Mappings and pins that were not ended when their device detached. */
  leakedMappings: number;

  readonly #planner: StoragePlanner;
  readonly #storageAttachments: StorageAttachments;
  readonly #background: BackgroundFree;

  constructor(private readonly parts: ExporterParts) {
    this.#journal = new ExporterJournal(parts.journal, parts.buffers);
    this.records = new ExporterRecords(this.#journal);
    this.#past = this.#journal.restoredPast();
    [this.leakedMappings = 0] = this.#journal.restore<number>(LEAKED);
    this.#planner = new StoragePlanner(parts.heaps);
    this.#storageAttachments = new StorageAttachments((name) => this.heap(name));
    this.#background = new BackgroundFree(parts.services, (bytes) => parts.costs.zeroNs(bytes));
    this.#bufferSlots = new SlotPool(parts.buffers.bufferCount);
    this.#attachmentSlots = new SlotPool(parts.buffers.attachmentCount);
  }

  /**
   * Takes over what an earlier life has left, before anything is served: its buffers with their pages and attachments. Whoever
   * stood in its queues is gone; the calls are made again.
   *
   * @throws ErrnoError EBUSY when the pages of two buffers overlap, which no journal says
   */
  restore(): void {
    this.parts.queues.reset();
    const adopt = (stored: StoredAllocation): HeapAllocation => this.heap(stored.heap).adopt(stored);
    const atNs = this.parts.services.clock.now();
    for (const buffer of this.#journal.restoreBuffers(adopt, atNs)) {
      this.#buffers.set(buffer.slot, buffer);
      this.#bufferSlots.claim(buffer.slot);
      this.#restored.add(buffer);
      for (const attached of buffer.attachments.values()) {
        this.#attachmentSlots.claim(attached.slot);
        this.#restored.add(attached);
      }
    }
    for (const buffer of [...this.#buffers.values()]) this.#resume(buffer);
    // It may have died between opening a slot and guarding it.
    for (const buffer of this.#buffers.values()) {
      this.parts.watch?.openedBuffer(buffer);
      for (const slot of buffer.attachments.keys()) this.parts.watch?.openedAttachment(buffer, slot);
    }
  }

  #resume(buffer: ExportedBuffer): void {
    const { allocation, request, attachments, orphaned } = buffer;
    const wasBeingCreated = request.allocate !== 'deferred' && allocation === undefined && attachments.size === 0;
    if (wasBeingCreated && !orphaned) {
      this.#journal.forget(buffer); // whoever wanted it asks again
      this.#drop(buffer);
      return;
    }
    if (orphaned) this.parts.services.spawn(`disown ${buffer.name}`, this.#disown(buffer, false));
    this.settle(buffer);
    this.#journal.write(buffer);
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

  /** All buffers of the run, the present ones last. */
  get allBuffers(): readonly PastBuffer[] {
    return [...this.#past, ...this.#buffers.values()];
  }

  /** Bytes that moves have copied, by what is on record. */
  get bytesMoved(): number {
    return this.allBuffers.reduce((sum, { moves }) => moves.reduce((bytes, move) => bytes + move.bytes, sum), 0);
  }

  get liveBuffers(): Iterable<ExportedBuffer> {
    return this.#buffers.values();
  }

  /** @throws ErrnoError ENODEV when there is no heap of that name */
  heap(name: string): DmaHeap {
    return this.#planner.heap(name);
  }

  /** Creates a buffer; allocates nothing when that is deferred. @throws ErrnoError EINVAL, ENODEV, ENOMEM, ENOSPC */
  *create(request: CreateRequest): Task<BufferHandle> {
    if (!Number.isSafeInteger(request.sizeBytes) || request.sizeBytes <= 0) {
      throw new ErrnoError('EINVAL', 'dma_buf_export', `Cannot create ${request.name}: size ${request.sizeBytes}`);
    }
    const known = this.#restoredBuffer(request);
    if (known !== undefined) return { slot: known.slot, life: known.life };
    const sizeBytes = pageAlign(request.sizeBytes);
    const slot = bufferSlot(this.#bufferSlots.take(`create ${request.name}`));
    let eager: EagerAllocation | undefined;
    try {
      eager = this.#planner.allocateAtCreate(request.allocate, sizeBytes);
    } catch (error) {
      this.#bufferSlots.give(slot);
      throw error;
    }
    const buffer = new ExportedBuffer(slot, this.parts.buffers.openBuffer(slot), request, sizeBytes);
    this.#buffers.set(slot, buffer);
    this.parts.watch?.openedBuffer(buffer);
    this.#journal.write(buffer);
    // Whoever guesses the handle waits until it is backed: a map would place it a second time.
    if (eager !== undefined) yield* this.parts.queues.serialised(slot, () => this.#backEagerly(buffer, eager));
    return { slot, life: buffer.life };
  }

  /** A buffer that was created before this life began, and the answer was lost. */
  #restoredBuffer({ actor, pool, name }: CreateRequest): ExportedBuffer | undefined {
    for (const one of this.#restored) {
      if (!(one instanceof ExportedBuffer) || one.dying || one.attachments.size > 0) continue;
      if (one.request.actor !== actor || one.request.pool !== pool || one.name !== name) continue;
      this.#restored.delete(one);
      return one;
    }
    return undefined;
  }

  *#backEagerly(buffer: ExportedBuffer, { allocation, why }: EagerAllocation): Task<void> {
    yield* this.#spendOn(buffer, allocation, 'eager');
    if (buffer.orphaned) {
      this.#free(allocation);
      throw exporterDied(buffer, 'dma_buf_export');
    }
    this.#back(buffer, allocation, why);
  }

  /** Attaches a device. See `DmaBufImporter.attach` for the errors. */
  *attach(request: AttachRequest): Task<AttachReply> {
    const buffer = this.#lookUp(request.buffer, 'dma_buf_attach');
    const deaths = this.#deaths.get(request.actor);
    return yield* this.parts.queues.serialised(buffer.slot, () => {
      // Its device has died in the queue: what it asked for would be nobody's.
      if (this.#deaths.get(request.actor) !== deaths) throw detachedMeanwhile(buffer, request.device);
      return this.#attach(buffer, request);
    });
  }

  *#attach(buffer: ExportedBuffer, request: AttachRequest): Task<AttachReply> {
    if (buffer.orphaned) throw exporterDied(buffer, 'dma_buf_attach');
    if (buffer.dying) throw staleHandle('dma_buf_attach', request.buffer);
    this.#refuseCorrupt(buffer, 'dma_buf_attach');
    const { device, constraints } = request;
    const known = this.#restoredAttachment(buffer, request);
    if (known !== undefined) return this.#attachReply(buffer, known, false);
    const atNs = this.parts.services.clock.now();
    const plan = this.#planner.planAttach(this.#situation(buffer, constraints), request, this.parts.policy);
    const slot = attachmentSlot(this.#attachmentSlots.take(`attach ${device} to ${buffer.name}`));
    let target: HeapAllocation | undefined;
    try {
      if (plan.action === 'refuse') throw refusedByPlan(buffer, device, plan);
      const moves = plan.action === 'migrate' && buffer.reserved === undefined;
      if (plan.placement !== undefined && (moves || this.#reservedIsOutOfReach(buffer, constraints))) {
        target = this.#planner.allocate(buffer, plan.placement, false);
      }
    } catch (error) {
      this.#attachmentSlots.give(slot);
      if (isErrno(error)) this.records.attach(buffer, device, 'refused', error.message, [], atNs);
      throw error;
    }
    const { actor, mapping, importer, pin } = request;
    const traits = { mapping, ...(importer && { importer }), ...(pin && { pin }) };
    const attached: AttachedDevice = { slot, device, actor, constraints, ...traits };
    this.parts.buffers.openAttachment(slot);
    this.parts.watch?.openedAttachment(buffer, slot);
    buffer.attachments.set(slot, attached);
    buffer.arriving = slot;
    this.settle(buffer);
    if (target !== undefined) this.#reserve(buffer, target);
    const moved = plan.action === 'migrate' && this.parts.policy.moveAt === 'attach';
    if (moved) {
      yield* this.#moveForAttach(buffer, attached, plan.why, plan.forcedBy);
    }
    if (buffer.orphaned) {
      this.#dropAttachment(buffer, slot);
      throw exporterDied(buffer, 'dma_buf_attach');
    }
    this.records.attach(
      buffer,
      device,
      plan.action === 'migrate' ? 'will-move' : 'compatible',
      plan.why,
      plan.forcedBy,
      atNs,
    );
    this.#lookForHazards(buffer, [constraints]);
    return this.#attachReply(buffer, attached, moved);
  }

  #attachReply(buffer: ExportedBuffer, { slot, device }: AttachedDevice, moved: boolean): AttachReply {
    buffer.awaited.delete(device);
    buffer.arriving = undefined;
    this.#journal.write(buffer);
    this.parts.queues.changed(buffer.slot);
    const { name, sizeBytes, request } = buffer;
    const { actor: owner } = request;
    return { attachment: slot, name, sizeBytes, moved, ...(owner !== undefined && { owner }) };
  }

  /** An attachment that was made before this life began, and the answer was lost. */
  #restoredAttachment({ attachments }: ExportedBuffer, { actor, device }: AttachRequest): AttachedDevice | undefined {
    for (const one of attachments.values()) {
      if (one.actor === actor && one.device === device && this.#restored.delete(one)) return one;
    }
    return undefined;
  }

  /** Sets storage aside for the next move, in place of what was. */
  #reserve(buffer: ExportedBuffer, target: HeapAllocation | undefined): void {
    if (buffer.reserved !== undefined) this.#free(buffer.reserved);
    buffer.reserved = target;
    this.#journal.write(buffer); // in the step that frees: what it was may be another buffer's from here on
  }

  /** Moves at once; when that fails, the attach fails and the attachment is gone again. */
  *#moveForAttach(
    buffer: ExportedBuffer,
    attached: AttachedDevice,
    reason: string,
    forcedBy: readonly string[],
  ): Task<void> {
    const requestedNs = this.parts.services.clock.now();
    try {
      yield* this.#move(buffer, { reason, forcedBy, requestedNs, attachments: [attached.slot] });
    } catch (error) {
      this.#dropAttachment(buffer, attached.slot);
      if (isErrno(error))
        this.records.attach(
          buffer,
          attached.device,
          'refused',
          error.message,
          forcedBy,
          this.parts.services.clock.now(),
        );
      throw error;
    }
  }

  /** The slow path of a map: places the buffer, or moves it for a device that cannot reach it. */
  *map(request: MapRequest): Task<MapReply> {
    const buffer = this.#lookUp(request.buffer, 'dma_buf_map_attachment');
    if (buffer.allocation === undefined) yield* this.#awaitExpected(buffer);
    return yield* this.parts.queues.serialised(buffer.slot, () => this.#map(buffer, request));
  }

  *#map(buffer: ExportedBuffer, request: MapRequest): Task<MapReply> {
    const requestedNs = this.parts.services.clock.now();
    const attached = buffer.attachments.get(request.attachment);
    if (buffer.orphaned) throw exporterDied(buffer, 'dma_buf_map_attachment');
    if (attached === undefined) throw staleHandle('dma_buf_map_attachment', request.buffer);
    this.#refuseCorrupt(buffer, 'dma_buf_map_attachment');
    let did: MapReply['did'] = 'mapping';
    if (buffer.allocation === undefined) {
      did = 'placing';
      yield* this.#place(buffer);
      buffer.firstMap = { device: attached.device, atNs: requestedNs };
      this.#journal.write(buffer);
    } else if (this.#planner.unreachable(buffer).length > 0) {
      did = 'moving';
      try {
        yield* this.#moveForMap(buffer, attached, requestedNs);
      } catch (error) {
        if (!isErrno(error)) throw error;
        // Whoever can reach the present storage keeps it; only the one that cannot is refused.
        if (this.#planner.violation(buffer.allocation, attached.constraints) !== undefined) throw error;
      }
    }
    // Detached while this waited, where the move went on for others: nothing may be mapped for its slot any more.
    if (buffer.attachments.get(attached.slot) !== attached) throw detachedMeanwhile(buffer, attached.device);
    assert(buffer.allocation !== undefined, 'a mapped buffer is backed');
    const { slot, constraints, device } = attached;
    const violation = this.#planner.violation(buffer.allocation, constraints);
    if (violation !== undefined) {
      const details = { buffer: buffer.name, device };
      throw new ErrnoError('EIO', 'dma_buf_map_attachment', `Cannot map ${buffer.name}: ${violation}`, details);
    }
    const { runs } = this.#storageAttachments.map(slot, buffer.allocation, constraints);
    const isLocal = buffer.allocation.localTo === device;
    const state = this.parts.buffers.state(buffer.slot);
    this.parts.sanitizer?.mapped(buffer.allocation, buffer.name, generationOf(state), device);
    return { state, runs, did, ...(isLocal && { isLocal }) };
  }

  *#moveForMap(buffer: ExportedBuffer, attached: AttachedDevice, requestedNs: number): Task<void> {
    const unreachable = this.#planner.unreachable(buffer);
    this.#refuseIfBlocked(buffer, attached.device);
    const placement = this.#planner.solve(buffer);
    const { allocation } = buffer;
    const violation = allocation && this.#planner.violation(allocation, unreachable[0].constraints);
    yield* this.#move(buffer, {
      reason: `${violation}; ${placement.explanation.prose}`,
      forcedBy: forcingDevices(placement),
      requestedNs,
      attachments: unreachable.map(({ slot }) => slot),
    });
  }

  *#move(buffer: ExportedBuffer, cause: MoveCause): Task<void> {
    const target = buffer.reserved ?? this.#planner.allocate(buffer, this.#planner.solve(buffer), false);
    buffer.reserved = undefined;
    yield* this.#spendOn(buffer, target, 'move');
    yield* this.parts.mover.move(buffer, target, cause);
    this.#lookForHazards(buffer, buffer.constraints());
  }

  /** Detaches a device. Served at once, also while the buffer moves; the constraints widen. */
  *detach(request: DetachRequest): Task<void> {
    const buffer = this.#lookUp(request.buffer, 'dma_buf_detach');
    const attached = buffer.attachments.get(request.attachment);
    if (attached === undefined) throw staleHandle('dma_buf_detach', request.buffer);
    const leaked = this.parts.buffers.mappings(attached.slot) + this.parts.buffers.pinsOf(attached.slot);
    if (leaked > 0) {
      this.leakedMappings += leaked;
      this.#journal.put(LEAKED, this.leakedMappings);
    }
    this.#dropAttachment(buffer, attached.slot);
    if (buffer.reserved !== undefined && this.#planner.unreachable(buffer).length === 0) {
      this.#reserve(buffer, undefined);
    }
    if (this.parts.policy.moveBack === 'idle' && !request.ended && buffer.attachments.size > 0) {
      this.parts.services.spawn(`move back ${buffer.name}`, this.#moveBack(buffer, attached.device));
    }
  }

  /** Moves a buffer to a cheaper heap that suits the devices that are left. A failure leaves it where it is. */
  *#moveBack(buffer: ExportedBuffer, gone: string): Task<void> {
    const requestedNs = this.parts.services.clock.now();
    yield* this.parts.queues.serialised(buffer.slot, () => this.#moveBackNow(buffer, gone, requestedNs));
  }

  *#moveBackNow(buffer: ExportedBuffer, gone: string, requestedNs: number): Task<void> {
    if (buffer.dying || buffer.allocation === undefined || buffer.attachments.size === 0) return;
    const plan = this.#planner.planDetach(this.#situation(buffer), gone);
    if (plan.action !== 'migrate') return;
    try {
      yield* this.#move(buffer, {
        reason: plan.why,
        forcedBy: [],
        requestedNs,
      });
    } catch (error) {
      if (!isErrno(error)) throw error; // the move is on record as timed out or refused
    }
  }

  /** Says that no further device is expected: the first map need not wait. */
  *seal(request: BufferRequest): Task<void> {
    const buffer = this.#lookUp(request.buffer, 'dma_buf_seal');
    buffer.awaited.clear();
    this.#journal.write(buffer);
    this.parts.queues.changed(buffer.slot);
  }

  /** Frees a buffer once its last device has detached. Source: the release op at the last dma_buf_put, v6.12. */
  *destroy(request: BufferRequest): Task<void> {
    const buffer = this.#lookUp(request.buffer, 'dma_buf_put');
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
    const storages = [buffer.allocation, buffer.reserved];
    buffer.allocation = undefined;
    buffer.reserved = undefined;
    this.#journal.close(buffer);
    for (const allocation of storages) if (allocation !== undefined) this.#free(allocation);
    this.#past.push(buffer);
    this.#drop(buffer);
  }

  #drop(buffer: ExportedBuffer): void {
    this.#restored.delete(buffer);
    this.#buffers.delete(buffer.slot);
    this.#bufferSlots.give(buffer.slot);
    this.parts.buffers.openBuffer(buffer.slot); // a handle of the past life is stale from here on
  }

  /**
   * Takes back what a dead actor held of buffers: its mappings and attachments; and disowns the buffers that it exported:
   * present mappings of others stay good, new ones are ENODEV, and the last detach frees them. Idempotent. The counts are
   * set, never subtracted from, and everybody who waits for them is woken (crash story of `buffer-words.ts`).
   */
  reclaim(dead: ActorId): void {
    this.#deaths.set(dead, (this.#deaths.get(dead) ?? 0) + 1);
    for (const buffer of this.#buffers.values()) {
      for (const attached of [...buffer.attachments.values()]) {
        if (attached.actor === dead) this.#dropAttachment(buffer, attached.slot);
      }
      if (buffer.request.actor !== dead || buffer.orphaned) continue;
      buffer.orphaned = true;
      const wasDying = buffer.dying;
      buffer.dying = true;
      this.#journal.write(buffer);
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
    const outcome = yield* attemptUntil(
      () => this.parts.queues.whenStep(buffer.slot, () => buffer.awaited.size === 0, 'the devices it expects'),
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

  *#place(buffer: ExportedBuffer): Task<void> {
    const placement = this.#planner.solve(buffer, iovaInUse(this.#buffers.values(), buffer, buffer.constraints()));
    const allocation = this.#planner.allocate(buffer, placement, true);
    yield* this.#spendOn(buffer, allocation, 'deferred');
    this.#back(buffer, allocation, this.#planner.why(allocation, placement));
  }

  /** A buffer as the plans take it. */
  #situation(buffer: ExportedBuffer, newcomer?: DeviceConstraints): BufferSituation {
    const devices = newcomer === undefined ? buffer.constraints() : [...buffer.constraints(), newcomer];
    const inUse = iovaInUse(this.#buffers.values(), buffer, devices);
    return { ...buffer.situation(this.parts.buffers), ...(inUse && { iovaInUse: inUse }) };
  }

  #back(buffer: ExportedBuffer, allocation: HeapAllocation, why: string): void {
    const atNs = this.parts.services.clock.now();
    buffer.incoming = allocation;
    this.#journal.write(buffer);
    buffer.allocation = allocation;
    buffer.placements.push({ heap: allocation.heap, atNs, why });
    this.settle(buffer);
    this.#lookForHazards(buffer, buffer.constraints());
    this.parts.services.trace.add({
      track: `buffer ${buffer.name}`,
      name: `placed in ${allocation.heap}`,
      startNs: atNs,
    });
    buffer.generation = generationOf(this.parts.buffers.publish(buffer.slot));
    buffer.incoming = undefined;
    this.#journal.write(buffer);
  }

  /** A map that needs a move is refused where it is known already that the move would wait in vain. */
  #refuseIfBlocked(buffer: ExportedBuffer, device: string): void {
    const pinners = [...buffer.attachments.values()].filter(
      (attached) => pinsForItsStay(attached) && this.parts.buffers.pinsOf(attached.slot) > 0,
    );
    if (pinners.length > 0) {
      const names = pinners.map((attached) => attached.device);
      throw cannotMove(buffer, device, pinnedForStayText(names), names);
    }
    const holders: string[] = [];
    for (const slot of buffer.blockers) {
      const attached = buffer.attachments.get(slot);
      if (attached !== undefined && this.parts.buffers.mappings(slot) > 0) holders.push(attached.device);
      else buffer.blockers.delete(slot);
    }
    if (holders.length === 0) return;
    throw cannotMove(
      buffer,
      device,
      `${holders.join(', ')} holds it mapped until REQBUFS(0), and a move has waited in vain`,
      holders,
    );
  }

  #dropAttachment(buffer: ExportedBuffer, slot: AttachmentSlot): void {
    const attached = buffer.attachments.get(slot);
    if (attached === undefined) return; // reclaimed already: the slot may be somebody else's
    buffer.attachments.delete(slot);
    this.#restored.delete(attached);
    if (buffer.arriving === slot) buffer.arriving = undefined;
    this.#journal.write(buffer);
    this.#storageAttachments.drop(slot);
    buffer.blockers.delete(slot);
    this.#attachmentSlots.give(slot);
    this.parts.buffers.reclaimMappings(slot);
    this.parts.queues.changed(buffer.slot);
  }

  #reservedIsOutOfReach({ reserved }: ExportedBuffer, constraints: DeviceConstraints): boolean {
    return reserved !== undefined && this.#planner.violation(reserved, constraints) !== undefined;
  }

  /** Tells the storage who is attached to it now; after each change of either. */
  settle(buffer: ExportedBuffer): void {
    const { allocation } = buffer;
    this.#storageAttachments.settle(
      buffer,
      (constraints) => allocation !== undefined && this.#planner.violation(allocation, constraints) === undefined,
    );
  }

  /** Writes a buffer down for the next life. */
  note(buffer: ExportedBuffer): void {
    this.#journal.write(buffer);
  }

  /** Why a device cannot use storage; undefined when it can. */
  violation(storage: HeapAllocation, constraints: DeviceConstraints): string | undefined {
    return this.#planner.violation(storage, constraints);
  }

  /** Gives storage back that nobody is attached to. */
  release(storage: HeapAllocation): void {
    this.#free(storage);
  }

  #free(storage: HeapAllocation): void {
    const heap = this.heap(storage.heap);
    heap.ops.release(storage);
    this.#background.wake(heap);
  }

  #refuseCorrupt(buffer: ExportedBuffer, op: string): void {
    const what = this.parts.watch?.look(buffer);
    if (what !== undefined) throw corruptSlot(buffer, op, what);
  }

  #lookForHazards(buffer: ExportedBuffer, devices: readonly DeviceConstraints[]): void {
    if (buffer.allocation === undefined) return;
    const traits = this.heap(buffer.allocation.heap).traits(buffer.sizeBytes);
    this.records.look(buffer, traits, devices, this.parts.services.clock.now());
  }

  /** Lets pass what storage costs: finding the pages, and zeroing those that are not, unless a move overwrites them. */
  *#spendOn(buffer: ExportedBuffer, storage: HeapAllocation, kind: AllocationRecord['kind']): Task<void> {
    const { costs, services } = this.parts;
    const dirtyBytes = kind === 'move' ? 0 : buffer.sizeBytes - (storage.pooledBytes ?? 0);
    const ns = costs.allocationNs(storage) + costs.zeroNs(dirtyBytes);
    this.records.allocation(buffer, storage, kind, services.clock.now(), ns);
    if (ns > 0) yield* sleepUntil(services.clock.now() + ns, 'allocating and zeroing');
  }

  /** The buffer of a handle; undefined when it is gone. */
  find(handle: BufferHandle): ExportedBuffer | undefined {
    const buffer = this.#buffers.get(handle.slot);
    return buffer?.life === handle.life ? buffer : undefined;
  }

  #lookUp(handle: BufferHandle, op: string): ExportedBuffer {
    const buffer = this.find(handle);
    if (buffer === undefined) throw staleHandle(op, handle);
    return buffer;
  }
}
