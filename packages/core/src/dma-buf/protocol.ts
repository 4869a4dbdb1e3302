/** The control calls between an importer and the exporter actor: plain data both ways, in both runtimes. */
import type { ActorId, AttachmentSlot, BufferSlot, Nanoseconds } from '../base/index.js';
import type { DeviceConstraints } from '../constraints/index.js';
import type { Run } from '../memory/index.js';
import type { BufferState } from './buffer-words.js';

/** The actor that hosts the heaps. */
export const EXPORTER = 'exporter';

/** The version of the calls below; another one is refused with EPROTO. */
export const PROTOCOL_VERSION = 1;

/** What every request may say. */
export interface ControlRequest {
  /** Of the calls, as the sender knows them; absent = 1. */
  readonly version?: number;
}

/** A buffer as others know it: the life tells a slot's present buffer from an earlier one. */
export interface BufferHandle {
  readonly slot: BufferSlot;
  readonly life: number;
}

/**
 * Who chooses the heap.
 *
 * `deferred`: nothing is allocated; the attached devices decide at the first map (cenalloc). Else storage is taken at once:
 * from a heap by name (dma-buf heaps), from the first of several that has room (ION's mask, in order of priority), or
 * where one device can reach it, which knows of no other (a dumb buffer that others import).
 */
export type AllocationRequest =
  | 'deferred'
  | { readonly heap: string }
  | { readonly ion: readonly string[] }
  | { readonly onDevice: DeviceConstraints };

export interface CreateRequest extends ControlRequest {
  /**
   * Who exports it, and alone may destroy it: when that actor dies, new maps are ENODEV. Absent: the heap's own actor, as for
   * a dma-buf heap.
   */
  readonly actor?: ActorId;
  readonly name: string;
  readonly pool: string;
  readonly sizeBytes: number;
  readonly allocate: AllocationRequest;
  /** Whether it moves for a late device; absent = true. Linux exporters of system memory never do. */
  readonly movable?: boolean;
  /** Devices that must have attached before the first map may place the buffer. */
  readonly expect: readonly string[];
  readonly expectTimeoutNs: Nanoseconds;
}

/** How an importer treats its mappings: released after each job, or held until the driver lets go (vb2). */
export type MappingStyle = 'per-job' | 'held';

/**
 * Whether an importer can lose its mapping: a `static` one keeps the buffer in place while it has it mapped; a `dynamic` one
 * keeps its mapping between jobs, is told by moveNotify that it ends, and maps anew. Source: dma_buf_attach and
 * dma_buf_dynamic_attach, drivers/dma-buf/dma-buf.c, v6.12.
 */
export type ImporterStyle = 'static' | 'dynamic';

/** How a device uses what it has attached to. */
export interface ImporterTraits {
  readonly mapping: MappingStyle;
  /** Absent = static. */
  readonly importer?: ImporterStyle;
  /**
   * A dynamic importer that pins what it has mapped (dma_buf_pin): with `per-job` for each job, with `held` from its first
   * job until it lets go. Absent = false. Static importers pin by having mapped.
   */
  readonly pin?: boolean;
}

/** Whether its mappings stay, and keep the buffer in place, until the driver lets go. */
export const holdsInPlace = ({ mapping, importer }: ImporterTraits): boolean =>
  mapping === 'held' && importer !== 'dynamic';

/** Whether its pins stay until the driver lets go. */
export const pinsForItsStay = ({ mapping, pin }: ImporterTraits): boolean => mapping === 'held' && pin === true;

export interface AttachRequest extends ControlRequest, ImporterTraits {
  readonly buffer: BufferHandle;
  readonly device: string;
  readonly actor: ActorId;
  readonly constraints: DeviceConstraints;
  /** Tells the attaches of an actor apart, which has one importer, so that one that is made again finds what it has made; absent = it makes one at a time. */
  readonly call?: number;
}

export interface AttachReply {
  readonly attachment: AttachmentSlot;
  readonly name: string;
  readonly sizeBytes: number;
  /** Whether the buffer has moved for it. */
  readonly moved: boolean;
  /** Who exports it; absent = the heap's own actor. */
  readonly owner?: ActorId;
}

export interface MapRequest extends ControlRequest {
  readonly buffer: BufferHandle;
  readonly attachment: AttachmentSlot;
}

/** The storage of a buffer for an importer: valid while STATE is `state`. */
export interface MapReply {
  readonly state: BufferState;
  readonly runs: readonly Run[];
  /** It is the device's own memory, which it reaches whatever its constraints; absent = false. */
  readonly isLocal?: boolean;
  /** What the exporter did for it: placed the buffer, moved it, or only told where it is. */
  readonly did: 'placing' | 'moving' | 'mapping';
}

export interface DetachRequest extends MapRequest {
  /** The device is done with the run: the buffer need not move back for those that stay. */
  readonly ended: boolean;
  /** Of the attach that has made it, so that a detach that is made again ends no attachment made since; absent = whatever is there. */
  readonly call?: number;
}
export interface BufferRequest extends ControlRequest {
  readonly buffer: BufferHandle;
}
