/** What the exporter writes down for the report: who attached and what it led to, and what worked by luck. */
import type { Nanoseconds } from '../base/index.js';
import {
  type DeviceConstraints,
  type HeapTraits,
  type PlacementHazard,
  placementHazards,
} from '../constraints/index.js';
import type { HeapAllocation } from './dma-heap.js';
import type { AttachRecord, ExportedBuffer } from './exported-buffer.js';

/** A mapping that works and that nobody promised. */
export interface HazardRecord extends PlacementHazard {
  readonly buffer: string;
  readonly pool: string;
  readonly atNs: Nanoseconds;
}

/** An allocation and the model time that somebody waited for it. */
export interface AllocationRecord {
  readonly buffer: string;
  readonly pool: string;
  readonly heap: string;
  /** `eager`: when the buffer was created; `deferred`: at its first map; `move`: for a late device. */
  readonly kind: 'eager' | 'deferred' | 'move';
  readonly atNs: Nanoseconds;
  /** Finding the pages, and zeroing those that were not. */
  readonly ns: Nanoseconds;
  readonly bytes: number;
  /** That came from a page pool. */
  readonly pooledBytes: number;
}

export class ExporterRecords {
  readonly allocations: AllocationRecord[] = [];
  readonly attaches: AttachRecord[] = [];
  readonly hazards: HazardRecord[] = [];

  /** Writes down what an attach led to. */
  attach(
    buffer: ExportedBuffer,
    device: string,
    outcome: AttachRecord['outcome'],
    why: string,
    forcedBy: readonly string[],
    atNs: Nanoseconds,
  ): void {
    this.attaches.push({ device, buffer: buffer.name, pool: buffer.request.pool, atNs, outcome, why, forcedBy });
  }

  /** Writes down what an allocation has cost. */
  allocation(
    { name, request }: ExportedBuffer,
    storage: HeapAllocation,
    kind: AllocationRecord['kind'],
    atNs: Nanoseconds,
    ns: Nanoseconds,
  ): void {
    const { heap, sgTable, pooledBytes = 0 } = storage;
    const bytes = sgTable.lengthBytes;
    this.allocations.push({ buffer: name, pool: request.pool, heap, kind, atNs, ns, bytes, pooledBytes });
  }

  /** Looks at pages as they are, when they are new or a device is; each hazard of a buffer is told once. */
  look(buffer: ExportedBuffer, heap: HeapTraits, devices: readonly DeviceConstraints[], atNs: Nanoseconds): void {
    const { name, allocation, request } = buffer;
    if (allocation === undefined) return;
    for (const hazard of placementHazards(heap, devices, allocation.sgTable.runs)) {
      const { kind, device } = hazard;
      const isKnown = this.hazards.some((one) => one.buffer === name && one.kind === kind && one.device === device);
      if (!isKnown) this.hazards.push({ ...hazard, buffer: name, pool: request.pool, atNs });
    }
  }
}
