/**
 * Deaths of sources, and when each is to come back. With `pace: max` only sources advance the scenario, so where all of them
 * are dead, and the first to return waits for an event of the scenario, nobody else would ever get it there.
 *
 * Purpose   Whoever takes back what the last source held lets time go on to the first return, or to the end where none returns.
 *           Source: ours; devices of Linux keep no common time.
 *
 * Layout    A row is an actor; rows of actors that are no source stay 0. Rare, so that actors may share lines.
 *           word  name   written by   meaning
 *           0     AWAY   reclaimer    of the latest death: 0 it has not died; 1 it comes back by itself, in real time; 2 it never does;
 *                                     else 3 + the scenario time of the event that starts it again, in whole ms, rounded up
 *
 * Invariants
 *   I1  AWAY is stored before the reclaim ends, and no next life begins before that.
 *   I2  A source whose AWAY is an instant does not live again before the time reached has got there (or the run was told to stop).
 *
 * Pairs     P1 store AWAY of the dead, then load those of all sources   with   itself, of another reclaim: whoever stores last sees both.
 *
 * Stale     Nothing clears a row when its source is back: by I2 its instant has been reached by then, so that the first return
 *           is not ahead, and nothing happens; 1 says the same for one that came back by itself. So a living source is never overtaken.
 * Progress  Wait-free. Time stands still only while a source lives, or comes back by itself. A source that has not attached yet
 *           lives, has AWAY 0, and waits for scenario time itself: where it is the only one, or all others are dead, nobody gets
 *           the time to its attach. Known limit.
 * Crash     A reclaimer that dies has stored AWAY or not; whoever comes after it stores the same and looks again. To look twice
 *           raises the time to where it is already.
 * Shown by  tests/race/dead-sources.test.ts, tests/scenarios/dead-sources.test.ts.
 */
import { type ActorId, type AtomicWords, type Nanoseconds, type TableRegion, wordAt } from '../base/index.js';

/** Words of one source. */
export const SOURCE_ROW_WORDS = 1;

const BY_ITSELF = 1;
const NEVER = 2;
const AT = 3;
const NS_PER_MS = 1_000_000;
const MOST = 0x7fff_ffff;

/** How a dead source comes back: at an instant of the scenario in ns, by itself after some real time, or never. */
export type SourceReturn = Nanoseconds | 'by itself' | 'never';

export class SourceWords {
  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
  ) {}

  /** A source has died. Only by its reclaimer; idempotent. */
  died(source: ActorId, returns: SourceReturn): void {
    this.words.store(wordAt(this.table, source, 0), wordOf(returns)); // P1, I1
  }

  /**
   * Where the time has to get for a source to come back.
   *
   * @param sources all of the run
   * @returns scenario time in ns, beyond every end when none comes back; undefined while one has not died, or comes back by itself
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
