/** An importer whose mappings are written down with their times. A class of its own, so that the others pay nothing. */
import type { ActorServices, Task } from '../base/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import type { BufferWords } from './buffer-words.js';
import type { DmaBufAttachment, DmaMapping } from './dma-mapping.js';
import { DmaBufImporter, type FenceDebt, type ImporterDevice } from './importer.js';
import type { BufferHandle } from './protocol.js';
import type { UseLog } from './use-log.js';

export class WatchedImporter extends DmaBufImporter {
  readonly #held = new Set<DmaMapping>();

  constructor(
    services: ActorServices,
    buffers: BufferWords,
    memory: PhysicalMemory,
    device: ImporterDevice,
    private readonly log: UseLog,
  ) {
    super(services, buffers, memory, device);
  }

  override *mapAll(attachments: readonly DmaBufAttachment[], debt: FenceDebt): Task<DmaMapping[]> {
    const mappings = yield* super.mapAll(attachments, debt);
    for (const mapping of mappings) this.log.opened(mapping);
    return mappings;
  }

  override unmap(mapping: DmaMapping): void {
    super.unmap(mapping);
    this.log.closed(mapping);
    this.#held.delete(mapping);
  }

  override beginUse(mappings: readonly DmaMapping[]): void {
    super.beginUse(mappings);
    this.#noteHeld();
  }

  override *hold(buffer: BufferHandle, debt: FenceDebt): Task<void> {
    yield* super.hold(buffer, debt);
    this.#noteHeld();
  }

  #noteHeld(): void {
    for (const mapping of this.heldMappings) {
      if (mapping === undefined || this.#held.has(mapping)) continue;
      this.#held.add(mapping);
      this.log.held(mapping);
    }
  }
}
