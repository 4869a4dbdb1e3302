/**
 * Device-local memory behind PCIe, such as VRAM: all of it for its owner, a visible window of it for the CPU and peers.
 *
 * What need not be seen comes from the part behind the window as long as there is some, so that the window is kept for those
 * who need it. Blocks of up to 2 MiB, scattered: the owner has an MMU of its own.
 *
 * Context: owner-actor; never blocks.
 *
 * Source: amdgpu_vram_mgr_new and AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED, drivers/gpu/drm/amd/amdgpu, v6.12; the window is
 * the BAR (visible_vram_size).
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
import { BuddyAllocator } from './buddy-allocator.js';
import { DeviceLocalOps } from './buf-ops.js';
import { type PageRange, pageRangeOf } from './page-range.js';
import type { Block } from './page-zones.js';

/** Blocks of 2 MiB, 64 KiB and 4 KiB, the page sizes of GPU page tables. */
export const DEVICE_LOCAL_ORDERS: readonly number[] = [9, 4, 0];

export interface DeviceLocalHeapOptions {
  /** The device whose memory it is. */
  readonly owner: string;
  /** How much of it, from the start, the BAR shows; all when absent. */
  readonly visibleBytes?: number;
  /** Bridges on the way from each peer; who is not listed has no path. */
  readonly distances?: Readonly<Record<string, number>>;
  /** Scarcity; 3 when absent. */
  readonly cost?: number;
}

export class DeviceLocalHeap implements DmaHeap {
  readonly ops: DeviceLocalOps;
  readonly #options: DeviceLocalHeapOptions;
  readonly #visibleWindow: AddressWindow | undefined;
  readonly #visible: BuddyAllocator | undefined;
  readonly #hidden: BuddyAllocator | undefined;
  readonly #ledger: AllocationLedger<readonly Block[]>;

  /** @throws ErrnoError EINVAL when the region or its visible part is not whole pages */
  constructor(
    readonly name: string,
    private readonly memory: PhysicalMemory,
    private readonly region: AddressWindow,
    options: DeviceLocalHeapOptions,
  ) {
    const { base, sizeBytes } = region;
    const { owner, visibleBytes = sizeBytes, distances = {} } = options;
    pageRangeOf(region, `the region of heap ${name}`);
    if (visibleBytes > sizeBytes || visibleBytes < 0 || visibleBytes % PAGE_SIZE !== 0) {
      const message = `Cannot create heap ${name}: the visible part must be whole pages of its ${sizeBytes} bytes, got ${visibleBytes}`;
      throw new ErrnoError('EINVAL', 'heap_create', message, { heap: name, visibleBytes });
    }
    memory.view(physAddr(base), sizeBytes);
    this.#options = options;
    this.#ledger = new AllocationLedger(name);
    const part = (start: number, bytes: number): BuddyAllocator | undefined =>
      bytes === 0 ? undefined : new BuddyAllocator(pageRangeOf({ base: start, sizeBytes: bytes }, `heap ${name}`));
    this.#visible = part(base, visibleBytes);
    this.#hidden = part(base + visibleBytes, sizeBytes - visibleBytes);
    this.#visibleWindow = visibleBytes === 0 ? undefined : { base, sizeBytes: visibleBytes };
    const isVisible = (storage: HeapAllocation): boolean => this.isVisible(storage);
    this.ops = new DeviceLocalOps(name, (storage) => this.free(storage), { owner, distances, isVisible });
  }

