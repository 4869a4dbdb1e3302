/** Runs a prepared scenario on the runtime it names. */
import { type AtomicWords, isErrno } from '@dmabuf-lab/core/base';
import { EXPORTER_ACTOR, PipelineWaits, type RowWatch } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  ActorError,
  type RunSpec,
  ThreadsRuntime,
  type VirtualOptions,
  VirtualRuntime,
} from '@dmabuf-lab/core/runtime';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { HistoryWords, historyReport } from '../history/index.js';
import { corruptionSubject } from '../report/corruption-text.js';
import { historyLines } from '../report/history-text.js';
import type { RunOptions, RunOutcome } from '../result/index.js';
import { watchAges } from './age-limits.js';
import { eventTimesOf, faultsOf, supervisionOf } from './faults.js';
import { lockOrdersOf } from './lock-orders.js';
import { buildOutcome, namesOf } from './outcome.js';
import { type PreparedRun, quarantineOf } from './prepare.js';
import { rowDamages, watchRows } from './row-damages.js';
import { runCounts } from './run-counts.js';

/** What the library itself asks for beside. */
export interface ExecuteOptions extends RunOptions {
  /** Told on the virtual clock of each event, before it happens; must change nothing. */
  readonly onEvent?: VirtualOptions['onEvent'];
}

/**
 * Runs to the end of the scenario, or until the signal asks to stop.
 *
 * @throws ActorError when an actor fails, naming it; ErrnoError when the run cannot go on or does not stop
 */
export async function executeRun(prepared: PreparedRun, options: ExecuteOptions): Promise<RunOutcome> {
  const { scenario, tables, owners, actors } = prepared;
  const memory = PhysicalMemory.create(prepared.windows);
  const { onProgress, onOutput, signal, collectTrace, traceCapacity, isBreakDue, onStep, longWaitMs } = options;
  const faults = faultsOf(scenario);
  const hasOwnDrivers = Object.values(prepared.drivers).some((driver) => !Object.hasOwn(builtInDrivers, driver));
  const supervision = supervisionOf(scenario, hasOwnDrivers);
  const spec: RunSpec = {
    actors,
    memory: memory.handle,
    controlBytes: tables.sizeBytes,
    seed: scenario.seed,
    trace: collectTrace,
    ...(traceCapacity !== undefined && { traceCapacity }),
    ...(faults.length > 0 && { faults }),
    eventTimesNs: eventTimesOf(scenario),
    shutdown: { endNs: scenario.duration, graceNs: scenario.shutdown },
    ...(supervision && { supervision }),
    waits: (words) => new PipelineWaits(words, tables, owners, EXPORTER_ACTOR),
    onProgress:
      onProgress &&
      ((nowNs) => onProgress({ nowNs, durationNs: scenario.duration, ...(counts && { counts: counts() }) })),
    signal,
    quarantine: quarantineOf(scenario.exporter),
    ...(onOutput && { onOutput }),
  };
  const look = (nowNs: number): void => {
    ages?.look(nowNs);
    rows.beat(nowNs);
  };
  const onEvent: VirtualOptions['onEvent'] =
    onStep === undefined && options.onEvent === undefined
      ? look
      : (nowNs, eventClass, target) => {
          look(nowNs);
          onStep?.(target.actor.name);
          options.onEvent?.(nowNs, eventClass, target);
        };
  const runtime =
    scenario.runtime === 'virtual'
      ? new VirtualRuntime(spec, {
          ties: scenario.ties,
          onEvent,
          ...(isBreakDue && { isBreakDue }),
          ...(longWaitMs !== undefined && { outside: { tellMs: longWaitMs } }),
        })
      : new ThreadsRuntime(spec, {
          pace: scenario.pace,
          onBeat: look,
          ...(longWaitMs !== undefined && { longWaitMs }),
        });
  const ages = watchAges(prepared, runtime.words);
  const rows = watchRows(prepared, runtime.words);
  const counts = runCounts(prepared, runtime.words, { ages, rows });
  const report = await runtime.run().catch((error: unknown) => {
    rows.look(0);
    const named = withDamages(prepared, rows, withDriver(error, prepared));
    throw withHistory(prepared, withLockOrders(prepared, runtime.words, named));
  });
  ages?.look(report.endNs);
  rows.look(report.endNs);
  const interrupted = signal?.aborted === true;
  return buildOutcome(prepared, report, { words: runtime.words, interrupted, ages, rows });
}

/** Adds to the failure of a device which driver it ran, where that is one of the user's. */
function withDriver(error: unknown, { drivers }: PreparedRun): unknown {
  if (!(error instanceof ActorError) || !Object.hasOwn(drivers, error.actor)) return error;
  const driver = drivers[error.actor];
  return Object.hasOwn(builtInDrivers, driver) ? error : Object.assign(error, { driver });
}

/** An error that a run ends with, and which control words somebody has overwritten (`damages`, lines). */
function withDamages(prepared: PreparedRun, { damages }: RowWatch, error: unknown): unknown {
  if (damages.length === 0 || !(error instanceof Error)) return error;
  const told = rowDamages(damages, prepared).map(
    (one) => `Control words overwritten: ${corruptionSubject(one)}: ${one.what}.`,
  );
  return Object.assign(error, { damages: told.join('\n') });
}

/** Adds to the error of a run that stood still which orders of locks contradict each other. */
function withLockOrders(prepared: PreparedRun, words: AtomicWords, error: unknown): unknown {
  if (!isErrno(error, 'EDEADLK', 'ETIMEDOUT') || !(error instanceof Error)) return error;
  const found = lockOrdersOf(prepared, words)?.incidents ?? [];
  if (found.length > 0) error.message += `; lock order: ${found.map(({ why }) => why).join('; ')}`;
  return error;
}

/** An error that a run ends with, and what the histories of its buffers show by then (`history`, lines). */
function withHistory(prepared: PreparedRun, error: unknown): unknown {
  const { history } = prepared;
  if (history === undefined || !(error instanceof Error)) return error;
  const words = new HistoryWords(history);
  // Only where the run stood still those who wait do so without an end.
  const stoodStill = isErrno(error, 'EDEADLK', 'ETIMEDOUT');
  const found = historyReport(words, namesOf(prepared), () => !stoodStill);
  if (found.violationCount === 0) return error;
  const violations = found.violations.map((one) => ({ ...one, history: [...one.history] }));
  return Object.assign(error, { history: historyLines({ history: { ...found, violations } }).join('\n') });
}
