/**
 * Many independent trials: in virtual time side by side in a pool of workers, each with a seed of its own; on threads one
 * after the other, since each already has a worker for every driver.
 */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { type LiveCounts, liveCountsOf } from './live-line.js';
import { loadOwnDrivers } from './own-drivers.js';
import { runPipelineTrial } from './pipeline-trial.js';
import { drawnPlan, fixedPlan, type PlanChoices, type StressPlan } from './plan.js';
import { runTrial } from './run-trial.js';
import { type OnEvent, runTwice } from './run-twice.js';
import type { StressWords } from './stress-words.js';
import { TrialCountWords, trialCountBoard } from './trial-count-words.js';
import type { TrialResult } from './trial-result.js';
import { TrialStopWords } from './trial-stop-words.js';
import type { TrialTask } from './trial-worker.js';

/** How often progress is told while trials go on in a pool, in milliseconds. */
const PROGRESS_MS = 250;

/** Of the virtual trials one of so many is executed twice. */
export const TWICE_EVERY = 20;

export interface TrialsOptions {
  readonly trials: number;
  /** Whether the rates of each trial are drawn from its seed, up to those of the choices. */
  readonly draw: boolean;
  readonly signal?: AbortSignal;
  /** While the trials go on: what is done so far, and what those that go on have come to. */
  readonly onProgress?: (done: readonly TrialResult[], nowNs: number, running: LiveCounts | undefined) => void;
  readonly driverModule?: string;
  readonly ownDrivers?: TrialTask['ownDrivers'];
}

/** The plans of all trials: seeds follow each other from the first. */
export function plansOf(choices: PlanChoices, { trials, draw }: TrialsOptions): StressPlan[] {
  return Array.from({ length: trials }, (_, i) => {
    const own = { ...choices, seed: choices.seed + i };
    return draw ? drawnPlan(own) : fixedPlan(own);
  });
}

/** Whether a trial is executed twice: one in twenty, and which is decided by its seed. */
const isTwice = ({ runtime, seed }: StressPlan): boolean => runtime === 'virtual' && seed % TWICE_EVERY === 0;

/** Runs all trials, or as many as there are until the signal asks to stop. In order of their seeds. */
export async function runTrials(choices: PlanChoices, options: TrialsOptions): Promise<TrialResult[]> {
  const plans = plansOf(choices, options);
  const isPooled = choices.runtime === 'virtual' && plans.length > 1;
  return isPooled ? await runPooled(plans, options) : await runOneByOne(plans, options);
}

async function runOneByOne(plans: readonly StressPlan[], options: TrialsOptions): Promise<TrialResult[]> {
  const done: TrialResult[] = [];
  for (const plan of plans) {
    if (options.signal?.aborted === true && done.length > 0) break;
    done.push(await runHere(plan, options, done));
  }
  return done;
}

/** Runs a trial in this thread, where it can be watched and stopped; the second time, if there is one, tells no progress. */
async function runHere(plan: StressPlan, options: TrialsOptions, done: readonly TrialResult[]): Promise<TrialResult> {
  const { signal, driverModule, ownDrivers, onProgress } = options;
  const drivers = ownDrivers && (await loadOwnDrivers(ownDrivers));
  const executionTold = (tell: TrialsOptions['onProgress']) => (onEvent?: OnEvent) => {
    if (ownDrivers === undefined || drivers === undefined) {
      const onProgress = tell && ((nowNs: number, words: StressWords) => tell(done, nowNs, liveCountsOf(words)));
      return runTrial(plan, { signal, driverModule, onProgress, onEvent });
    }
    const onProgress = tell && ((nowNs: number, counts: LiveCounts) => tell(done, nowNs, counts));
    return runPipelineTrial(plan, drivers, { folder: ownDrivers.folder, signal, onProgress, onEvent });
  };
  const execute = executionTold(onProgress);
  return isTwice(plan) ? await runTwice(execute, executionTold(undefined), signal) : await execute();
}

async function runPooled(plans: readonly StressPlan[], options: TrialsOptions): Promise<TrialResult[]> {
  const { signal, driverModule, ownDrivers, onProgress } = options;
  const pool = new Piscina<TrialTask, TrialResult>({
    filename: new URL('./trial-worker.js', import.meta.url).href,
    maxThreads: Math.min(plans.length, availableParallelism()),
  });
  const done: TrialResult[] = [];
  const words = new TrialStopWords();
  const board = trialCountBoard(pool.options.maxThreads);
  const counts = new TrialCountWords(board);
  const tell = (): void => onProgress?.(done, 0, counts.sum());
  const timer = onProgress && setInterval(tell, PROGRESS_MS);
  const onAbort = (): void => words.stop();
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const waiting = [...plans];
    const work = async (_: unknown, place: number): Promise<void> => {
      for (let plan = waiting.shift(); plan !== undefined && signal?.aborted !== true; plan = waiting.shift()) {
        const watch = { stop: words.memory, counts: { board, place } };
        const trial = await pool.run({ plan, twice: isTwice(plan), driverModule, ownDrivers, ...watch });
        counts.clear(place);
        done.push(trial);
        tell();
      }
    };
    await Promise.all(Array.from({ length: pool.options.maxThreads }, work));
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', onAbort);
    await pool.destroy();
  }
  return done.sort((a, b) => a.seed - b.seed);
}
