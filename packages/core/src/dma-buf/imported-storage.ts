/** The storage of attached buffers as one device sees it: checked against what it can reach, and behind its IOMMU if it has one. */
import { ErrnoError } from '../base/index.js';
import {
  checkMapping,
  type DeviceConstraints,
  dmaSegments,
  iovaAlignmentBytes,
  iovaAperture,
} from '../constraints/index.js';
import { IommuDomain, type PhysicalMemory, SgTable } from '../memory/index.js';
import { generationOf } from './buffer-words.js';
import { type DmaBufAttachment, DmaMapping } from './dma-mapping.js';
import { touchedAfterUnmap } from './importer-errors.js';
import type { MapReply } from './protocol.js';

export class ImportedStorage {
  readonly #domain: IommuDomain | undefined;
  /** IOMMU faults and other touches of storage that the device no longer had. */
  faults = 0;

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly device: string,
    private readonly constraints: DeviceConstraints,
  ) {
    const aperture = iovaAperture(constraints);
    if (aperture !== undefined) this.#domain = new IommuDomain(device, aperture);
  }

  /** Ranges of its IOMMU that are mapped. */
  get iovaRanges(): number {
    return this.#domain?.liveCount ?? 0;
  }

  /** Takes over the storage that the exporter named. @throws ErrnoError EINVAL when the device cannot reach the addresses */
  adopt(attachment: DmaBufAttachment, reply: MapReply): void {
    const { constraints, device } = this;
    const sgTable = new SgTable(reply.runs);
    const generation = generationOf(reply.state);
    const alignmentBytes = iovaAlignmentBytes(constraints, sgTable.lengthBytes);
    const iova = this.#domain?.map(sgTable, attachment.name, generation, alignmentBytes);
    const violation = reply.isLocal ? undefined : checkMapping(sgTable.runs, constraints, iova?.iova);
    if (violation !== undefined) {
      if (iova !== undefined) this.#domain?.unmap(iova);
      throw new ErrnoError(
        'EINVAL',
        'dma_map_sgtable',
        `Cannot map ${attachment.name} for ${device}: ${violation.message}`,
        { device, buffer: attachment.name, field: violation.field },
      );
    }
    attachment.sgTable = sgTable;
    attachment.iova = iova;
    attachment.cached = reply.state;
  }

  /** Gives up what the device knows of an attachment's storage. */
  forget(attachment: DmaBufAttachment): void {
    if (attachment.iova !== undefined) this.#domain?.unmap(attachment.iova);
    attachment.iova = undefined;
    attachment.sgTable = undefined;
    attachment.views = undefined;
    attachment.cached = 0;
  }

  /** A mapping of what was adopted: a touch after its end is a fault. */
  mapping(attachment: DmaBufAttachment): DmaMapping {
    const { cached, sgTable, iova, name } = attachment;
    if (sgTable === undefined) throw new ErrnoError('EIO', 'dma_buf_map_attachment', `${name} has no storage`);
    return new DmaMapping(attachment, cached, sgTable, this.memory, () => {
      this.faults += 1;
      if (this.#domain !== undefined && iova !== undefined) return this.#domain.fault(iova.iova, iova);
      return touchedAfterUnmap(this.device, attachment, generationOf(cached));
    });
  }

  /** DMA segments that the device sees of an attachment. */
  segmentCount({ iova, sgTable }: DmaBufAttachment): number {
    return dmaSegments(sgTable?.runs ?? [], this.constraints, iova?.iova).length;
  }
}
