/** Turns a scenario into actors: where every table, pool and ring lies, and what each actor starts with. */
import { relative } from 'node:path';
import { sharedBytes, WordLayout } from '@dmabuf-lab/core/base';
import { type AllocationRequest, type CpuTouch, EXPORTER, type ImporterTraits } from '@dmabuf-lab/core/dma-buf';
import {
  type AnyDriver,
  type DriverStart,
  deviceActor,
  EXPORTER_ACTOR,
  firstTimelineOf,
  LANES_PER_DEVICE,
  type LaidOutPipeline,
  type LinkSpec,
  layOutPipeline,
  type PipelineOwners,
  type PoolShape,
  portsOf,
  type SharedTables,
} from '@dmabuf-lab/core/driver';
import { PAGE_SIZE, pageAlign } from '@dmabuf-lab/core/memory';
import type { ActorSpec, QuarantineLimits } from '@dmabuf-lab/core/runtime';
import { type HistoryBoard, layOutHistory } from '../history/index.js';
import { deviceConstraintsOf } from '../library/index.js';
import { type LoadedScenario, type Scenario, ScenarioError } from '../scenario/index.js';
import { ageLimitsOf } from './age-limits.js';
import { boardOf, bytesOfHeap } from './board.js';
import { type CountBoard, countBoard } from './count-words.js';
import type { DriverActorStart } from './driver-actor.js';
import { type DriverMemorySpec, placeDriverMemory, windowsWith } from './driver-memory.js';
import type { ExporterStart } from './exporter-actor.js';
import { corruptionsOf, exhaustionsOf, mayDie, restartsExporter } from './faults.js';
import { type PlannedDevice, planDevices } from './pipeline.js';
import { type LayoutFinding, layOutFrames } from './pool-layout.js';
import { presenceOf, usersOf } from './topology.js';

/** A scenario that can run. */
export interface PreparedRun {
  readonly scenario: Scenario;
  /** Of the memory: those of the board, and those that drivers bring. */
  readonly windows: ReturnType<typeof windowsWith>;
  readonly tables: SharedTables;
  readonly owners: PipelineOwners;
  /** By name. */
  readonly pools: LaidOutPipeline['pools'];
  readonly actors: readonly ActorSpec[];
  readonly links: readonly LinkSpec[];
  /** Names of the drivers, by device. */
  readonly drivers: Readonly<Record<string, string>>;
  /** What is wrong with the layout of frames, and runs all the same. */
  readonly findings: readonly LayoutFinding[];
  /** Where the accesses to buffers are recorded; absent = nobody follows them. */
  readonly history?: HistoryBoard;
  /** Where actors count what they do; absent = nobody looks before the end. */
  readonly counts?: CountBoard;
}

export interface PrepareOptions {
  /** Whether actors count what they do while the run goes on, for `RunProgress.counts`; absent = no. */
  readonly counts?: boolean;
  /** A clip for every camera, in place of its own. */
  readonly cameraFile?: string;
  /** Who chooses the heap of every pool, in place of what the scenario says; told the devices that use it. */
  readonly allocate?: (users: readonly string[]) => PoolAllocation;
}

/** How the buffers of a pool are allocated. */
export interface PoolAllocation {
  readonly allocate: Scenario['pools'][string]['allocate'];
  readonly movable: boolean;
}

/**
 * Checks everything that can be checked before a run, and lays it out. Nothing has started when it throws.
 *
 * @throws ScenarioError, MediaError
 */
