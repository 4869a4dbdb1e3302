/** One trial: a plan on a runtime, and what came of it. */
import { actorId } from '@dmabuf-lab/core/base';
import { EXPORTER } from '@dmabuf-lab/core/dma-buf';
import {
  firstTimelineOf,
  layOutTables,
  type PipelineOwners,
  PipelineWaits,
  type SharedTables,
} from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  type ActorSpec,
  type Incident,
  type QuarantineLimits,
  type RunReport,
  type RunSpec,
  ThreadsRuntime,
  type VirtualOptions,
  VirtualRuntime,
} from '@dmabuf-lab/core/runtime';
import { historyOf } from '../history/index.js';
import { isHostShortage } from './host-shortage.js';
import { ERRORS, OPERATIONS } from './operations.js';
import {
  bandwidthsOf,
  boundOf,
  driverActor,
  driverName,
  EXPORTER_ACTOR,
  faultsOf,
  isExporterKilled,
  nameOfActor,
  type StressPlan,
  supervisionOf,
} from './plan.js';
import { SITES } from './sites.js';
import type { StressActorStart } from './stress-actor.js';
import { hasLimits, NO_AGES, StressAges, usesPerDriver } from './stress-ages.js';
import { stressBoard } from './stress-board.js';
import type { StressDriverReport } from './stress-driver.js';
import { isEmpty, type StressExporterReport, type StressExporterStart } from './stress-exporter.js';
import { LANES, layOutBoard, type StressBoard, StressWords } from './stress-words.js';
import type { TrialResult, TrialViolation } from './trial-result.js';

export interface TrialOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (nowNs: number, words: StressWords) => void;
  readonly onEvent?: VirtualOptions['onEvent'];
  /** URL of the module of the drivers' actors; absent = the one that keeps the rules. */
  readonly driverModule?: string;
}

/** A driver that hangs in its set-up is ended after so long; less than anybody may wait. */
const START_GRACE_MS = 30_000;

/** Slots of buffers for each listing: one that is listed, one that is on its way out. */
const SLOTS_PER_LISTING = 2;

/**
 * Runs a trial to its end. Never throws for what the simulated drivers do: that is a violation.
 *
 * @throws ErrnoError ENOMEM, EAGAIN when the host has too little memory or no threads for it
 */
