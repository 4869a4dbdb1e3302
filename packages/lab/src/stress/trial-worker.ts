/** A trial in a worker of the pool. */
import { type LiveCounts, liveCountsOf } from './live-line.js';
import { loadOwnDrivers, type OwnDriverPaths } from './own-drivers.js';
import { runPipelineTrial } from './pipeline-trial.js';
import type { StressPlan } from './plan.js';
import { runTrial } from './run-trial.js';
import { type OnEvent, runTwice } from './run-twice.js';
import type { StressWords } from './stress-words.js';
import { type TrialCountBoard, TrialCountWords } from './trial-count-words.js';
import type { TrialResult } from './trial-result.js';
import { TrialStopWords } from './trial-stop-words.js';

export interface TrialTask {
  readonly plan: StressPlan;
  /** Whether it is executed twice, and the executions compared. */
  readonly twice: boolean;
  readonly driverModule?: string;
  /** Tells it when to end early. */
  readonly stop?: SharedArrayBuffer;
  /** Where it says what it has come to, and its place there; absent = nobody looks before the end. */
  readonly counts?: { readonly board: TrialCountBoard; readonly place: number };
  /** Modules of users: their pipeline is run, in place of random sharing. */
  readonly ownDrivers?: OwnDriverPaths;
}

/** Runs a trial, once or twice. */
export async function runTask(task: TrialTask): Promise<TrialResult> {
  const { plan, twice, driverModule, ownDrivers } = task;
  const watch = watchFor(task);
  const execute =
    ownDrivers === undefined
      ? (onEvent?: OnEvent) => {
          const onProgress = (nowNs: number, words: StressWords): void => watch.onProgress(nowNs, liveCountsOf(words));
          return runTrial(plan, { driverModule, signal: watch.signal, onProgress, onEvent });
        }
      : await pipelineOf(plan, ownDrivers, watch);
  return twice ? await runTwice(execute, execute, watch.signal) : await execute();
}

async function pipelineOf(
  plan: StressPlan,
  own: OwnDriverPaths,
  watch: Watch,
): Promise<(onEvent?: OnEvent) => Promise<TrialResult>> {
  const drivers = await loadOwnDrivers(own);
  return (onEvent) => runPipelineTrial(plan, drivers, { folder: own.folder, ...watch, onEvent });
}

interface Watch {
  readonly signal: AbortSignal;
  readonly onProgress: (nowNs: number, counts: LiveCounts) => void;
}

/** Says how far a trial has come, and stops it when the word says so: a worker that runs in virtual time hears of nothing else. */
function watchFor({ stop, counts }: TrialTask): Watch {
  const interrupt = new AbortController();
  const words = stop && new TrialStopWords(stop);
  const counted = counts && new TrialCountWords(counts.board);
  const onProgress = (_: number, now: LiveCounts): void => {
    if (counts !== undefined) counted?.raise(counts.place, now);
    if (words?.isStopped === true) interrupt.abort();
  };
  return { signal: interrupt.signal, onProgress };
}

export default runTask;
