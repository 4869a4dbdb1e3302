/** Evaluates a module in a thread of its own, to learn what its top level does before it runs beside anything else. */
import { Worker } from 'node:worker_threads';
import { type ErrorRecord, fromErrorRecord } from '../../base/index.js';

/** What became of the evaluation of a module. */
export type TrialImport =
  | { readonly kind: 'loaded' }
  /** It cannot be linked, or its top level has thrown. */
  | { readonly kind: 'threw'; readonly error: Error }
  /** Its top level has ended its thread, as `process.exit()` does. */
  | { readonly kind: 'exited'; readonly code: number }
  /** Its top level awaits what never comes: nothing is left that could happen. */
  | { readonly kind: 'stuck' }
  /** It had not ended at the limit: it computes, or waits. */
  | { readonly kind: 'late' };

/** From the thread of a trial. */
export type TrialMessage =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'threw'; readonly error: ErrorRecord }
  | { readonly kind: 'exited'; readonly code: number };

/**
 * Imports a module in a new thread and ends the thread. What it prints is not shown.
 *
 * Context: any thread; never blocks it.
 * @param url of the module
 * @param limitMs real time, in milliseconds, after which it is ended; on a machine that is busy with other things up to three
 *   times as long, as long as this process has not computed for half of it
 */
export async function tryImport(url: string, limitMs: number): Promise<TrialImport> {
  const options = { name: 'trial', workerData: url, stdout: true, stderr: true, execArgv: [] };
  const worker = new Worker(new URL('./trial-import-worker.js', import.meta.url), options);
  worker.stdout.resume();
  worker.stderr.resume();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve) => {
      const startMs = performance.now();
      const startUsage = process.cpuUsage();
      const look = (): void => {
        const elapsedMs = performance.now() - startMs;
        const { user, system } = process.cpuUsage(startUsage);
        const hasComputed = (user + system) / 1000 >= limitMs / 2;
        if (elapsedMs >= (hasComputed ? 1 : 3) * limitMs) resolve({ kind: 'late' });
      };
      timer = setInterval(look, Math.min(100, limitMs / 4));
      worker.once('message', (message: TrialMessage) => {
        if (message.kind === 'threw') resolve({ kind: 'threw', error: fromErrorRecord(message.error) });
        else resolve(message);
      });
      worker.once('error', (error) => resolve({ kind: 'threw', error: error as Error }));
      // A thread that has nothing left to do ends by itself.
      worker.once('exit', (code) => resolve(code === 0 ? { kind: 'stuck' } : { kind: 'exited', code }));
    });
  } finally {
    clearInterval(timer);
    await worker.terminate();
  }
}
