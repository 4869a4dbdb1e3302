/**
 * Row 1: a worker that exits with 1,000 attachments, all of them mapped. How long it takes to take them back is measured by
 * `npm run bench reclaim`; here is what does not depend on speed.
 */
import { actorId } from '@dmabuf-lab/core/base';
import { EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { layOutTables, reclaimActor } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type ActorSpec, type RunReport, ThreadsRuntime } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import { GPU, TableTop } from '../unit/core/dma-buf/table-top.js';
import type { ReclaimStart, Seen } from './reclaim-actors.js';

const MiB = 2 ** 20;

function exitWith(attachments: number): Promise<RunReport> {
  const sizes = { timelines: 32, pools: 1, frames: 1, rings: [] };
  const tables = layOutTables({ actors: 3, buffers: attachments, attachments: 2 * attachments, ...sizes });
  const window = { name: 'dram', base: 0x4000_0000 };
  const exporter: ActorSpec = {
    name: EXPORTER,
    id: actorId(1),
    module: new URL('./run/exporter-actor.js', import.meta.resolve('@dmabuf-lab/lab')).href,
    calls: [],
    data: {
      actor: actorId(1),
      tables,
      board: {
        zones: [{ window: 'dram', base: window.base, sizeBytes: 16 * MiB, holes: [] }],
        windows: [{ ...window, size: 16 * MiB }],
        heaps: [{ name: 'system', kind: 'system', window: 'dram' }],
      },
      policy: { onBusy: 'wait', timeoutNs: 60e9, moveAt: 'first-map', moveBack: 'never' },
      bandwidths: { copyBytesPerSecond: 1e12, zeroBytesPerSecond: 1e12 },
      owners: { links: [], pools: [], sources: [], lanesPerActor: 8 },
      exhaustions: [],
      senders: [
        ['owner', actorId(2)],
        ['victim', actorId(3)],
      ],
      quarantine: { messages: 8, windowNs: 1e9 },
    },
    supervised: false,
    reclaims: true,
  };
  const turn = new SharedArrayBuffer(4);
  const devices = (['owner', 'victim'] as const).map((role, i): ActorSpec => {
    const data: ReclaimStart = { role, tables, buffers: attachments, victim: 3, turn };
    const module = new URL('./reclaim-actors.js', import.meta.url).href;
    return { name: role, id: actorId(2 + i), module, calls: [EXPORTER], data };
  });
  const { handle: memory } = PhysicalMemory.create([{ ...window, sizeBytes: 16 * MiB }]);
  const supervision = { toleratesFailures: true, lateNs: 600e9, hungNs: 600e9 };
  const run = { memory, controlBytes: tables.sizeBytes, seed: 1, trace: false, supervision };
  return new ThreadsRuntime({ actors: [exporter, ...devices], ...run }, { pace: 'real' }).run();
}

test('row 1: a worker that exits with 1,000 mapped attachments, has none once its death counts as cleaned up after; no call is made for any of them', async (t) => {
  const { outcomes, incidents, controlCalls } = await exitWith(1000);
  const reportOf = (name: string): unknown => outcomes.find((one) => one.name === name)?.report;
  t.deepEqual(reportOf('owner') as Seen, { mapped: 1000, left: 0 });
  t.deepEqual(
    incidents.map(({ kind, actor }) => `${actor} ${kind}`),
    ['victim died', 'victim reclaimed'],
  );
  const { left } = reportOf(EXPORTER) as { readonly left: Readonly<Record<string, unknown>> };
  t.like(left, { buffers: 0, attachments: 0, mappings: 0 });
  t.deepEqual([controlCalls.create, controlCalls.destroy, controlCalls.detach], [1000, 1000, undefined]);
});

test('reclaimActor, takes back any number of attachments in one step: nothing is served in between', (t) => {
  for (const count of [1, 3]) {
    const table = new TableTop();
    const gpu = table.importer(GPU); // actor 1 of the table is its exporter
    const buffers = Array.from({ length: count }, (_, i) => table.create({ name: `buffer ${i}` }));
    for (const buffer of buffers) table.run(gpu.map(table.run(gpu.attach(buffer)), table.lane()));
    const attached = (): number => [...table.exporter.liveBuffers].reduce((sum, one) => sum + one.attachments.size, 0);
    t.is(attached(), count);
    const parts = {
      services: { clock: { now: () => 0 }, words: table.words },
      tables: table.tables,
      owners: { links: [], pools: [], sources: [], lanesPerActor: 1 },
      reclaimBuffers: (dead: Parameters<typeof table.exporter.reclaim>[0]) => table.exporter.reclaim(dead),
    };
    const step = reclaimActor(parts, { actor: actorId(2), name: 'gpu', deaths: 1, returns: false }).next();
    t.true(step.done);
    t.is(attached(), 0);
  }
});
