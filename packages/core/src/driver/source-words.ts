/**
 * Which sources are away, and until when: dead, not attached yet, gone, or ended. With `pace: max` only sources advance the
 * scenario, so where none is there, and the first to come waits for an event of the scenario, nobody else would ever get it there.
 *
 * Purpose   Whoever makes the last source go away lets time go on to the first that comes, or to the end where none does: a
 *           living source itself, or whoever takes back what a dead one held.
 *           Source: ours; devices of Linux keep no common time.
 *
 * Layout    A row is an actor; rows of actors that are no source stay 0. Rare, so that actors may share lines.
 *           word  name   written by            meaning
 *           0     AWAY   the source, or its    0 it has not been away; 1 it comes back by itself, in real time; 2 it never does;
 *                        reclaimer             else 3 + the scenario time at which it comes, in whole ms, rounded up: of its next
 *                                              attach, or of the event that starts it again
 *
 * Invariants
 *   I1  A source stores AWAY before it waits for its next stay; its reclaimer stores it before the reclaim ends, and no next life
 *       begins before that. So at most one of them stores at a time.
 *   I2  A source whose AWAY is an instant is not there before the time reached has got there (or the run was told to stop).
 *
 * Pairs     P1 store AWAY of one's own, then load those of all sources   with   itself, of another: whoever stores last sees both.
 *
 * Stale     Nothing clears a row when its source is back: by I2 its instant has been reached by then, so that the first return
 *           is not ahead, and nothing happens; 1 says the same for one that came back by itself. So a source that is there is never overtaken.
 * Progress  Wait-free. Time stands still only while a source is there, or comes back by itself. Before its first store a late source counts
 *           as there; then it stores and looks itself. One that is there may be held up by one that is not: then everybody waits, and
 *           the threads runtime lets time go on to the next event.
 * Crash     A source that dies has stored AWAY or not, and let time go on or not: its reclaimer stores AWAY anew, looks, and wakes whoever
 *           waits for time. A reclaimer that dies has stored AWAY or not; whoever comes after it stores the same and looks again. To look twice
 *           raises the time to where it is already.
 * Shown by  tests/race/sources.test.ts, tests/scenarios/dead-sources.test.ts, tests/scenarios/late-sources.test.ts,
 *           tests/scenarios/lone-source.test.ts.
 */
import { type ActorId, type AtomicWords, type Nanoseconds, type TableRegion, wordAt } from '../base/index.js';

/** Words of one source. */
export const SOURCE_ROW_WORDS = 1;

const BY_ITSELF = 1;
const NEVER = 2;
const AT = 3;
const NS_PER_MS = 1_000_000;
const MOST = 0x7fff_ffff;

/** How a source that is away comes back: at an instant of the scenario in ns, by itself after some real time, or never. */
export type SourceReturn = Nanoseconds | 'by itself' | 'never';

export class SourceWords {
  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
  ) {}

  /**
   * A source goes away. Only by itself, or by its reclaimer; idempotent.
   *
   * @param all sources of the run
   * @returns where the time has to get for one to come back, as `firstReturnNs` tells
   */
  leave(source: ActorId, returns: SourceReturn, all: readonly ActorId[]): Nanoseconds | undefined {
    this.words.store(wordAt(this.table, source, 0), wordOf(returns)); // P1, I1
    return this.firstReturnNs(all);
  }

  /**
   * Where the time has to get for a source to come back.
   *
   * @param sources all of the run
   * @returns scenario time in ns, beyond every end when none comes back; undefined while one has not been away, or comes back by itself
   */
  firstReturnNs(sources: readonly ActorId[]): Nanoseconds | undefined {
    let firstNs = Number.MAX_SAFE_INTEGER;
    for (const source of sources) {
      const away = this.words.load(wordAt(this.table, source, 0)); // P1
      if (away === 0 || away === BY_ITSELF) return undefined;
      if (away !== NEVER) firstNs = Math.min(firstNs, (away - AT) * NS_PER_MS);
    }
    return firstNs;
  }
}

function wordOf(returns: SourceReturn): number {
  if (returns === 'by itself') return BY_ITSELF;
  return returns === 'never' ? NEVER : Math.min(MOST, AT + Math.ceil(returns / NS_PER_MS));
}
