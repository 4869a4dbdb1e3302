/**
 * Physical memory: real bytes at simulated addresses.
 *
 * The windows of the board's address map are backed, in order, by one or more shared WebAssembly memories. A window
 * never straddles two of them. Addresses are plain numbers up to 2^53; only offsets inside one memory are 32-bit.
 */
import { ErrnoError, type PhysAddr } from '../base/index.js';
import { PAGE_SIZE, type Run } from './sg-table.js';
import {
  type BulkOperations,
  bulkOperations,
  createWasmMemory,
  MAX_MEMORY_BYTES,
  type WasmMemoryHandle,
} from './wasm-memory.js';

/** A range of the board's address map that is backed by memory. */
export interface MemoryWindow {
  readonly name: string;
  readonly base: number;
  readonly sizeBytes: number;
}

/** What another thread needs to open the same memory. */
export interface PhysicalMemoryHandle {
  readonly windows: readonly (MemoryWindow & { readonly bank: number; readonly offset: number })[];
  readonly banks: readonly WasmMemoryHandle[];
}

interface Bank {
  readonly bytes: Uint8Array;
  readonly bulk: BulkOperations;
}

export class PhysicalMemory {
  readonly #banks: readonly Bank[];

  private constructor(readonly handle: PhysicalMemoryHandle) {
    this.#banks = handle.banks.map((memory) => ({
      bytes: new Uint8Array(memory.buffer),
      bulk: bulkOperations(memory),
    }));
  }

  /**
   * Creates the memory of a board.
   *
   * @param windows page-aligned, not overlapping, each at most 4 GiB
   * @throws ErrnoError EINVAL when a window is empty, unaligned, too large or overlaps another
   * @throws ErrnoError ENOMEM when the host has not so much
   */
  static create(windows: readonly MemoryWindow[]): PhysicalMemory {
    checkWindows(windows);
    const placed: (MemoryWindow & { bank: number; offset: number })[] = [];
    const bankSizes: number[] = [];
    for (const window of windows) {
      const last = bankSizes.length - 1;
      const fits = last >= 0 && bankSizes[last] + window.sizeBytes <= MAX_MEMORY_BYTES;
      const bank = fits ? last : bankSizes.push(0) - 1;
      placed.push({ ...window, bank, offset: bankSizes[bank] });
      bankSizes[bank] += window.sizeBytes;
    }
    return new PhysicalMemory({ windows: placed, banks: bankSizes.map(createWasmMemory) });
  }

  /** Opens the memory of a board in another thread. */
  static open(handle: PhysicalMemoryHandle): PhysicalMemory {
    return new PhysicalMemory(handle);
  }

  /**
   * The bytes of a run of pages: a view, not a copy.
   *
   * @throws ErrnoError EFAULT when the range is not backed by one window
   */
  view(address: PhysAddr, lengthBytes: number): Uint8Array {
    const { bank, offset } = this.#locate(address, lengthBytes, 'access');
    return this.#banks[bank].bytes.subarray(offset, offset + lengthBytes);
  }

  /** The address of what `view` has given; undefined for bytes that are not of this memory. */
  addressOf({ buffer, byteOffset }: Uint8Array): PhysAddr | undefined {
    for (const { base, sizeBytes, bank, offset } of this.handle.windows) {
      const inside = byteOffset - offset;
      if (this.#banks[bank].bytes.buffer !== buffer || inside < 0 || inside >= sizeBytes) continue;
      return (base + inside) as PhysAddr;
    }
    return undefined;
  }

  /** Copies between two ranges; `memory.copy` where both lie in one memory. */
  copy(destination: PhysAddr, source: PhysAddr, lengthBytes: number): void {
    const to = this.#locate(destination, lengthBytes, 'copy to');
    const from = this.#locate(source, lengthBytes, 'copy from');
    if (to.bank === from.bank) this.#banks[to.bank].bulk.copy(to.offset, from.offset, lengthBytes);
    else {
      const bytes = this.#banks[from.bank].bytes.subarray(from.offset, from.offset + lengthBytes);
      this.#banks[to.bank].bytes.set(bytes, to.offset);
    }
  }

  /** Fills a range with one byte value. */
  fill(address: PhysAddr, value: number, lengthBytes: number): void {
    const { bank, offset } = this.#locate(address, lengthBytes, 'fill');
    this.#banks[bank].bulk.fill(offset, value, lengthBytes);
  }

  /** Copies the content of one list of runs to another of the same total length. Returns the bytes copied. */
  copyRuns(destination: readonly Run[], source: readonly Run[]): number {
    let copied = 0;
    for (const step of pairRuns(destination, source)) {
      this.copy(step.destination, step.source, step.lengthBytes);
      copied += step.lengthBytes;
    }
    return copied;
  }

  #locate(address: number, lengthBytes: number, verb: string): { bank: number; offset: number } {
    for (const window of this.handle.windows) {
      const inside = address - window.base;
      if (inside >= 0 && inside + lengthBytes <= window.sizeBytes) {
        return { bank: window.bank, offset: window.offset + inside };
      }
    }
    throw new ErrnoError(
      'EFAULT',
      'phys_access',
      `Cannot ${verb} physical memory: no window backs 0x${address.toString(16)} + ${lengthBytes} bytes`,
      { address, lengthBytes },
    );
  }
}

/** Cuts two lists of runs into pieces that are contiguous on both sides. */
export function* pairRuns(
  destination: readonly Run[],
  source: readonly Run[],
): Generator<{ destination: PhysAddr; source: PhysAddr; lengthBytes: number }> {
  let [d, s, dOffset, sOffset] = [0, 0, 0, 0];
  while (d < destination.length && s < source.length) {
    const lengthBytes = Math.min(destination[d].lengthBytes - dOffset, source[s].lengthBytes - sOffset);
    yield {
      destination: (destination[d].address + dOffset) as PhysAddr,
      source: (source[s].address + sOffset) as PhysAddr,
      lengthBytes,
    };
    dOffset += lengthBytes;
    sOffset += lengthBytes;
    if (dOffset === destination[d].lengthBytes) [d, dOffset] = [d + 1, 0];
    if (sOffset === source[s].lengthBytes) [s, sOffset] = [s + 1, 0];
  }
}

function checkWindows(windows: readonly MemoryWindow[]): void {
  const refuse = (window: MemoryWindow, reason: string): never => {
    throw new ErrnoError('EINVAL', 'memory_create', `Cannot create memory window ${window.name}: ${reason}`, {
      window: window.name,
    });
  };
  const sorted = [...windows].sort((a, b) => a.base - b.base);
  for (const [i, window] of sorted.entries()) {
    const { base, sizeBytes } = window;
    if (!Number.isSafeInteger(base) || base < 0 || base % PAGE_SIZE !== 0) refuse(window, `base ${base} is not a page`);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % PAGE_SIZE !== 0) {
      refuse(window, `size ${sizeBytes} is not a positive number of pages`);
    }
    if (sizeBytes > MAX_MEMORY_BYTES) refuse(window, `size ${sizeBytes} is over 4 GiB`);
    const next = sorted[i + 1];
    if (next !== undefined && base + sizeBytes > next.base) refuse(window, `it overlaps ${next.name}`);
  }
}