  /** Whether the BAR shows all pages of a storage. */
  isVisible({ sgTable }: HeapAllocation): boolean {
    const end = this.region.base + (this.#visibleWindow?.sizeBytes ?? 0);
    return sgTable.runs.every((run) => run.address + run.lengthBytes <= end);
  }

  traits(_sizeBytes?: number): HeapTraits {
    const { owner, distances = {}, cost = 3 } = this.#options;
    const visible = this.#visibleWindow === undefined ? [] : [this.#visibleWindow];
    const deviceLocal = { owner, visible, distances };
    const windows = [this.region];
    return { name: this.name, windows, contiguous: false, alignmentBytes: PAGE_SIZE, cost, deviceLocal };
  }

  allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation {
    const pageCount = pagesOfRequest(this.name, sizeBytes);
    const parts = (options.visible ? [this.#visible] : [this.#hidden, this.#visible]).filter(
      (part) => part !== undefined,
    );
    if (pageCount > freePagesOf(parts)) throw noRoom(this.name, sizeBytes, this.#statsOf(parts), PAGE_SIZE);
    const blocks: Block[] = [];
    for (let left = pageCount; left > 0; ) {
      const block = takeLargest(parts, left);
      assert(block !== undefined, 'as many pages are free as has been counted');
      blocks.push(block);
      left -= 2 ** block.order;
    }
    const runs = blocks.map(({ page, order }) => ({
      address: physAddr(page * PAGE_SIZE),
      lengthBytes: 2 ** order * PAGE_SIZE,
    }));
    if (options.zero) for (const run of runs) this.memory.fill(run.address, 0, run.lengthBytes);
    const chunksByOrder = new Map<number, number>();
    for (const { order } of blocks) chunksByOrder.set(order, (chunksByOrder.get(order) ?? 0) + 1);
    const localTo = this.#options.owner;
    const allocation = { heap: this.name, sgTable: SgTable.fromRuns(runs), chunksByOrder, localTo };
    this.#ledger.add(allocation, blocks);
    return allocation;
  }

  adopt(stored: StoredAllocation): HeapAllocation {
    const parts = rangesToAdopt(this.name, stored).flatMap((range) => this.#partsOf(range));
    const pages = parts.reduce((sum, { part }) => sum + part.pageCount, 0);
    const isWhole = pages * PAGE_SIZE === stored.runs.reduce((sum, run) => sum + run.lengthBytes, 0);
    if (!isWhole || !parts.every(({ buddy, part }) => buddy.isFree(part))) throw notFree(this.name, stored.runs);
    const blocks = parts.flatMap(({ buddy, part }) => buddy.takeRange(part, DEVICE_LOCAL_ORDERS));
    const allocation = allocationOf(stored);
    this.#ledger.add(allocation, blocks);
    return allocation;
  }

  /** What of a range lies in front of the end of the window, and what behind it. */
  #partsOf({ firstPage, pageCount }: PageRange): { buddy: BuddyAllocator; part: PageRange }[] {
    return [this.#visible, this.#hidden].flatMap((buddy) => {
      if (buddy === undefined) return [];
      const start = Math.max(firstPage, buddy.zone.firstPage);
      const end = Math.min(firstPage + pageCount, buddy.zone.firstPage + buddy.zone.pageCount);
      return start < end ? [{ buddy, part: { firstPage: start, pageCount: end - start } }] : [];
    });
  }

  free(allocation: HeapAllocation): void {
    for (const { page, order } of this.#ledger.remove(allocation)) {
      const isVisible =
        this.#visibleWindow !== undefined && page * PAGE_SIZE < this.region.base + this.#visibleWindow.sizeBytes;
      (isVisible ? this.#visible : this.#hidden)?.freePages(page, order);
    }
  }

  stats(): HeapStats {
    return this.#statsOf([this.#visible, this.#hidden].filter((part) => part !== undefined));
  }

  #statsOf(parts: readonly BuddyAllocator[]): HeapStats {
    const longest = Math.max(0, ...parts.map((part) => part.largestFreeRunPages()));
    return this.#ledger.stats(this.region.sizeBytes, freePagesOf(parts) * PAGE_SIZE, longest * PAGE_SIZE);
  }
}

function freePagesOf(parts: readonly BuddyAllocator[]): number {
  return parts.reduce((sum, part) => sum + part.freePageCount, 0);
}

function takeLargest(parts: readonly BuddyAllocator[], left: number): Block | undefined {
  for (const part of parts) {
    for (const order of DEVICE_LOCAL_ORDERS) {
      if (2 ** order > left) continue;
      const page = part.allocPages(order);
      if (page !== undefined) return { page, order };
    }
  }
  return undefined;
}
