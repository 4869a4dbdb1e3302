/** A trial of modules in a pipeline: the machinery of scenarios, under the faults of a stress plan. */
import { assert } from '@dmabuf-lab/core/base';
import type { VirtualOptions } from '@dmabuf-lab/core/runtime';
import { type HistoryReport, HistoryWords, historyReport } from '../history/index.js';
import { brokenText, corruptionText, freedWriteText } from '../report/summary-findings.js';
import type { RunCounts, RunResult } from '../result/index.js';
import { CountWords } from '../run/count-words.js';
import { executeRun, type PreparedRun, prepareRun } from '../run/index.js';
import { namesOf } from '../run/outcome.js';
import { parseScenario, type ScenarioInput } from '../scenario/index.js';
import { isHostShortage } from './host-shortage.js';
import { BUCKETS } from './latency-histogram.js';
import type { LiveCounts } from './live-line.js';
import { ERRORS, OPERATIONS } from './operations.js';
import { type OwnDriver, pipelineOf } from './own-drivers.js';
import { faultsOf, type StressPlan, supervisionOf } from './plan.js';
import { agesOfRun, NO_AGES } from './stress-ages.js';
import type { DeviceTally, TrialResult, TrialViolation } from './trial-result.js';

export interface PipelineTrialOptions {
  /** Absolute path of where packages are looked for from. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (nowNs: number, counts: LiveCounts) => void;
  /** Told on the virtual clock of each event. */
  readonly onEvent?: VirtualOptions['onEvent'];
}

/** Events that a scenario may have. */
export const MAX_PIPELINE_FAULTS = 10_000;

/**
 * Runs the modules' pipeline once. Never throws for what drivers do: that is a violation.
 *
 * @throws ErrnoError ENOMEM, EAGAIN when the host has too little memory or no threads for it
 */
export async function runPipelineTrial(
  plan: StressPlan,
  drivers: readonly OwnDriver[],
  { folder, signal, onProgress, onEvent }: PipelineTrialOptions,
): Promise<TrialResult> {
  const prepared = await preparePipeline(plan, drivers, folder);
  const startMs = performance.now();
  try {
    const { result } = await executeRun(prepared, {
      ...{ collectTrace: false, signal, onEvent },
      onProgress: onProgress && (({ nowNs, counts }) => onProgress(nowNs, liveCounts(counts))),
    });
    return { ...emptyTrial(plan), ...told(result, drivers, prepared), wallMs: performance.now() - startMs };
  } catch (error) {
    if (isHostShortage(error)) throw error;
    const violations = violationsOfError(error, prepared);
    const wallMs = performance.now() - startMs;
    const end = { interrupted: signal?.aborted === true, violations, violationCount: violations.length };
    const counts = countsOf(prepared);
    const moves = { moved: counts.ofExporter('moves'), refused: 0, timedOut: 0 };
    return { ...emptyTrial(plan), wallMs, operations: counts.sum('frames'), moves, ...end };
  }
}

/** A frame that a device takes or hands on is an operation. */
function liveCounts(counts: RunCounts | undefined): LiveCounts {
  assert(counts !== undefined, 'a trial counts while it goes on');
  const { frames, ...rest } = counts;
  return { operations: frames, ...rest };
}

/** What the actors have counted, in all of their lives. */
function countsOf({ counts }: PreparedRun): CountWords {
  assert(counts !== undefined, 'a trial counts while it goes on');
  return new CountWords(counts);
}

/** Checks all that can be checked before a trial. @throws OwnDriverError, ScenarioError: both end the command line with 2 */
export async function preparePipeline(
  plan: StressPlan,
  drivers: readonly OwnDriver[],
  folder: string,
): Promise<PreparedRun> {
  const text = JSON.stringify(scenarioOf(plan, drivers));
  return await prepareRun(parseScenario(text, 'the pipeline of --driver', { directory: folder }), { counts: true });
}

/** The scenario of a trial: pipeline, board, faults and supervision. */
export function scenarioOf(plan: StressPlan, drivers: readonly OwnDriver[]): ScenarioInput {
  const pipeline = pipelineOf(drivers);
  const { restart, lateNs, hungNs } = supervisionOf(plan);
  const { fenceNs, mappingNs, heldMappingNs } = plan.ages;
  return {
    name: 'stress-of-drivers',
    duration: `${plan.durationNs}ns`,
    seed: plan.seed,
    runtime: plan.runtime,
    ties: plan.ties,
    shutdown: plan.runtime === 'threads' ? '20s' : '5s',
    payload: 'stamp',
    memory: { windows: [{ name: 'dram', base: 0x4000_0000, size: '64MiB' }] },
    heaps: [
      { name: 'system', kind: 'system', window: 'dram' },
      { name: 'cma', kind: 'cma', window: 'dram', base: 0x4200_0000, size: '16MiB' },
    ],
    ...pipeline,
    timeline: faultsOf(plan, Object.keys(pipeline.devices)).map(({ kind, actor, atNs }) => {
      return kind === 'hang' ? { at: `${atNs}ns`, hang: actor } : { at: `${atNs}ns`, kill: actor };
    }),
    debug: {
      history: true,
      sanitizer: true,
      ...(fenceNs !== undefined && { fenceDeadline: `${fenceNs}ns` }),
      ...(mappingNs !== undefined && { mappingLimit: `${mappingNs}ns` }),
      ...(heldMappingNs !== undefined && { heldMappingLimit: `${heldMappingNs}ns` }),
    },
    supervision: {
      restart: 'one-for-one',
      restarts: 1_000_000,
      within: '1ms',
      backoff: `${restart?.backoffNs ?? 0}ns`,
      maxBackoff: `${restart?.maxBackoffNs ?? 0}ns`,
      late: `${lateNs}ns`,
      hung: `${hungNs}ns`,
    },
  };
}

