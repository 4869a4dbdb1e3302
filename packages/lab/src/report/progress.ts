/** How far a run has come: a line on a terminal, rewritten in place; a line every few seconds elsewhere. */
import type { RunProgress } from '../result/index.js';

/** How often a terminal's line is rewritten, and how often another stream gets a line, in milliseconds of real time. */
const TERMINAL_INTERVAL_MS = 100;
const LOG_INTERVAL_MS = 2000;
/** Return to the first column, and erase up to the end of the line. */
const REWRITE = '\r\u001b[K';

/** Where the progress goes: process.stderr, or a stand-in. */
export interface ProgressSink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows the progress of one run. */
export class ProgressLine {
  readonly #sink: ProgressSink;
  readonly #nowMs: () => number;
  #lastMs: number;
  #isShown = false;

  /** @param nowMs real time; what the interval is measured with */
  constructor(sink: ProgressSink, nowMs: () => number = () => performance.now()) {
    this.#sink = sink;
    this.#nowMs = nowMs;
    this.#lastMs = sink.isTTY === true ? -Infinity : nowMs();
  }

  /** Called as often as the run likes; most calls show nothing. */
  update({ nowNs, durationNs }: RunProgress): void {
    const nowMs = this.#nowMs();
    const isTerminal = this.#sink.isTTY === true;
    if (nowMs - this.#lastMs < (isTerminal ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS)) return;
    this.#lastMs = nowMs;
    const percent = durationNs > 0 ? Math.min(100, Math.floor((100 * nowNs) / durationNs)) : 100;
    const text = `${(nowNs / 1e9).toFixed(1)} s of ${Number((durationNs / 1e9).toFixed(3))} s of model time (${percent} %)`;
    this.#sink.write(isTerminal ? REWRITE + text : `${text}\n`);
    this.#isShown = isTerminal;
  }

  /** Says something between two updates, on a line of its own. */
  say(text: string): void {
    this.clear();
    this.#sink.write(`${text}\n`);
  }

  /** Takes the line away, so that something else can be printed. */
  clear(): void {
    if (this.#isShown) this.#sink.write(REWRITE);
    this.#isShown = false;
  }
}
