/**
 * Looks at the control words of a buffer whenever the exporter works on it, and gives up the buffer whose words somebody has
 * overwritten: new attaches and maps of it are EIO. Other buffers are not touched.
 */
import type { Nanoseconds } from '../base/index.js';
import { type BufferWords, isMoving } from './buffer-words.js';
import type { ExportedBuffer } from './exported-buffer.js';
import type { GuardWords } from './guard-words.js';

/** Control words that were overwritten. */
export interface CorruptionRecord {
  readonly buffer: string;
  readonly pool: string;
  /** What was seen, and of which slot. */
  readonly what: string;
  readonly seenNs: Nanoseconds;
  /** The devices attached at that time. */
  readonly devices: readonly string[];
}

export class SlotWatch {
  readonly records: CorruptionRecord[] = [];
  readonly #corrupt = new Map<ExportedBuffer, string>();

  constructor(
    private readonly guards: GuardWords,
    private readonly buffers: BufferWords,
    private readonly now: () => Nanoseconds,
  ) {}

  /** A buffer's slot has been opened. */
  openedBuffer({ slot, life }: ExportedBuffer): void {
    this.guards.openBuffer(slot, life);
  }

  /** The slot of one of its attachments has been opened. */
  openedAttachment({ slot, life }: ExportedBuffer, attachment: Parameters<GuardWords['openAttachment']>[0]): void {
    this.guards.openAttachment(attachment, slot, life);
  }

  /**
   * Looks at the words of a buffer and of its attachments, and gives the buffer up when they cannot be.
   *
   * Context: while no move runs: inside the buffer's service queue, or when MOVING is not set.
   * @returns what is wrong with it, now or since an earlier look; undefined when nothing is
   */
  look(buffer: ExportedBuffer): string | undefined {
    const known = this.#corrupt.get(buffer);
    if (known !== undefined) return known;
    const what = this.#damage(buffer);
    if (what === undefined) return undefined;
    this.#corrupt.set(buffer, what);
    const { name, request, attachments, slot, life } = buffer;
    const devices = [...attachments.values()].map(({ device }) => device);
    this.records.push({ buffer: name, pool: request.pool, what, seenNs: this.now(), devices });
    this.buffers.condemn(slot, life);
    return what;
  }

  #damage({ slot, life, attachments }: ExportedBuffer): string | undefined {
    const guard = this.guards.bufferDamage(slot, life);
    if (guard !== undefined) return `buffer slot ${slot}: ${guard}`;
    const found = this.buffers.life(slot);
    if (found !== life) return `buffer slot ${slot}: it says life ${found} in life ${life}`;
    if (isMoving(this.buffers.state(slot))) return `buffer slot ${slot}: it says that it is being moved, and it is not`;
    for (const { slot: attachment, device } of attachments.values()) {
      const damage = this.guards.attachmentDamage(attachment, slot, life) ?? this.#countDamage(attachment);
      if (damage !== undefined) return `attachment slot ${attachment} of ${device}: ${damage}`;
    }
    return undefined;
  }

  #countDamage(attachment: Parameters<BufferWords['mappings']>[0]): string | undefined {
    const counts = [this.buffers.mappings(attachment), this.buffers.pinsOf(attachment)];
    const wrong = counts.find((count) => count < 0);
    return wrong === undefined ? undefined : `it counts ${wrong} mappings or pins`;
  }
}
