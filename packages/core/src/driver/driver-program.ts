/** The program of a driver's actor: sets up ports and buffers, runs the driver while it is present, and lets go of all. */
import {
  type ActorId,
  attempt,
  CallSites,
  ErrnoError,
  folderAbove,
  isErrno,
  type Nanoseconds,
  type Task,
} from '../base/index.js';
import {
  type BufferHandle,
  CpuFrameCache,
  type CpuTouch,
  DmaBufImporter,
  type ImporterDevice,
  UseLog,
  WatchedImporter,
} from '../dma-buf/index.js';
import { PhysicalMemory } from '../memory/index.js';
import { type ActorHost, PEER_DIED, type PeerDeath, RuntimeWords } from '../runtime/index.js';
import type { AccessWatch } from './access-watch.js';
import { type Corruption, sendBroken } from './corrupt-messages.js';
import type { AnyDriver } from './define-driver.js';
import type { FrameFormat } from './frame-format.js';
import type { Payload } from './payload.js';
import { type ContextParts, PipelineContext } from './pipeline-context.js';
import { PipelineInput } from './pipeline-input.js';
import { PipelineOutput } from './pipeline-output.js';
import { PlainLocks } from './plain-locks.js';
import type { LinkSpec, PoolSpec } from './port-parts.js';
import { runDriver, setUpDriver } from './run-driver.js';
import { openTables, type SharedTables } from './shared-tables.js';
import type { SourceReturn } from './source-words.js';
import { type DeviceReport, DeviceStatistics, type LinkDrops, type LinkReport } from './statistics.js';
import { writeWildly } from './wild-write.js';

/** When a device is there. */
export interface Presence {
  readonly fromNs: Nanoseconds;
  /** Absent: to the end. */
  readonly untilNs?: Nanoseconds;
}

/** What the actor of a driver starts with: plain data. */
export interface DriverStart {
  readonly actor: ActorId;
  readonly device: ImporterDevice;
  /** It is a program on the CPU of a board whose caches are not coherent; absent = it sees memory as devices do. */
  readonly cpu?: CpuTouch;
  readonly parameters: unknown;
  readonly tables: SharedTables;
  readonly inputs: readonly { readonly port: string; readonly link: LinkSpec }[];
  readonly outputs: readonly {
    readonly port: string;
    readonly format: FrameFormat;
    readonly pool?: PoolSpec;
    readonly links: readonly LinkSpec[];
  }[];
  /** All that are fed by nobody; absent = it is none of them. With `pace: max` they advance the scenario. */
  readonly sources?: readonly ActorId[];
  readonly presence: readonly Presence[];
  /** When the user calls REQBUFS(0). */
  readonly reqbufsNs: readonly Nanoseconds[];
  /** When it sends the exporter broken messages, or writes over control words; absent = never. */
  readonly corruptions?: readonly Corruption[];
  /** URL of the folder that lines of the driver are named from, to tell where jobs were begun that never end; absent = do not. */
  readonly callSitesFrom?: string;
  readonly payload: Payload;
  readonly durationNs: Nanoseconds;
  readonly runtime: 'threads' | 'virtual';
  readonly firstTimeline: number;
  readonly timelineCount: number;
}

/** Who looks on while a driver runs. Nothing of it waits, and nothing changes what the driver does. */
export interface DriverSurroundings {
  /** Follows every access to pages; absent = nobody does. */
  readonly watch?: AccessWatch;
  /** What to throw in place of what the driver threw, e.g. with its line; absent = the same. */
  readonly located?: (error: unknown) => unknown;
  /** Collects what the driver reports, for those who look at it before the end; absent = nobody does. */
  readonly statistics?: DeviceStatistics;
}

/** Runs a driver as an actor. */
export function* driverProgram(
  host: ActorHost,
  driver: AnyDriver,
  start: DriverStart,
  surroundings: DriverSurroundings = {},
): Task<DeviceReport> {
  const actor = new DriverActor(host, driver, start, surroundings);
  return yield* actor.run();
}

