/**
 * What a device keeps of its buffers beyond its jobs: mappings that it holds from job to job, and pins.
 *
 * Source: vb2 maps at QBUF and unmaps at REQBUFS(0) (__prepare_dmabuf, videobuf2-core.c); what is scanned out is pinned
 * (dma_buf_pin, drivers/dma-buf/dma-buf.c), v6.12.
 */
import type { BufferWords } from './buffer-words.js';
import type { DmaBufAttachment, DmaMapping } from './dma-mapping.js';
import { holdsInPlace, type ImporterTraits, pinsForItsStay } from './protocol.js';

export class KeptMappings {
  /** What it has used since it last let go, with what keeps it mapped if anything does. */
  readonly #kept = new Map<DmaBufAttachment, DmaMapping | undefined>();
  /** Calls of dma_buf_pin that it has made. */
  pins = 0;

  /**
   * @param map maps once more what is mapped by a job: never waits
   * @param unmap ends a mapping
   */
  constructor(
    private readonly buffers: BufferWords,
    private readonly device: ImporterTraits,
    private readonly map: (attachment: DmaBufAttachment) => DmaMapping,
    private readonly unmap: (mapping: DmaMapping) => void,
  ) {}

  /** Those that it holds from job to job. */
  get mappings(): Iterable<DmaMapping | undefined> {
    return this.#kept.values();
  }

  has(attachment: DmaBufAttachment): boolean {
    return this.#kept.has(attachment);
  }

  /** Holds a mapping from here on. */
  hold(mapping: DmaMapping): void {
    this.#kept.set(mapping.attachment, mapping);
  }

  /** A job begins with these mappings: holds them from here on, or pins what they map, where the device does. */
  begin(mappings: readonly DmaMapping[]): void {
    if (this.device.mapping !== 'held' && !this.device.pin) return;
    for (const mapping of mappings) {
      const { attachment } = mapping;
      const isFirst = this.device.mapping === 'held' && !this.#kept.has(attachment);
      if (this.device.pin && (isFirst || !pinsForItsStay(this.device))) {
        this.buffers.pinMapped(attachment.slot);
        this.pins += 1;
        mapping.pins = !isFirst;
      }
      if (isFirst) this.#kept.set(attachment, holdsInPlace(this.device) ? this.map(attachment) : undefined);
    }
  }

  /** Ends all held mappings and pins. @returns what they were of */
  endAll(): DmaBufAttachment[] {
    const kept = [...this.#kept];
    this.#kept.clear();
    for (const [attachment, mapping] of kept) this.#end(attachment, mapping);
    return kept.map(([attachment]) => attachment);
  }

  /** Ends what is kept of an attachment, unless a job works on it: `unmap` of the job's mapping looks again. */
  endUnused(attachment: DmaBufAttachment): void {
    if (!this.#kept.has(attachment)) return;
    const mapping = this.#kept.get(attachment);
    if (attachment.mapCount > (mapping === undefined ? 0 : 1)) return;
    this.#kept.delete(attachment);
    this.#end(attachment, mapping);
  }

  /** An attachment is gone, with nothing mapped or pinned. */
  forget(attachment: DmaBufAttachment): void {
    this.#kept.delete(attachment);
  }

  unpin({ buffer, slot, cached }: DmaBufAttachment): void {
    this.buffers.unpinMapped(buffer.slot, slot, cached);
  }

  #end(attachment: DmaBufAttachment, mapping: DmaMapping | undefined): void {
    if (pinsForItsStay(this.device)) this.unpin(attachment);
    if (mapping !== undefined) this.unmap(mapping);
  }
}
