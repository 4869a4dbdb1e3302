/**
 * The data cache of a CPU that is not coherent with devices: it finds the SYNC calls that a program leaves out, and that
 * only some boards miss.
 *
 * A load that misses takes a whole line from memory; a store does too, and makes the line dirty. A dirty line reaches memory
 * when it is cleaned or evicted, whole. Maintenance goes by the page, as the DMA API does it, and costs model time for each
 * page, whether or not anything of it is in the cache:
 *
 *   syncForCpu      after a device has written: lines are thrown away, unless only the device reads (begin of a CPU access,
 *                   unmap)
 *   syncForDevice   before a device works: dirty lines are cleaned (end of a CPU access, map)
 *
 * Each line of memory counts what devices wrote to it, so that a stale line is known even if it holds the same bytes. Lines
 * are evicted in the order in which they came. Nothing is random: a program that is wrong is found each time.
 *
 * Source: arch_sync_dma_for_cpu and arch_sync_dma_for_device, arch/arm64/mm/dma-mapping.c, v6.12. Differs: no speculative
 * loads, and lines that real hardware might keep longer or shorter go in order.
 */
import { assert, type Nanoseconds } from '../../base/index.js';
import { PAGE_SIZE } from '../../memory/index.js';
import type { DataDirection } from './object-ops.js';
import type { DmaBufRules, FindingKind } from './rules.js';

export interface CpuCacheOptions {
  /** Devices see what the CPU sees: all of this does nothing. */
  readonly isCoherent: boolean;
  /** Bytes of a line; a divisor of the page size. Default 64. */
  readonly lineBytes?: number;
  /** Lines of the whole cache. Default 32768, which is 2 MiB. */
  readonly capacityLines?: number;
  /** To clean a page. Default 0. */
  readonly cleanNsPerPage?: Nanoseconds;
  /** To invalidate a page. Default 0. */
  readonly invalidateNsPerPage?: Nanoseconds;
}

/** What maintenance has cost so far. */
export interface CpuCacheCost {
  readonly cleanedPages: number;
  readonly invalidatedPages: number;
  readonly evictedDirtyLines: number;
  /** Model time of all maintenance. */
  readonly spentNs: Nanoseconds;
}

/** A buffer as the cache reaches it. */
export interface CachedMemory {
  /** For findings. */
  readonly name: string;
  readonly sizeBytes: number;
  /** A view of one page of memory, where it is now. */
  page(index: number): Uint8Array;
}

/** A line in the cache. */
interface CacheLine {
  readonly owner: CpuView;
  /** Line of its buffer. */
  readonly index: number;
  readonly bytes: Uint8Array;
  /** Writes of devices to that line of memory that it knows of. */
  version: number;
  isDirty: boolean;
}

/** One cache, which all buffers share. */
export class CpuCache {
  readonly isCoherent: boolean;
  readonly lineBytes: number;
  readonly #capacity: number;
  /** In the order in which they came. */
  readonly #lines = new Set<CacheLine>();
  #cleanedPages = 0;
  #invalidatedPages = 0;
  #evictedDirtyLines = 0;

  constructor(
    private readonly options: CpuCacheOptions,
    readonly rules: DmaBufRules,
  ) {
    this.isCoherent = options.isCoherent;
    this.lineBytes = options.lineBytes ?? 64;
    this.#capacity = options.capacityLines ?? 32_768;
    assert(PAGE_SIZE % this.lineBytes === 0, `a page is whole lines, got lines of ${this.lineBytes} bytes`);
    assert(this.#capacity > 0, 'a cache holds one line at least');
  }

  get cost(): CpuCacheCost {
    const { cleanNsPerPage = 0, invalidateNsPerPage = 0 } = this.options;
    const spentNs = this.#cleanedPages * cleanNsPerPage + this.#invalidatedPages * invalidateNsPerPage;
    return {
      cleanedPages: this.#cleanedPages,
      invalidatedPages: this.#invalidatedPages,
      evictedDirtyLines: this.#evictedDirtyLines,
      spentNs,
    };
  }

  /** A buffer through this cache. */
  view(memory: CachedMemory): CpuView {
    return new CpuView(this, memory);
  }

  /** For `CpuView`: takes a line in, and throws the oldest out if there is no room. */
  insert(line: CacheLine): void {
    if (this.#lines.size >= this.#capacity) {
      const [oldest] = this.#lines;
      if (oldest.isDirty) this.#evictedDirtyLines += 1;
      oldest.owner.evict(oldest.index);
    }
    this.#lines.add(line);
  }

  /** For `CpuView`. */
  forget(line: CacheLine): void {
    this.#lines.delete(line);
  }

  /** For `CpuView`: counts what it costs. @returns model time */
  charge(what: 'clean' | 'invalidate', pages: number): Nanoseconds {
    const { cleanNsPerPage = 0, invalidateNsPerPage = 0 } = this.options;
    if (what === 'clean') this.#cleanedPages += pages;
    else this.#invalidatedPages += pages;
    return pages * (what === 'clean' ? cleanNsPerPage : invalidateNsPerPage);
  }
}

/** A buffer as the CPU sees it through the cache, and as devices see it past the cache. Offsets and lengths are in bytes. */
export class CpuView {
  readonly #cached = new Map<number, CacheLine>();
  /** How often devices have written each line of memory. */
  readonly #versions = new Map<number, number>();

