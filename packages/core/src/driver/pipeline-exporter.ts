/** The exporter of a pipeline: hosts the heaps, serves the importers, moves buffers, and takes back what the dead held. */
import { type ActorId, bufferSlot, type Task } from '../base/index.js';
import {
  type ActorLives,
  type DmaHeap,
  DmaSanitizer,
  Exporter,
  type ExporterPolicy,
  MessageChecks,
  SlotWatch,
  type StorageCosts,
} from '../dma-buf/index.js';
import { PhysicalMemory } from '../memory/index.js';
import { BufferMover } from '../migration/index.js';
import {
  type ActorHost,
  GuardedServices,
  PEER_DIED,
  type PeerDeath,
  type QuarantineLimits,
  RuntimeWords,
} from '../runtime/index.js';
import { type PipelineOwners, reclaimActor } from './reclaim.js';
import { type OpenTables, openTables, rowGuardsOf, type SharedTables, type TableGuards } from './shared-tables.js';

/** What the exporter of a pipeline starts with: plain data. */
export interface PipelineExporterStart {
  readonly actor: ActorId;
  readonly tables: SharedTables;
  readonly policy: ExporterPolicy;
  /** Who is at which end of what, to clean up after the dead. */
  readonly owners: PipelineOwners;
  /** The actors that may call it. */
  readonly senders: readonly (readonly [name: string, actor: ActorId])[];
  readonly quarantine: QuarantineLimits;
  /** Look for writes to pages that were given back; absent = false. */
  readonly sanitize?: boolean;
}

/** What is no business of core. */
export interface ExporterSurroundings {
  /** Makes the heaps. @param fillPools false where buffers of an earlier life still have their pages */
  heaps(memory: PhysicalMemory, fillPools: boolean): DmaHeap[];
  readonly costs: StorageCosts;
  /** Told of a death before what the dead held is taken back. */
  onDeath?(death: PeerDeath): void;
  /** Told after a buffer has moved. Must not wait. */
  onMoved?(): void;
}

/** What the exporter's actor is made of. */
export interface OpenExporter {
  readonly exporter: Exporter<BufferMover>;
  readonly mover: BufferMover;
  readonly heaps: readonly DmaHeap[];
  readonly tables: OpenTables;
  readonly guard: GuardedServices;
  readonly watch: SlotWatch;
  /** Absent = nobody looks. */
  readonly sanitizer?: DmaSanitizer;
  /** Takes back what a dead actor held. */
  reclaim(death: PeerDeath): Task<void>;
}

/** Makes the heaps, the exporter and the mover, and offers their services. */
export function openPipelineExporter(
  host: ActorHost,
  start: PipelineExporterStart,
  { heaps: makeHeaps, costs, onDeath, onMoved }: ExporterSurroundings,
): OpenExporter {
  const memory = PhysicalMemory.open(host.memory);
  const tables = openTables(host.words, start.tables, start.actor);
  if (host.generator !== undefined) tables.queues.generatorNow = () => host.generator ?? 0;
  const sanitizer = start.sanitize === true ? new DmaSanitizer(memory, () => host.clock.now()) : undefined;
  const made = makeHeaps(memory, host.life === 0);
  const heaps = sanitizer === undefined ? made : made.map((heap) => sanitizer.wrap(heap));
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
  if (host.life === 0) {
    watch.openTimelines();
    openRowGuards(rowGuardsOf(host.words, start.tables));
  }
  const { journal } = host;
  const runtime = new RuntimeWords(host.words);
  const lives: ActorLives = {
    last: lastActor,
    deaths: (actor) => runtime.deaths(actor),
    reclaimed: (actor) => runtime.reclaimed(actor),
  };
  const exporter = new Exporter({
    ...{ services: host, buffers, queues, heaps, policy, costs, sanitizer, watch, journal, lives },
    mover: (storage) => new BufferMover({ services: host, memory, ...tables, policy, costs, storage, onMoved }),
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
  const guard = new GuardedServices(host.clock, (...call) => checks.faultOf(...call), start.quarantine, journal);
  const reclaim = (death: PeerDeath): Task<void> => {
    guard.pardon(death.name);
    onDeath?.(death);
    return reclaimActor(reclaimParts, death);
  };
  host.serve(guard.wrap(exporter.handlers()));
  host.serve({ [PEER_DIED]: reclaim });
  // All that earlier lives held is settled, but for deaths of others, of which the runtime tells again.
  if (host.life > 0) runtime.countReclaimed(start.actor, host.life);
  return { exporter, mover, heaps, tables, reclaim, guard, watch, ...(sanitizer && { sanitizer }) };
}

/** The run begins: nobody has used a frame, a pool, a ring or a queue yet. */
function openRowGuards(guards: TableGuards | undefined): void {
  if (guards === undefined) return;
  for (const table of [guards.queues, guards.pools, guards.frames, ...guards.rings]) table.open();
}

/** A device that is still attached to a buffer, or was detached with mappings that had not ended. */
export interface LeakedUse {
  readonly device: string;
  readonly buffer: string;
  readonly mappings: number;
  readonly isAttached: boolean;
}

/** What is left of the buffers when all have ended, which ought to be nothing. */
export interface BuffersLeft {
  readonly buffers: number;
  readonly attachments: number;
  readonly mappings: number;
  /** Whose the attachments and mappings are. */
  readonly by: readonly LeakedUse[];
  /** Frames of all pools that have not come back, also those whose owner has died. */
  readonly frames: number;
}

export function buffersLeft({ exporter, tables }: OpenExporter, { pools }: PipelineOwners): BuffersLeft {
  const live = [...exporter.liveBuffers];
  const attached = live.flatMap((buffer) => [...buffer.attachments.keys()]);
  return {
    buffers: live.length,
    attachments: attached.length,
    mappings: attached.reduce((sum, slot) => sum + tables.buffers.mappings(slot), exporter.leakedMappings),
    by: [
      ...exporter.leaks.items.map((leak) => ({ ...leak, isAttached: false })),
      ...live.flatMap(({ name: buffer, attachments }) =>
        [...attachments.values()].map(({ slot, device }) => {
          return { device, buffer, mappings: tables.buffers.mappings(slot), isAttached: true };
        }),
      ),
    ],
    frames: pools.reduce((sum, { region }) => sum + tables.frames.inUse(region), 0),
  };
}
