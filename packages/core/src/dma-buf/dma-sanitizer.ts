/**
 * Finds writes to pages that were given back: freed pages are kept from reuse for a while, filled with a pattern that is looked
 * for before they may be reused.
 *
 * The quarantine is first in, first out, bounded in bytes, and given up when an allocation would fail: it costs no model time,
 * and nothing fails because of it. In the statistics of the heap quarantined pages are free. It does change which pages come
 * next.
 *
 * Source: the idea of CONFIG_PAGE_POISONING and of KASAN's quarantine (mm/page_poison.c, mm/kasan/quarantine.c, v6.12), with
 * the device that wrote, where Linux tells the reader that stumbled.
 */
import { BoundedList, isErrno, type Nanoseconds, type PhysAddr } from '../base/index.js';
import type { HeapTraits } from '../constraints/index.js';
import type { PhysicalMemory, Run } from '../memory/index.js';
import type { DmaBufOps } from './dma-buf-ops.js';
import type {
  DmaHeap,
  HeapAllocateOptions,
  HeapAllocation,
  HeapBackground,
  HeapStats,
  StoredAllocation,
} from './dma-heap.js';
import type { ExporterJournal } from './exporter-journal.js';

/** What freed pages hold. No pixel of a test pattern, no stamp and no zeroed page looks like it. */
export const POISON_BYTE = 0xa9;
const POISON_WORD = 0xa9a9_a9a9_a9a9_a9a9n;
export const DEFAULT_QUARANTINE_BYTES = 64 * 1024 * 1024;
/** More are counted only. */
const MAX_FINDINGS = 100;
/** In the journal: each damage, with its finding unless there were too many. */
const DAMAGE = 'damage/';

/** Somebody wrote to pages that it no longer had. */
export interface SanitizerFinding {
  readonly heap: string;
  /** Of the first byte that was written. */
  readonly address: PhysAddr;
  /** From there to the last that was. */
  readonly lengthBytes: number;
  /** The buffer that had the pages last; absent when no device ever got them. */
  readonly buffer?: string;
  /** The generations in which it had them. */
  readonly generations: readonly number[];
  /** The devices that were given the pages while it had them: one of them wrote. */
  readonly devices: readonly string[];
  readonly freedNs: Nanoseconds;
  /** When it was seen: the write came in between. */
  readonly seenNs: Nanoseconds;
}

/** Who got the pages of a storage. */
interface Users {
  readonly buffer: string;
  readonly generations: Set<number>;
  readonly devices: Set<string>;
}

interface Quarantined {
  readonly storage: HeapAllocation;
  readonly heap: SanitizedHeap;
  readonly freedNs: Nanoseconds;
}

export class DmaSanitizer {
  #damages = new BoundedList<SanitizerFinding>(MAX_FINDINGS);
  /** Bytes that have been looked at. */
  checkedBytes = 0;
  readonly #users = new Map<HeapAllocation, Users>();
  #quarantine: Quarantined[] = [];
  #heldBytes = 0;
  #journal: Pick<ExporterJournal, 'append'> | undefined;

  /** @param limitBytes most bytes kept from reuse; one allocation that is longer is looked at at once */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly now: () => Nanoseconds,
    private readonly limitBytes = DEFAULT_QUARANTINE_BYTES,
  ) {}

  /** What earlier lives of the exporter have found comes first, and what is found from here on is kept for the next. */
  keepIn(journal: Pick<ExporterJournal, 'append' | 'restore'>): void {
    this.#journal = journal;
    this.#damages = journal.restore(DAMAGE, MAX_FINDINGS);
  }

  /** The first of them. */
  get findings(): readonly SanitizerFinding[] {
    return this.#damages.items;
  }

  /** Allocations that were written to after they were freed, the findings and those beyond their limit. */
  get damaged(): number {
    return this.#damages.items.length + this.#damages.dropped;
  }

  /** A heap whose freed pages go through the quarantine. */
  wrap(heap: DmaHeap): DmaHeap {
    return new SanitizedHeap(heap, this);
  }

  /** A device is told where a buffer's pages are. Called by the exporter, for each generation. */
  mapped(storage: HeapAllocation, buffer: string, generation: number, device: string): void {
    let users = this.#users.get(storage);
    if (users === undefined) {
      users = { buffer, generations: new Set(), devices: new Set() };
      this.#users.set(storage, users);
    }
    users.generations.add(generation);
    users.devices.add(device);
  }

  /** Takes freed storage in, and lets the oldest go where it would be too much. Called by its heap. */
  hold(storage: HeapAllocation, heap: SanitizedHeap): void {
    for (const { address, lengthBytes } of storage.sgTable.runs) this.memory.fill(address, POISON_BYTE, lengthBytes);
    this.#quarantine.push({ storage, heap, freedNs: this.now() });
    this.#heldBytes += storage.sgTable.lengthBytes;
    while (this.#heldBytes > this.limitBytes) this.#letGo(1);
  }

  /** Looks at all that is held, and gives it back to the heaps. @returns whether there was any */
  flush(): boolean {
    return this.#letGo(this.#quarantine.length);
  }

  #letGo(count: number): boolean {
    const gone = this.#quarantine.slice(0, count);
    this.#quarantine = this.#quarantine.slice(count);
    for (const one of gone) {
      this.#heldBytes -= one.storage.sgTable.lengthBytes;
      this.#look(one);
      this.#users.delete(one.storage);
      one.heap.giveBack(one.storage);
    }
    return gone.length > 0;
  }

  #look({ storage, freedNs }: Quarantined): void {
    const damage = damageOf(this.memory, storage.sgTable.runs);
    this.checkedBytes += storage.sgTable.lengthBytes;
    if (damage === undefined) return;
    const users = this.#users.get(storage);
    const finding: SanitizerFinding = {
      heap: storage.heap,
      ...damage,
      ...(users && { buffer: users.buffer }),
      generations: [...(users?.generations ?? [])],
      devices: [...(users?.devices ?? [])],
      freedNs,
      seenNs: this.now(),
    };
    if (this.#journal === undefined) this.#damages.add(finding);
    else this.#journal.append(DAMAGE, this.#damages, finding);
  }
}

