/**
 * The history checker of a stress run, which looks into the pages as well: it fails a run in which somebody sees stamps other than
 * the latest fenced ones, that is torn, stale or foreign pages. The content of a writer that died or gave up half-way may be any
 * mixture of the new and what was there before.
 */
import { HistoryChecker, type Touch } from '../history/index.js';
import { nameOfActor } from './plan.js';
import { pagesOf, readStamp, type Stamp, stampPage } from './stamp.js';

export class StampChecker extends HistoryChecker {
  /** Stamps one page. */
  write(touch: Touch, page: Int32Array, index: number): void {
    stampPage(page, index, this.#stamp(touch));
  }

  /** Whether all pages hold what they have to. */
  verify(touch: Touch, segments: readonly Uint8Array[]): boolean {
    let index = 0;
    for (const page of pagesOf(segments)) {
      if (!this.#verifyPage(touch, page, index)) return false;
      index += 1;
    }
    return true;
  }

  #stamp({ buffer, content, lane }: Touch): Stamp {
    return { slot: buffer.slot, life: buffer.life, content, lane, laneLife: this.parts.life };
  }

  #verifyPage(touch: Touch, page: Int32Array, index: number): boolean {
    for (const end of ['first', 'last'] as const) {
      const seen = readStamp(page, end, index);
      if (this.#isRight(touch, seen)) continue;
      const { slot } = touch.buffer;
      const or = touch.torn === undefined ? '' : ` or ${touch.torn}`;
      const expected = touch.content === 0 ? 'a fresh page' : `content ${touch.content}`;
      const culprit = typeof seen === 'string' || seen.lane >= this.parts.words.laneCount ? undefined : seen.lane;
      const what = `page ${index} holds ${this.#describe(seen)} at its ${end} words, expected ${expected}${or}`;
      this.report(what, slot, touch.lane, culprit);
      return false;
    }
    return true;
  }

  #isRight({ buffer, content, torn }: Touch, seen: Stamp | 'fresh' | 'garbage'): boolean {
    if (seen === 'garbage') return false;
    if (seen === 'fresh') return content === 0;
    if (seen.slot !== buffer.slot || seen.life !== buffer.life) return false;
    if (seen.content === content) return true;
    // Several writers may have given up one after the other: any of their contents may be left.
    return torn !== undefined && seen.content > content && seen.content <= torn;
  }

  #describe(seen: Stamp | 'fresh' | 'garbage'): string {
    if (seen === 'fresh') return 'nothing';
    if (seen === 'garbage') return 'no whole stamp';
    const { slot, life, content, lane, laneLife } = seen;
    const lanes = this.parts.words.lanesPerActor;
    const writer = `lane ${lane % lanes} of ${nameOfActor(Math.floor(lane / lanes))}, life ${laneLife}`;
    return `content ${content} of slot ${slot}, life ${life}, written by ${writer}`;
  }
}
