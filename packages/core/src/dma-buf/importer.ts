/**
 * The importer's side of dma-buf: attach, map, unmap, detach for one device, inside the device's actor.
 *
 * Map and unmap touch shared words only; the exporter is called when the storage is unknown, missing or has moved.
 * Source: drivers/dma-buf/dma-buf.c (dma_buf_attach, dma_buf_map_attachment), v6.12. Differs: several buffers are mapped
 * as one set, since mapping them one by one deadlocks with moves (docs/decisions/0003).
 */
import {
  type ActorServices,
  type AttachmentSlot,
  assert,
  attempt,
  ErrnoError,
  type Nanoseconds,
  type Task,
} from '../base/index.js';
import {
  checkMapping,
  type DeviceConstraints,
  dmaSegments,
  iovaAlignmentBytes,
  iovaAperture,
} from '../constraints/index.js';
import { IommuDomain, type IovaMapping, type PhysicalMemory, SgTable } from '../memory/index.js';
import { type BufferState, type BufferWords, generationOf, isMoving } from './buffer-words.js';
import {
  type AttachReply,
  type AttachRequest,
  type BufferHandle,
  type DetachRequest,
  EXPORTER,
  type MappingStyle,
  type MapReply,
} from './protocol.js';

/** A device as an importer: its name, what it can reach, and its IOMMU if it has one. */
export interface ImporterDevice {
  readonly name: string;
  readonly constraints: DeviceConstraints;
  readonly mapping: MappingStyle;
}

/** One wait of a device for a buffer's storage. */
export interface Stall {
  readonly buffer: string;
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /** `moving`: waited for a move, others' or one for this device; `placing`: for the first allocation; `mapping`: a call. */
  readonly why: 'moving' | 'placing' | 'mapping';
}

/** What one generator of a driver still owes: it must not wait for a move while a fence of its own is pending. */
export interface FenceDebt {
  owed: number;
}

/** A device attached to a buffer. Source: struct dma_buf_attachment, include/linux/dma-buf.h, v6.12. */
export class DmaBufAttachment {
  /** The STATE for which `sgTable` is valid; 0 when the storage is not known. */
  cached: BufferState = 0;
  sgTable: SgTable | undefined;
  iova: IovaMapping | undefined;
  /** Views over the pages of `sgTable`, made when first asked for. */
  views: readonly Uint8Array[] | undefined;
  mapCount = 0;

  constructor(
    readonly buffer: BufferHandle,
    readonly slot: AttachmentSlot,
    readonly name: string,
    readonly sizeBytes: number,
  ) {}
}

/** Access of a device to a buffer's pages, from map to unmap. */
export class DmaMapping {
  #live = true;

  constructor(
    readonly attachment: DmaBufAttachment,
    readonly state: BufferState,
    readonly sgTable: SgTable,
    private readonly memory: PhysicalMemory,
    private readonly stale: () => ErrnoError,
  ) {}

  get generation(): number {
    return generationOf(this.state);
  }

  get isLive(): boolean {
    return this.#live;
  }

  /**
   * The pages: one view a run, in buffer order; no copy.
   *
   * @throws ErrnoError EFAULT, an IOMMU fault, after unmap
   */
  segments(): readonly Uint8Array[] {
    if (!this.#live) throw this.stale();
    this.attachment.views ??= this.sgTable.runs.map((run) => this.memory.view(run.address, run.lengthBytes));
    return this.attachment.views;
  }

  /** Ends the access. Called by the importer only. */
  retire(): void {
    this.#live = false;
  }
}

export class DmaBufImporter {
  readonly #attachments = new Map<number, DmaBufAttachment>();
  readonly #domain: IommuDomain | undefined;
  readonly stalls: Stall[] = [];
  /** Sum of all stalls. */
  stalledNs: Nanoseconds = 0;
  /** IOMMU faults and other touches of storage that the device no longer had. */
  faults = 0;

