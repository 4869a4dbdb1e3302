/** How long it takes until nothing is left of a worker that exits with many attachments, all of them mapped. */
import { actorId } from '@dmabuf-lab/core/base';
import { EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { layOutTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type ActorSpec, ThreadsRuntime } from '@dmabuf-lab/core/runtime';
import type { ReclaimStart } from './reclaim-actors.js';

const MiB = 1024 * 1024;

/** @returns nanoseconds from each exit until reclaimed, in ascending order */
export async function reclaimTimes(attachments: number, lives: number): Promise<number[]> {
  const tables = layOutTables({
    actors: 3,
    buffers: attachments,
    attachments: 2 * attachments,
    timelines: 32,
    pools: 1,
    frames: 1,
    rings: [],
  });
  const windows = [{ name: 'dram', base: 0x4000_0000, size: 16 * MiB }];
  const done = new SharedArrayBuffer(4);
  const actors: ActorSpec[] = [
    {
      name: EXPORTER,
      id: actorId(1),
      module: new URL('./run/exporter-actor.js', import.meta.resolve('@dmabuf-lab/lab')).href,
      calls: [],
      data: {
        actor: actorId(1),
        tables,
        board: {
          zones: [{ window: 'dram', base: windows[0].base, sizeBytes: windows[0].size, holes: [] }],
          windows,
          heaps: [{ name: 'system', kind: 'system', window: 'dram' }],
        },
        policy: { onBusy: 'wait', timeoutNs: 1e9, moveAt: 'first-map', moveBack: 'never' },
        bandwidths: { copyBytesPerSecond: 1e12, zeroBytesPerSecond: 1e12 },
        owners: { links: [], pools: [], sources: [], lanesPerActor: 8 },
        exhaustions: [],
        senders: [
          ['owner', actorId(2)],
          ['victim', actorId(3)],
        ],
        quarantine: { messages: 8, windowNs: 1_000_000_000 },
      },
      supervised: false,
      reclaims: true,
      resumes: true, // it may be started again, and keeps a journal for that
    },
    ...(['owner', 'victim'] as const).map((role, i): ActorSpec => {
      const data: ReclaimStart = { role, tables, buffers: attachments, lives, done };
      const module = new URL('./reclaim-actors.js', import.meta.url).href;
      return { name: role, id: actorId(2 + i), module, calls: [EXPORTER], data };
    }),
  ];
  const memory = PhysicalMemory.create(windows.map(({ name, base, size }) => ({ name, base, sizeBytes: size })));
  const restart = {
    strategy: 'one-for-one',
    restarts: 1000,
    withinNs: 1e9,
    backoffNs: 1e6,
    maxBackoffNs: 1e6,
  } as const;
  const { incidents } = await new ThreadsRuntime(
    {
      actors,
      memory: memory.handle,
      controlBytes: tables.sizeBytes,
      seed: 1,
      trace: false,
      supervision: { restart, lateNs: 10e9, hungNs: 60e9 },
    },
    { pace: 'real' },
  ).run();
  return incidents.flatMap(({ tookNs }) => (tookNs === undefined ? [] : [tookNs])).sort((a, b) => a - b);
}
