/**
 * The IOMMU domain of one device: IOVA ranges that stand for scattered pages.
 *
 * It belongs to the actor of its device and is touched by no other. IOVAs are given out in rising order and reused only
 * when the aperture is exhausted, so that a stale address is caught rather than silently hitting another buffer.
 *
 * Source: drivers/iommu/dma-iommu.c (iommu_dma_map_sg), v6.12. Differs: allocation from the bottom, and the fault is an
 * error for the one who touched, where hardware raises an interrupt.
 */
import { type DmaAddr, dmaAddr, ErrnoError, type PhysAddr, physAddr } from '../base/index.js';
import { PAGE_SIZE, type SgTable } from './sg-table.js';

export interface IommuAperture {
  readonly base: number;
  readonly sizeBytes: number;
}

/** One mapped IOVA range. */
export interface IovaMapping {
  readonly iova: DmaAddr;
  readonly sgTable: SgTable;
  /** What is mapped, for fault reports. */
  readonly buffer: string;
  readonly generation: number;
}

export class IommuDomain {
  /** Live mappings by start. */
  readonly #live = new Map<number, IovaMapping>();
  /** What was mapped where before, so that a fault can say whose stale address it was. Bounded. */
  readonly #stale: IovaMapping[] = [];
  #cursor: number;

  constructor(
    readonly device: string,
    readonly aperture: IommuAperture,
  ) {
    this.#cursor = aperture.base === 0 ? PAGE_SIZE : aperture.base; // IOVA 0 stays unmapped, as a null pointer does
  }

  /**
   * Maps scattered pages as one IOVA range.
   *
   * @param alignmentBytes of the start of the range; a multiple of the page size
   * @returns the range
   * @throws ErrnoError ENOMEM when no free IOVA range is long enough
   */
  map(sgTable: SgTable, buffer: string, generation: number, alignmentBytes = PAGE_SIZE): IovaMapping {
    const start = this.#findFree(sgTable.lengthBytes, alignmentBytes);
    if (start === undefined) {
      throw new ErrnoError(
        'ENOMEM',
        'iommu_map',
        `Cannot map ${buffer} for ${this.device}: no free IOVA range of ${sgTable.lengthBytes} bytes is left`,
        { device: this.device, buffer, lengthBytes: sgTable.lengthBytes },
      );
    }
    const mapping = { iova: dmaAddr(start), sgTable, buffer, generation };
    this.#live.set(start, mapping);
    this.#cursor = start + sgTable.lengthBytes;
    return mapping;
  }

  /** Takes a range out of the page table: from now on a touch of it is a fault. A second time it does nothing. */
  unmap(mapping: IovaMapping): void {
    if (this.#live.get(mapping.iova) !== mapping) return; // the range may be another's by now
    this.#live.delete(mapping.iova);
    this.#stale.push(mapping);
    if (this.#stale.length > 64) this.#stale.shift();
  }

  /**
   * Walks the page table.
   *
   * @throws ErrnoError EFAULT, an IOMMU fault naming the device, the IOVA, the buffer and its generation
   */
  translate(iova: DmaAddr): PhysAddr {
    for (const mapping of this.#live.values()) {
      let offset = iova - mapping.iova;
      if (offset < 0 || offset >= mapping.sgTable.lengthBytes) continue;
      for (const run of mapping.sgTable.runs) {
        if (offset < run.lengthBytes) return physAddr(run.address + offset);
        offset -= run.lengthBytes;
      }
    }
    throw this.fault(iova);
  }

  /**
   * The fault of touching an IOVA that is not mapped.
   *
   * @param was what it stood for, where the caller knows; else the latest mapping that it was part of
   */
  fault(
    iova: DmaAddr,
    was: Pick<IovaMapping, 'buffer' | 'generation'> | undefined = this.#stale.findLast(
      (m) => iova >= m.iova && iova < m.iova + m.sgTable.lengthBytes,
    ),
  ): ErrnoError {
    const whose = was === undefined ? 'never mapped' : `it was ${was.buffer}, generation ${was.generation}`;
    return new ErrnoError(
      'EFAULT',
      'iommu_fault',
      `IOMMU fault: ${this.device} touched IOVA 0x${iova.toString(16)}, which is not mapped (${whose})`,
      { device: this.device, iova, buffer: was?.buffer, generation: was?.generation },
    );
  }

  /** Number of live ranges; 0 when the device has let go of everything. */
  get liveCount(): number {
    return this.#live.size;
  }

  #findFree(lengthBytes: number, alignmentBytes: number): number | undefined {
    const end = this.aperture.base + this.aperture.sizeBytes;
    const align = (value: number): number => Math.ceil(value / alignmentBytes) * alignmentBytes;
    const candidate = align(this.#cursor);
    if (candidate + lengthBytes <= end && !this.#overlaps(candidate, lengthBytes)) return candidate;
    // Wrapped: first fit from the bottom.
    let start = align(this.aperture.base === 0 ? PAGE_SIZE : this.aperture.base);
    for (const mapping of [...this.#live.values()].sort((a, b) => a.iova - b.iova)) {
      if (start + lengthBytes <= mapping.iova) break;
      start = align(Math.max(start, mapping.iova + mapping.sgTable.lengthBytes));
    }
    return start + lengthBytes <= end ? start : undefined;
  }

  #overlaps(start: number, lengthBytes: number): boolean {
    for (const mapping of this.#live.values()) {
      if (start < mapping.iova + mapping.sgTable.lengthBytes && mapping.iova < start + lengthBytes) return true;
    }
    return false;
  }
}
