/** Short runs on threads, one after the other in this process: nothing may be left of any of them. */
import { example, runFile } from '../scenarios/run-file.js';

export interface RunLeft {
  readonly run: number;
  readonly empty: boolean;
  readonly checksFailed: number;
  readonly shown: number;
  /** Freed allocations that somebody wrote to. */
  readonly damaged: number;
}

/** Runs the flagship, sped up and shortened; the encoder comes and goes. */
export async function* shortRuns(count: number): AsyncGenerator<RunLeft> {
  for (let run = 0; run < count; run += 1) {
    const { result } = await runFile(example('encoder-off'), {
      overrides: {
        runtime: 'threads',
        pace: 'max',
        payload: 'stamp',
        duration: 7_000_000_000,
        seed: run + 1,
        sanitizer: true,
      },
    });
    const checksFailed = Object.values(result.devices).reduce((sum, d) => sum + (d.counters.checksFailed ?? 0), 0);
    const damaged = result.sanitizer?.damaged ?? Number.POSITIVE_INFINITY;
    yield { run, empty: result.ledger.empty, checksFailed, shown: result.devices.display.counters.shown ?? 0, damaged };
  }
}
