/** Runs programs on a machine with devices of scenarios, on either runtime. */
import { actorId, type Task } from '@dmabuf-lab/core/base';
import type { Payload } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type RunSpec, ThreadsRuntime, VirtualRuntime } from '@dmabuf-lab/core/runtime';
import type { SocActorData, SocMachine } from './soc-actor.js';

export const CHANGED_WORD = 1024;
const CONTROL_BYTES = 8192;

export type RuntimeName = SocActorData['runtime'];
export const RUNTIMES: readonly RuntimeName[] = ['virtual', 'threads'];

/**
 * Runs a function that a module exports.
 *
 * @param module URL
 * @returns what it returned, plain data; fails where a buffer was used against the rules
 */
export async function runSoc<T>(
  module: string,
  { name: main }: (machine: SocMachine) => Task<T>,
  { runtime = 'virtual', payload = 'pixels' }: { readonly runtime?: RuntimeName; readonly payload?: Payload } = {},
): Promise<T> {
  const data: SocActorData = { module, main, payload, runtime };
  const actor = {
    name: 'program',
    id: actorId(1),
    module: new URL('./soc-actor.js', import.meta.url).href,
    calls: [],
    data,
  };
  const spec: RunSpec = {
    actors: [actor],
    memory: PhysicalMemory.create([{ name: 'ram', base: 0, sizeBytes: 2 ** 30 }]).handle,
    controlBytes: CONTROL_BYTES,
    seed: 1,
    trace: false,
  };
  const run =
    runtime === 'virtual' ? new VirtualRuntime(spec, { ties: 'fifo' }) : new ThreadsRuntime(spec, { pace: 'real' });
  const { outcomes } = await run.run();
  const { result, findings } = outcomes[0].report as { result: T; findings: string[] };
  if (findings.length > 0) throw new Error(`The program was found to do ${findings.join(', ')}`);
  return result;
}
