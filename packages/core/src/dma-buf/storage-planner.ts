import { ErrnoError, isErrno } from '../base/index.js';
import { type PlacementResult, solvePlacement } from '../constraints/index.js';
import type { DmaHeap, HeapAllocation } from './dma-heap.js';
import type { ExportedBuffer } from './exported-buffer.js';
import type { AttachRequest } from './protocol.js';

/** A placement that suits everybody, with its reasons. */
export type SolvedPlacement = Extract<PlacementResult, { status: 'placed' }>;

/** Decides which heap a buffer belongs in, and takes storage from it. Holds no state of its own. */
export class StoragePlanner {
  /** @param heaps in the order in which equals are preferred */
  constructor(private readonly heaps: readonly DmaHeap[]) {}

  /** @throws ErrnoError ENODEV when there is no heap of that name */
  heap(name: string): DmaHeap {
    const heap = this.heaps.find((candidate) => candidate.name === name);
    if (heap !== undefined) return heap;
    const names = this.heaps.map((candidate) => candidate.name).join(', ');
    throw new ErrnoError('ENODEV', 'dma_heap_find', `Cannot find heap ${name}: the heaps are ${names}`);
  }

  /** Where a buffer would go now, for the devices that are attached. */
  trySolve(buffer: ExportedBuffer): PlacementResult {
    return solvePlacement(this.#problem(buffer));
  }

  /**
   * Where a buffer has to go, for the devices that are attached and a newcomer.
   *
   * @throws ErrnoError EINVAL with the conflict when no heap suits everybody
   */
  solve(buffer: ExportedBuffer, newcomer?: AttachRequest): SolvedPlacement {
    const result = solvePlacement(this.#problem(buffer, newcomer));
    if (result.status === 'placed') return result;
    throw new ErrnoError(
      'EINVAL',
      newcomer === undefined ? 'dma_buf_map_attachment' : 'dma_buf_attach',
      `Cannot ${newcomer === undefined ? 'place' : `attach ${newcomer.device} to`} ${buffer.name}: ${result.explanation.prose}`,
      { buffer: buffer.name, conflict: result.conflict, candidates: result.candidates },
    );
  }

  /**
   * Allocates from the cheapest heap that suits and has room; all or nothing.
   *
   * @throws ErrnoError ENOMEM of the last heap tried
   */
  allocate(buffer: ExportedBuffer, placement: SolvedPlacement, zero: boolean): HeapAllocation {
    const suitable = placement.candidates
      .filter((candidate) => candidate.suits)
      .map((candidate) => this.heap(candidate.heap));
    let last: unknown;
    for (const heap of suitable) {
      try {
        return heap.allocate(buffer.sizeBytes, { zero });
      } catch (error) {
        if (!isErrno(error, 'ENOMEM')) throw error;
        last = error;
      }
    }
    throw last;
  }

  /** Whether a heap is less scarce than another. */
  isCheaper(heap: string, than: string, buffer: ExportedBuffer): boolean {
    return this.heap(heap).traits(buffer.sizeBytes).cost < this.heap(than).traits(buffer.sizeBytes).cost;
  }

  #problem(buffer: ExportedBuffer, newcomer?: AttachRequest): Parameters<typeof solvePlacement>[0] {
    return {
      devices: buffer.constraints(newcomer?.constraints),
      heaps: this.heaps.map((heap) => heap.traits(buffer.sizeBytes)),
      sizeBytes: buffer.sizeBytes,
    };
  }
}

/** Who forced a placement: each device that did so alone, else all that did so jointly. */
export function forcingDevices(placement: SolvedPlacement): string[] {
  if (placement.bindingDevices.length > 0) return [...placement.bindingDevices];
  return [...new Set(placement.forcedBy.map((fact) => fact.device))];
}
