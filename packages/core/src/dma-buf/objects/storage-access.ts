import type { PhysAddr } from '../../base/index.js';
import { PAGE_SIZE, type PhysicalMemory, type SgTable } from '../../memory/index.js';

/** How an exporter reaches storage of which it knows no more than that it is a `Table`. */
export interface StorageAccess<Table> {
  lengthBytes(table: Table): number;
  /** A view of one page, 4096 bytes; undefined beyond the end. */
  page(table: Table, index: number): Uint8Array | undefined;
  /** Copies all bytes; both are of the same length. */
  copy(to: Table, from: Table): void;
  /** Takes storage back; once. */
  free(table: Table): void;
}

/** Storage that is runs of physical memory. @param free takes the runs back */
export function physicalStorage(memory: PhysicalMemory, free: (table: SgTable) => void): StorageAccess<SgTable> {
  return {
    lengthBytes: (table) => table.lengthBytes,
    page: (table, index) => {
      const address = pageAddress(table, index);
      return address === undefined ? undefined : memory.view(address, PAGE_SIZE);
    },
    copy: (to, from) => {
      memory.copyRuns(to.runs, from.runs);
    },
    free,
  };
}

function pageAddress(table: SgTable, index: number): PhysAddr | undefined {
  let offset = index * PAGE_SIZE;
  if (offset < 0) return undefined;
  for (const { address, lengthBytes } of table.runs) {
    if (offset < lengthBytes) return (address + offset) as PhysAddr;
    offset -= lengthBytes;
  }
  return undefined;
}
