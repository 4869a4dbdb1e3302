/** Whoever waits for an actor that dies or hangs, is told: when, and with which error. Rows 2, 6 and 8. */
import { actorId, ERRNO } from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { layOutTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  type ActorSpec,
  type Fault,
  type RunReport,
  type RunSpec,
  type Supervision,
  ThreadsRuntime,
  VirtualRuntime,
} from '@dmabuf-lab/core/runtime';
import test from 'ava';
import { LANES, type Waited, type WaitingStart } from './waiting-actors.js';

const MS = 1_000_000;
const MiB = 1024 * 1024;
const BASE = 0x4000_0000;
const PATIENT: Supervision = { toleratesFailures: true, lateNs: 600e9, hungNs: 600e9 };
const CONTIGUOUS: Omit<DeviceConstraints, 'device'> = { contiguous: true, addressLimit: BASE + 8 * MiB - 1 };

function specOf(
  waiters: readonly WaitingStart['does'][],
  faults: readonly Fault[],
  supervision: Supervision,
  more: Pick<WaitingStart, 'exitsAfter'> = {},
): RunSpec {
  const roles = ['owner', ...waiters] as const;
  const tables = layOutTables({
    ...{ actors: 6, buffers: 4, attachments: 16, timelines: 6 * LANES, pools: 1, frames: 1, rings: [] },
  });
  const windows = [{ name: 'dram', base: BASE, size: 16 * MiB }];
  const actors = roles.map((does, i): ActorSpec => {
    const constraints = { device: does, ...(does === 'map, which moves' && CONTIGUOUS) };
    const data: WaitingStart = { tables, does, constraints, ...more };
    const module = new URL('./waiting-actors.js', import.meta.url).href;
    return { name: does, id: actorId(2 + i), module, calls: [EXPORTER], data };
  });
  const exporter: ActorSpec = {
    name: EXPORTER,
    id: actorId(1),
    module: new URL('./run/exporter-actor.js', import.meta.resolve('@dmabuf-lab/lab')).href,
    calls: [],
    data: {
      actor: actorId(1),
      tables,
      board: {
        zones: [{ window: 'dram', base: BASE, sizeBytes: 16 * MiB, holes: [{ offset: 0, sizeBytes: 8 * MiB }] }],
        windows,
        heaps: [
          { name: 'system', kind: 'system', window: 'dram' },
          { name: 'cma', kind: 'cma', window: 'dram', base: BASE, size: 8 * MiB },
        ],
      },
      policy: { onBusy: 'wait', timeoutNs: 60e9, moveAt: 'first-map', moveBack: 'never' },
      bandwidths: { copyBytesPerSecond: 1e12, zeroBytesPerSecond: 1e12 },
      owners: { links: [], pools: [], sources: [], lanesPerActor: LANES },
      exhaustions: [],
      senders: actors.map(({ name, id }) => [name, id]),
      quarantine: { messages: 8, windowNs: 1e9 },
    },
    supervised: false,
    reclaims: true,
  };
  const memory = PhysicalMemory.create(windows.map(({ name, base, size }) => ({ name, base, sizeBytes: size })));
  const controlBytes = tables.sizeBytes + 64; // and a word of their own
  return {
    actors: [exporter, ...actors],
    memory: memory.handle,
    controlBytes,
    seed: 1,
    trace: false,
    faults,
    supervision,
  };
}

const waitedBy = (report: RunReport, name: WaitingStart['does']): Waited =>
  report.outcomes.find((one) => one.name === name)?.report as Waited;
const leftOver = (report: RunReport): object | undefined => {
  const exporter = report.outcomes.find(({ name }) => name === EXPORTER)?.report as { left: object } | undefined;
  return exporter?.left;
};
const NOTHING = { buffers: 0, attachments: 0, mappings: 0, frames: 0 };

test('row 6: a fence of a GPU that hangs, ends with EOWNERDEAD at the nanosecond at which it is ended', async (t) => {
  const faults: Fault[] = [{ kind: 'hang', actor: 'owner', atNs: 10 * MS }];
  const supervision = { lateNs: 100 * MS, hungNs: 300 * MS };
  const report = await new VirtualRuntime(specOf(['fence'], faults, supervision), { ties: 'fifo' }).run();
  const died = report.incidents.find(({ kind }) => kind === 'died');
  t.like(died, { actor: 'owner', cause: 'hung', atNs: 310 * MS });
  t.deepEqual(waitedBy(report, 'fence'), [310 * MS, -ERRNO.EOWNERDEAD]);
});

const WAITERS = ['fence', 'hold', 'map, which moves', 'map, which expects'] as const;
const killAt = (ms: number): readonly Fault[] => [{ kind: 'kill', actor: 'owner', atNs: ms * MS }];

test('rows 2 and 8: waits for an exporting driver that is killed, end at that instant, its fence with EOWNERDEAD, maps with ENODEV', async (t) => {
  const report = await new VirtualRuntime(specOf(WAITERS, killAt(20), PATIENT), { ties: 'fifo' }).run();
  t.deepEqual(waitedBy(report, 'fence'), [20 * MS, -ERRNO.EOWNERDEAD]);
  t.deepEqual(waitedBy(report, 'map, which moves'), [20 * MS, 'ENODEV']);
  t.deepEqual(waitedBy(report, 'map, which expects'), [20 * MS, 'ENODEV']);
  t.deepEqual(waitedBy(report, 'hold'), [900 * MS, 'mapped'], 'who had mapped it keeps it');
  t.like(leftOver(report), NOTHING);
});

test('rows 2 and 8: on threads, when the driver exits while they wait, they end with the same errors', async (t) => {
  const spec = specOf(WAITERS, [], PATIENT, { exitsAfter: 3 });
  const report = await new ThreadsRuntime(spec, { pace: 'real' }).run();
  t.is(waitedBy(report, 'fence')[1], -ERRNO.EOWNERDEAD);
  t.is(waitedBy(report, 'map, which moves')[1], 'ENODEV');
  t.is(waitedBy(report, 'map, which expects')[1], 'ENODEV');
  t.is(waitedBy(report, 'hold')[1], 'mapped');
  t.like(leftOver(report), NOTHING);
});