export async function prepareRun(loaded: LoadedScenario, options: PrepareOptions = {}): Promise<PreparedRun> {
  const { scenario } = loaded;
  const planned = await planDevices(loaded, options.cameraFile);
  const findings: LayoutFinding[] = [];
  const memories = placeDriverMemory(loaded, planned);
  checkHeapsOfDrivers(loaded, memories);
  const pools = poolsOf(scenario, planned, findings, memories, options.allocate);
  checkHeapSizes(loaded, pools);
  checkExpected(loaded, planned);
  const names = Object.keys(scenario.devices);
  const laidOut = layOutPipeline({
    devices: names,
    pools,
    links: scenario.links,
    forwards: forwardsOf(planned),
    mayDie: mayDie(scenario),
    agesUses: ageLimitsOf(scenario) !== undefined,
    locksPlainly: scenario.debug.reservationLocks === 'plain',
  });
  const { tables, links, owners } = laidOut;
  const history = scenario.debug.history ? historyBoard(tables, names.length + 1) : undefined;
  const counts = options.counts === true ? countBoard(names.length + 1) : undefined;
  const watches: Watches = { ...(history && { history }), ...(counts && { counts }) };
  const actors: ActorSpec[] = [exporterActor(scenario, laidOut, memories, watches)];
  const windows = windowsWith(scenario.memory.windows, memories);
  for (const name of names) {
    const device = planned.get(name);
    if (device !== undefined) actors.push(actorOf(loaded, laidOut, device, watches));
  }
  const drivers = Object.fromEntries(names.map((name) => [name, scenario.devices[name].driver]));
  return {
    scenario,
    windows,
    tables,
    owners,
    pools: laidOut.pools,
    actors,
    links,
    drivers,
    findings,
    ...watches,
  };
}

/** Shared words beside those of the run, for those who look at it. */
type Watches = Pick<PreparedRun, 'history' | 'counts'>;

/** @param actors the highest actor number */
function historyBoard(tables: SharedTables, actors: number): HistoryBoard {
  const layout = new WordLayout();
  const regions = layOutHistory(layout, tables.buffers.rows, actors, LANES_PER_DEVICE);
  return { ...regions, memory: sharedBytes(layout.sizeBytes, 'the histories of buffers') };
}

/** When a device that sends broken messages is not listened to any more. */
export function quarantineOf({ quarantine }: Scenario['exporter']): QuarantineLimits {
  return { messages: quarantine.after, windowNs: quarantine.within };
}

function exporterActor(
  scenario: Scenario,
  { tables, owners, actors }: LaidOutPipeline,
  memories: readonly DriverMemorySpec[],
  watches: Watches,
): ActorSpec {
  const { policy, timeout, moveAt, moveBack, copyBytesPerSecond, zeroBytesPerSecond } = scenario.exporter;
  const id = EXPORTER_ACTOR;
  const data: ExporterStart = {
    actor: id,
    tables,
    board: boardOf(scenario),
    ...(memories.length > 0 && { memories }),
    policy: { onBusy: policy, timeoutNs: timeout, moveAt, moveBack },
    bandwidths: { copyBytesPerSecond, zeroBytesPerSecond },
    owners,
    exhaustions: exhaustionsOf(scenario),
    senders: [...actors],
    quarantine: quarantineOf(scenario.exporter),
    ...(scenario.debug.sanitizer && { sanitize: true }),
    ...watches,
  };
  return {
    name: EXPORTER,
    id,
    module: moduleUrl('./exporter-actor.js'),
    calls: [],
    data,
    supervised: false,
    reclaims: true,
    ...(restartsExporter(scenario) && { resumes: true }),
  };
}

