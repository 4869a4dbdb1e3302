/**
 * The data cache through which a program on the CPU reads and writes whole buffers, on a board whose caches are not coherent
 * with devices.
 *
 * What the program touches are copies: a page is taken from memory when it is touched and not in the cache, and comes back
 * when it is cleaned or evicted, whole. Pages are evicted in the order in which they came. With SYNC the access begins by
 * throwing the buffer's pages away, and ends by cleaning them, and both cost model time for each page. Without it, the
 * program goes on reading what it has in the cache from earlier, and what it writes reaches devices when it is evicted.
 * Pages are known by where they lie: once a buffer has moved, what was in the cache of it is worth nothing.
 *
 * It is `objects/cpu-cache.ts` for pipelines: by the page and not by the line, since devices write whole frames, and with the
 * real bytes, so that what is stale is found by who checks the contents.
 * Source: dma_buf_begin_cpu_access and dma_buf_end_cpu_access, drivers/dma-buf/dma-buf.c; arch_sync_dma_for_cpu and
 * arch_sync_dma_for_device, arch/arm64/mm/dma-mapping.c, v6.12. Differs: each program has a cache of its own.
 */
import { assert, type Nanoseconds } from '../base/index.js';
import { PAGE_SIZE } from '../memory/index.js';
import type { BufferState, BufferWords } from './buffer-words.js';
import type { DmaBufAttachment, DmaMapping } from './dma-mapping.js';

/** How a program on the CPU reaches buffers: plain data. */
export interface CpuTouch {
  /** Whether it calls DMA_BUF_IOCTL_SYNC around each access. */
  readonly sync: boolean;
  /** Pages that its cache holds. */
  readonly capacityPages: number;
  readonly cleanNsPerPage: Nanoseconds;
  readonly invalidateNsPerPage: Nanoseconds;
}

/** What a missing SYNC has done to a buffer. */
export interface CpuCacheFinding {
  /** Read from before a device wrote; or written, and not in memory when the access ended. */
  readonly kind: 'cpu-reads-stale' | 'cpu-writes-late';
  readonly buffer: string;
  /** Accesses that it happened in. */
  accesses: number;
  /** Pages over all of them. */
  pages: number;
}

/** A page in the cache. */
interface CachedPage {
  readonly owner: CachedBuffer;
  readonly index: number;
  /** Sequence number of the content that it was taken from, or is. */
  sequence: number;
  isDirty: boolean;
}

/** What the cache has of a buffer. */
interface CachedBuffer {
  readonly attachment: DmaBufAttachment;
  /** The storage that its pages belong to. */
  readonly state: BufferState;
  /** The program's view. */
  readonly bytes: Uint8Array;
  /** Memory, page by page. */
  readonly memory: readonly Uint8Array[];
  readonly pages: Map<number, CachedPage>;
}

export class CpuFrameCache {
  readonly #buffers = new Map<DmaBufAttachment, CachedBuffer>();
  /** In the order in which they came. */
  readonly #pages = new Set<CachedPage>();
  readonly #findings = new Map<string, CpuCacheFinding>();

  /** @param copies whether contents are there to be copied; else only what would be stale is kept account of */
  constructor(
    private readonly touch: CpuTouch,
    private readonly words: BufferWords,
    private readonly copies: boolean,
  ) {
    assert(touch.capacityPages > 0, 'a cache holds one page at least');
  }

