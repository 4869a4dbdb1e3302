/**
 * The rig: a real pipeline around the driver under test, in virtual time or on threads.
 *
 * The runtime, the exporter, the mover, the rings and the importers are those of every run; sources and sinks are drivers like
 * any other; the heap is small and real.
 */
import { actorId, type Nanoseconds } from '../base/index.js';
import { EXPORTER } from '../dma-buf/index.js';
import {
  type DeviceReport,
  type DriverStart,
  EXPORTER_ACTOR,
  type FrameFormat,
  firstTimelineOf,
  LANES_PER_DEVICE,
  type LaidOutPipeline,
  type LinkShape,
  layOutPipeline,
  type Payload,
  PipelineWaits,
  type PoolShape,
  type Presence,
  portsOf,
} from '../driver/index.js';
import { type MemoryWindow, PhysicalMemory } from '../memory/index.js';
import {
  type ActorSpec,
  DEFAULT_QUARANTINE,
  DEFAULT_SUPERVISION,
  type Fault,
  type RunReport,
  type RunSpec,
} from '../runtime/index.js';
import type { OpenHeap, OwnHeap, RigActorStart, RigExporterReport, RigHelper } from './rig-actors.js';
import type { TestedDriver } from './tested-driver.js';

/** A device of the rig. */
export interface RigDevice {
  readonly name: string;
  readonly runs: RigHelper | TestedDriver;
  readonly parameters: unknown;
  readonly outputs: Readonly<Record<string, FrameFormat>>;
  readonly forwards?: Readonly<Record<string, string>>;
  /** Absent = from the start to the end. */
  readonly presence?: readonly Presence[];
  /** How it imports; absent = static. */
  readonly importer?: 'static' | 'dynamic';
  /** Memory that it exports its buffers from; absent = it has none. */
  readonly memory?: { readonly sizeBytes: number; readonly heap: OpenHeap };
  /** It reaches contiguous memory only: buffers that it attaches to have to move. */
  readonly contiguous?: boolean;
}

export interface RigSpec {
  readonly runtime: 'virtual' | 'threads';
  readonly devices: readonly RigDevice[];
  readonly links: readonly LinkShape[];
  readonly payload: Payload;
  readonly durationNs: Nanoseconds;
  readonly seed: number;
  readonly ties?: 'fifo' | 'seed';
  readonly faults?: readonly Fault[];
  /** When the run is asked to end early. */
  readonly stopNs?: Nanoseconds;
  readonly buffers?: number;
  /** How the exporter moves buffers; absent = for the first map of a late device, and with patience. */
  readonly moves?: { readonly at: 'first-map' | 'attach'; readonly timeoutNs: Nanoseconds };
}

export interface RigOutcome {
  readonly endNs: Nanoseconds;
  readonly fingerprint: string;
  /** By device; of one that was dead at the end there is none. */
  readonly devices: ReadonlyMap<string, DeviceReport>;
  readonly exporter: RigExporterReport;
}

const MIB = 1 << 20;
/** Where the memory of devices lies, each a GiB. */
const OWN_BASE = 0x1_0000_0000;
const OWN_STRIDE = 0x4000_0000;
const WINDOWS = [
  { name: 'scattered', base: 0x4000_0000 },
  { name: 'contiguous', base: 0x8000_0000 },
] as const;
const BUFFERS = 4;
const MOVE_TIMEOUT_NS = 2_000_000_000;

/** Lays out the pipeline and what each of its actors starts with. */
export function prepareRig(spec: RigSpec): RunSpec {
  const mayDie = spec.faults !== undefined;
  const pools = poolsOf(spec);
  const laidOut = layOutPipeline({
    devices: spec.devices.map(({ name }) => name),
    pools,
    links: spec.links,
    forwards: forwardsOf(spec),
    mayDie,
  });
  const windows = windowsOf(spec, Math.max(2 * MIB, bytesOf(pools) * (mayDie ? 4 : 2)));
  const memory = PhysicalMemory.create(windows);
  return {
    actors: actorsOf(spec, laidOut, mayDie),
    memory: memory.handle,
    controlBytes: laidOut.tables.sizeBytes,
    seed: spec.seed,
    trace: false,
    waits: (words) => new PipelineWaits(words, laidOut.tables, laidOut.owners, EXPORTER_ACTOR),
    ...(mayDie && { faults: spec.faults, supervision: SUPERVISION }),
  };
}

const SUPERVISION = {
  ...DEFAULT_SUPERVISION,
  restart: {
    strategy: 'one-for-one',
    restarts: 100,
    withinNs: 1_000_000_000,
    backoffNs: 1_000_000,
    maxBackoffNs: 1_000_000,
  },
} as const;

