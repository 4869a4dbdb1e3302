import { ErrnoError, isErrno } from '../base/index.js';
import {
  type BufferPlan,
  type BufferSituation,
  type DeviceConstraints,
  type HeapTraits,
  ionIds,
  isSharedBy,
  type LatePolicy,
  type PlacedResult,
  planAttach,
  planDetach,
  solvePlacement,
  storageViolation,
} from '../constraints/index.js';
import type { DmaHeap, HeapAllocateOptions, HeapAllocation } from './dma-heap.js';
import type { AttachedDevice, ExportedBuffer } from './exported-buffer.js';
import type { AllocationRequest, AttachRequest } from './protocol.js';

/** Storage that a buffer has from its creation on, and why it is that. */
export interface EagerAllocation {
  readonly allocation: HeapAllocation;
  readonly why: string;
}

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
   * Storage for a buffer that is allocated when it is created.
   *
   * @returns undefined when the allocation is deferred
   * @throws ErrnoError ENODEV when a heap does not exist, ENOMEM, EINVAL when no heap suits the device that allocates
   */
  allocateAtCreate(request: AllocationRequest, sizeBytes: number): EagerAllocation | undefined {
    if (request === 'deferred') return undefined;
    if ('heap' in request) {
      const allocation = this.heap(request.heap).allocate(sizeBytes, { zero: true, visible: true });
      return { allocation, why: `its creator named the heap ${request.heap}` };
    }
    if ('ion' in request) {
      const names = request.ion.map((name) => this.heap(name).name);
      const byPriority = ionIds(this.#traits(sizeBytes))
        .filter(({ heap }) => names.includes(heap))
        .reverse();
      const heaps = byPriority.map(({ heap }) => this.heap(heap));
      const allocation = allocateFromFirst(heaps, sizeBytes, () => ({ zero: true, visible: true }));
      const tried = heaps.map(({ name }) => name).join(', ');
      return { allocation, why: `the first heap of ION's mask that has room, in order of priority: ${tried}` };
    }
    const { device } = request.onDevice;
    const solved = solvePlacement({ devices: [request.onDevice], heaps: this.#traits(sizeBytes), sizeBytes });
    if (solved.status === 'unsatisfiable') {
      const message = `Cannot allocate on ${device}: ${solved.explanation.prose}`;
      throw new ErrnoError('EINVAL', 'dma_heap_alloc', message, { device, conflict: solved.conflict });
    }
    const allocation = allocateFromFirst(this.#suitable(solved), sizeBytes, () => ({ zero: true, visible: true }));
    return { allocation, why: `${device} allocated it for itself: ${solved.explanation.prose}` };
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
  solve(buffer: ExportedBuffer, iovaInUse?: Readonly<Record<string, number>>): PlacedResult {
    const { sizeBytes } = buffer;
    const heaps = this.#traits(sizeBytes);
    const result = solvePlacement({ devices: buffer.constraints(), heaps, sizeBytes, ...(iovaInUse && { iovaInUse }) });
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
    const { sizeBytes } = buffer;
    const devices = buffer.constraints();
    // Device-local memory that others are to reach has to lie in what they see, whichever heap it comes to.
    return allocateFromFirst(this.#suitable(placement), sizeBytes, (heap) => {
      return { zero, visible: isSharedBy(heap.traits(sizeBytes), devices, false) };
    });
  }

  /** Why a buffer lies where it was allocated. */
  why({ heap }: HeapAllocation, { heap: first, explanation }: PlacedResult): string {
    if (heap === first) return explanation.prose;
    return `${heap}, since ${first} has no room; it suits every device too. Without that: ${explanation.prose}`;
  }

  #suitable({ candidates }: PlacedResult): DmaHeap[] {
    return candidates.filter(({ suits }) => suits).map(({ heap }) => this.heap(heap));
  }

  /** Why a device cannot use storage, by the real addresses and by what its heap allows; undefined when it can. */
  violation(storage: HeapAllocation, constraints: DeviceConstraints): string | undefined {
    const { heap, sgTable } = storage;
    const { lengthBytes, runs } = sgTable;
    return storageViolation(heap, this.heap(heap).traits(lengthBytes), runs, constraints, lengthBytes);
  }

  /** Attached devices that cannot use the present storage. */
  unreachable({ allocation, attachments }: ExportedBuffer): AttachedDevice[] {
    if (allocation === undefined) return [];
    return [...attachments.values()].filter(({ constraints }) => this.violation(allocation, constraints) !== undefined);
  }

  #traits(sizeBytes: number): HeapTraits[] {
    return this.heaps.map((heap) => heap.traits(sizeBytes));
  }
}

/** From the first that has room. @throws ErrnoError ENOMEM of the last heap tried */
function allocateFromFirst(
  heaps: readonly DmaHeap[],
  sizeBytes: number,
  optionsFor: (heap: DmaHeap) => HeapAllocateOptions,
): HeapAllocation {
  let last: unknown;
  for (const heap of heaps) {
    try {
      return heap.allocate(sizeBytes, optionsFor(heap));
    } catch (error) {
      if (!isErrno(error, 'ENOMEM')) throw error;
      last = error;
    }
  }
  throw last;
}
