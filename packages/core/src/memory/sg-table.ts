import { assert, type PhysAddr, physAddr } from '../base/index.js';

/** Size of a page in bytes. */
export const PAGE_SIZE = 4096;

/** Rounds a size up to whole pages, in bytes. Exact up to 2^53. */
export function pageAlign(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PAGE_SIZE) * PAGE_SIZE;
}

/** A run of physically contiguous pages. */
export interface Run {
  readonly address: PhysAddr;
  readonly lengthBytes: number;
}

/**
 * The backing of a buffer: runs of pages in buffer order.
 *
 * Source: struct sg_table, include/linux/scatterlist.h, v6.12. Differs: immutable, and only the CPU-physical side; what
 * a device sees of it (the DMA segments) belongs to the device's mapping.
 */
export class SgTable {
  readonly lengthBytes: number;

  constructor(readonly runs: readonly Run[]) {
    let length = 0;
    for (const run of runs) {
      assert(run.lengthBytes > 0 && run.lengthBytes % PAGE_SIZE === 0, 'a run is a positive number of pages');
      length += run.lengthBytes;
    }
    this.lengthBytes = length;
  }

  /** Whether all pages lie in one piece of physical memory. */
  get contiguous(): boolean {
    return this.runs.length === 1;
  }

  /** Builds a table from runs in buffer order, joining those that abut. */
  static fromRuns(runs: Iterable<Run>): SgTable {
    const joined: { address: PhysAddr; lengthBytes: number }[] = [];
    for (const { address, lengthBytes } of runs) {
      const last = joined[joined.length - 1];
      if (last !== undefined && last.address + last.lengthBytes === address) last.lengthBytes += lengthBytes;
      else joined.push({ address: physAddr(address), lengthBytes });
    }
    return new SgTable(joined);
  }
}