class DriverActor {
  readonly #statistics: DeviceStatistics;
  readonly #parts: ContextParts;
  readonly #importer: DmaBufImporter;
  readonly #inputs: PipelineInput[];
  readonly #outputs: PipelineOutput[];
  readonly #context: PipelineContext;
  /** What the driver's `setup` has returned for this stay. */
  #state: unknown;

  constructor(
    private readonly host: ActorHost,
    private readonly driver: AnyDriver,
    private readonly start: DriverStart,
    { watch, located, statistics = new DeviceStatistics() }: DriverSurroundings,
  ) {
    this.#statistics = statistics;
    const tables = openTables(host.words, start.tables, start.actor);
    const memory = PhysicalMemory.open(host.memory);
    const runtimeWords = new RuntimeWords(host.words);
    const now = (): Nanoseconds => (runtimeWords.started ? host.clock.now() : 0);
    const uses = tables.uses && new UseLog(tables.uses, start.actor, now);
    this.#importer =
      uses === undefined
        ? new DmaBufImporter(host, tables.buffers, memory, start.device)
        : new WatchedImporter(host, tables.buffers, memory, start.device, uses);
    const { resv, lockOrders: orders } = tables;
    const plainLocks = orders && new PlainLocks({ services: host, resv, orders, life: host.life, now });
    const { payload, durationNs, firstTimeline, timelineCount, runtime } = start;
    const cpu = start.cpu && new CpuFrameCache(start.cpu, tables.buffers, payload !== 'timing');
    const { callSitesFrom } = start;
    const callSites = callSitesFrom && new CallSites(folderAbove(import.meta.url, 2), callSitesFrom);
    if (callSites) this.#importer.callSites = callSites;
    this.#parts = {
      services: host,
      tables,
      importer: this.#importer,
      statistics: this.#statistics,
      ...(cpu && { cpu }),
      ...(uses && { uses }),
      ...(plainLocks && { plainLocks }),
      ...(callSites && { callSites }),
      ...(watch && { watch }),
      ...(located && { located }),
      stopWord: host.stopWord,
      payload,
      durationNs,
      firstTimeline,
      timelineCount,
      runtime,
      reached: (timeNs) => host.reached(timeNs),
    };
    const ports: Record<string, PipelineInput | PipelineOutput> = {};
    this.#inputs = start.inputs.map(({ port, link }) => {
      const made = new PipelineInput(this.#parts, link);
      ports[port] = made;
      return made;
    });
    this.#outputs = start.outputs.map(({ port, format, pool, links }) => {
      const made = new PipelineOutput(this.#parts, port, format, pool, links);
      ports[port] = made;
      return made;
    });
    this.#context = new PipelineContext(this.#parts, start.parameters, ports);
    if (driver.moveNotify !== undefined) this.#importer.onMoveNotify = this.#moveNotify;
  }

  readonly #moveNotify = ({ slot }: BufferHandle): void => {
    this.driver.moveNotify?.(this.#context as never, slot, this.#state as never);
  };

  *run(): Task<DeviceReport> {
    this.host.serve({ [PEER_DIED]: ({ actor }: PeerDeath) => this.#importer.leaveOrphans(actor) });
    for (const output of this.#outputs) yield* this.#createBuffers(output);
    let first = true;
    const bornNs = this.host.clock.now();
    const isOver = ({ untilNs }: Presence): boolean => this.host.life > 0 && untilNs !== undefined && untilNs <= bornNs;
    for (const [i, presence] of this.start.presence.entries()) {
      if (isOver(presence)) continue;
      yield* this.#runOnce(presence, this.start.presence.at(i + 1), first);
      first = false;
    }
    if (first) {
      yield* this.host.ready();
      this.#holdNobodyUp('never'); // back after its last stay: as one that has ended
    }
    for (const output of this.#outputs) output.close();
    for (const output of this.#outputs) yield* output.collect();
    yield* this.#letGo(true);
    for (const output of this.#outputs) yield* output.destroy();
    return this.#report();
  }

  /** One stay of the device: attach, run, and, if it leaves before the end, detach. */
  *#runOnce(presence: Presence, next: Presence | undefined, first: boolean): Task<void> {
    const context = this.#context;
    context.beginStay();
    this.#state = yield* setUpDriver(this.driver, context);
    const late = presence.fromNs > 0 || this.host.life > 0;
    if (first && late) yield* this.host.ready();
    if (late) {
      this.#holdNobodyUp(presence.fromNs);
      if (!(yield* this.host.untilScenarioTime(presence.fromNs))) return;
      this.host.trace.add({ track: this.host.name, name: 'attach', startNs: this.host.clock.now() });
    }
    const joined = yield* this.#join(late);
    if (first && !late) yield* this.host.ready();
    if (!joined) return;
    if (presence.untilNs !== undefined) this.host.spawn('leave', this.#leaveAt(presence.untilNs, context.stay));
    if (first) {
      const nowNs = this.host.life > 0 ? this.host.clock.now() : 0;
      for (const timeNs of this.start.reqbufsNs)
        if (timeNs >= nowNs) this.host.spawn('reqbufs', this.#reopenAt(timeNs));
      for (const corruption of this.start.corruptions ?? []) {
        if (corruption.atNs < nowNs) continue;
        this.host.spawn(`corrupt ${corruption.what}`, this.#corrupt(corruption));
      }
    }
    // A generator of its own: what it waits for then passes through fewer frames each time.
    yield* context.parallel([runDriver(this.driver, context, this.#state)]);
    this.#holdNobodyUp(next?.fromNs ?? 'never');
    for (const input of this.#inputs) yield* input.leave();
    if (presence.untilNs !== undefined) yield* this.#letGo(false);
  }

  /** A source that is not there does not advance the scenario: where none is, time goes on to the first that comes. */
  #holdNobodyUp(until: SourceReturn): void {
    const { actor, sources: all } = this.start;
    if (all === undefined) return;
    const firstNs = this.#parts.tables.sources.leave(actor, until, all);
    if (firstNs !== undefined) this.host.reached(firstNs);
  }

  #corrupt(corruption: Corruption): Task<void> {
    const { host } = this;
    const { atNs } = corruption;
    if (corruption.what === 'messages') return sendBroken(host, this.#statistics, atNs, corruption.messages);
    const { tables, inputs, outputs } = this.start;
    const links = [...inputs.map(({ link }) => link), ...outputs.flatMap((output) => output.links)];
    const own = outputs.flatMap(({ pool }) => (pool === undefined ? [] : [pool.region]));
    const pools = new Map([...own, ...links.map(({ pool }) => pool)].map((pool) => [pool.row, pool]));
    const rings = links.map(({ index }) => index);
    const reach = { tables, importer: this.#importer, pools: [...pools.values()], rings };
    return writeWildly(host, reach, this.#statistics, atNs, corruption.of);
  }

  /** Attaches to the buffers of every input and opens the links. @returns false when it is refused: a late device, or a buffer that never moves */
  *#join(late: boolean): Task<boolean> {
    try {
      for (const { link } of this.#inputs) yield* this.#attachTo(link);
    } catch (error) {
      if (!isErrno(error) || !(late || isErrno(error, 'EOPNOTSUPP', 'EPERM'))) throw error;
      this.#statistics.count('attachRefused');
      yield* this.#letGo(false);
      return false;
    }
    for (const input of this.#inputs) input.open();
    return true;
  }

  *#attachTo(link: LinkSpec): Task<void> {
    const { frames } = this.#parts.tables;
    yield* attempt(() => frames.countStep(link.pool, link.initialBuffers));
    for (let i = 0; i < frames.count(link.pool); i += 1) {
      try {
        yield* this.#importer.attach(frames.buffer(link.pool.firstFrame + i));
      } catch (error) {
        // Its exporter has died, and a new buffer will take its place; or it was given up (EIO), and its frames are refused.
        if (!isErrno(error, 'ENODEV', 'ESTALE', 'EIO')) throw error;
      }
    }
  }

  *#createBuffers(output: PipelineOutput): Task<void> {
    const { pool } = output;
    if (pool === undefined) return;
    if (this.host.life > 0) output.inherit(pool);
    for (let i = this.#parts.tables.frames.count(pool.region); i < pool.initialBuffers; i += 1) {
      yield* output.addBuffer(pool);
    }
  }

  /** @param stay the one that ends: the driver may have ended it before, and wait for the next by then */
  *#leaveAt(timeNs: Nanoseconds, stay: number): Task<void> {
    if (!(yield* this.host.untilScenarioTime(timeNs)) || this.#context.stay !== stay) return;
    this.#context.leave();
    for (const input of this.#inputs) input.cut();
  }

  *#reopenAt(timeNs: Nanoseconds): Task<void> {
    if (!(yield* this.host.untilScenarioTime(timeNs))) return;
    this.#importer.requestReopen();
  }

  /** @param ended the device is done for good: nothing need be arranged for those that stay */
  *#letGo(ended: boolean): Task<void> {
    yield* this.#importer.letGo(ended);
    for (const attachment of [...this.#importer.attachments]) {
      if (attachment.mapCount > 0) {
        const sites = this.#context.openJobSites;
        const begun = sites.length === 0 ? '' : `; those that have not were begun at ${sites.join(', ')}`;
        const message = `${this.host.name} ended with ${attachment.name} still mapped: every job has to end${begun}`;
        throw new ErrnoError('EBUSY', 'dma_buf_detach', message, { device: this.host.name, sites });
      }
      if (!attachment.detached) yield* this.#importer.detach(attachment, ended);
    }
  }

  #report(): DeviceReport {
    const { framesIn, framesOut, serviceNs, fenceWaitNs, dropped, counters, sequences, latencies, artefacts } =
      this.#statistics;
    const pools: Record<string, { heldNs: number; buffers: number }> = {};
    const linkDrops: Record<number, LinkDrops> = {};
    const logs = [dropped, ...sequences.values()];
    let frames = 0;
    for (const output of this.#outputs) {
      if (output.pool !== undefined) {
        const { region, name } = output.pool;
        frames += this.#parts.tables.frames.inUse(region);
        pools[name] = { heldNs: output.heldNs, buffers: this.#parts.tables.frames.count(region) };
      }
      for (const link of output.dropsByLink()) {
        linkDrops[link.index] = { count: link.dropped.count, sequences: link.dropped.ranges() };
        logs.push(link.dropped);
      }
    }
    const linksIn: Record<number, LinkReport> = {};
    for (const input of this.#inputs) {
      const report = input.latencies.report();
      linksIn[input.link.index] = { delivered: report.count, latencies: report };
    }
    if (this.#importer.device.importer === 'dynamic') this.#statistics.count('moveNotify', this.#importer.moveNotifies);
    if (this.#importer.device.pin) this.#statistics.count('pins', this.#importer.pins);
    let mappings = 0;
    for (const attachment of this.#importer.attachments) mappings += attachment.mapCount;
    return {
      framesIn,
      framesOut,
      framesDropped: dropped.count,
      droppedSequences: dropped.ranges(),
      serviceNs,
      fenceWaitNs,
      stalls: this.#importer.stalls.items,
      movingNs: this.#importer.stalls.movingNs,
      counters: Object.fromEntries(counters),
      sequences: Object.fromEntries([...sequences].map(([name, log]) => [name, log.ranges()])),
      latencies: Object.fromEntries([...latencies].map(([name, sample]) => [name, sample.report()])),
      linksIn,
      linkDrops,
      pools,
      artefacts,
      ...(this.#parts.cpu && { cpuFindings: this.#parts.cpu.findings }),
      dropped: {
        stalls: this.#importer.stalls.dropped,
        sequences: logs.reduce((sum, log) => sum + log.dropped, 0),
      },
      left: {
        pendingFences: this.#context.pendingFences,
        iovaRanges: this.#importer.iovaRanges,
        frames,
        mappings,
        faults: this.#importer.faults,
      },
    };
  }
}
