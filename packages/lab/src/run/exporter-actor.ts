/** The exporter actor: hosts the heaps, serves the importers and moves buffers. */
import type { ActorId, Task } from '@dmabuf-lab/core/base';
import {
  type AllocationRecord,
  type AttachRecord,
  type DmaHeap,
  type ExportedBuffer,
  Exporter,
  type ExporterPolicy,
  type HazardRecord,
  type HeapStats,
  type MoveRecord,
  type Placement,
} from '@dmabuf-lab/core/dma-buf';
import { openTables, type PipelineOwners, reclaimActor, type SharedTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { BufferMover } from '@dmabuf-lab/core/migration';
import { type ActorHost, PEER_DIED, type PeerDeath } from '@dmabuf-lab/core/runtime';
import { type Bandwidths, storageCosts } from '@dmabuf-lab/heaps';
import { type BoardSpec, makeHeaps } from './board.js';
import { type Exhaustion, exhaustHeap } from './exhaust.js';

/** Lanes that a device may have: frames it serves at once. */
export const LANES_PER_DEVICE = 8;

/** The first of a device's timelines. */
export const firstTimelineOf = (actor: ActorId): number => (actor - 1) * LANES_PER_DEVICE;

/** What the exporter starts with: plain data. */
export interface ExporterStart {
  readonly actor: ActorId;
  readonly tables: SharedTables;
  readonly board: BoardSpec;
  readonly policy: ExporterPolicy;
  readonly bandwidths: Bandwidths;
  /** Who is at which end of what, to clean up after the dead. */
  readonly owners: PipelineOwners;
  readonly exhaustions: readonly Exhaustion[];
}

/** What the exporter reports: plain data. */
export interface ExporterReport {
  readonly buffers: readonly {
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
  /** What is left, which ought to be nothing. */
  readonly left: {
    readonly buffers: number;
    readonly attachments: number;
    readonly mappings: number;
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
  /** Takes back what a dead actor held. */
  reclaim(death: PeerDeath): Task<void>;
}

/** Makes the heaps, the exporter and the mover, and offers their services. */
export function openExporter(host: ActorHost, start: ExporterStart): OpenExporter {
  const memory = PhysicalMemory.open(host.memory);
  const tables = openTables(host.words, start.tables, start.actor);
  const heaps = makeHeaps(start.board, memory);
  const costs = storageCosts(start.bandwidths);
  const { policy } = start;
  const mover: BufferMover = new BufferMover({
    services: host,
    memory,
    ...tables,
    policy,
    costs,
    // The mover and the exporter need each other; the exporter is there when the first buffer moves.
    storage: {
      release: (storage) => exporter.release(storage),
      settle: (buffer) => exporter.settle(buffer),
      violation: (storage, constraints) => exporter.violation(storage, constraints),
    },
  });
  const { buffers, queues } = tables;
  const exporter: Exporter = new Exporter({ services: host, buffers, queues, heaps, policy, costs, mover });
  const reclaimParts = {
    services: host,
    tables,
    owners: start.owners,
    reclaimBuffers: (dead: ActorId) => exporter.reclaim(dead),
  };
  const reclaim = (death: PeerDeath): Task<void> => reclaimActor(reclaimParts, death);
  host.serve({ ...exporter.handlers(), [PEER_DIED]: reclaim });
  return { exporter, mover, heaps, tables, reclaim };
}

export function* program(host: ActorHost, start: ExporterStart): Task<ExporterReport> {
  const { exporter, mover, heaps, tables } = openExporter(host, start);
  yield* host.ready();
  for (const one of start.exhaustions) {
    host.spawn(`exhaust ${one.heap}`, exhaustHeap(host, exporter.heap(one.heap), one));
  }
  yield* host.untilOthersEnd();
  const frames = start.owners.pools.reduce((sum, { region }) => sum + tables.frames.inUse(region), 0);
  return report(exporter, mover, heaps, tables.buffers, frames);
}

function report(
  exporter: Exporter,
  mover: BufferMover,
  heaps: readonly DmaHeap[],
  words: ReturnType<typeof openTables>['buffers'],
  frames: number,
): ExporterReport {
  const live = [...exporter.liveBuffers];
  const attached = live.flatMap((buffer) => [...buffer.attachments.keys()]);
  return {
    buffers: exporter.allBuffers.map((buffer: ExportedBuffer) => ({
      name: buffer.name,
      pool: buffer.request.pool,
      sizeBytes: buffer.sizeBytes,
      placements: buffer.placements,
      moves: buffer.moves,
      firstMap: buffer.firstMap,
    })),
    attaches: exporter.records.attaches,
    hazards: exporter.records.hazards,
    allocations: exporter.records.allocations,
    heaps: heaps.map((heap) => ({ name: heap.name, ...heap.stats() })),
    bytesCopied: mover.bytesCopied,
    left: {
      buffers: live.length,
      attachments: attached.length,
      mappings: attached.reduce((sum, slot) => sum + words.mappings(slot), exporter.leakedMappings),
      frames,
    },
  };
}
