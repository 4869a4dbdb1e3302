/**
 * Looks at the control words of a buffer whenever the exporter works on it, and gives up the buffer whose words somebody has
 * overwritten: new attaches and maps of it are EIO. Other buffers are not touched. The timelines of the devices that are attached
 * are looked at too; of one that was overwritten all pending points end with EIO, and its owner publishes no more on it.
 */
import {
  type ActorId,
  actorId,
  BoundedList,
  type BufferSlot,
  ERRNO,
  type Nanoseconds,
  type TimelineSlot,
  timelineSlot,
} from '../base/index.js';
import type { ResvWords, TimelineWords } from '../sync/index.js';
import { type BufferWords, isMoving } from './buffer-words.js';
import type { ExportedBuffer } from './exported-buffer.js';
import type { ExporterJournal } from './exporter-journal.js';
import type { GuardWords } from './guard-words.js';
import type { BufferHandle } from './protocol.js';

/** Control words that were overwritten. */
export interface CorruptionRecord {
  /** The buffer that was given up; absent for a timeline. */
  readonly buffer?: string;
  readonly pool?: string;
  /** The timeline that was given up: whose, and which of its lanes, from 0. */
  readonly timeline?: { readonly device: string; readonly lane: number };
  /** What was seen, and of which slot. */
  readonly what: string;
  readonly seenNs: Nanoseconds;
  /** The devices attached at that time; none for a timeline. */
  readonly devices: readonly string[];
}

/** A record as the journal keeps it, with the slot that it is of. */
interface KeptRecord {
  readonly record: CorruptionRecord;
  readonly buffer?: BufferHandle;
  readonly timeline?: TimelineSlot;
}

const CORRUPTION = 'corruption/';

export interface SlotWatchParts {
  readonly guards: GuardWords;
  readonly buffers: BufferWords;
  readonly resv: ResvWords;
  readonly timelines: TimelineWords;
  /** Actors have the numbers from 1 to this, and of each the timelines follow those of the one before. */
  readonly lastActor: number;
  readonly lanesPerActor: number;
  nameOf(actor: ActorId): string;
  now(): Nanoseconds;
}

export class SlotWatch {
  #kept = new BoundedList<KeptRecord>();
  /** What is wrong with buffers that were given up: the last of each slot. */
  readonly #corrupt = new Map<BufferSlot, { readonly life: number; readonly what: string }>();
  readonly #condemned = new Set<TimelineSlot>();
  #journal: Pick<ExporterJournal, 'append'> | undefined;

  constructor(private readonly parts: SlotWatchParts) {}

