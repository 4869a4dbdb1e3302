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
import type { ExporterJournal } from './exporter-journal.js';

const ALLOCATION = 'allocation/';
const ATTACH = 'attach/';
const HAZARD = 'hazard/';

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
  readonly allocations: AllocationRecord[];
  readonly attaches: AttachRecord[];
  readonly hazards: HazardRecord[];

  /** @param journal of an exporter that may be started again: what earlier lives wrote down comes first */
  constructor(private readonly journal: Pick<ExporterJournal, 'append' | 'restore'>) {
    this.allocations = journal.restore(ALLOCATION);
    this.attaches = journal.restore(ATTACH);
    this.hazards = journal.restore(HAZARD);
  }

  #add<T>(kind: string, records: T[], record: T): void {
    records.push(record);
    this.journal.append(kind, record);
  }

  /** Writes down what an attach led to. */
  attach(
    buffer: ExportedBuffer,
    device: string,
    outcome: AttachRecord['outcome'],
    why: string,
    forcedBy: readonly string[],
    atNs: Nanoseconds,
  ): void {
    const { name, request } = buffer;
    const record = { device, buffer: name, pool: request.pool, atNs, outcome, why, forcedBy };
    this.#add(ATTACH, this.attaches, record);
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
    const record = { buffer: name, pool: request.pool, heap, kind, atNs, ns, bytes, pooledBytes };
    this.#add(ALLOCATION, this.allocations, record);
  }

  /** Looks at pages as they are, when they are new or a device is; each hazard of a buffer is told once. */
  look(buffer: ExportedBuffer, heap: HeapTraits, devices: readonly DeviceConstraints[], atNs: Nanoseconds): void {
    const { name, allocation, request } = buffer;
    if (allocation === undefined) return;
    for (const hazard of placementHazards(heap, devices, allocation.sgTable.runs)) {
      const { kind, device } = hazard;
      const isKnown = this.hazards.some((one) => one.buffer === name && one.kind === kind && one.device === device);
      if (!isKnown) this.#add(HAZARD, this.hazards, { ...hazard, buffer: name, pool: request.pool, atNs });
    }
  }
}
