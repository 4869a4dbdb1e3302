/** The exporter actor: hosts the heaps, serves the importers and moves buffers. */
import { type ActorId, actorId, bufferSlot, type Task } from '@dmabuf-lab/core/base';
import {
  type AllocationRecord,
  type AttachRecord,
  type CorruptionRecord,
  type DmaHeap,
  DmaSanitizer,
  Exporter,
  type ExporterPolicy,
  type HazardRecord,
  type HeapStats,
  MessageChecks,
  type MoveRecord,
  type Placement,
  type SanitizerFinding,
  SlotWatch,
} from '@dmabuf-lab/core/dma-buf';
import {
  type AnyDriver,
  openTables,
  type PipelineOwners,
  reclaimActor,
  type SharedTables,
} from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { BufferMover } from '@dmabuf-lab/core/migration';
import {
  type ActorHost,
  type BrokenMessages,
  GuardedServices,
  PEER_DIED,
  type PeerDeath,
  type QuarantineLimits,
  RuntimeWords,
} from '@dmabuf-lab/core/runtime';
import { type Bandwidths, storageCosts } from '@dmabuf-lab/heaps';
import { type HistoryBoard, HistoryWords, logDeath } from '../history/index.js';
import { type BoardSpec, makeHeaps } from './board.js';
import { type DriverMemorySpec, loadMemoryDrivers, openDriverHeaps } from './driver-memory.js';
import { type Exhaustion, exhaustHeap } from './exhaust.js';

/** Lanes that a device may have: frames it serves at once. */
export const LANES_PER_DEVICE = 8;

/** The exporter's number among the actors of a pipeline. */
export const EXPORTER_ID = actorId(1);

/** The first of a device's timelines. */
export const firstTimelineOf = (actor: ActorId): number => (actor - 1) * LANES_PER_DEVICE;

/** What the exporter starts with: plain data. */
export interface ExporterStart {
  readonly actor: ActorId;
  readonly tables: SharedTables;
  readonly board: BoardSpec;
  /** Memory that drivers bring; absent = none. */
  readonly memories?: readonly DriverMemorySpec[];
  readonly policy: ExporterPolicy;
  readonly bandwidths: Bandwidths;
  /** Who is at which end of what, to clean up after the dead. */
  readonly owners: PipelineOwners;
  readonly exhaustions: readonly Exhaustion[];
  /** The actors that may call it. */
  readonly senders: readonly (readonly [name: string, actor: ActorId])[];
  readonly quarantine: QuarantineLimits;
  /** Look for writes to pages that were given back; absent = false. */
  readonly sanitize?: boolean;
  /** Where deaths are put into the histories of buffers; absent = nobody follows these. */
  readonly history?: HistoryBoard;
}

/** A device that is still attached to a buffer, or was detached with mappings that had not ended. */
export interface LeakedUse {
  readonly device: string;
  readonly buffer: string;
  readonly mappings: number;
  readonly isAttached: boolean;
}

/** What the exporter reports: plain data. */
export interface ExporterReport {
  readonly buffers: readonly {
    readonly slot: number;
    readonly life: number;
    readonly name: string;
    readonly pool: string;
    readonly sizeBytes: number;
    readonly placements: readonly Placement[];
    readonly moves: readonly MoveRecord[];
    readonly firstMap: { readonly device: string; readonly atNs: number } | undefined;
  }[];
  readonly attaches: readonly AttachRecord[];
  readonly hazards: readonly HazardRecord[];
  readonly allocations: readonly AllocationRecord[];
  readonly heaps: readonly ({ readonly name: string } & HeapStats)[];
  readonly bytesCopied: number;
  /** Absent = nobody looked. */
  readonly sanitizer?: {
    readonly checkedBytes: number;
    readonly damaged: number;
    readonly findings: readonly SanitizerFinding[];
  };
  /** Of those who sent any. */
  readonly brokenMessages: readonly BrokenMessages[];
  /** Of buffers whose control words somebody has overwritten. */
  readonly corruptions: readonly CorruptionRecord[];
  /** What is left, which ought to be nothing. */
  readonly left: {
    readonly buffers: number;
    readonly attachments: number;
    readonly mappings: number;
    /** Whose the attachments and mappings are. */
    readonly by: readonly LeakedUse[];
    /** Frames of all pools that have not come back, also those whose owner has died. */
    readonly frames: number;
  };
}

/** What the exporter's actor is made of. */
export interface OpenExporter {
  readonly exporter: Exporter;
  readonly mover: BufferMover;
  readonly heaps: readonly DmaHeap[];
  readonly tables: ReturnType<typeof openTables>;
  readonly guard: GuardedServices;
  readonly watch: SlotWatch;
  /** Absent = nobody looks. */
  readonly sanitizer?: DmaSanitizer;
  /** Takes back what a dead actor held. */
  reclaim(death: PeerDeath): Task<void>;
}