  /** What earlier lives of the exporter have found is known again, and what is found from here on is kept for the next. */
  keepIn(journal: Pick<ExporterJournal, 'append' | 'restore'>): void {
    this.#journal = journal;
    this.#kept = journal.restore(CORRUPTION);
    for (const { record, buffer, timeline } of this.#kept.items) {
      if (buffer !== undefined) this.#corrupt.set(buffer.slot, { life: buffer.life, what: record.what });
      if (timeline !== undefined && this.parts.timelines.failure(timeline) !== 0 && this.#isDamaged(timeline))
        this.#condemned.add(timeline);
    }
  }

  /** What was found, in order: the first `MAX_RECORDS`. */
  get records(): readonly CorruptionRecord[] {
    return this.#kept.items.map(({ record }) => record);
  }

  /** Records that are not kept. */
  get dropped(): number {
    return this.#kept.dropped;
  }

  /** Whether a buffer has been given up. */
  isGivenUp(buffer: BufferHandle): boolean {
    return this.#corrupt.get(buffer.slot)?.life === buffer.life;
  }

  /** A buffer's slot has been opened. */
  openedBuffer({ slot, life }: ExportedBuffer): void {
    this.parts.guards.openBuffer(slot, life);
  }

  /** The slot of one of its attachments has been opened. */
  openedAttachment({ slot, life }: ExportedBuffer, attachment: Parameters<GuardWords['openAttachment']>[0]): void {
    this.parts.guards.openAttachment(attachment, slot, life);
  }

  /** The run begins: nobody has used a timeline yet. */
  openTimelines(): void {
    for (let slot = 0; slot < this.parts.timelines.slotCount; slot += 1)
      this.parts.guards.openTimeline(timelineSlot(slot));
  }

  /**
   * Looks at the words of a buffer and of its attachments, and gives the buffer up when they cannot be.
   *
   * Context: while no move runs: inside the buffer's service queue, or when MOVING is not set.
   * @param seen an actor whose timelines have just been looked at
   * @returns what is wrong with it, now or since an earlier look; undefined when nothing is
   */
  look(buffer: ExportedBuffer, seen?: ActorId): string | undefined {
    for (const { actor } of buffer.attachments.values()) if (actor !== seen) this.lookAtTimelines(actor);
    const known = this.#corrupt.get(buffer.slot);
    if (known?.life === buffer.life) return known.what;
    const what = this.#damage(buffer);
    if (what === undefined) return undefined;
    const { name, request, attachments, slot, life } = buffer;
    this.#corrupt.set(slot, { life, what });
    const devices = [...attachments.values()].map(({ device }) => device);
    const record = { buffer: name, pool: request.pool, what, seenNs: this.parts.now(), devices };
    this.#note({ record, buffer: { slot, life } });
    this.parts.buffers.condemn(slot, life);
    this.parts.resv.mend(slot, this.parts.lastActor);
    return what;
  }

  /** Looks at the timelines of an actor, and gives up those that were overwritten. */
  lookAtTimelines(actor: ActorId): void {
    const { guards, timelines, nameOf, now } = this.parts;
    for (const [lane, slot] of this.#lanes(actor)) {
      if (this.#condemned.has(slot)) continue;
      const damage = guards.timelineDamage(slot);
      if (damage === undefined) continue;
      this.#condemned.add(slot);
      timelines.condemn(slot, ERRNO.EIO);
      const device = nameOf(actor);
      const what = `timeline slot ${slot}, lane ${lane} of ${device}: ${damage}`;
      this.#note({ record: { timeline: { device, lane }, what, seenNs: now(), devices: [] }, timeline: slot });
    }
  }

  /** Looks at the timelines of everybody. */
  lookAtAllTimelines(): void {
    for (let actor = 1; actor <= this.parts.lastActor; actor += 1) this.lookAtTimelines(actorId(actor));
  }

  /** An actor has died: its next life has timelines without damage. */
  reopenTimelines(actor: ActorId): void {
    this.lookAtTimelines(actor);
    for (const [, slot] of this.#lanes(actor)) {
      if (this.#condemned.delete(slot)) this.parts.guards.openTimeline(slot);
    }
  }

  #note(kept: KeptRecord): void {
    if (this.#journal === undefined) this.#kept.add(kept);
    else this.#journal.append(CORRUPTION, this.#kept, kept);
  }

  #isDamaged(timeline: TimelineSlot): boolean {
    return this.parts.guards.timelineDamage(timeline) !== undefined;
  }

  *#lanes(actor: ActorId): Generator<readonly [lane: number, slot: TimelineSlot]> {
    const { lanesPerActor, timelines } = this.parts;
    const first = (actor - 1) * lanesPerActor;
    for (let lane = 0; lane < lanesPerActor && first + lane < timelines.slotCount; lane += 1) {
      yield [lane, timelineSlot(first + lane)];
    }
  }

  #damage({ slot, life, attachments, name }: ExportedBuffer): string | undefined {
    const { guards, buffers, resv, lastActor } = this.parts;
    const guard = guards.bufferDamage(slot, life);
    if (guard !== undefined) return `buffer slot ${slot}: ${guard}`;
    const found = buffers.life(slot);
    if (found !== life) return `buffer slot ${slot}: it says life ${found} in life ${life}`;
    if (isMoving(buffers.state(slot))) return `buffer slot ${slot}: it says that it is being moved, and it is not`;
    const reservation = guards.reservationDamage(slot, life) ?? resv.nonsense(slot, lastActor);
    if (reservation !== undefined) return `reservation ${slot} of ${name}: ${reservation}`;
    for (const { slot: attachment, device } of attachments.values()) {
      const damage = guards.attachmentDamage(attachment, slot, life) ?? this.#countDamage(attachment);
      if (damage !== undefined) return `attachment slot ${attachment} of ${device}: ${damage}`;
    }
    return undefined;
  }

  #countDamage(attachment: Parameters<BufferWords['mappings']>[0]): string | undefined {
    const counts = [this.parts.buffers.mappings(attachment), this.parts.buffers.pinsOf(attachment)];
    const wrong = counts.find((count) => count < 0);
    return wrong === undefined ? undefined : `it counts ${wrong} mappings or pins`;
  }
}
