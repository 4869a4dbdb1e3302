/** The heaps behind /dev/cenalloc: which of them suits all devices of a buffer, pages of it, and why that one. */
import { ErrnoError, isErrno } from '@dmabuf-lab/core/base';
import {
  type BufferPlan,
  type DeviceConstraints,
  type HeapTraits,
  type PlacedResult,
  planAttach,
  solvePlacement,
} from '@dmabuf-lab/core/constraints';
import { type DmaHeap, type HeapAllocation, type StorageAccess, StoragePlanner } from '@dmabuf-lab/core/dma-buf';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { PAGE_BYTES } from '../abi/fcntl.js';
import type { Page } from '../kernel/pages.js';

/** Storage that has been chosen. */
export interface CenallocPlace {
  readonly allocation: HeapAllocation;
  /** In one sentence. */
  readonly why: string;
  /** For whom. */
  readonly devices: readonly string[];
}

/** What an attach is to be planned for. */
export interface CenallocSituation {
  readonly name: string;
  /** Whole pages. */
  readonly sizeBytes: number;
  /** Absent = none yet. */
  readonly pages: readonly Page[] | undefined;
  readonly devices: readonly DeviceConstraints[];
  /** Why the storage has to stay where it is. */
  readonly holders: readonly string[];
}

/** Storage goes by its pages, of which each table is made once. */
export class CenallocStorage implements StorageAccess<readonly Page[]> {
  readonly #places = new Map<readonly Page[], CenallocPlace>();
  readonly #planner: StoragePlanner;

  /** @param heaps in the order in which equals are preferred; their pages are those of the memory */
  constructor(
    private readonly heaps: readonly DmaHeap[],
    private readonly memory: PhysicalMemory,
  ) {
    this.#planner = new StoragePlanner(heaps);
  }

  /** What the attach of a device means: the plan that scenarios follow. */
  planAttach({ name, sizeBytes, pages, devices, holders }: CenallocSituation, newcomer: DeviceConstraints): BufferPlan {
    const place = pages === undefined ? undefined : this.#places.get(pages);
    const storage = place && { heap: place.allocation.heap, runs: place.allocation.sgTable.runs };
    const users = devices.map((constraints) => {
      return { device: constraints.device, constraints, mapping: 'per-job' as const, mapped: 0 };
    });
    const situation = {
      buffer: name,
      sizeBytes,
      users,
      pins: holders.length,
      pinnedBy: holders,
      ...(storage && { storage }),
    };
    return planAttach({ ...situation, cpuAccess: true }, newcomer, this.#traits(sizeBytes), { onBusy: 'wait' });
  }

  /**
   * Zeroed pages where all devices reach them, from the least scarce heap that has room.
   *
   * @param sizeBytes whole pages
   * @throws ErrnoError EINVAL with the conflict when no heap suits all, ENOMEM of the last heap that does
   */
  allocate(name: string, sizeBytes: number, devices: readonly DeviceConstraints[]): readonly Page[] {
    const solved = solvePlacement({ devices, heaps: this.#traits(sizeBytes), sizeBytes, cpuAccess: true });
    if (solved.status === 'unsatisfiable') {
      const message = `Cannot place ${name}: ${solved.explanation.prose}`;
      throw new ErrnoError('EINVAL', 'cenalloc_map', message, { conflict: solved.conflict });
    }
    const allocation = this.#allocateFrom(solved);
    const pages = this.#pagesOf(allocation);
    const why = this.#planner.why(allocation, solved);
    this.#places.set(pages, { allocation, why, devices: [...new Set(devices.map(({ device }) => device))] });
    return pages;
  }

  #traits(sizeBytes: number): HeapTraits[] {
    return this.heaps.map((heap) => heap.traits(sizeBytes));
  }

  #allocateFrom({ candidates, sizeBytes }: PlacedResult): HeapAllocation {
    let last: unknown;
    for (const { heap, suits } of candidates) {
      if (!suits) continue;
      try {
        return this.#planner.heap(heap).allocate(sizeBytes, { zero: true });
      } catch (error) {
        if (!isErrno(error, 'ENOMEM')) throw error;
        last = error;
      }
    }
    throw last;
  }

  #pagesOf({ sgTable: { runs } }: HeapAllocation): readonly Page[] {
    return runs.flatMap(({ address, lengthBytes }) => {
      const bytes = this.memory.view(address, lengthBytes);
      return Array.from({ length: lengthBytes / PAGE_BYTES }, (_, i) =>
        bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES),
      );
    });
  }

  placeOf(pages: readonly Page[]): CenallocPlace | undefined {
    return this.#places.get(pages);
  }

  /** Why a device cannot use pages, by their real addresses; undefined when it can. */
  objection(pages: readonly Page[], device: DeviceConstraints): string | undefined {
    const place = this.#places.get(pages);
    return place && this.#planner.violation(place.allocation, device);
  }

  lengthBytes(pages: readonly Page[]): number {
    return pages.length * PAGE_BYTES;
  }

  page(pages: readonly Page[], index: number): Page | undefined {
    return pages[index];
  }

  copy(to: readonly Page[], from: readonly Page[]): void {
    for (const [i, page] of from.entries()) to[i].set(page);
  }

  free(pages: readonly Page[]): void {
    const place = this.#places.get(pages);
    if (place === undefined) return;
    this.#places.delete(pages);
    this.#planner.heap(place.allocation.heap).free(place.allocation);
  }
}