/** Makes the heaps, the exporter and the mover, and offers their services. @param drivers that bring memory, by device */
export function openExporter(
  host: ActorHost,
  start: ExporterStart,
  drivers: ReadonlyMap<string, AnyDriver> = new Map(),
): OpenExporter {
  const memory = PhysicalMemory.open(host.memory);
  const tables = openTables(host.words, start.tables, start.actor);
  if (host.generator !== undefined) tables.queues.generatorNow = () => host.generator ?? 0;
  const sanitizer = start.sanitize === true ? new DmaSanitizer(memory, () => host.clock.now()) : undefined;
  const { memories = [] } = start;
  const boardHeaps = makeHeaps(start.board, memory, host.life === 0);
  const made = [...boardHeaps, ...openDriverHeaps(memories, drivers, memory)];
  const heaps = sanitizer === undefined ? made : made.map((heap) => sanitizer.wrap(heap));
  const costs = storageCosts(start.bandwidths);
  const { policy } = start;
  const { buffers, queues } = tables;
  const lastActor = Math.max(start.actor, ...start.senders.map(([, actor]) => actor));
  const watch = new SlotWatch({
    ...tables,
    lastActor,
    lanesPerActor: start.owners.lanesPerActor,
    nameOf: (actor) => start.senders.find(([, one]) => one === actor)?.[0] ?? host.name,
    now: () => host.clock.now(),
  });
  if (host.life === 0) watch.openTimelines();
  const { journal } = host;
  const exporter = new Exporter({
    ...{ services: host, buffers, queues, heaps, policy, costs, sanitizer, watch, journal },
    mover: (storage) => new BufferMover({ services: host, memory, ...tables, policy, costs, storage }),
  });
  const { mover } = exporter;
  if (host.life > 0) {
    exporter.restore();
    mover.bytesCopied = exporter.bytesMoved;
    for (let slot = 0; slot < buffers.bufferCount; slot += 1) tables.resv.reclaimLock(bufferSlot(slot), start.actor);
  }
  const reclaimParts = {
    services: host,
    tables,
    owners: start.owners,
    reclaimBuffers: (dead: ActorId) => {
      watch.reopenTimelines(dead);
      exporter.reclaim(dead);
    },
  };
  const checks = new MessageChecks(exporter, new Map(start.senders));
  const guard = new GuardedServices(host.clock, (...call) => checks.faultOf(...call), start.quarantine);
  const history = start.history && new HistoryWords(start.history);
  const reclaim = (death: PeerDeath): Task<void> => {
    guard.pardon(death.name);
    if (history !== undefined) logDeath(history, death.actor, death.deaths, host.clock.now());
    return reclaimActor(reclaimParts, death);
  };
  host.serve(guard.wrap(exporter.handlers()));
  host.serve({ [PEER_DIED]: reclaim });
  // All that earlier lives held is settled, but for deaths of others, of which the runtime tells again.
  if (host.life > 0) new RuntimeWords(host.words).countReclaimed(start.actor, host.life);
  return { exporter, mover, heaps, tables, reclaim, guard, watch, ...(sanitizer && { sanitizer }) };
}

export function* program(host: ActorHost, start: ExporterStart): Task<ExporterReport> {
  const drivers = yield* loadMemoryDrivers(start.memories ?? [], host.life);
  const { exporter, mover, heaps, tables, guard, watch, sanitizer } = openExporter(host, start, drivers);
  yield* host.ready();
  const bornNs = host.life > 0 ? host.clock.now() : 0;
  for (const one of start.exhaustions.filter(({ untilNs }) => untilNs > bornNs)) {
    host.spawn(`exhaust ${one.heap}`, exhaustHeap(host, exporter.heap(one.heap), one));
  }
  yield* host.untilOthersEnd();
  sanitizer?.flush();
  watch.lookAtAllTimelines();
  const frames = start.owners.pools.reduce((sum, { region }) => sum + tables.frames.inUse(region), 0);
  return {
    ...report(exporter, mover, heaps, tables.buffers, frames),
    brokenMessages: guard.records,
    corruptions: watch.records,
    ...(sanitizer && { sanitizer: sanitizerReport(sanitizer) }),
  };
}

function sanitizerReport({ checkedBytes, damaged, findings }: DmaSanitizer): ExporterReport['sanitizer'] {
  return { checkedBytes, damaged, findings };
}

function report(
  exporter: Exporter,
  mover: BufferMover,
  heaps: readonly DmaHeap[],
  words: ReturnType<typeof openTables>['buffers'],
  frames: number,
): Omit<ExporterReport, 'brokenMessages' | 'corruptions' | 'sanitizer'> {
  const live = [...exporter.liveBuffers];
  const attached = live.flatMap((buffer) => [...buffer.attachments.keys()]);
  return {
    buffers: exporter.allBuffers.map(({ slot, life, name, request, sizeBytes, placements, moves, firstMap }) => {
      return { slot, life, name, pool: request.pool, sizeBytes, placements, moves, firstMap };
    }),
    attaches: exporter.records.attaches,
    hazards: exporter.records.hazards,
    allocations: exporter.records.allocations,
    heaps: heaps.map((heap) => ({ name: heap.name, ...heap.stats() })),
    bytesCopied: mover.bytesCopied,
    left: {
      buffers: live.length,
      attachments: attached.length,
      mappings: attached.reduce((sum, slot) => sum + words.mappings(slot), exporter.leakedMappings),
      by: [
        ...exporter.leaks.map((leak) => ({ ...leak, isAttached: false })),
        ...live.flatMap(({ name: buffer, attachments }) =>
          [...attachments.values()].map(({ slot, device }) => {
            return { device, buffer, mappings: words.mappings(slot), isAttached: true };
          }),
        ),
      ],
      frames,
    },
  };
}
