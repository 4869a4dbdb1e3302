/** A small real heap for the rig: pages of one window, contiguous or as scattered as they can be. */
import { ErrnoError, type PhysAddr, physAddr } from '../base/index.js';
import type { HeapTraits } from '../constraints/index.js';
import type {
  DmaBufOps,
  DmaHeap,
  HeapAllocateOptions,
  HeapAllocation,
  HeapStats,
  StoredAllocation,
} from '../dma-buf/index.js';
import { allocationOf } from '../dma-buf/index.js';
import { type MemoryWindow, PAGE_SIZE, type PhysicalMemory, type Run, SgTable } from '../memory/index.js';

/** How the pages of a buffer lie. */
export type RigHeapKind = 'scattered' | 'contiguous';

/** Dearer than scattered memory, as CMA is: a buffer lies in it only where a device asks for that. */
const CONTIGUOUS_COST = 2;

export class RigHeap implements DmaHeap {
  readonly ops: DmaBufOps;
  readonly #taken: Uint8Array;
  readonly #out = new Set<HeapAllocation>();
  #usedPages = 0;
  #peakPages = 0;

  constructor(
    readonly name: string,
    private readonly kind: RigHeapKind,
    private readonly window: MemoryWindow,
    private readonly memory: PhysicalMemory,
  ) {
    this.#taken = new Uint8Array(window.sizeBytes / PAGE_SIZE);
    this.ops = {
      mapDmaBuf: ({ sgTable }) => sgTable,
      beginCpuAccess: () => 0,
      endCpuAccess: () => 0,
      mmap: ({ sgTable }) => sgTable,
      vmap: ({ sgTable }) => sgTable,
      vunmap: () => {},
      release: (storage) => this.free(storage),
    };
  }

  traits(): HeapTraits {
    const { base, sizeBytes } = this.window;
    const contiguous = this.kind === 'contiguous';
    return {
      name: this.name,
      windows: [{ base, sizeBytes }],
      contiguous,
      alignmentBytes: PAGE_SIZE,
      cost: contiguous ? CONTIGUOUS_COST : 0,
    };
  }

  allocate(sizeBytes: number, { zero }: HeapAllocateOptions): HeapAllocation {
    if (!(sizeBytes > 0)) throw this.#refuse('EINVAL', `${sizeBytes} bytes are asked for`);
    const count = Math.ceil(sizeBytes / PAGE_SIZE);
    const pages = this.kind === 'contiguous' ? this.#piece(count) : this.#scattered(count);
    if (pages === undefined) throw this.#refuse('ENOMEM', `it has no room for ${count} pages`);
    const sgTable = SgTable.fromRuns(pages.map((page) => ({ address: this.#addressOf(page), lengthBytes: PAGE_SIZE })));
    if (zero) for (const { address, lengthBytes } of sgTable.runs) this.memory.fill(address, 0, lengthBytes);
    return this.#handOut({ heap: this.name, sgTable, chunksByOrder: new Map([[0, count]]) });
  }

  adopt(stored: StoredAllocation): HeapAllocation {
    if (stored.heap !== this.name) throw this.#refuse('EINVAL', `the pages are those of ${stored.heap}`);
    const isTaken = stored.runs.flatMap((run) => this.#pagesOf(run)).some((page) => this.#taken[page] !== 0);
    if (isTaken) throw this.#refuse('EBUSY', 'not all of the pages are free');
    return this.#handOut(allocationOf(stored));
  }

  free(allocation: HeapAllocation): void {
    if (!this.#out.delete(allocation)) throw this.#refuse('EINVAL', 'the allocation is not out');
    for (const run of allocation.sgTable.runs) for (const page of this.#pagesOf(run)) this.#taken[page] = 0;
    this.#usedPages -= allocation.sgTable.lengthBytes / PAGE_SIZE;
  }

  stats(): HeapStats {
    const { sizeBytes } = this.window;
    const usedBytes = this.#usedPages * PAGE_SIZE;
    const freeBytes = sizeBytes - usedBytes;
    return {
      ...{ sizeBytes, usedBytes, freeBytes, peakBytes: this.#peakPages * PAGE_SIZE },
      largestFreeRunBytes: this.#longestFreePiece() * PAGE_SIZE,
      allocations: this.#out.size,
    };
  }

  #handOut(allocation: HeapAllocation): HeapAllocation {
    for (const run of allocation.sgTable.runs) for (const page of this.#pagesOf(run)) this.#taken[page] = 1;
    this.#usedPages += allocation.sgTable.lengthBytes / PAGE_SIZE;
    this.#peakPages = Math.max(this.#peakPages, this.#usedPages);
    this.#out.add(allocation);
    return allocation;
  }

  /** Pages of which no two abut, as long as there are such: every other one first. */
  #scattered(count: number): number[] | undefined {
    const found: number[] = [];
    for (const parity of [0, 1]) {
      for (let page = parity; page < this.#taken.length && found.length < count; page += 2) {
        if (this.#taken[page] === 0) found.push(page);
      }
    }
    return found.length === count ? found : undefined;
  }

  #piece(count: number): number[] | undefined {
    for (let first = 0, page = 0; page < this.#taken.length; page += 1) {
      if (this.#taken[page] !== 0) first = page + 1;
      else if (page - first + 1 === count) return Array.from({ length: count }, (_, i) => first + i);
    }
    return undefined;
  }

  #longestFreePiece(): number {
    let longest = 0;
    for (let first = 0, page = 0; page < this.#taken.length; page += 1) {
      if (this.#taken[page] !== 0) first = page + 1;
      longest = Math.max(longest, page - first + 1);
    }
    return longest;
  }

  #addressOf = (page: number): PhysAddr => physAddr(this.window.base + page * PAGE_SIZE);

  #pagesOf({ address, lengthBytes }: Run): number[] {
    const first = (address - this.window.base) / PAGE_SIZE;
    return Array.from({ length: lengthBytes / PAGE_SIZE }, (_, i) => first + i);
  }

  #refuse(code: 'EINVAL' | 'ENOMEM' | 'EBUSY', reason: string): ErrnoError {
    return new ErrnoError(code, 'dma_heap', `Cannot use heap ${this.name}: ${reason}`, { heap: this.name });
  }
}