/** What histories, sanitizer, guard words and message checks have found. */
function violationsOfChecks(result: RunResult): TrialViolation[] {
  const { history, sanitizer, corruptions = [], brokenMessages = [] } = result;
  const freed = sanitizer?.findings ?? [];
  return [
    ...violationsOfHistory(history?.violations ?? []),
    ...freed.map((one) => ({ text: freedWriteText(one), buffer: null, actor: null, history: one.history ?? [] })),
    ...corruptions.map((one) => ({ text: corruptionText(one), buffer: null, actor: null, history: one.history ?? [] })),
    ...brokenMessages.map((one) => ({ text: brokenText(one), buffer: null, actor: one.device, history: [] })),
  ];
}

const violationsOfHistory = (found: HistoryReport['violations']): TrialViolation[] =>
  found.map(({ text, slot, device, history }) => ({ text, buffer: slot ?? null, actor: device, history }));

/** Of a run that could not go on: why, and what the histories show by then. */
function violationsOfError(error: unknown, prepared: PreparedRun): TrialViolation[] {
  const text = error instanceof Error ? error.message : String(error);
  const own = { text, buffer: null, actor: null, history: [] };
  if (prepared.history === undefined) return [own];
  // Who waits without an end has been told already.
  const { violations } = historyReport(new HistoryWords(prepared.history), namesOf(prepared), () => true);
  return [own, ...violationsOfHistory(violations)];
}

function told(result: RunResult, drivers: readonly OwnDriver[], prepared: PreparedRun): Partial<TrialResult> {
  const counts = countsOf(prepared);
  const { incidents, ledger, devices, history } = result;
  const violations = violationsOfChecks(result);
  const add = (text: string, actor: string | null): void => {
    violations.push({ text, buffer: null, actor, history: [] });
  };
  const pathOf = (device: string): string => drivers.find((own) => own.device === device)?.path ?? device;
  for (const { kind, cause, device, why } of incidents) {
    if (kind === 'died' && cause === 'failed') add(`${pathOf(device)} failed: ${why}`, device);
    if (kind === 'died' && cause === 'overdue') add(`${pathOf(device)} did not end: ${why}`, device);
  }
  for (const { kind, device, why } of incidents) {
    if (kind === 'deadlock') add(`deadlock: ${why}`, device);
    if (kind === 'lock-order') add(`lock order: ${why}`, device);
  }
  for (const { name, id } of prepared.actors) {
    const torn = counts.ofDevice(id, 'torn');
    if (torn > 0) add(`${torn} frames were torn or stale at ${pathOf(name)}`, name);
  }
  const { empty, ...left } = ledger;
  const leaked = Object.entries(left).filter(([, count]) => count > 0);
  if (!empty) add(`leaked: ${leaked.map(([what, count]) => `${count} ${what}`).join(', ')}`, null);
  const { buffers, bytes, attachments, mappings, pendingFences } = ledger;
  const died = (cause: string): number => incidents.filter((one) => one.kind === 'died' && one.cause === cause).length;
  const of = (kind: string): number => incidents.filter((one) => one.kind === kind).length;
  const tallies = Object.entries(devices).map(([device, { framesIn, framesOut, counters }]): DeviceTally => {
    const { checksPassed = 0, checksFailed = 0 } = counters;
    const deaths = incidents.filter((one) => one.kind === 'died' && one.device === device).length;
    return { device, driver: pathOf(device), framesIn, framesOut, checksPassed, checksFailed, deaths };
  });
  return {
    modelNs: result.durationNs,
    interrupted: result.endedBy === 'interrupted',
    operations: counts.sum('frames'),
    deaths: {
      killed: died('killed'),
      hung: died('hung') + died('overdue'),
      failed: died('failed'),
      late: of('late'),
      reclaimed: of('reclaimed'),
      restarted: of('restarted'),
    },
    reclaimedNs: incidents.flatMap(({ tookNs }) => (tookNs === undefined ? [] : [tookNs])),
    moves: { moved: result.moves, refused: 0, timedOut: 0 },
    bytesCopied: result.bytesCopied,
    freedBytesChecked: result.sanitizer?.checkedBytes ?? 0,
    ledger: { buffers, bytes, attachments, mappings, pendingFences, pins: 0, locks: 0, waiting: 0 },
    ages: agesOfRun(result),
    violations,
    // Histories tell the first of theirs only.
    violationCount: violations.length + (history?.violationCount ?? 0) - (history?.violations.length ?? 0),
    fingerprint: result.fingerprint,
    devices: tallies,
  };
}

function emptyTrial(plan: StressPlan): TrialResult {
  return {
    seed: plan.seed,
    plan,
    modelNs: 0,
    wallMs: 0,
    interrupted: false,
    operations: 0,
    counts: OPERATIONS.map(() => Array.from({ length: ERRORS.length + 1 }, () => 0)),
    latencies: OPERATIONS.map(() => Array.from({ length: BUCKETS }, () => 0)),
    deaths: { killed: 0, hung: 0, failed: 0, late: 0, reclaimed: 0, restarted: 0 },
    reclaimedNs: [],
    sites: [],
    moves: { moved: 0, refused: 0, timedOut: 0 },
    bytesCopied: 0,
    freedBytesChecked: 0,
    ledger: null,
    ages: NO_AGES,
    violationCount: 0,
    violations: [],
    fingerprint: null,
  };
}
