/**
 * Who is attached to a buffer: how a device attaches and detaches, and what is taken back of a dead one.
 *
 * An attach is a service of its buffer: it runs in the buffer's queue. Whatever ends an attachment waits for nobody: a detach
 * and the reclaim of a dead device are served at once, also while the buffer moves. So a service that has waited looks again
 * whether the attachment that it works for is still there.
 *
 * Begin   plan; slot; storage for the move to come; row opened and guarded; on the list, as arriving; told to the storage;
 *         moved, where that is done at attach; recorded; answered, from where on the next life knows it. What fails undoes what
 *         came before it.
 * End     off the list, in the journal too; unmapped and detached at the storage; slot free; counts set to 0; those woken who
 *         wait for the buffer's attachments. All in one step.
 */
import {
  type ActorId,
  type AttachmentSlot,
  type BoundedList,
  isErrno,
  type Nanoseconds,
  type Task,
} from '../base/index.js';
import type { BufferPlan } from '../constraints/index.js';
import type { BufferMoves } from './buffer-moves.js';
import type { BufferStorage } from './buffer-storage.js';
import type { BufferTable } from './buffer-table.js';
import { isMoving } from './buffer-words.js';
import type { HeapAllocation } from './dma-heap.js';
import type { AttachedDevice, ExportedBuffer } from './exported-buffer.js';
import { detachedMeanwhile, exporterDied, refuseCorrupt, refusedByPlan, staleHandle } from './exporter-errors.js';
import type { ExporterParts } from './exporter-ports.js';
import type { ExporterRecords } from './exporter-records.js';
import type { AttachReply, AttachRequest, DetachRequest } from './protocol.js';

const LEAKED = 'leaked/';

/** Mappings and pins that a device had not ended when it detached. */
export interface LeakedMappings {
  readonly device: string;
  readonly buffer: string;
  readonly mappings: number;
}

/** What attachments are made with; all of it is the exporter's. */
interface AttachmentParts
  extends Pick<ExporterParts, 'services' | 'buffers' | 'queues' | 'policy' | 'watch' | 'lives'> {
  readonly table: BufferTable;
  readonly storage: BufferStorage;
  readonly moves: BufferMoves;
  readonly records: ExporterRecords;
}

export class BufferAttachments {
  readonly leaks: BoundedList<LeakedMappings>;
  /** Deaths of each actor that were reclaimed: an attach that waited across one is void. */
  readonly #deaths = new Map<ActorId, number>();

  constructor(private readonly parts: AttachmentParts) {
    this.leaks = parts.table.journal.restore(LEAKED);
  }

  /** Attaches a device. See `DmaBufImporter.attach` for the errors. */
  *attach(request: AttachRequest): Task<AttachReply> {
    const buffer = this.parts.table.lookUp(request.buffer, 'dma_buf_attach');
    const deaths = this.#deaths.get(request.actor);
    return yield* this.parts.queues.serialised(buffer.slot, () => {
      // Its device has died in the queue: what it asked for would be nobody's.
      if (this.#deaths.get(request.actor) !== deaths) throw detachedMeanwhile(buffer, request.device);
      return this.#attach(buffer, request);
    });
  }

  *#attach(buffer: ExportedBuffer, request: AttachRequest): Task<AttachReply> {
    const { services, table, storage, policy, watch, records } = this.parts;
    const known = table.takeRestoredAttachment(buffer, request);
    try {
      if (buffer.orphaned) throw exporterDied(buffer, 'dma_buf_attach');
      // Before any look at its words: it may have been closed while this waited, and its slot be another's.
      if (buffer.dying && known === undefined) throw staleHandle('dma_buf_attach', request.buffer);
      refuseCorrupt(watch, buffer, 'dma_buf_attach');
    } catch (error) {
      // Attached by an earlier life that has not answered: its device takes this for the answer, and will never detach.
      if (known !== undefined) this.#drop(buffer, known.slot);
      throw error;
    }
    if (known !== undefined) return this.#answer(buffer, known, false);
    const { device, constraints } = request;
    const atNs = services.clock.now();
    const plan = storage.planner.planAttach(storage.situation(buffer, constraints), request, policy);
    const slot = table.takeAttachmentSlot(device, buffer);
    let target: HeapAllocation | undefined;
    try {
      target = this.#allocateTarget(buffer, request, plan);
    } catch (error) {
      table.giveAttachmentSlot(slot);
      this.#recordRefusal(buffer, device, error, [], atNs);
      throw error;
    }
    const attached = this.#open(buffer, slot, request);
    try {
      storage.settle(buffer, slot);
    } catch (error) {
      // Its ops will not have the device, e.g. a driver's own.
      this.#drop(buffer, slot);
      if (target !== undefined) storage.release(target);
      this.#recordRefusal(buffer, device, error, [], atNs);
      throw error;
    }
    if (target !== undefined) storage.reserve(buffer, target);
    const moved = plan.action === 'migrate' && policy.moveAt === 'attach';
    if (moved) yield* this.#moveFor(buffer, attached, plan);
    // Its device has died during the move: the slot is free, and may be another's.
    if (buffer.attachments.get(slot) !== attached) throw detachedMeanwhile(buffer, device);
    if (buffer.orphaned) {
      this.#drop(buffer, slot);
      throw exporterDied(buffer, 'dma_buf_attach');
    }
    const outcome = plan.action === 'migrate' ? 'will-move' : 'compatible';
    records.attach(buffer, device, outcome, plan.why, plan.forcedBy, atNs);
    storage.lookForHazards(buffer, [constraints]);
    return this.#answer(buffer, attached, moved);
  }

