import { ErrnoError, isErrno } from '../base/index.js';
import {
  type BufferPlan,
  type BufferSituation,
  type HeapTraits,
  type LatePolicy,
  type PlacedResult,
  planAttach,
  planDetach,
  solvePlacement,
} from '../constraints/index.js';
import type { DmaHeap, HeapAllocation } from './dma-heap.js';
import type { ExportedBuffer } from './exported-buffer.js';
import type { AttachRequest } from './protocol.js';

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

  /**
   * What the attach of a device means for a buffer: the same plan that a forecast shows.
   *
   * @param situation the buffer as it is
   */
  planAttach(situation: BufferSituation, newcomer: AttachRequest, policy: LatePolicy): BufferPlan {
    return planAttach(situation, newcomer.constraints, this.#traits(situation.sizeBytes), policy);
  }

  /** What becomes possible for a buffer once a device has detached. */
  planDetach(situation: BufferSituation, leaving: string): BufferPlan {
    return planDetach(situation, leaving, this.#traits(situation.sizeBytes));
  }

  /**
   * Where a buffer has to go, for the devices that are attached.
   *
   * @throws ErrnoError EINVAL with the conflict when no heap suits everybody
   */
  solve(buffer: ExportedBuffer): PlacedResult {
    const { sizeBytes } = buffer;
    const result = solvePlacement({ devices: buffer.constraints(), heaps: this.#traits(sizeBytes), sizeBytes });
    if (result.status === 'placed') return result;
    throw new ErrnoError(
      'EINVAL',
      'dma_buf_map_attachment',
      `Cannot place ${buffer.name}: ${result.explanation.prose}`,
      { buffer: buffer.name, conflict: result.conflict },
    );
  }

  /**
   * Allocates from the cheapest heap that suits and has room; all or nothing.
   *
   * @throws ErrnoError ENOMEM of the last heap tried
   */
  allocate(buffer: ExportedBuffer, placement: PlacedResult, zero: boolean): HeapAllocation {
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

  #traits(sizeBytes: number): HeapTraits[] {
    return this.heaps.map((heap) => heap.traits(sizeBytes));
  }
}