  constructor(
    private readonly cache: CpuCache,
    private readonly memory: CachedMemory,
  ) {}

  /** The CPU loads. @returns a copy @throws ErrnoError EIO in strict mode when it would see a stale line */
  read(offset: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    const stale = new Set<number>();
    this.#eachLine(offset, lengthBytes, (index, from, length, at) => {
      const line = this.#load(index);
      if (line !== undefined && line.version !== this.#version(index)) stale.add(this.#pageOf(index));
      bytes.set((line?.bytes ?? this.#memoryOf(index)).subarray(from, from + length), at);
    });
    const reason = 'the CPU has it in its cache from before a device wrote: there was no SYNC START for reading';
    this.#report('cache-cpu-reads-stale', 'cpu_load', stale, reason);
    return bytes;
  }

  /** The CPU stores. */
  write(offset: number, bytes: Uint8Array): void {
    this.#eachLine(offset, bytes.length, (index, from, length, at) => {
      const line = this.#load(index);
      (line?.bytes ?? this.#memoryOf(index)).set(bytes.subarray(at, at + length), from);
      if (line !== undefined) line.isDirty = true;
    });
  }

  /** A device loads. @returns a copy @throws ErrnoError EIO in strict mode when the CPU has not cleaned what it wrote there */
  deviceRead(offset: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    const dirty = new Set<number>();
    this.#eachLine(offset, lengthBytes, (index, from, length, at) => {
      if (this.#cached.get(index)?.isDirty === true) dirty.add(this.#pageOf(index));
      bytes.set(this.#memoryOf(index).subarray(from, from + length), at);
    });
    const reason = 'what the CPU wrote is still in its cache: there was no SYNC END';
    this.#report('cache-device-reads-stale', 'device_load', dirty, reason);
    return bytes;
  }

