/**
 * Watches a virtual run whose clock stands still: it waits for promises of the outside world, which may never come, or does events of
 * one instant without an end.
 *
 * In real time, so what it does to a run is not repeatable: it tells, and it ends a run that would not end. Nothing else.
 */
import { ErrnoError, type Nanoseconds } from '../../base/index.js';

/** Who waits for what. */
export interface OutsideWait {
  readonly actor: string;
  readonly what: string;
}

/** In milliseconds of real time since model time has last gone on. */
export interface OutsideLimits {
  /** After so long promises that have not come are told of. */
  readonly tellMs: number;
  /** After so long the run ends. */
  readonly endMs: number;
  /** The same from when the run was asked to stop. */
  readonly stopMs: number;
}

export const DEFAULT_OUTSIDE_LIMITS: OutsideLimits = { tellMs: 10_000, endMs: 600_000, stopMs: 10_000 };

/** Those who want to know when nothing is left in this process that could settle a promise. */
const onEmpty = new Set<() => void>();

function tellEmpty(): void {
  for (const tell of [...onEmpty]) tell();
}

export class OutsideWatch {
  #nowNs: Nanoseconds = Number.NEGATIVE_INFINITY;
  #sinceMs = 0;
  #toldNs: Nanoseconds = Number.NEGATIVE_INFINITY;
  #stoppedMs = Number.POSITIVE_INFINITY;

  /** @param tell takes a line on an actor */
  constructor(
    private readonly limits: OutsideLimits,
    private readonly tell: (actor: string, line: string) => void,
  ) {}

  /** The run was asked to stop. */
  stop(): void {
    this.#stoppedMs = Math.min(this.#stoppedMs, performance.now());
  }

  /**
   * Looks whether model time goes on.
   *
   * @param alive those that have not ended, for the message
   * @throws ErrnoError ETIMEDOUT when it has stood still for too long
   */
  look(nowNs: Nanoseconds, alive: () => readonly string[]): void {
    this.#note(nowNs);
    if (this.#leftMs <= 0)
      throw this.#overdue(`events of one instant are done without an end; alive: ${alive().join(', ')}`);
  }

  /**
   * Waits until all have settled.
   *
   * @throws ErrnoError EDEADLK when nothing is left in the process that could settle them; ETIMEDOUT when it takes too long
   */
  async settled(
    promises: Promise<void>,
    waits: readonly OutsideWait[],
    nowNs: Nanoseconds,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#note(nowNs);
    let reject: (error: Error) => void = () => {};
    const overdue = new Promise<never>((_, fail) => {
      reject = fail;
    });
    const said = waits.map(({ actor, what }) => `${actor} for ${what}`).join('; ');
    // None of these keeps the process alive: where nothing else does, that is told at once.
    const timers: NodeJS.Timeout[] = [];
    const after = (ms: number, act: () => void): void => void timers.push(setTimeout(act, Math.max(0, ms)).unref());
    const end = (): void => reject(this.#overdue(`promises have not come: ${said}`));
    const empty = (): void => {
      const message = `The run cannot go on: nothing is left that could settle the promises that it waits for (${said})`;
      reject(new ErrnoError('EDEADLK', 'external', message, { waits: said }));
    };
    const onStop = (): void => {
      this.stop();
      after(this.#leftMs, end);
    };
    if (this.#toldNs !== nowNs) after(this.limits.tellMs - this.#stillMs, () => this.#tellOf(waits, nowNs));
    after(this.#leftMs, end);
    signal?.addEventListener('abort', onStop, { once: true });
    if (onEmpty.size === 0) process.on('beforeExit', tellEmpty);
    onEmpty.add(empty);
    try {
      await Promise.race([promises, overdue]);
    } finally {
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', onStop);
      onEmpty.delete(empty);
      if (onEmpty.size === 0) process.off('beforeExit', tellEmpty);
    }
  }

  #note(nowNs: Nanoseconds): void {
    if (nowNs === this.#nowNs) return;
    this.#nowNs = nowNs;
    this.#sinceMs = performance.now();
  }

  get #stillMs(): number {
    return performance.now() - this.#sinceMs;
  }

  /** Until it has stood still for too long. */
  get #leftMs(): number {
    const { endMs, stopMs } = this.limits;
    return Math.min(this.#sinceMs + endMs, Math.max(this.#stoppedMs, this.#sinceMs) + stopMs) - performance.now();
  }

  #tellOf(waits: readonly OutsideWait[], nowNs: Nanoseconds): void {
    this.#toldNs = nowNs;
    const told = `has waited for ${this.limits.tellMs / 1000} s for a promise that has not come`;
    for (const { actor, what } of waits) this.tell(actor, `${told}: ${what}`);
  }

  #overdue(why: string): ErrnoError {
    const message = `The run does not go on: for ${(this.#stillMs / 1000).toFixed(2)} s model time has stood still (${why})`;
    return new ErrnoError('ETIMEDOUT', 'run', message, { why });
  }
}