  constructor(
    private readonly services: ActorServices,
    private readonly buffers: BufferWords,
    private readonly memory: PhysicalMemory,
    readonly device: ImporterDevice,
  ) {
    const aperture = iovaAperture(device.constraints);
    if (aperture !== undefined) this.#domain = new IommuDomain(device.name, aperture);
  }

  get attachments(): Iterable<DmaBufAttachment> {
    return this.#attachments.values();
  }

  get iovaRanges(): number {
    return this.#domain?.liveCount ?? 0;
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
    const request: AttachRequest = {
      buffer,
      device: this.device.name,
      actor: this.services.id,
      constraints: this.device.constraints,
      mapping: this.device.mapping,
    };
    const startNs = this.services.clock.now();
    const reply: AttachReply = yield* this.services.call(EXPORTER, 'attach', request);
    if (reply.moved) this.#stalled(reply.name, startNs, 'moving');
    const attachment = new DmaBufAttachment(buffer, reply.attachment, reply.name, reply.sizeBytes);
    this.#attachments.set(buffer.slot, attachment);
    return attachment;
  }

  /** Detaches. Source: dma_buf_detach, v6.12. Differs: live mappings are an error (EBUSY), where Linux trusts the caller. */
  *detach(attachment: DmaBufAttachment, ended = false): Task<void> {
    if (attachment.mapCount > 0) {
      throw new ErrnoError(
        'EBUSY',
        'dma_buf_detach',
        `Cannot detach ${this.device.name} from ${attachment.name}: it is still mapped ${attachment.mapCount} times`,
      );
    }
    this.#forget(attachment);
    this.#attachments.delete(attachment.buffer.slot);
    const request: DetachRequest = { buffer: attachment.buffer, attachment: attachment.slot, ended };
    yield* this.services.call(EXPORTER, 'detach', request);
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
      const state = this.#tryMap(attachment);
      if (state === undefined) {
        taken += 1;
        continue;
      }
      for (const earlier of attachments.slice(0, taken)) this.#unmapWords(earlier);
      taken = 0;
      yield* this.#awaitStorage(attachment, state, debt);
    }
    return attachments.map((attachment) => this.#mapping(attachment));
  }

  /** Maps one buffer. */
  *map(attachment: DmaBufAttachment, debt: FenceDebt): Task<DmaMapping> {
    const [mapping] = yield* this.mapAll([attachment], debt);
    return mapping;
  }

  /** DMA segments that the device sees of a mapped buffer. */
  segmentCount(mapping: DmaMapping): number {
    const { iova, sgTable } = mapping.attachment;
    return dmaSegments(sgTable?.runs ?? [], this.device.constraints, iova?.iova).length;
  }

  /** Ends a mapping. @throws ErrnoError EINVAL when it has ended already */
  unmap(mapping: DmaMapping): void {
    if (!mapping.isLive) {
      throw new ErrnoError(
        'EINVAL',
        'dma_buf_unmap_attachment',
        `Cannot unmap ${mapping.attachment.name} for ${this.device.name}: this mapping has ended already`,
      );
    }
    mapping.retire();
    this.#unmapWords(mapping.attachment);
  }

  /** The state that stood in the way, or undefined when the attachment is now mapped. */
  #tryMap(attachment: DmaBufAttachment): BufferState | undefined {
    if (attachment.mapCount > 0) this.buffers.mapNested(attachment.slot, attachment.cached);
    else {
      const outcome = this.buffers.tryMap(attachment.buffer.slot, attachment.slot, attachment.cached);
      if (!outcome.mapped) return outcome.state;
    }
    attachment.mapCount += 1;
    return undefined;
  }

