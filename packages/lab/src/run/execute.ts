/** Runs a prepared scenario on the runtime it names. */
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type RunSpec, ThreadsRuntime, VirtualRuntime } from '@dmabuf-lab/core/runtime';
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
  const { onProgress, signal, collectTrace } = options;
  const faults = faultsOf(scenario);
  const supervision = supervisionOf(scenario);
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
  };
  const report =
    scenario.runtime === 'virtual'
      ? await new VirtualRuntime(spec, { ties: scenario.ties }).run()
      : await new ThreadsRuntime(spec, { pace: scenario.pace }).run();
  return buildOutcome(prepared, report, signal?.aborted === true);
}
