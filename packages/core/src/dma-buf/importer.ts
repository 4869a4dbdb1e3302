/**
 * The importer's side of dma-buf: attach, map, unmap, detach for one device, inside the device's actor.
 *
 * Map and unmap touch shared words only; the exporter is called when the storage is unknown, missing or has moved. A dynamic
 * importer leaves its mappings to the fences of its jobs, keeps what it has mapped between them, and heeds moveNotify.
 * Source: drivers/dma-buf/dma-buf.c (dma_buf_attach, dma_buf_map_attachment), v6.12. Differs: several buffers are mapped
 * as one set, since mapping them one by one deadlocks with moves (docs/decisions/0003).
 */
import {
  type ActorId,
  type ActorServices,
  assert,
  attempt,
  type CallSites,
  type ErrnoError,
  type Nanoseconds,
  type Task,
} from '../base/index.js';
import type { DeviceConstraints } from '../constraints/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import { type BufferState, type BufferWords, isMoving } from './buffer-words.js';
import { callOnce } from './call-once.js';
import { DmaBufAttachment, type DmaMapping } from './dma-mapping.js';
import { ImportedStorage } from './imported-storage.js';
import {
  detachedTwice,
  letGoMeanwhile,
  ownerDied,
  stillInUse,
  unmappedTwice,
  wouldDeadlock,
} from './importer-errors.js';
import { KeptMappings } from './kept-mappings.js';
import {
  type AttachReply,
  type AttachRequest,
  type BufferHandle,
  type DetachRequest,
  EXPORTER,
  holdsInPlace,
  type ImporterTraits,
  type MapReply,
} from './protocol.js';
import { type Stall, StallLog } from './stall-log.js';

/** A device as an importer: its name, what it can reach, its IOMMU if it has one, and how it maps. */
export interface ImporterDevice extends ImporterTraits {
  readonly name: string;
  readonly constraints: DeviceConstraints;
}

/** What one generator of a driver still owes: it must not wait for a move while a fence of its own is pending. */
export interface FenceDebt {
  owed: number;
}

/** An attachment that was let go of while a set was being mapped: its slot may be somebody else's by now. */
const LOST: unique symbol = Symbol('lost');

export class DmaBufImporter {
  readonly #attachments = new Map<number, DmaBufAttachment>();
  readonly #kept: KeptMappings;
  /** How often it was told that an actor has died. */
  readonly #ownerDeaths = new Map<ActorId, number>();
  readonly #storage: ImportedStorage;
  /** Told of each buffer whose storage moves, or was to: what the device keeps of its addresses is void. Must not wait. */
  onMoveNotify: (buffer: BufferHandle) => void = () => {};
  /** Says which line of the driver ends what; absent = nobody wants to know. */
  callSites: CallSites | undefined;
  /** Its waits for storage. */
  readonly stalls: StallLog;
  /** Calls of moveNotify that it has had. */
  moveNotifies = 0;
  /** Calls of attach that it has made: each has a number of its own. */
  #attaches = 0;
  #reopen = false;

  constructor(
    private readonly services: ActorServices,
    private readonly buffers: BufferWords,
    memory: PhysicalMemory,
    readonly device: ImporterDevice,
  ) {
    assert(!device.pin || device.importer === 'dynamic', 'a static importer pins by having mapped, not by dma_buf_pin');
    this.#storage = new ImportedStorage(memory, device.name, device.constraints);
    this.stalls = new StallLog(services, device.name);
    const mapAgain = (attachment: DmaBufAttachment): DmaMapping => {
      this.#tryMap(attachment);
      return this.#storage.mapping(attachment);
    };
    this.#kept = new KeptMappings(buffers, device, mapAgain, (mapping) => this.unmap(mapping));
  }

  get attachments(): Iterable<DmaBufAttachment> {
    return this.#attachments.values();
  }

  /** Mappings that it holds from job to job. */
  get heldMappings(): Iterable<DmaMapping | undefined> {
    return this.#kept.mappings;
  }

  /** Calls of dma_buf_pin that it has made. */
  get pins(): number {
    return this.#kept.pins;
  }

  get iovaRanges(): number {
    return this.#storage.iovaRanges;
  }

