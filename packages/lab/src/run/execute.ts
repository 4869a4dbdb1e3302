/** Runs a prepared scenario on the runtime it names. */
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { ActorError, type RunSpec, ThreadsRuntime, VirtualRuntime } from '@dmabuf-lab/core/runtime';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import type { RunOptions, RunOutcome } from '../result/index.js';
import { faultsOf, supervisionOf } from './faults.js';
import { buildOutcome } from './outcome.js';
import type { PreparedRun } from './prepare.js';

/**
 * Runs to the end of the scenario, or until the signal asks to stop.
 *
 * @throws ActorError when an actor fails, naming it; ErrnoError when the run cannot go on or does not stop
 */
export async function executeRun(prepared: PreparedRun, options: RunOptions): Promise<RunOutcome> {
  const { scenario, tables, actors } = prepared;
  const memory = PhysicalMemory.create(prepared.windows);
  const { onProgress, onOutput, signal, collectTrace } = options;
  const faults = faultsOf(scenario);
  const hasOwnDrivers = Object.values(prepared.drivers).some((driver) => !Object.hasOwn(builtInDrivers, driver));
  const supervision = supervisionOf(scenario, hasOwnDrivers);
  const spec: RunSpec = {
    actors,
    memory: memory.handle,
    controlBytes: tables.sizeBytes,
    seed: scenario.seed,
    trace: collectTrace,
    ...(faults.length > 0 && { faults }),
    ...(supervision && { supervision }),
    onProgress: onProgress && ((nowNs) => onProgress({ nowNs, durationNs: scenario.duration })),
    signal,
    ...(onOutput && { onOutput }),
  };
  try {
    const report =
      scenario.runtime === 'virtual'
        ? await new VirtualRuntime(spec, { ties: scenario.ties }).run()
        : await new ThreadsRuntime(spec, { pace: scenario.pace }).run();
    return buildOutcome(prepared, report, signal?.aborted === true);
  } catch (error) {
    throw withDriver(error, prepared);
  }
}

/** Adds to the failure of a device which driver it ran, where that is one of the user's. */
function withDriver(error: unknown, { drivers }: PreparedRun): unknown {
  if (!(error instanceof ActorError) || !Object.hasOwn(drivers, error.actor)) return error;
  const driver = drivers[error.actor];
  return Object.hasOwn(builtInDrivers, driver) ? error : Object.assign(error, { driver });
}