export function outcomeOf({ outcomes, endNs, fingerprint }: RunReport): RigOutcome {
  const devices = new Map<string, DeviceReport>();
  let exporter: RigExporterReport | undefined;
  for (const { name, report } of outcomes) {
    if (name === EXPORTER) exporter = report as RigExporterReport;
    else if (report !== undefined) devices.set(name, report as DeviceReport);
  }
  return { endNs, fingerprint: fingerprint ?? '', devices, exporter: exporter as RigExporterReport };
}

/** System memory of both kinds, and that of each device which has some. */
function windowsOf({ devices }: RigSpec, sizeBytes: number): MemoryWindow[] {
  const own = devices.flatMap(({ name, memory }, i) =>
    memory === undefined ? [] : [{ name: heapOf(name), base: OWN_BASE + i * OWN_STRIDE, sizeBytes: memory.sizeBytes }],
  );
  return [...WINDOWS.map((window) => ({ ...window, sizeBytes })), ...own];
}

const heapOf = (device: string): string => `${device}.memory`;

const ownHeaps = ({ devices }: RigSpec): OwnHeap[] =>
  devices.flatMap(({ name, memory }) =>
    memory === undefined ? [] : [{ window: heapOf(name), device: name, heap: memory.heap }],
  );

function poolsOf({ devices, buffers = BUFFERS }: RigSpec): PoolShape[] {
  return devices.flatMap(({ name, outputs, memory, forwards = {} }) =>
    Object.entries(outputs)
      .filter(([port]) => forwards[port] === undefined)
      .map(([port, format]) => ({
        name: `${name}.${port}`,
        limit: buffers,
        initialBuffers: buffers,
        format,
        allocate: memory === undefined ? ('deferred' as const) : { heap: heapOf(name) },
        movable: true,
        expect: [],
        expectTimeoutNs: 0,
      })),
  );
}

function forwardsOf({ devices }: RigSpec): Map<string, string> {
  const pairs = devices.flatMap(({ name, forwards = {} }) =>
    Object.entries(forwards).map(([to, from]): [string, string] => [`${name}.${to}`, `${name}.${from}`]),
  );
  return new Map(pairs);
}

function bytesOf(pools: readonly PoolShape[]): number {
  const bytes = pools.reduce(
    (sum, { format, limit }) => sum + limit * (Math.ceil(format.sizeBytes / 4096) + 1) * 4096,
    0,
  );
  return Math.ceil(bytes / MIB) * MIB;
}

function actorsOf(spec: RigSpec, laidOut: LaidOutPipeline, mayDie: boolean): ActorSpec[] {
  const module = new URL('./rig-actors.js', import.meta.url).href;
  const make = (name: string, id: ActorSpec['id'], data: RigActorStart, own: Partial<ActorSpec>): ActorSpec => {
    return { name, id, module, data, calls: [EXPORTER], ...own };
  };
  const { tables, owners, actors } = laidOut;
  const { at: moveAt = 'first-map', timeoutNs = MOVE_TIMEOUT_NS } = spec.moves ?? {};
  const exporter: RigActorStart = {
    kind: 'exporter',
    own: ownHeaps(spec),
    start: {
      actor: EXPORTER_ACTOR,
      ...{ tables, owners, senders: [...actors], quarantine: DEFAULT_QUARANTINE, sanitize: true },
      policy: { onBusy: 'wait', timeoutNs, moveAt, moveBack: 'never' },
    },
  };
  const specs = [make(EXPORTER, EXPORTER_ACTOR, exporter, { calls: [], supervised: false, reclaims: true })];
  for (const device of spec.devices) {
    const start = startOf(spec, laidOut, device);
    const isHelper = typeof device.runs === 'string';
    const data: RigActorStart =
      typeof device.runs === 'string'
        ? { kind: 'helper', driver: device.runs, start }
        : { kind: 'tested', tested: device.runs, start };
    specs.push(make(device.name, start.actor, data, { supervised: mayDie && !isHelper }));
  }
  if (spec.stopNs !== undefined) {
    const id = actorId(spec.devices.length + 2);
    specs.push(make('operator', id, { kind: 'operator', stopNs: spec.stopNs }, { calls: [], supervised: false }));
  }
  return specs;
}

function startOf(spec: RigSpec, laidOut: LaidOutPipeline, device: RigDevice): DriverStart {
  const { name, contiguous, importer } = device;
  const actor = laidOut.actors.get(name) ?? EXPORTER_ACTOR;
  return {
    actor,
    device: {
      ...{ name, constraints: { device: name, ...(contiguous && { contiguous }) }, mapping: 'per-job' },
      ...(importer === 'dynamic' && { importer }),
    },
    parameters: device.parameters,
    tables: laidOut.tables,
    ...portsOf(laidOut, name, device.outputs),
    presence: device.presence ?? [{ fromNs: 0 }],
    reqbufsNs: [],
    payload: spec.payload,
    durationNs: spec.durationNs,
    runtime: spec.runtime,
    firstTimeline: firstTimelineOf(actor),
    timelineCount: LANES_PER_DEVICE,
  };
}