  /**
   * Storage to set aside for the move that the newcomer will need; undefined when it needs none, or what is set aside will do.
   *
   * @throws ErrnoError of the plan when it refuses, ENOMEM
   */
  #allocateTarget(
    buffer: ExportedBuffer,
    { device, constraints }: AttachRequest,
    plan: BufferPlan,
  ): HeapAllocation | undefined {
    if (plan.action === 'refuse') throw refusedByPlan(buffer, device, plan);
    if (plan.placement === undefined) return undefined;
    const isFirst = plan.action === 'migrate' && buffer.reserved === undefined;
    if (!isFirst && !this.parts.storage.isReservedBeyond(buffer, constraints)) return undefined;
    return this.parts.storage.planner.allocate(buffer, plan.placement, false);
  }

  #open(buffer: ExportedBuffer, slot: AttachmentSlot, request: AttachRequest): AttachedDevice {
    const { device, actor, constraints, mapping, importer, pin, call } = request;
    const traits = { mapping, ...(importer && { importer }), ...(pin && { pin }), ...(call !== undefined && { call }) };
    const actorLife = this.parts.lives?.deaths(actor);
    const attached: AttachedDevice = {
      slot,
      device,
      actor,
      constraints,
      ...traits,
      ...(actorLife !== undefined && { actorLife }),
    };
    this.parts.buffers.openAttachment(slot, actor);
    this.parts.watch?.openedAttachment(buffer, slot);
    buffer.attachments.set(slot, attached);
    buffer.arriving = slot;
    return attached;
  }

  /** Moves at once; when that fails, the attach fails and the attachment is gone again. */
  *#moveFor(buffer: ExportedBuffer, { slot, device }: AttachedDevice, { why, forcedBy }: BufferPlan): Task<void> {
    const { clock } = this.parts.services;
    try {
      yield* this.parts.moves.move(buffer, {
        reason: why,
        forcedBy,
        requestedNs: clock.now(),
        attachments: [slot],
      });
    } catch (error) {
      this.#drop(buffer, slot);
      this.#recordRefusal(buffer, device, error, forcedBy, clock.now());
      throw error;
    }
  }

  /** A mistake in this program is not put down as a refusal. */
  #recordRefusal(
    buffer: ExportedBuffer,
    device: string,
    error: unknown,
    forcedBy: readonly string[],
    atNs: Nanoseconds,
  ): void {
    if (isErrno(error)) this.parts.records.attach(buffer, device, 'refused', error.message, forcedBy, atNs);
  }

  /** The device is told of its attachment, and is expected no longer. */
  #answer(buffer: ExportedBuffer, { slot, device }: AttachedDevice, moved: boolean): AttachReply {
    buffer.awaited.delete(device);
    buffer.arriving = undefined;
    this.parts.storage.note(buffer);
    this.parts.queues.changed(buffer.slot);
    const { name, sizeBytes, request } = buffer;
    const { actor: owner } = request;
    return { attachment: slot, name, sizeBytes, moved, ...(owner !== undefined && { owner }) };
  }

  /** Detaches a device. Served at once, also while the buffer moves; the constraints widen. */
  *detach(request: DetachRequest): Task<void> {
    const { services, table, storage, policy, moves } = this.parts;
    const buffer = table.lookUp(request.buffer, 'dma_buf_detach');
    const attached = buffer.attachments.get(request.attachment);
    const isOther = request.call !== undefined && attached?.call !== request.call;
    if (attached === undefined || isOther) throw staleHandle('dma_buf_detach', request.buffer);
    this.#lookUnlessMoving(buffer);
    this.#recordLeak(buffer, attached);
    this.#drop(buffer, attached.slot);
    if (buffer.reserved !== undefined && storage.planner.unreachable(buffer).length === 0) {
      storage.reserve(buffer, undefined);
    }
    if (policy.moveBack === 'idle' && !request.ended && buffer.attachments.size > 0) {
      services.spawn(`move back ${buffer.name}`, moves.back(buffer, attached.device));
    }
  }

  #recordLeak({ name }: ExportedBuffer, { slot, device }: AttachedDevice): void {
    const { buffers, table } = this.parts;
    const mappings = buffers.mappings(slot) + buffers.pinsOf(slot);
    if (mappings <= 0) return;
    const leak: LeakedMappings = { device, buffer: name, mappings };
    table.journal.append(LEAKED, this.leaks, leak);
  }

  /** An actor has died: none of its attaches that wait will be made. Before `reclaim`. */
  voidAttachesOf(dead: ActorId): void {
    this.#deaths.set(dead, (this.#deaths.get(dead) ?? 0) + 1);
  }

  /** Ends the attachments that a dead actor, whose timelines were looked at, has to a buffer, with their mappings and pins. Idempotent. */
  reclaim(buffer: ExportedBuffer, dead: ActorId): void {
    let isSeen = false;
    for (const { actor, slot } of buffer.attachments.values()) {
      if (actor !== dead) continue;
      if (!isSeen) this.#lookUnlessMoving(buffer, dead);
      isSeen = true;
      this.#drop(buffer, slot, true);
    }
  }

  /** Ends an attachment; one that has been ended already is left alone. */
  #drop(buffer: ExportedBuffer, slot: AttachmentSlot, reclaims = false): void {
    const { table, storage, buffers, queues } = this.parts;
    if (table.dropAttachment(buffer, slot, reclaims) === undefined) return;
    storage.detach(slot);
    buffer.blockers.delete(slot);
    table.giveAttachmentSlot(slot);
    buffers.reclaimMappings(slot);
    queues.changed(buffer.slot);
  }

  #lookUnlessMoving(buffer: ExportedBuffer, seen?: ActorId): void {
    if (!isMoving(this.parts.buffers.state(buffer.slot))) this.parts.watch?.look(buffer, seen);
  }
}