  get findings(): readonly CpuCacheFinding[] {
    return [...this.#findings.values()];
  }

  /**
   * An access begins: the program touches the whole buffer.
   *
   * @param sequence number of the content that is there, or is about to be written
   * @param write whether it writes too
   * @returns model time of the maintenance at its begin and its end
   */
  begin(mapping: DmaMapping, sequence: number, write: boolean): Nanoseconds {
    const buffer = this.#bufferOf(mapping);
    const { sync, cleanNsPerPage, invalidateNsPerPage } = this.touch;
    if (sync) for (const page of [...buffer.pages.values()]) this.#drop(page);
    let stalePages = 0;
    for (let index = 0; index < buffer.memory.length; index += 1) {
      const page = buffer.pages.get(index);
      if (page === undefined) this.#take(buffer, index, sequence);
      else if (!write && page.sequence !== sequence) stalePages += 1;
    }
    if (stalePages > 0) this.#found('cpu-reads-stale', mapping, stalePages);
    return sync ? buffer.memory.length * (cleanNsPerPage + invalidateNsPerPage) : 0;
  }

  /** The buffer as the program sees it. */
  segments(mapping: DmaMapping): readonly Uint8Array[] {
    return [this.#bufferOf(mapping).bytes];
  }

  /** An access ends. To be called while it is mapped. */
  end(mapping: DmaMapping, sequence: number, write: boolean): void {
    if (!write) return;
    const buffer = this.#bufferOf(mapping);
    for (let index = 0; index < buffer.memory.length; index += 1) {
      const page = buffer.pages.get(index) ?? this.#insert({ owner: buffer, index, sequence, isDirty: true });
      page.sequence = sequence;
      page.isDirty = true;
      if (this.touch.sync) this.#clean(page);
    }
    const latePages = [...buffer.pages.values()].filter((page) => page.isDirty).length;
    if (latePages > 0) this.#found('cpu-writes-late', mapping, latePages);
  }

  #bufferOf(mapping: DmaMapping): CachedBuffer {
    const { attachment, state, sgTable } = mapping;
    const known = this.#buffers.get(attachment);
    if (known?.state === state) return known;
    if (known !== undefined) for (const page of [...known.pages.values()]) this.#drop(page);
    const memory = this.copies ? mapping.segments().flatMap(pagesOf) : [];
    const pages = sgTable.lengthBytes / PAGE_SIZE;
    const made: CachedBuffer = {
      attachment,
      state,
      bytes: new Uint8Array(this.copies ? sgTable.lengthBytes : 0),
      memory: this.copies ? memory : new Array<Uint8Array>(pages).fill(NOTHING),
      pages: new Map(),
    };
    this.#buffers.set(attachment, made);
    return made;
  }

  #take(owner: CachedBuffer, index: number, sequence: number): void {
    owner.bytes.set(owner.memory[index], index * owner.memory[index].length);
    this.#insert({ owner, index, sequence, isDirty: false });
  }

  #insert(page: CachedPage): CachedPage {
    if (this.#pages.size >= this.touch.capacityPages) {
      const [oldest] = this.#pages;
      if (oldest.isDirty && this.#isWhereItWas(oldest.owner)) this.#clean(oldest);
      this.#drop(oldest);
    }
    this.#pages.add(page);
    page.owner.pages.set(page.index, page);
    return page;
  }

  #clean(page: CachedPage): void {
    const { bytes, memory } = page.owner;
    const { length } = memory[page.index];
    memory[page.index].set(bytes.subarray(page.index * length, (page.index + 1) * length));
    page.isDirty = false;
  }

  #drop(page: CachedPage): void {
    this.#pages.delete(page);
    page.owner.pages.delete(page.index);
  }

  /** Whether the pages are still those of the buffer: nothing is written to where it was before it moved or was freed. */
  #isWhereItWas({ attachment, state }: CachedBuffer): boolean {
    const { slot, life } = attachment.buffer;
    return this.words.life(slot) === life && this.words.state(slot) === state;
  }

  #found(kind: CpuCacheFinding['kind'], { attachment }: DmaMapping, pages: number): void {
    const key = `${kind} ${attachment.name}`;
    const finding = this.#findings.get(key) ?? { kind, buffer: attachment.name, accesses: 0, pages: 0 };
    finding.accesses += 1;
    finding.pages += pages;
    this.#findings.set(key, finding);
  }
}

const NOTHING = new Uint8Array(0);

function pagesOf(run: Uint8Array): Uint8Array[] {
  return Array.from({ length: run.length / PAGE_SIZE }, (_, i) => run.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE));
}
