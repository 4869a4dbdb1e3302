/**
 * The chunk heap: buffers of whole chunks of one size, out of a region of their own.
 *
 * For devices whose MMU maps large pages only, such as 1 MiB: every run is a whole number of chunks, aligned to the chunk.
 * The end of the last chunk is wasted.
 *
 * Context: owner-actor; never blocks.
 *
 * Source: drivers/staging/android/ion/ion_chunk_heap.c, v4.14: gen_pool of the chunk size, allocated_size = ALIGN(size,
 * chunk_size), all or nothing.
 */
import { assert, ErrnoError, physAddr } from '@dmabuf-lab/core/base';
import type { AddressWindow, HeapTraits } from '@dmabuf-lab/core/constraints';
import {
  allocationOf,
  type DmaHeap,
  type HeapAllocateOptions,
  type HeapAllocation,
  type HeapStats,
  type StoredAllocation,
} from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type PhysicalMemory, SgTable } from '@dmabuf-lab/core/memory';
import { AllocationLedger, noRoom, notFree, pagesOfRequest, rangesToAdopt } from './allocation-ledger.js';
import { PageOps } from './buf-ops.js';
import { orderOfPages, pageRangeOf } from './page-range.js';

export interface ChunkHeapOptions {
  /** Of one chunk: a power of two, at least a page. */
  readonly chunkBytes: number;
  /** Scarcity; 2 when absent. */
  readonly cost?: number;
}

export class ChunkHeap implements DmaHeap {
  readonly ops: PageOps;
  readonly #chunkBytes: number;
  readonly #cost: number;
  readonly #window: AddressWindow;
  /** Whether each chunk is taken, lowest first. */
  readonly #taken: boolean[];
  readonly #ledger: AllocationLedger<readonly number[]>;
  #free: number;

  /** @throws ErrnoError EINVAL when the region is not whole pages or holds no chunk, or chunkBytes is no power of two */
  constructor(
    readonly name: string,
    private readonly memory: PhysicalMemory,
    region: AddressWindow,
    { chunkBytes, cost = 2 }: ChunkHeapOptions,
  ) {
    pageRangeOf(region, `the region of heap ${name}`);
    const isChunk =
      Number.isSafeInteger(chunkBytes) && chunkBytes >= PAGE_SIZE && Number.isInteger(Math.log2(chunkBytes));
    const first = isChunk ? Math.ceil(region.base / chunkBytes) * chunkBytes : 0;
    const count = isChunk ? Math.floor((region.base + region.sizeBytes - first) / chunkBytes) : 0;
    if (count < 1) {
      const message = `Cannot create heap ${name}: chunks must be a power of two from 4096 that fits its region, got ${chunkBytes}`;
      throw new ErrnoError('EINVAL', 'heap_create', message, { heap: name, chunkBytes });
    }
    memory.view(physAddr(region.base), region.sizeBytes);
    this.#chunkBytes = chunkBytes;
    this.#cost = cost;
    this.#window = { base: first, sizeBytes: count * chunkBytes };
    this.#taken = new Array<boolean>(count).fill(false);
    this.#free = count;
    this.#ledger = new AllocationLedger(name);
    this.ops = new PageOps(name, (storage) => this.free(storage), 'uncached');
  }

  traits(_sizeBytes?: number): HeapTraits {
    const chunkBytes = this.#chunkBytes;
    const windows = [this.#window];
    return { name: this.name, windows, contiguous: false, alignmentBytes: chunkBytes, chunkBytes, cost: this.#cost };
  }

  allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation {
    const bytes = pagesOfRequest(this.name, sizeBytes) * PAGE_SIZE;
    const wanted = Math.ceil(bytes / this.#chunkBytes);
    if (wanted > this.#free) throw noRoom(this.name, sizeBytes, this.stats(), this.#chunkBytes);
    const chunks: number[] = [];
    for (let chunk = 0; chunks.length < wanted; chunk += 1) if (!this.#taken[chunk]) chunks.push(chunk);
    for (const chunk of chunks) this.#taken[chunk] = true;
    this.#free -= wanted;
    const runs = chunks.map((chunk, i) => ({
      address: physAddr(this.#window.base + chunk * this.#chunkBytes),
      lengthBytes: Math.min(this.#chunkBytes, bytes - i * this.#chunkBytes),
    }));
    // The waste is zeroed too: a device that reads beyond the end must not see what was there.
    if (options.zero) for (const { address } of runs) this.memory.fill(address, 0, this.#chunkBytes);
    const order = orderOfPages(this.#chunkBytes / PAGE_SIZE);
    const allocation: HeapAllocation = {
      heap: this.name,
      sgTable: SgTable.fromRuns(runs),
      chunksByOrder: new Map([[order, wanted]]),
      takenBytes: wanted * this.#chunkBytes,
    };
    this.#ledger.add(allocation, chunks);
    return allocation;
  }

  adopt(stored: StoredAllocation): HeapAllocation {
    const { base } = this.#window;
    const chunks = rangesToAdopt(this.name, stored).flatMap(({ firstPage, pageCount }) => {
      const first = (firstPage * PAGE_SIZE - base) / this.#chunkBytes;
      const count = Math.ceil((pageCount * PAGE_SIZE) / this.#chunkBytes);
      return Array.from({ length: count }, (_, i) => first + i);
    });
    // Of a chunk that is not one of the window, or starts inside one, nothing is known: it counts as taken.
    if (chunks.some((chunk) => this.#taken[chunk] !== false)) throw notFree(this.name, stored.runs);
    for (const chunk of chunks) this.#taken[chunk] = true;
    this.#free -= chunks.length;
    const allocation = allocationOf(stored);
    this.#ledger.add(allocation, chunks);
    return allocation;
  }

  free(allocation: HeapAllocation): void {
    for (const chunk of this.#ledger.remove(allocation)) {
      assert(this.#taken[chunk], 'a chunk that is given back is out');
      this.#taken[chunk] = false;
      this.#free += 1;
    }
  }

  stats(): HeapStats {
    let [longest, run] = [0, 0];
    for (const taken of this.#taken) {
      run = taken ? 0 : run + 1;
      longest = Math.max(longest, run);
    }
    return this.#ledger.stats(this.#window.sizeBytes, this.#free * this.#chunkBytes, longest * this.#chunkBytes);
  }
}
