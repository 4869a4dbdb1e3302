/** What the exporter writes down for the report: who attached and what it led to, and what worked by luck. */
import type { BoundedList, Nanoseconds } from '../base/index.js';
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

/** How many records did not fit, by list. */
export interface RecordsDropped {
  readonly allocations: number;
  readonly attaches: number;
  readonly hazards: number;
}

const keyOf = (buffer: string, { kind, device }: PlacementHazard): string => JSON.stringify([buffer, kind, device]);

/** Each list keeps the first `MAX_RECORDS`. */
export class ExporterRecords {
  readonly #allocations: BoundedList<AllocationRecord>;
  readonly #attaches: BoundedList<AttachRecord>;
  readonly #hazards: BoundedList<HazardRecord>;
  /** Hazards that were told or counted. */
  readonly #known: Set<string>;

  /** @param journal of an exporter that may be started again: what earlier lives wrote down comes first */
  constructor(private readonly journal: Pick<ExporterJournal, 'append' | 'restore'>) {
    this.#allocations = journal.restore(ALLOCATION);
    this.#attaches = journal.restore(ATTACH);
    this.#hazards = journal.restore(HAZARD);
    this.#known = new Set(this.#hazards.items.map((one) => keyOf(one.buffer, one)));
  }

  get allocations(): readonly AllocationRecord[] {
    return this.#allocations.items;
  }

  get attaches(): readonly AttachRecord[] {
    return this.#attaches.items;
  }

  get hazards(): readonly HazardRecord[] {
    return this.#hazards.items;
  }

  get dropped(): RecordsDropped {
    const [allocations, attaches, hazards] = [this.#allocations, this.#attaches, this.#hazards];
    return { allocations: allocations.dropped, attaches: attaches.dropped, hazards: hazards.dropped };
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
    this.journal.append(ATTACH, this.#attaches, record);
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
    this.journal.append(ALLOCATION, this.#allocations, record);
  }

  /** Looks at pages as they are, when they are new or a device is; each hazard of a buffer is told once. */
  look(buffer: ExportedBuffer, heap: HeapTraits, devices: readonly DeviceConstraints[], atNs: Nanoseconds): void {
    const { name, allocation, request } = buffer;
    if (allocation === undefined) return;
    for (const hazard of placementHazards(heap, devices, allocation.sgTable.runs)) {
      const key = keyOf(name, hazard);
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      this.journal.append(HAZARD, this.#hazards, { ...hazard, buffer: name, pool: request.pool, atNs });
    }
  }
}
