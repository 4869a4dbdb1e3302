/**
 * The history checker: follows each buffer and finds who breaks the rules of sharing.
 *
 * Whoever touches pages says so before and after. It fails a run in which somebody
 *   - touches pages after its unmap, or of a generation that the buffer has moved away from;
 *   - writes while somebody else touches, or reads while somebody writes (two that overlap see each other, P1);
 *   - reads before the fence of the last writer: content that is begun, not done, and nobody has died or given it up.
 * The content of a writer that died or gave up half-way may be any mixture of the new and what was there before.
 *
 * Works on shared words alone: across threads, and in virtual time, where the log is exact.
 */
import type { BufferSlot } from '@dmabuf-lab/core/base';
import type { BufferHandle, DmaMapping } from '@dmabuf-lab/core/dma-buf';
import { generationOf, isMoving } from '@dmabuf-lab/core/dma-buf';
import { EVENT, type EventKind } from './history-events.js';
import type { HistoryWords } from './history-words.js';

/** What the checker asks of its surroundings. */
export interface CheckerParts {
  readonly words: HistoryWords;
  /** Number of the actor; its lanes follow from it. */
  readonly actor: number;
  readonly life: number;
  now(): number;
  /** STATE of a buffer. */
  stateOf(slot: BufferSlot): number;
  /** Whether an actor has died in a life. */
  hasDied(actor: number, life: number): boolean;
  /** Called after each violation. */
  onViolation(): void;
}

/** An access to the pages of one buffer, between its begin and its end. */
export interface Touch {
  readonly buffer: BufferHandle;
  readonly mapping: DmaMapping;
  readonly lane: number;
  readonly writes: boolean;
  /** The content that it writes, or has to see. */
  readonly content: number;
  /** Reads only: another content whose pages may be among them, of a writer that did not finish. */
  readonly torn: number | undefined;
}

export class HistoryChecker {
  constructor(protected readonly parts: CheckerParts) {}

  /** The number of a lane of this actor. */
  lane(index: number): number {
    return this.parts.actor * this.parts.words.lanesPerActor + index;
  }

  log(kind: EventKind, slot: number, lane: number, a = 0, b = 0): void {
    this.parts.words.log(slot, this.parts.now(), lane, this.parts.life, EVENT[kind], a, b);
  }

  /** A slot has a new buffer, which nobody else knows yet. */
  begin({ slot, life }: BufferHandle, lane: number): void {
    const { words } = this.parts;
    for (const what of ['begun', 'done', 'givenUp', 'writer'] as const) words.setContent(slot, what, 0);
    words.setContent(slot, 'life', life);
    this.log('created', slot, lane, life);
  }

  /** Before the first access to pages, after the fence has been published. */
  beginTouch(buffer: BufferHandle, mapping: DmaMapping, lane: number, writes: boolean): Touch {
    const { words, life } = this.parts;
    const { slot } = buffer;
    words.setAccess(slot, lane, life, writes ? 'writes' : 'reads'); // P1
    this.#lookForOthers(slot, lane, writes);
    const done = words.content(slot, 'done');
    const begun = words.content(slot, 'begun');
    if (writes) {
      const content = Math.max(begun, done) + 1;
      words.setContent(slot, 'writer', this.parts.actor * 65_536 + life);
      words.setContent(slot, 'begun', content);
      this.log('writes', slot, lane, content, mapping.generation);
      return this.checked({ buffer, mapping, lane, writes, content, torn: undefined });
    }
    this.log('reads', slot, lane, done, mapping.generation);
    if (begun !== done && !this.#wasGivenUp(slot, begun)) {
      this.report(`read before the fence of the writer: content ${begun} is begun, ${done} is done`, slot, lane);
    }
    return this.checked({ buffer, mapping, lane, writes, content: done, torn: begun === done ? undefined : begun });
  }

  /**
   * After the last access, before the fence is signalled and the mapping ends.
   *
   * @param complete whether all pages have been written; reads: whether they were right
   */
  endTouch(touch: Touch, complete: boolean): void {
    const { words } = this.parts;
    const { slot } = touch.buffer;
    this.checked(touch);
    this.#lookForOthers(slot, touch.lane, touch.writes);
    if (touch.writes) words.setContent(slot, complete ? 'done' : 'givenUp', touch.content);
    if (touch.writes) this.log(complete ? 'wrote' : 'gaveUp', slot, touch.lane, touch.content);
    else this.log('read', slot, touch.lane, touch.content);
    words.setAccess(slot, touch.lane, this.parts.life, 'none');
  }

  report(text: string, slot: number | undefined, lane: number, culprit?: number): void {
    if (slot !== undefined) this.log('violation', slot, lane);
    this.parts.words.violation(text, slot, lane, culprit);
    this.parts.onViolation();
  }

  /** Whether a content that is begun will never be done: its writer has died or given up. */
  #wasGivenUp(slot: number, begun: number): boolean {
    const { words } = this.parts;
    if (words.content(slot, 'givenUp') === begun) return true;
    const writer = words.content(slot, 'writer');
    return this.parts.hasDied(Math.floor(writer / 65_536), writer % 65_536);
  }

  #lookForOthers(slot: number, own: number, writes: boolean): void {
    const { words } = this.parts;
    const lanes = words.lanesPerActor;
    for (let lane = lanes; lane < words.laneCount; lane += 1) {
      const other = lane === own ? undefined : words.access(slot, lane);
      if (other === undefined || !(writes || other.writes)) continue;
      if (this.parts.hasDied(Math.floor(lane / lanes), other.life)) continue;
      const what = writes && other.writes ? 'two writers at once' : 'a reader and a writer at once';
      this.report(what, slot, own, lane);
    }
  }

  /** Looks at a touch that is under way. */
  checked(touch: Touch): Touch {
    const { mapping, buffer, lane } = touch;
    const { slot, life } = buffer;
    if (!mapping.isLive) this.report('touched after its unmap', slot, lane);
    const state = this.parts.stateOf(slot);
    // 0: whoever exported it has died, and present mappings stay good.
    if (state !== 0 && generationOf(state) !== mapping.generation) {
      const now = `${generationOf(state)}${isMoving(state) ? ', moving' : ''}`;
      this.report(`touched generation ${mapping.generation} after a move: it is ${now}`, slot, lane);
    }
    const present = this.parts.words.content(slot, 'life');
    if (present !== life) this.report(`touched life ${life} of a slot that is of life ${present}`, slot, lane);
    return touch;
  }
}
