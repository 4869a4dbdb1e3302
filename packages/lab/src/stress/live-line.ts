/** The line that a stress run shows on a terminal while it goes on. */

import type { ProgressSink } from '../report/progress.js';
import { plural } from '../report/units.js';
import type { StressWords } from './stress-words.js';
import type { TrialResult } from './trial-result.js';

const TERMINAL_INTERVAL_MS = 250;
const LOG_INTERVAL_MS = 5000;
const REWRITE = '\r\u001b[K';

/** What the trials that go on have come to so far. */
export interface LiveCounts {
  readonly operations: number;
  readonly moves: number;
  readonly deaths: number;
  readonly violations: number;
  readonly overdue: number;
}

/** What a trial of random sharing has come to. */
export const liveCountsOf = (words: StressWords): LiveCounts => ({
  operations: words.runCount('operations'),
  moves: words.runCount('moves'),
  deaths: words.runCount('deaths'),
  violations: words.total('violations'),
  overdue: words.runCount('overdue'),
});

export class LiveLine {
  #lastMs: number;
  #lastOperations = 0;
  #isShown = false;

  /** @param nowMs real time */
  constructor(
    private readonly sink: ProgressSink,
    private readonly trials: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.#lastMs = nowMs();
  }

  /** Called as often as the run likes; most calls show nothing. */
  update(done: readonly TrialResult[], nowNs: number, running: LiveCounts | undefined): void {
    const nowMs = this.nowMs();
    const isTerminal = this.sink.isTTY === true;
    const passedMs = nowMs - this.#lastMs;
    if (passedMs < (isTerminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS)) return;
    const sum = (of: (trial: TrialResult) => number): number => done.reduce((total, trial) => total + of(trial), 0);
    const operations = sum((trial) => trial.operations) + (running?.operations ?? 0);
    const moves = sum((trial) => trial.moves.moved) + (running?.moves ?? 0);
    const deathsOf = ({ deaths: { killed, hung, failed } }: TrialResult): number => killed + hung + failed;
    const deaths = sum(deathsOf) + (running?.deaths ?? 0);
    const violations = sum((trial) => trial.violationCount) + (running?.violations ?? 0);
    const overdue = sum((trial) => trial.ages.overdueCount) + (running?.overdue ?? 0);
    const rate = Math.round(((operations - this.#lastOperations) / passedMs) * 1000);
    const where = this.trials > 1 ? `${done.length} of ${this.trials} trials` : `${(nowNs / 1e9).toFixed(1)} s`;
    const counts = [plural(moves, 'move'), plural(deaths, 'death'), plural(violations, 'violation')];
    if (overdue > 0) counts.push(`${overdue} overdue`);
    const text = `${where}: ${operations} operations, ${rate} a second, ${counts.join(', ')}`;
    this.sink.write(isTerminal ? REWRITE + text : `${text}\n`);
    this.#isShown = isTerminal;
    this.#lastMs = nowMs;
    this.#lastOperations = operations;
  }

  /** Says something between two updates, on a line of its own. */
  say(text: string): void {
    this.clear();
    this.sink.write(`${text}\n`);
  }

  /** Takes the line away, so that something else can be printed. */
  clear(): void {
    if (this.#isShown) this.sink.write(REWRITE);
    this.#isShown = false;
  }
}