  #unmapWords(attachment: DmaBufAttachment): void {
    attachment.mapCount -= 1;
    this.buffers.unmap(attachment.buffer.slot, attachment.slot, attachment.cached);
  }

  *#awaitStorage(attachment: DmaBufAttachment, state: BufferState, debt: FenceDebt): Task<void> {
    const startNs = this.services.clock.now();
    let why: Stall['why'] = 'moving';
    if (debt.owed > 0) throw this.#wouldDeadlock(attachment); // the exporter, too, may be waiting for that fence
    if (isMoving(state)) {
      yield* attempt(() => this.buffers.settledStep(attachment.buffer.slot));
    } else {
      const reply = yield* this.#askForStorage(attachment, startNs);
      this.#adopt(attachment, reply);
      why = reply.did;
    }
    this.#stalled(attachment.name, startNs, why);
  }

  *#askForStorage({ buffer, slot, name }: DmaBufAttachment, startNs: Nanoseconds): Task<MapReply> {
    try {
      return yield* this.services.call<MapReply>(EXPORTER, 'map', { buffer, attachment: slot });
    } catch (error) {
      this.#stalled(name, startNs, 'moving'); // only a move that failed refuses a map after a wait
      throw error;
    }
  }

  #stalled(buffer: string, startNs: Nanoseconds, why: Stall['why']): void {
    const endNs = this.services.clock.now();
    if (endNs <= startNs) return;
    this.stalledNs += endNs - startNs;
    this.stalls.push({ buffer, startNs, endNs, why });
    if (!this.services.trace.enabled) return;
    const span = { name: `stall: ${why}`, startNs, durationNs: endNs - startNs, args: { buffer } };
    this.services.trace.add({ track: this.device.name, ...span });
  }

  /** Takes over the storage that the exporter named, after checking the real addresses. */
  #adopt(attachment: DmaBufAttachment, reply: MapReply): void {
    if (attachment.cached === reply.state) return; // another generator of this driver was first
    assert(attachment.mapCount === 0, 'storage does not change under a mapping');
    this.#forget(attachment);
    const sgTable = new SgTable(reply.runs);
    const generation = generationOf(reply.state);
    const { constraints } = this.device;
    const alignmentBytes = iovaAlignmentBytes(constraints, sgTable.lengthBytes);
    const iova = this.#domain?.map(sgTable, attachment.name, generation, alignmentBytes);
    const violation = reply.isLocal ? undefined : checkMapping(sgTable.runs, constraints, iova?.iova);
    if (violation !== undefined) {
      if (iova !== undefined) this.#domain?.unmap(iova);
      throw new ErrnoError(
        'EINVAL',
        'dma_map_sgtable',
        `Cannot map ${attachment.name} for ${this.device.name}: ${violation.message}`,
        { device: this.device.name, buffer: attachment.name, field: violation.field },
      );
    }
    attachment.sgTable = sgTable;
    attachment.iova = iova;
    attachment.cached = reply.state;
  }

  #forget(attachment: DmaBufAttachment): void {
    if (attachment.iova !== undefined) this.#domain?.unmap(attachment.iova);
    attachment.iova = undefined;
    attachment.sgTable = undefined;
    attachment.views = undefined;
    attachment.cached = 0;
  }

  #mapping(attachment: DmaBufAttachment): DmaMapping {
    const { cached, sgTable, iova, name } = attachment;
    if (sgTable === undefined) throw new ErrnoError('EIO', 'dma_buf_map_attachment', `${name} has no storage`);
    return new DmaMapping(attachment, cached, sgTable, this.memory, () => {
      this.faults += 1;
      if (this.#domain !== undefined && iova !== undefined) return this.#domain.fault(iova.iova, iova);
      return new ErrnoError(
        'EFAULT',
        'dma_access',
        `${this.device.name} touched ${name}, generation ${generationOf(cached)}, after unmapping it`,
        { device: this.device.name, buffer: name, generation: generationOf(cached) },
      );
    });
  }

  #wouldDeadlock(attachment: DmaBufAttachment): ErrnoError {
    return new ErrnoError(
      'EDEADLK',
      'dma_buf_map_attachment',
      `Cannot map ${attachment.name} for ${this.device.name}: it is being moved, and the move may be waiting for a fence ` +
        'that this job has published and not signalled; signal first, or serve frames in generators of their own',
      { device: this.device.name, buffer: attachment.name },
    );
  }
}
