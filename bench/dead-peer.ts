/** How long it takes until all calls to a worker that exits are rejected. */
import { actorId } from '@dmabuf-lab/core/base';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type ActorSpec, RUNTIME_WORDS, ThreadsRuntime } from '@dmabuf-lab/core/runtime';
import type { DeadPeerStart } from './dead-peer-actors.js';

/** @returns nanoseconds from the `exit` of the callee until the last of its pending calls is rejected, in ascending order */
export async function rejectionTimes(calls: number, lives: number): Promise<number[]> {
  const actors = (['server', 'client'] as const).map((role, i): ActorSpec => {
    const data: DeadPeerStart = { role, calls, lives };
    const module = new URL('./dead-peer-actors.js', import.meta.url).href;
    return { name: role, id: actorId(1 + i), module, calls: role === 'client' ? ['server'] : [], data };
  });
  const restart = {
    strategy: 'one-for-one',
    restarts: 1000,
    withinNs: 1e9,
    backoffNs: 1e6,
    maxBackoffNs: 1e6,
  } as const;
  const { incidents, outcomes } = await new ThreadsRuntime(
    {
      actors,
      memory: PhysicalMemory.create([{ name: 'dram', base: 0, sizeBytes: 65_536 }]).handle,
      controlBytes: RUNTIME_WORDS * 4,
      seed: 1,
      trace: false,
      supervision: { restart, lateNs: 10e9, hungNs: 60e9 },
    },
    { pace: 'real' },
  ).run();
  const rejectedNs = outcomes.find(({ name }) => name === 'client')?.report as readonly number[];
  const diedNs = incidents.filter(({ kind }) => kind === 'died').map(({ atNs }) => atNs);
  // The main thread reads the clock just after it has told the others: they may be quicker.
  return rejectedNs.map((ns, i) => Math.max(0, ns - diedNs[i])).sort((a, b) => a - b);
}
