/** What the exporter is made of and what enters it from other layers: its policy, the costs of storage, the mover. */
import type { ActorId, ActorServices, AttachmentSlot, Journal, Task } from '../base/index.js';
import type { DeviceConstraints } from '../constraints/index.js';
import type { BufferWords } from './buffer-words.js';
import type { DmaHeap, HeapAllocation } from './dma-heap.js';
import type { DmaSanitizer } from './dma-sanitizer.js';
import type { ExportedBuffer } from './exported-buffer.js';
import type { ExporterWords } from './exporter-words.js';
import type { SlotWatch } from './slot-watch.js';

/** How the exporter decides about late devices. */
export interface ExporterPolicy {
  /** `wait`: a move waits for mappings and fences, up to the time-out; `busy`: it is refused when there are any. */
  readonly onBusy: 'wait' | 'busy';
  readonly timeoutNs: number;
  /** When the move for a late device runs: at its attach, or at its first map, as the RFC of 2011 describes. */
  readonly moveAt: 'first-map' | 'attach';
  /** Whether a buffer moves back to a cheaper heap once the device that forced it away has detached. */
  readonly moveBack: 'never' | 'idle';
}

/** Model time that storage costs. */
export interface StorageCosts {
  allocationNs(allocation: HeapAllocation): number;
  zeroNs(sizeBytes: number): number;
  copyNs(sizeBytes: number): number;
}

/** What a mover asks of the exporter about storage; `BufferStorage` is one. */
export interface MovableStorage {
  /** Gives storage back that nobody is attached to. */
  release(storage: HeapAllocation): void;
  /** Attaches everybody to the new storage of a buffer, and detaches them from the old. */
  settle(buffer: ExportedBuffer): void;
  /** Writes a buffer down for the next life of the exporter; with `incoming` set before a generation is published. */
  note(buffer: ExportedBuffer): void;
  /** Why a device cannot use storage; undefined when it can. */
  violation(storage: HeapAllocation, constraints: DeviceConstraints): string | undefined;
}

/** The part of the exporter that moves a buffer; the migration layer brings it. */
export interface Mover {
  /**
   * Moves a buffer to a target that is allocated already. On failure the target is free and all else as before.
   *
   * Context: inside the buffer's service queue.
   * @throws ErrnoError ETIMEDOUT naming the holders, EBUSY when pinned or in use under policy `busy`, ECANCELED when
   *   no device that the move was for is left, or the one whose map has asked for it has it mapped
   */
  move(buffer: ExportedBuffer, target: HeapAllocation, cause: MoveCause): Task<void>;

  /** The buffer is nobody's any more (`orphaned`): a move of it that waits ends now, with ENODEV; one that copies when it has copied. */
  giveUp(buffer: ExportedBuffer): void;
}
export interface MoveCause {
  readonly reason: string;
  readonly forcedBy: readonly string[];
  readonly requestedNs: number;
  /** The attachments that the move is for: it is called off once none of them is left. Absent when a buffer moves back. */
  readonly attachments?: readonly AttachmentSlot[];
  /** Whose map has asked for it: it is called off where that device has the buffer mapped by the time that the move begins. */
  readonly asker?: AttachmentSlot;
}

/** What storage is made of, and what it costs. */
export interface StorageParts {
  readonly services: ActorServices;
  readonly buffers: BufferWords;
  /** In the order in which equals are preferred. */
  readonly heaps: readonly DmaHeap[];
  readonly costs: StorageCosts;
}

/** Who the actors are, and how often they have died: from words that outlive the exporter. */
export interface ActorLives {
  /** The highest number of an actor; the lowest is 1. */
  readonly last: number;
  /** Deaths so far: the number of the present life, from 0. */
  deaths(actor: ActorId): number;
  /** Of those, how many have been cleaned up after. */
  reclaimed(actor: ActorId): number;
}

/** What the exporter works with. */
export interface ExporterParts<M extends Mover = Mover> extends StorageParts {
  readonly queues: ExporterWords;
  readonly policy: ExporterPolicy;
  /** Makes the mover for the exporter's storage. */
  readonly mover: (storage: MovableStorage) => M;
  /** Where it writes what its next life needs; absent = there is none. */
  readonly journal?: Journal;
  /** Tells the journal whose life each attachment is of; absent = nobody's lives are told apart. */
  readonly lives?: ActorLives;
  /** Told which device gets which pages; absent = nobody looks for writes to pages that were given back. */
  readonly sanitizer?: Pick<DmaSanitizer, 'mapped' | 'keepIn'>;
  /** Looks for control words that were overwritten; absent = nobody does. */
  readonly watch?: SlotWatch;
}