  /** IOMMU faults and other touches of storage that the device no longer had. */
  get faults(): number {
    return this.#storage.faults;
  }

  attachmentOf(buffer: BufferHandle): DmaBufAttachment | undefined {
    const found = this.#attachments.get(buffer.slot);
    return found?.buffer.life === buffer.life ? found : undefined;
  }

  /**
   * Attaches the device to a buffer: its constraints count from now on. Idempotent. Source: dma_buf_attach, v6.12.
   *
   * @throws ErrnoError EINVAL when no heap suits all devices; EBUSY when the present storage does not suit and cannot be
   *   moved; ENOMEM when no heap has room; ESTALE when the buffer is gone. In each case nothing has changed
   */
  *attach(buffer: BufferHandle): Task<DmaBufAttachment> {
    const known = this.attachmentOf(buffer);
    if (known !== undefined) return known;
    this.#attaches += 1;
    const call = this.#attaches;
    const request: AttachRequest = {
      buffer,
      device: this.device.name,
      actor: this.services.id,
      constraints: this.device.constraints,
      mapping: this.device.mapping,
      ...(this.#isDynamic && { importer: 'dynamic' }),
      ...(this.device.pin && { pin: true }),
      call,
    };
    const startNs = this.services.clock.now();
    const deathsBefore = new Map(this.#ownerDeaths);
    const reply: AttachReply = yield* this.services.call(EXPORTER, 'attach', request);
    if (reply.moved) this.stalls.ended(reply.name, startNs, 'moving');
    if (this.attachmentOf(buffer) !== undefined) {
      // Another generator of this driver was quicker: a device attaches to a buffer once.
      const spare: DetachRequest = { buffer, attachment: reply.attachment, ended: true, call };
      yield* callOnce(this.services, 'detach', spare);
      return yield* this.attach(buffer);
    }
    const { name, sizeBytes, owner } = reply;
    const attachment = new DmaBufAttachment(buffer, reply.attachment, name, sizeBytes, owner, call);
    this.#attachments.set(buffer.slot, attachment);
    if (owner !== undefined && this.#ownerDeaths.get(owner) !== deathsBefore.get(owner)) {
      // Whoever exports it has died while this was under way, and nobody will tell again.
      attachment.orphaned = true;
      yield* this.detach(attachment);
      throw ownerDied(this.device.name, attachment);
    }
    return attachment;
  }

  /**
   * Detaches.
   *
   * Source: dma_buf_detach, v6.12. Differs: live mappings and pins are EBUSY, where Linux trusts the caller.
   *
   * @throws ErrnoError ESTALE when it is detached already: nothing is asked of the exporter, where the slot may be another's by
   *   now. Linux has no answer, since the attachment is freed memory then; ESTALE is what handles of things that are gone get
   */
  *detach(attachment: DmaBufAttachment, ended = false): Task<void> {
    const { name } = this.device;
    if (attachment.detached) throw detachedTwice(name, attachment, attachment.detachedAt, this.callSites?.here());
    if (attachment.mapCount > 0) throw stillInUse(name, attachment, `mapped ${attachment.mapCount} times`);
    if (this.device.pin && this.buffers.pinsOf(attachment.slot) > 0) throw stillInUse(name, attachment, 'pinned');
    attachment.detached = true;
    attachment.detachedAt = this.callSites?.here();
    this.#kept.forget(attachment);
    this.#heed(attachment);
    this.#storage.forget(attachment);
    if (this.attachmentOf(attachment.buffer) === attachment) this.#attachments.delete(attachment.buffer.slot);
    const { buffer, slot, call } = attachment;
    const request: DetachRequest = { buffer, attachment: slot, ended, ...(call !== undefined && { call }) };
    yield* callOnce(this.services, 'detach', request);
  }

  /**
   * Maps a set of buffers: all of them, or none while it waits.
   *
   * On meeting a buffer that is being moved, or whose storage is unknown, it lets go of those already taken, waits or
   * asks the exporter, and starts over: no map waits while this set holds another.
   *
   * @param debt of the calling generator
   * @returns the mappings, in the order of the attachments
   * @throws ErrnoError EDEADLK when it would have to wait for a move while a fence of this generator is pending;
   *   ETIMEDOUT when the storage could not be moved in time, naming the holder; EINVAL when the real addresses violate
   *   the device's constraints; whatever the exporter refuses with
   */
  *mapAll(attachments: readonly DmaBufAttachment[], debt: FenceDebt): Task<DmaMapping[]> {
    for (let taken = 0; taken < attachments.length; ) {
      const attachment = attachments[taken];
      const state = attachment.detached ? LOST : this.#tryMap(attachment);
      if (state === undefined) {
        taken += 1;
        continue;
      }
      for (const earlier of attachments.slice(0, taken)) this.#unmapWords(earlier);
      taken = 0;
      if (state === LOST) throw this.#lost(attachment);
      yield* this.#awaitStorage(attachment, state, debt);
    }
    return attachments.map((attachment) => this.#storage.mapping(attachment));
  }

  /** Maps one buffer. */
  *map(attachment: DmaBufAttachment, debt: FenceDebt): Task<DmaMapping> {
    const [mapping] = yield* this.mapAll([attachment], debt);
    return mapping;
  }

  /**
   * Does for a job's mappings what the device does beyond mapping: holds them from here on, or pins. Called before the job
   * publishes its fence; `unmap` ends what lasts for the job only.
   */
  beginUse(mappings: readonly DmaMapping[]): void {
    this.#kept.begin(mappings);
  }

  /** The job's fences are published: for a dynamic importer they stand for its mappings from here on. Never waits. */
  leaveToFences(mappings: readonly DmaMapping[]): void {
    if (!this.#isDynamic) return;
    for (const mapping of mappings) if (mapping.counts) this.#uncount(mapping);
  }

  /** As vb2 does at QBUF: maps, and stays mapped until REQBUFS(0). Source: __prepare_dmabuf, videobuf2-core.c, v6.12. */
  *hold(buffer: BufferHandle, debt: FenceDebt): Task<void> {
    if (!holdsInPlace(this.device)) return;
    const attachment = yield* this.attach(buffer);
    if (!this.#kept.has(attachment)) this.#kept.hold(yield* this.map(attachment, debt));
  }

  /** Asks for REQBUFS(0) and a new start, at the next `reopenIfAsked`. */
  requestReopen(): void {
    this.#reopen = true;
  }

  /** Lets go if that was asked for. @returns whether it was */
  *reopenIfAsked(): Task<boolean> {
    if (!this.#reopen) return false;
    this.#reopen = false;
    yield* this.letGo();
    return true;
  }

  /** Ends the held mappings and pins, and detaches from their buffers. `ended`: as of `detach`. */
  *letGo(ended = false): Task<void> {
    for (const attachment of this.#kept.endAll()) {
      // A job of another lane still works on it: its attachment stays until then.
      if (attachment.mapCount === 0 && !attachment.detached) yield* this.detach(attachment, ended);
    }
  }

  /**
   * Lets go of the buffers that a dead driver had exported: at once of those that are not mapped or only held, of the others
   * when their last mapping ends. What is mapped stays readable until then.
   */
  *leaveOrphans(owner: ActorId): Task<void> {
    this.#ownerDeaths.set(owner, (this.#ownerDeaths.get(owner) ?? 0) + 1);
    for (const attachment of [...this.#attachments.values()]) {
      if (attachment.owner !== owner || attachment.orphaned) continue;
      attachment.orphaned = true;
      this.#kept.endUnused(attachment);
      if (attachment.mapCount === 0 && !attachment.detached) yield* this.detach(attachment);
    }
  }

  /** DMA segments that the device sees of a mapped buffer. */
  segmentCount(mapping: DmaMapping): number {
    return this.#storage.segmentCount(mapping.attachment);
  }

  /** Ends a mapping. @throws ErrnoError EINVAL when it has ended already: no count changes */
  unmap(mapping: DmaMapping): void {
    const site = this.callSites?.here();
    if (!mapping.isLive) throw unmappedTwice(this.device.name, mapping.attachment, mapping.endedAt, site);
    mapping.retire(site);
    if (mapping.pins) this.#kept.unpin(mapping.attachment);
    if (mapping.counts) this.#unmapWords(mapping.attachment);
    else mapping.attachment.mapCount -= 1;
    if (mapping.attachment.orphaned) this.#leaveOrphan(mapping.attachment);
  }

  #leaveOrphan(attachment: DmaBufAttachment): void {
    this.#kept.endUnused(attachment);
    if (attachment.mapCount > 0 || attachment.detached) return;
    this.services.spawn(`leave ${attachment.name}`, this.#detachOrphan(attachment));
  }

  *#detachOrphan(attachment: DmaBufAttachment): Task<void> {
    if (attachment.mapCount === 0 && !attachment.detached) yield* this.detach(attachment);
  }

  /** The state that stood in the way, or undefined when the attachment is now mapped. */
  #tryMap(attachment: DmaBufAttachment): BufferState | undefined {
    if (attachment.counted > 0) this.buffers.mapNested(attachment.slot, attachment.cached);
    else {
      if (this.#isDynamic) this.#heed(attachment);
      const outcome = this.buffers.tryMap(attachment.buffer.slot, attachment.slot, attachment.cached);
      if (!outcome.mapped) return outcome.state;
    }
    attachment.mapCount += 1;
    attachment.counted += 1;
    return undefined;
  }

  get #isDynamic(): boolean {
    return this.device.importer === 'dynamic';
  }

  /** moveNotify: a mapping that is not in use is given up; one in use stays good until the fences of its jobs signal. */
  #heed(attachment: DmaBufAttachment): void {
    const notified = this.buffers.notified(attachment.slot);
    if (notified === attachment.notified) return;
    this.moveNotifies += notified - attachment.notified;
    attachment.notified = notified;
    this.onMoveNotify(attachment.buffer);
    if (attachment.mapCount === 0) this.#storage.forget(attachment);
  }

  #uncount(mapping: DmaMapping): void {
    const { attachment } = mapping;
    mapping.counts = false;
    attachment.counted -= 1;
    this.buffers.unmap(attachment.buffer.slot, attachment.slot, attachment.cached); // P6
  }

  #unmapWords(attachment: DmaBufAttachment): void {
    attachment.mapCount -= 1;
    attachment.counted -= 1;
    this.buffers.unmap(attachment.buffer.slot, attachment.slot, attachment.cached);
  }

  *#awaitStorage(attachment: DmaBufAttachment, state: BufferState, debt: FenceDebt): Task<void> {
    const startNs = this.services.clock.now();
    let why: Stall['why'] = 'moving';
    if (debt.owed > 0) throw wouldDeadlock(this.device.name, attachment); // the exporter, too, may be waiting for that fence
    if (isMoving(state)) {
      yield* attempt(() => this.buffers.settledStep(attachment.buffer.slot));
    } else {
      const reply = yield* this.#askForStorage(attachment, startNs);
      this.#adopt(attachment, reply);
      why = reply.did;
    }
    this.stalls.ended(attachment.name, startNs, why);
  }

  *#askForStorage({ buffer, slot, name }: DmaBufAttachment, startNs: Nanoseconds): Task<MapReply> {
    try {
      return yield* this.services.call<MapReply>(EXPORTER, 'map', { buffer, attachment: slot });
    } catch (error) {
      this.stalls.ended(name, startNs, 'moving'); // only a move that failed refuses a map after a wait
      throw error;
    }
  }

  /** Takes over the storage that the exporter named, after checking the real addresses. */
  #adopt(attachment: DmaBufAttachment, reply: MapReply): void {
    if (attachment.detached) return; // let go of while the call was under way: `mapAll` looks again
    this.#heed(attachment);
    if (attachment.cached === reply.state) return; // another generator of this driver was first
    // It has moved again before this answer came, which another generator may have mapped since: `mapAll` looks again.
    if (reply.state !== this.buffers.state(attachment.buffer.slot)) return;
    assert(attachment.mapCount === 0, 'storage does not change under a mapping');
    this.#storage.forget(attachment);
    this.#storage.adopt(attachment, reply);
  }

  #lost(attachment: DmaBufAttachment): ErrnoError {
    return (attachment.orphaned ? ownerDied : letGoMeanwhile)(this.device.name, attachment);
  }
}
