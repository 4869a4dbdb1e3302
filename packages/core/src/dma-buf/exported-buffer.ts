import type { ActorId, AttachmentSlot, BufferSlot, Nanoseconds } from '../base/index.js';
import type { BufferSituation, BufferUser, DeviceConstraints } from '../constraints/index.js';
import { BufferHistory } from './buffer-history.js';
import type { BufferWords } from './buffer-words.js';
import type { HeapAllocation } from './dma-heap.js';
import type { CreateRequest, ImporterTraits } from './protocol.js';

/** Beyond every actor's number. */
const ACTORS = 2 ** 16;
const pairOf = (slot: AttachmentSlot, actor: ActorId): number => slot * ACTORS + actor;

/** An attachment as the exporter knows it: whose it is, and what it can reach. */
export interface AttachedDevice extends ImporterTraits {
  readonly slot: AttachmentSlot;
  readonly device: string;
  readonly actor: ActorId;
  /** The life of its actor that it was made in; absent = they are not told apart. */
  readonly actorLife?: number;
  readonly constraints: DeviceConstraints;
  /** Of the attach that has made it. */
  readonly call?: number;
}

/** What an attach led to. */
export interface AttachRecord {
  readonly device: string;
  readonly buffer: string;
  readonly pool: string;
  readonly atNs: Nanoseconds;
  readonly outcome: 'compatible' | 'will-move' | 'refused';
  readonly why: string;
  readonly forcedBy: readonly string[];
}

/** A buffer as its exporter knows it. Source: struct dma_buf, include/linux/dma-buf.h, v6.12. */
export class ExportedBuffer extends BufferHistory {
  readonly attachments = new Map<AttachmentSlot, AttachedDevice>();
  /**
   * Who has had which of its slots before: a call of theirs that was under way when they detached comes late, and is no lie.
   * Each pair is one number, so that a thousand attachments end without a thousand sets.
   */
  readonly formerHolders = new Set<number>();
  allocation: HeapAllocation | undefined;
  /** Of the present storage; stays when the buffer is disowned, where STATE is 0. */
  generation = 0;
  /** The pages of the next generation, from just before it is published until they are the present ones. */
  incoming: HeapAllocation | undefined;
  /** An attachment whose attach has not been answered yet. */
  arriving: AttachmentSlot | undefined;
  /** Whose map placed it: too early, if a device that comes later forces a move. */
  firstMap: { readonly device: string; readonly atNs: Nanoseconds } | undefined;
  /** Storage set aside for a move that a newcomer's first map will start. */
  reserved: HeapAllocation | undefined;
  /** Devices announced and not yet attached; the first map waits for them. */
  readonly awaited: Set<string>;
  /** Held attachments that a move has waited for in vain: while they stay mapped, no further move is tried. */
  readonly blockers = new Set<AttachmentSlot>();
  /** The request is queued to be destroyed: nothing attaches any more. */
  dying = false;
  /** Whoever exported it has died: nothing attaches or maps any more, and it is freed at its last detach. */
  orphaned = false;

  constructor(
    readonly slot: BufferSlot,
    readonly life: number,
    readonly request: CreateRequest,
    readonly sizeBytes: number,
  ) {
    super();
    this.awaited = new Set(request.expect);
  }

  get name(): string {
    return this.request.name;
  }

  /** Notes that an actor has had a slot, and has it no more. */
  addFormerHolder(slot: AttachmentSlot, actor: ActorId): void {
    this.formerHolders.add(pairOf(slot, actor));
  }

  /** Whether an actor has had a slot before. */
  hasHad(slot: AttachmentSlot, actor: ActorId): boolean {
    return this.formerHolders.has(pairOf(slot, actor));
  }

  /** The constraints of all attached devices. */
  constraints(): DeviceConstraints[] {
    return [...this.attachments.values()].map((attached) => attached.constraints);
  }

  /** The buffer as the plans for late devices take it. */
  situation(words: BufferWords): BufferSituation {
    const users = [...this.attachments.values()].map(
      ({ slot, device, constraints, mapping, importer, pin }): BufferUser => {
        const counts = { mapped: words.mappings(slot), ...(pin && { pinned: words.pinsOf(slot) }) };
        const blocking = this.blockers.has(slot);
        return { device, constraints, mapping, ...(importer && { importer }), ...counts, blocking };
      },
    );
    const { name: buffer, sizeBytes, allocation } = this;
    const storage = allocation && { heap: allocation.heap, runs: allocation.sgTable.runs };
    const movable = this.request.movable ?? true;
    return { buffer, sizeBytes, ...(storage && { storage }), users, pins: words.pins(this.slot), movable };
  }
}
