/**
 * Watches waits for promises of the outside world on the virtual clock, which stands still meanwhile: one may never come.
 *
 * In real time, so what it does to a run is not repeatable: it tells, and it ends a run that would not end. Nothing else.
 */
import { ErrnoError } from '../../base/index.js';

/** Who waits for what. */
export interface OutsideWait {
  readonly actor: string;
  readonly what: string;
}

/** In milliseconds of real time. */
export interface OutsideLimits {
  /** After so long it is told of. */
  readonly tellMs: number;
  /** After so long the run ends. */
  readonly endMs: number;
  /** The same once the run was asked to stop. */
  readonly stopMs: number;
}

export const DEFAULT_OUTSIDE_LIMITS: OutsideLimits = { tellMs: 10_000, endMs: 120_000, stopMs: 10_000 };

let watching = 0;

/** Whether a run is waiting, and tells by itself when nothing in the process is left that could end that. */
export function watchesOutside(): boolean {
  return watching > 0;
}

/**
 * Waits until all have settled.
 *
 * @param tell takes a line on an actor
 * @throws ErrnoError EDEADLK when nothing is left in the process that could settle them; ETIMEDOUT when it takes too long
 */
export async function settledInTime(
  settled: Promise<void>,
  waits: readonly OutsideWait[],
  { tellMs, endMs, stopMs }: OutsideLimits,
  tell: (actor: string, line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  let reject: (error: Error) => void = () => {};
  const overdue = new Promise<never>((_, fail) => {
    reject = fail;
  });
  const said = waits.map(({ actor, what }) => `${actor} for ${what}`).join('; ');
  // None of these keeps the process alive: where nothing else does, that is told at once.
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number, act: () => void): void => void timers.push(setTimeout(act, ms).unref());
  const end = (ms: number) => (): void => {
    const message = `The run does not go on: for ${ms / 1000} s promises have not come (${said})`;
    reject(new ErrnoError('ETIMEDOUT', 'external', message, { waits: said }));
  };
  const onEmpty = (): void => {
    const message = `The run cannot go on: nothing is left that could settle the promises that it waits for (${said})`;
    reject(new ErrnoError('EDEADLK', 'external', message, { waits: said }));
  };
  const onStop = (): void => after(stopMs, end(stopMs));
  const told = `has waited for ${tellMs / 1000} s for a promise that has not come`;
  after(tellMs, () => {
    for (const { actor, what } of waits) tell(actor, `${told}: ${what}`);
  });
  after(endMs, end(endMs));
  if (signal?.aborted === true) onStop();
  else signal?.addEventListener('abort', onStop, { once: true });
  process.on('beforeExit', onEmpty);
  watching += 1;
  try {
    await Promise.race([settled, overdue]);
  } finally {
    watching -= 1;
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener('abort', onStop);
    process.off('beforeExit', onEmpty);
  }
}