export async function runTrial(plan: StressPlan, options: TrialOptions = {}): Promise<TrialResult> {
  const slots = plan.buffers * SLOTS_PER_LISTING;
  const last = driverActor(plan.drivers - 1);
  const board = layOutBoard(plan.buffers, slots, last);
  const words = new StressWords(board);
  const giveUp = new AbortController();
  const stop = (): void => giveUp.abort();
  options.signal?.addEventListener('abort', stop, { once: true });
  if (options.signal?.aborted === true) stop();
  const startMs = performance.now();
  let report: RunReport | undefined;
  let ages: StressAges | undefined;
  let failure: Error | undefined;
  try {
    const tables = tablesOf(plan, slots, last);
    const spec = runSpec(plan, board, tables, {
      ...options,
      signal: giveUp.signal,
      onProgress: (nowNs) => {
        options.onProgress?.(nowNs, words);
        if (nowNs > plan.durationNs + 1.2 * boundOf(plan)) stop();
      },
    });
    const onEvent: VirtualOptions['onEvent'] = (nowNs, ...event) => {
      ages?.look(nowNs);
      options.onEvent?.(nowNs, ...event);
    };
    const onBeat = (nowNs: number): void => ages?.look(nowNs);
    const runtime =
      plan.runtime === 'virtual'
        ? new VirtualRuntime(spec, { ties: plan.ties, onEvent })
        : new ThreadsRuntime(spec, { pace: 'real', startGraceMs: START_GRACE_MS, onBeat });
    ages = new StressAges(plan, tables, runtime.words, words);
    report = await runtime.run();
    ages.look(report.endNs);
  } catch (error) {
    if (isHostShortage(error)) throw error;
    failure = error instanceof Error ? error : new Error(String(error));
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
  const wallMs = performance.now() - startMs;
  const isInterrupted = options.signal?.aborted === true;
  return { ...resultOf(plan, words, report, failure, wallMs, isInterrupted), ages: ages?.found ?? NO_AGES };
}

/** A driver of the run's own sends no broken message; one of a user's that does is shut out early. */
const QUARANTINE: QuarantineLimits = { messages: 8, windowNs: 1_000_000_000 };

function tablesOf(plan: StressPlan, slots: number, last: number): SharedTables {
  return layOutTables({
    actors: last,
    buffers: slots,
    attachments: slots * (plan.drivers + 1),
    timelines: firstTimelineOf(actorId(last + 1)),
    pools: 1,
    frames: 1,
    rings: [],
    ...(hasLimits(plan.ages) && { usesPerActor: usesPerDriver(slots) }),
  });
}

function runSpec(
  plan: StressPlan,
  board: StressBoard,
  tables: SharedTables,
  options: Pick<TrialOptions, 'driverModule' | 'signal'> & { readonly onProgress: (nowNs: number) => void },
): RunSpec {
  const memoryBoard = stressBoard(plan);
  const owners: PipelineOwners = { links: [], pools: [], sources: [], lanesPerActor: firstTimelineOf(actorId(2)) };
  const exporter: StressExporterStart = {
    plan,
    board,
    exporter: {
      actor: actorId(EXPORTER_ACTOR),
      tables,
      board: memoryBoard,
      policy: plan.policy,
      bandwidths: bandwidthsOf(plan),
      owners,
      exhaustions: [],
      senders: Array.from({ length: plan.drivers }, (_, index) => [driverName(index), actorId(driverActor(index))]),
      quarantine: QUARANTINE,
      sanitize: true,
    },
  };
  const actors: ActorSpec[] = [
    {
      name: EXPORTER,
      id: actorId(EXPORTER_ACTOR),
      module: new URL('./stress-exporter.js', import.meta.url).href,
      calls: [],
      data: exporter,
      supervised: false,
      reclaims: true,
      ...(isExporterKilled(plan) && { resumes: true }),
    },
  ];
  for (let index = 0; index < plan.drivers; index += 1) {
    const data: StressActorStart = { index, plan, tables, board };
    const module = options.driverModule ?? new URL('./stress-actor.js', import.meta.url).href;
    actors.push({ name: driverName(index), id: actorId(driverActor(index)), module, calls: [EXPORTER], data });
  }
  const memory = PhysicalMemory.create(
    memoryBoard.windows.map(({ name, base, size }) => ({ name, base, sizeBytes: size })),
  );
  return {
    actors,
    memory: memory.handle,
    controlBytes: tables.sizeBytes,
    seed: plan.seed,
    trace: false,
    faults: faultsOf(plan),
    supervision: supervisionOf(plan),
    waits: (words) => new PipelineWaits(words, tables, owners, actorId(EXPORTER_ACTOR)),
    onProgress: options.onProgress,
    signal: options.signal,
  };
}

function resultOf(
  plan: StressPlan,
  words: StressWords,
  report: RunReport | undefined,
  failure: Error | undefined,
  wallMs: number,
  interrupted: boolean,
): Omit<TrialResult, 'ages'> {
  const incidents = report?.incidents ?? [];
  const reports = new Map(report?.outcomes.map((outcome) => [outcome.name, outcome.report]));
  const exporter = reports.get(EXPORTER) as StressExporterReport | undefined;
  const violations = violationsOf(words);
  const add = (text: string): void => {
    // What an actor has thrown it may have told already.
    if (!violations.some((known) => known.text.includes(text) || text.includes(known.text))) {
      violations.push({ text, buffer: null, actor: null, history: [] });
    }
  };
  for (const { kind, cause, actor, why } of incidents) {
    if (kind === 'deadlock') add(`deadlock: ${why}`);
    if (kind === 'died' && cause === 'failed' && !violations.some(({ text }) => text.includes(why ?? ''))) {
      add(`${actor} failed: ${why}`);
    }
  }
  if (failure !== undefined) add(failure.message);
  if (exporter !== undefined && !isEmpty(exporter.ledger)) {
    const left = Object.entries(exporter.ledger).filter(([, count]) => count !== 0);
    add(`leaked: ${left.map(([what, count]) => `${count} ${what}`).join(', ')}`);
  }
  for (let index = 0; index < plan.drivers && report !== undefined; index += 1) {
    const left = reports.get(driverName(index)) as StressDriverReport | undefined;
    if (left === undefined) add(`${driverName(index)} did not come back after its last death`);
    else if (Object.values(left).some((count) => count !== 0))
      add(`${driverName(index)} ended with ${JSON.stringify(left)}`);
  }
  return {
    seed: plan.seed,
    plan,
    modelNs: report?.endNs ?? 0,
    wallMs,
    interrupted,
    operations: words.runCount('operations'),
    counts: OPERATIONS.map((_, i) => Array.from({ length: ERRORS.length + 1 }, (__, error) => words.counted(i, error))),
    latencies: OPERATIONS.map((_, i) => words.latencies(i)),
    deaths: deathsOf(incidents),
    reclaimedNs: incidents.flatMap(({ tookNs }) => (tookNs === undefined ? [] : [tookNs])),
    sites: SITES.map((site, i) => ({
      ...{ site, rate: plan.sites[site] ?? null },
      ...{ visits: words.siteCount(i, 'visits'), fired: words.siteCount(i, 'fired') },
    })),
    moves: exporter?.moves ?? { moved: words.runCount('moves'), refused: 0, timedOut: 0 },
    bytesCopied: exporter?.bytesCopied ?? 0,
    freedBytesChecked: exporter?.freedBytesChecked ?? 0,
    ledger: exporter?.ledger ?? null,
    violationCount: Math.max(violations.length, words.total('violations')),
    violations,
    fingerprint: report?.fingerprint ?? null,
  };
}

/** A history stands still after the first violation of its buffer: what was found later is told without one. */
function violationsOf(words: StressWords): TrialViolation[] {
  const told = new Set<number>();
  return words.violations().map((violation) => {
    const { slot, lane, text } = violation;
    const isFirst = slot === undefined || !told.has(slot);
    if (slot !== undefined) told.add(slot);
    return {
      text: isFirst ? text : `${text} (after the first violation of this buffer)`,
      buffer: slot ?? null,
      actor: nameOfActor(Math.floor(lane / LANES)),
      history: isFirst ? historyOf(words, violation, nameOfActor) : [],
    };
  });
}

function deathsOf(incidents: readonly Incident[]): TrialResult['deaths'] {
  const count = (test: (incident: Incident) => boolean): number => incidents.filter(test).length;
  const died = (cause: Incident['cause']): number => count((one) => one.kind === 'died' && one.cause === cause);
  const of = (kind: Incident['kind']): number => count((one) => one.kind === kind);
  return {
    killed: died('killed'),
    hung: died('hung'),
    failed: died('failed'),
    late: of('late'),
    reclaimed: of('reclaimed'),
    restarted: of('restarted'),
  };
}