  /** A device stores. */
  deviceWrite(offset: number, bytes: Uint8Array): void {
    this.#eachLine(offset, bytes.length, (index, from, length, at) => {
      this.#memoryOf(index).set(bytes.subarray(at, at + length), from);
      if (!this.cache.isCoherent) this.#versions.set(index, this.#version(index) + 1);
    });
  }

  /**
   * A CPU access begins: the CPU is to see what devices wrote.
   *
   * @returns model time that it takes
   * @throws ErrnoError EIO in strict mode when it throws away what the CPU wrote outside of an access
   */
  syncForCpu(direction: DataDirection): Nanoseconds {
    return this.#invalidate(direction, 'refuse');
  }

  /**
   * As `syncForCpu`, after a device has unmapped. What is lost is only noted, in strict mode too: an unmap cannot fail, and
   * often runs where nobody is left to be told, such as at the exit of a program.
   *
   * @returns model time that it takes
   * Source: dma_buf_unmap_attachment returns nothing, v6.12.
   */
  syncForCpuAtUnmap(direction: DataDirection): Nanoseconds {
    return this.#invalidate(direction, 'note');
  }

  #invalidate(direction: DataDirection, onLoss: 'refuse' | 'note'): Nanoseconds {
    if (this.cache.isCoherent || direction === 'to-device') return 0;
    const spentNs = this.cache.charge('invalidate', this.#pageCount);
    const lost = new Set<number>();
    for (const line of [...this.#cached.values()]) {
      if (line.isDirty) lost.add(this.#pageOf(line.index));
      this.#drop(line);
    }
    const reason = 'what the CPU wrote before SYNC START, or after SYNC END, is thrown away';
    this.#report('cache-cpu-write-lost', 'arch_sync_dma_for_cpu', lost, reason, onLoss);
    return spentNs;
  }

  /**
   * A CPU access ends, or a device maps: devices are to see what the CPU wrote.
   *
   * @returns model time that it takes
   * @throws ErrnoError EIO in strict mode when the CPU wrote in an access for reading, or over what a device wrote meanwhile
   */
  syncForDevice(direction: DataDirection): Nanoseconds {
    if (this.cache.isCoherent) return 0;
    const spentNs = this.cache.charge('clean', this.#pageCount);
    const written = new Set<number>();
    const lost = new Set<number>();
    for (const line of this.#cached.values()) {
      if (!line.isDirty) continue;
      written.add(this.#pageOf(line.index));
      if (!this.#clean(line)) lost.add(this.#pageOf(line.index));
    }
    this.#reportLost(lost);
    if (direction !== 'from-device') return spentNs;
    const reason = 'the CPU wrote in an access for reading: other machines throw that away';
    this.#report('cache-write-in-read-access', 'arch_sync_dma_for_device', written, reason);
    return spentNs;
  }

  /** The storage is given back: nothing of it stays in the cache, and nothing is written to it. */
  discard(): void {
    for (const line of [...this.#cached.values()]) this.#drop(line);
  }

  /** For `CpuCache`: gives a line up for want of room. */
  evict(index: number): void {
    const line = this.#cached.get(index);
    if (line === undefined) return;
    const isOver = line.isDirty && !this.#clean(line);
    this.#drop(line);
    if (isOver) this.#reportLost(new Set([this.#pageOf(index)]));
  }

  /** The line in the cache, loaded if it was not; undefined where there is no cache to model. */
  #load(index: number): CacheLine | undefined {
    if (this.cache.isCoherent) return undefined;
    const known = this.#cached.get(index);
    if (known !== undefined) return known;
    const bytes = this.#memoryOf(index).slice();
    const line: CacheLine = { owner: this, index, bytes, version: this.#version(index), isDirty: false };
    this.cache.insert(line);
    this.#cached.set(index, line);
    return line;
  }

  /** Writes a dirty line to memory, whole. @returns false when that goes over what a device wrote since it was loaded */
  #clean(line: CacheLine): boolean {
    const isNewest = line.version === this.#version(line.index);
    this.#memoryOf(line.index).set(line.bytes);
    line.version = this.#version(line.index);
    line.isDirty = false;
    return isNewest;
  }

  #drop(line: CacheLine): void {
    this.#cached.delete(line.index);
    this.cache.forget(line);
  }

  #version(index: number): number {
    return this.#versions.get(index) ?? 0;
  }

  get #pageCount(): number {
    return Math.ceil(this.memory.sizeBytes / PAGE_SIZE);
  }

  #pageOf(index: number): number {
    return Math.floor((index * this.cache.lineBytes) / PAGE_SIZE);
  }

  /** The bytes of a line in memory. */
  #memoryOf(index: number): Uint8Array {
    const offset = index * this.cache.lineBytes;
    const inPage = offset % PAGE_SIZE;
    return this.memory.page(this.#pageOf(index)).subarray(inPage, inPage + this.cache.lineBytes);
  }

  #eachLine(
    offset: number,
    lengthBytes: number,
    use: (index: number, from: number, length: number, at: number) => void,
  ): void {
    const { name, sizeBytes } = this.memory;
    assert(offset >= 0 && offset + lengthBytes <= sizeBytes, `an access of ${name} lies within ${sizeBytes} bytes`);
    const { lineBytes } = this.cache;
    for (let at = 0; at < lengthBytes; ) {
      const from = (offset + at) % lineBytes;
      const length = Math.min(lineBytes - from, lengthBytes - at);
      use(Math.floor((offset + at) / lineBytes), from, length, at);
      at += length;
    }
  }

  #reportLost(pages: ReadonlySet<number>): void {
    const reason = 'a line that the CPU wrote went over what a device wrote meanwhile';
    this.#report('cache-device-write-lost', 'dcache_clean_poc', pages, reason);
  }

  /** One finding for each page, so that the place is known. */
  #report(
    kind: FindingKind,
    op: string,
    pages: ReadonlySet<number>,
    reason: string,
    mode: 'refuse' | 'note' = 'refuse',
  ): void {
    const { rules } = this.cache;
    const { name: buffer } = this.memory;
    const who = op.startsWith('device') ? 'a device' : 'the CPU';
    for (const page of pages) {
      const message = `Cannot rely on page ${page} of ${buffer}: ${reason}`;
      const found = { kind, op, buffer, who, message, details: { page } };
      if (mode === 'note') rules.note(found);
      else rules.report({ ...found, code: 'EIO' });
    }
  }
}
