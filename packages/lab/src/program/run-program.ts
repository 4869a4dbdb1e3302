/** Runs a program of user space on a simulated machine. */
import { pathToFileURL } from 'node:url';
import { actorId } from '@dmabuf-lab/core/base';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type RunSpec, ThreadsRuntime, VirtualRuntime } from '@dmabuf-lab/core/runtime';
import { PROGRAM_WINDOWS } from '../machine/index.js';
import type { LoadedScenario } from '../scenario/index.js';
import type { ProgramActorData, ProgramOptions, ProgramOutcome, ProgramReport } from './program-actor.js';
import { devicesOf } from './scenario-devices.js';

/** Control words of the runtime come first. */
const CHANGED_WORD = 1024;
const CONTROL_BYTES = 8192;

/** A module that is no program. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
  readonly exitCode = 2;
}

/**
 * Runs the generator function `main(process, kernel)` that a module exports.
 *
 * @param path of the module
 * @param options how the machine behaves: like Linux 6.12 on a coherent board when absent
 * @returns what `main` returned, plain data, and when it ended, in nanoseconds of model time
 * @throws ProgramError when there is no such module, or it exports no `main`
 * @throws ActorError when the program throws; ErrnoError EDEADLK when it waits for ever
 */
export async function runProgram(path: string, options: ProgramOptions = {}): Promise<ProgramReport> {
  return (await runProgramWith(path, options)).report;
}

/**
 * As `runProgram`, with the devices of a scenario behind nodes of their own.
 *
 * @param loaded its devices, their parameters and constraints, its payload and its seed count; absent = none
 * @returns also what the devices have made
 * @throws ScenarioError when a device cannot work as the scenario links it
 */
export async function runProgramWith(
  path: string,
  options: ProgramOptions = {},
  loaded?: LoadedScenario,
): Promise<ProgramOutcome> {
  const module = pathToFileURL(path).href;
  let exported: { readonly main?: unknown };
  try {
    exported = (await import(module)) as { readonly main?: unknown };
  } catch (error) {
    throw new ProgramError(`Cannot load ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (Object.prototype.toString.call(exported.main) !== '[object GeneratorFunction]') {
    const found = typeof exported.main === 'function' ? 'its main is no generator function' : 'it exports no main';
    throw new ProgramError(`Cannot run ${path}: ${found}; expected function* main(process, kernel)`);
  }
  const devices = loaded === undefined ? [] : await devicesOf(loaded);
  const { payload = 'pixels', seed = 1 } = loaded?.scenario ?? {};
  const data: ProgramActorData = { module, changedWord: CHANGED_WORD, options, devices, payload };
  const spec: RunSpec = {
    actors: [
      {
        name: 'program',
        id: actorId(1),
        module: new URL('./program-actor.js', import.meta.url).href,
        calls: [],
        data,
      },
    ],
    memory: PhysicalMemory.create(PROGRAM_WINDOWS).handle,
    controlBytes: CONTROL_BYTES,
    seed,
    trace: false,
  };
  const runtime =
    options.runtime === 'threads'
      ? new ThreadsRuntime(spec, { pace: 'real' })
      : new VirtualRuntime(spec, { ties: 'fifo' });
  const { outcomes } = await runtime.run();
  return outcomes[0].report as ProgramOutcome;
}