function actorOf(
  { scenario, directory }: LoadedScenario,
  laidOut: LaidOutPipeline,
  device: PlannedDevice,
  watches: Watches,
): ActorSpec {
  const { name } = device;
  const id = deviceActor(Object.keys(scenario.devices).indexOf(name));
  const spec = scenario.devices[name];
  const corruptions = corruptionsOf(scenario, name);
  const start: DriverStart = {
    actor: id,
    device: {
      name,
      constraints: deviceConstraintsOf(name, spec.constraints),
      ...importerTraitsOf(spec, device.driver),
    },
    ...(spec.cpu && !scenario.cpuCache.coherent && { cpu: cpuTouchOf(scenario, spec.cpu.sync) }),
    parameters: device.parameters,
    tables: laidOut.tables,
    ...portsOf(laidOut, name, device.outputs),
    presence: presenceOf(scenario, name),
    reqbufsNs: scenario.timeline.flatMap((event) =>
      'reqbufs' in event && event.reqbufs === name && event.at < scenario.duration ? [event.at] : [],
    ),
    ...(corruptions.length > 0 && { corruptions }),
    ...(scenario.debug.callSites && { callSitesFrom: new URL('.', device.source).href }),
    payload: scenario.payload,
    durationNs: scenario.duration,
    runtime: scenario.runtime,
    firstTimeline: firstTimelineOf(id),
    timelineCount: LANES_PER_DEVICE,
  };
  const sources = scenario.supervision && device.sources.length > 0 && shownSources(device.sources, directory);
  const data: DriverActorStart = {
    module: device.module,
    start,
    ...(sources && { sources }),
    ...watches,
  };
  const { memoryLimit } = spec;
  const heapLimitMiB = memoryLimit === undefined ? {} : { heapLimitMiB: Math.floor(memoryLimit / 2 ** 20) };
  return { name, id, module: moduleUrl('./driver-actor.js'), calls: [EXPORTER], data, ...heapLimitMiB };
}

/** As messages name them: from where the scenario lies, the same wherever it is run from. */
function shownSources(sources: readonly string[], directory: string): Record<string, string> {
  return Object.fromEntries(sources.map((path) => [path, relative(directory, path)]));
}

/** How a device maps; what is as usual is left out, and so never looked at. */
function importerTraitsOf(
  { mapping, importer: asked, pin }: Scenario['devices'][string],
  driver: AnyDriver,
): ImporterTraits {
  const importer = asked ?? driver.importer;
  return { mapping, ...(importer === 'dynamic' && { importer }), ...(pin && { pin }) };
}

function cpuTouchOf({ cpuCache }: Scenario, sync: boolean): CpuTouch {
  const { size, clean, invalidate } = cpuCache;
  const capacityPages = Math.floor(size / PAGE_SIZE);
  return { sync, capacityPages, cleanNsPerPage: clean, invalidateNsPerPage: invalidate };
}

/** A pool for every output that owns its frames. */
function poolsOf(
  scenario: Scenario,
  planned: ReadonlyMap<string, PlannedDevice>,
  findings: LayoutFinding[],
  memories: readonly DriverMemorySpec[],
  allocate?: PrepareOptions['allocate'],
): PoolShape[] {
  const pools: PoolShape[] = [];
  for (const device of planned.values()) {
    for (const [port, format] of Object.entries(device.outputs)) {
      if (device.forwards[port] !== undefined) continue;
      const name = `${device.name}.${port}`;
      const own = memories.find((memory) => memory.device === device.name);
      // Whoever has memory of its own exports from it.
      const usual = own === undefined ? DEFAULT_POOL : { ...DEFAULT_POOL, allocate: own.heap };
      const asWritten: PoolInput = scenario.pools[name] ?? usual;
      const given = { ...asWritten, ...allocate?.(usersOf(scenario, planned, name)) };
      const laidOut = layOutFrames(scenario, name, format, usersOf(scenario, planned, name));
      findings.push(...laidOut.findings);
      pools.push({
        name,
        limit: given.growTo ?? given.buffers,
        initialBuffers: given.buffers,
        format: laidOut.format,
        allocate: allocationOf(scenario, given.allocate),
        movable: given.movable ?? typeof given.allocate === 'string',
        expect: given.expect ?? expectedDevices(scenario, planned, name),
        expectTimeoutNs: given.expectTimeout,
      });
    }
  }
  return pools;
}

function forwardsOf(planned: ReadonlyMap<string, PlannedDevice>): Map<string, string> {
  const forwards = new Map<string, string>();
  for (const { name, forwards: own } of planned.values()) {
    for (const [output, input] of Object.entries(own)) forwards.set(`${name}.${output}`, `${name}.${input}`);
  }
  return forwards;
}

