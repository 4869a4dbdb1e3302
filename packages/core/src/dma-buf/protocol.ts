/** The control calls between an importer and the exporter actor: plain data both ways, in both runtimes. */
import type { ActorId, AttachmentSlot, BufferSlot, Nanoseconds } from '../base/index.js';
import type { DeviceConstraints } from '../constraints/index.js';
import type { Run } from '../memory/index.js';
import type { BufferState } from './buffer-words.js';

/** The actor that hosts the heaps. */
export const EXPORTER = 'exporter';

/** A buffer as others know it: the life tells a slot's present buffer from an earlier one. */
export interface BufferHandle {
  readonly slot: BufferSlot;
  readonly life: number;
}

export interface CreateRequest {
  readonly name: string;
  readonly pool: string;
  readonly sizeBytes: number;
  /** `deferred`: the attached devices decide at the first map; else the heap to take at once. */
  readonly allocate: 'deferred' | { readonly heap: string };
  /** Devices that must have attached before the first map may place the buffer. */
  readonly expect: readonly string[];
  readonly expectTimeoutNs: Nanoseconds;
}

/** How an importer treats its mappings: released after each job, or held until the driver lets go (vb2). */
export type MappingStyle = 'per-job' | 'held';

export interface AttachRequest {
  readonly buffer: BufferHandle;
  readonly device: string;
  readonly actor: ActorId;
  readonly constraints: DeviceConstraints;
  readonly mapping: MappingStyle;
}

export interface AttachReply {
  readonly attachment: AttachmentSlot;
  readonly name: string;
  readonly sizeBytes: number;
  /** Whether the buffer has moved for it. */
  readonly moved: boolean;
}

export interface MapRequest {
  readonly buffer: BufferHandle;
  readonly attachment: AttachmentSlot;
}

/** The storage of a buffer for an importer: valid while STATE is `state`. */
export interface MapReply {
  readonly state: BufferState;
  readonly runs: readonly Run[];
  /** What the exporter did for it: placed the buffer, moved it, or only told where it is. */
  readonly did: 'placing' | 'moving' | 'mapping';
}

export interface DetachRequest extends MapRequest {
  /** The device is done with the run: the buffer need not move back for those that stay. */
  readonly ended: boolean;
}
export interface BufferRequest {
  readonly buffer: BufferHandle;
}