/** A heap seen through the quarantine. */
class SanitizedHeap implements DmaHeap {
  readonly name: string;
  readonly ops: DmaBufOps;
  #heldBytes = 0;
  #heldAllocations = 0;
  #peakBytes = 0;

  constructor(
    private readonly inner: DmaHeap,
    private readonly sanitizer: DmaSanitizer,
  ) {
    this.name = inner.name;
    // The heap's own object with one call replaced: its methods keep their private state.
    const release = (storage: HeapAllocation): void => this.free(storage);
    this.ops = new Proxy(inner.ops, {
      get: (ops, key) => {
        if (key === 'release') return release;
        const value: unknown = Reflect.get(ops, key);
        return typeof value === 'function' ? value.bind(ops) : value;
      },
    });
  }

  get background(): HeapBackground | undefined {
    return this.inner.background;
  }

  traits(sizeBytes: number): HeapTraits {
    return this.inner.traits(sizeBytes);
  }

  allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation {
    const allocation = this.#allocate(sizeBytes, options);
    this.#peakBytes = Math.max(this.#peakBytes, this.inner.stats().usedBytes - this.#heldBytes);
    return allocation;
  }

  adopt(stored: StoredAllocation): HeapAllocation {
    const allocation = this.inner.adopt(stored);
    this.#peakBytes = Math.max(this.#peakBytes, this.inner.stats().usedBytes - this.#heldBytes);
    return allocation;
  }

  #allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation {
    try {
      return this.inner.allocate(sizeBytes, options);
    } catch (error) {
      // Heaps share page allocators: what any of them holds may be what is missing.
      if (!isErrno(error, 'ENOMEM') || !this.sanitizer.flush()) throw error;
      return this.inner.allocate(sizeBytes, options);
    }
  }

  free(storage: HeapAllocation): void {
    this.#heldBytes += takenBytes(storage);
    this.#heldAllocations += 1;
    this.sanitizer.hold(storage, this);
  }

  /** The quarantine of a storage is over. */
  giveBack(storage: HeapAllocation): void {
    this.#heldBytes -= takenBytes(storage);
    this.#heldAllocations -= 1;
    this.inner.ops.release(storage);
  }

  stats(): HeapStats {
    const stats = this.inner.stats();
    return {
      ...stats,
      usedBytes: stats.usedBytes - this.#heldBytes,
      peakBytes: this.#peakBytes,
      freeBytes: stats.freeBytes + this.#heldBytes,
      allocations: stats.allocations - this.#heldAllocations,
    };
  }
}

function takenBytes(storage: HeapAllocation): number {
  return storage.takenBytes ?? storage.sgTable.lengthBytes;
}

/** From the first to the last byte of poisoned runs that is poison no more; of the first run where there is one. */
function damageOf(
  memory: PhysicalMemory,
  runs: readonly Run[],
): { readonly address: PhysAddr; readonly lengthBytes: number } | undefined {
  for (const { address, lengthBytes } of runs) {
    const bytes = memory.view(address, lengthBytes);
    // Runs are whole pages, and windows begin on pages.
    const words = new BigUint64Array(bytes.buffer, bytes.byteOffset, lengthBytes / 8);
    if (words.every((word) => word === POISON_WORD)) continue;
    const first = bytes.findIndex((byte) => byte !== POISON_BYTE);
    const last = bytes.findLastIndex((byte) => byte !== POISON_BYTE);
    return { address: (address + first) as PhysAddr, lengthBytes: last - first + 1 };
  }
  return undefined;
}