type PoolInput = Scenario['pools'][string];

const DEFAULT_POOL: PoolInput = { buffers: 4, allocate: 'deferred', expectTimeout: 1_000_000_000 };

function allocationOf(scenario: Scenario, allocate: PoolInput['allocate']): AllocationRequest {
  if (allocate === 'deferred') return 'deferred';
  if (typeof allocate === 'string') return { heap: allocate };
  if ('ion' in allocate) return { ion: allocate.ion };
  const { device } = allocate;
  return { onDevice: deviceConstraintsOf(device, scenario.devices[device].constraints) };
}

/** The devices that use a pool's buffers and are there from the start: its owner and all it reaches by links. */
function expectedDevices(scenario: Scenario, planned: ReadonlyMap<string, PlannedDevice>, pool: string): string[] {
  return usersOf(scenario, planned, pool).filter((device) => presenceOf(scenario, device)[0]?.fromNs === 0);
}

/** A pool that expects a device in vain would fail at its first map. */
function checkExpected({ scenario, document }: LoadedScenario, planned: ReadonlyMap<string, PlannedDevice>): void {
  const problems = Object.entries(scenario.pools).flatMap(([pool, { expect = [], expectTimeout }]) =>
    expect.flatMap((device, i) => {
      const path = ['pools', pool, 'expect', i];
      if (!usersOf(scenario, planned, pool).includes(device)) {
        return [
          document.problemAt(path, `no link brings frames of ${pool} to ${device}, so it would be expected in vain`),
        ];
      }
      const fromNs = presenceOf(scenario, device)[0]?.fromNs ?? Number.POSITIVE_INFINITY;
      if (fromNs <= expectTimeout) return [];
      return [document.problemAt(path, `${device} attaches later than ${pool} waits for it (expectTimeout)`)];
    }),
  );
  if (problems.length > 0) throw new ScenarioError(problems);
}

/** Pools that name the memory of a driver which has none. */
function checkHeapsOfDrivers({ scenario, document }: LoadedScenario, memories: readonly DriverMemorySpec[]): void {
  const names = [...scenario.heaps, ...memories.map(({ heap }) => ({ name: heap }))].map(({ name }) => name);
  const problems = Object.entries(scenario.pools).flatMap(([pool, { allocate }]) => {
    if (typeof allocate !== 'string' || allocate === 'deferred' || names.includes(allocate)) return [];
    const what = `there is no heap ${allocate}: its driver brings no memory; the heaps are ${names.join(', ')}`;
    return [document.problemAt(['pools', pool, 'allocate'], what)];
  });
  if (problems.length > 0) throw new ScenarioError(problems);
}

/** A heap that cannot hold even one buffer is a mistake in the file, where it is named or the only one. */
function checkHeapSizes({ scenario, document }: LoadedScenario, pools: readonly PoolShape[]): void {
  const problems = pools.flatMap((pool) => {
    const sizeBytes = pageAlign(pool.format.sizeBytes);
    const { allocate } = pool;
    const tooSmall = scenario.heaps.flatMap((heap, i) => {
      const size = bytesOfHeap(scenario, heap);
      const isNamed = typeof allocate === 'object' && 'heap' in allocate;
      if ((isNamed && allocate.heap !== heap.name) || size >= sizeBytes) return [];
      const message = `heap ${heap.name} has ${size} bytes, less than one buffer of ${pool.name} (${sizeBytes} bytes)`;
      return [document.problemAt(['heaps', i], message)];
    });
    const isNamed = typeof allocate === 'object' && 'heap' in allocate;
    return isNamed || tooSmall.length === scenario.heaps.length ? tooSmall : [];
  });
  if (problems.length > 0) throw new ScenarioError(problems);
}

const moduleUrl = (path: string): string => new URL(path, import.meta.url).href;
