/** The exporter actor: hosts the heaps, serves the importers and moves buffers. */
import type { CallHandler, Task } from '@dmabuf-lab/core/base';
import type {
  AllocationRecord,
  AttachRecord,
  CorruptionRecord,
  DmaSanitizer,
  Exporter,
  HazardRecord,
  HeapStats,
  MoveRecord,
  Placement,
  RecordsDropped,
  SanitizerFinding,
} from '@dmabuf-lab/core/dma-buf';
import {
  type AnyDriver,
  type BuffersLeft,
  buffersLeft,
  type OpenExporter,
  openPipelineExporter,
  type PipelineExporterStart,
} from '@dmabuf-lab/core/driver';
import { type ActorHost, type BrokenMessages, PEER_DIED, type PeerDeath } from '@dmabuf-lab/core/runtime';
import { type Bandwidths, storageCosts } from '@dmabuf-lab/heaps';
import { type HistoryBoard, HistoryWords, logDeath } from '../history/index.js';
import { type BoardSpec, makeHeaps } from './board.js';
import { type CountBoard, CountWords } from './count-words.js';
import { type DriverMemorySpec, loadMemoryDrivers, openDriverHeaps } from './driver-memory.js';
import { type Exhaustion, exhaustHeap } from './exhaust.js';

/** What the exporter starts with: plain data. */
export interface ExporterStart extends PipelineExporterStart {
  readonly board: BoardSpec;
  /** Memory that drivers bring; absent = none. */
  readonly memories?: readonly DriverMemorySpec[];
  readonly bandwidths: Bandwidths;
  readonly exhaustions: readonly Exhaustion[];
  /** Where deaths are put into the histories of buffers; absent = nobody follows these. */
  readonly history?: HistoryBoard;
  /** Where it says what it has counted; absent = nobody looks before the end. */
  readonly counts?: CountBoard;
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
  /** The counts of all buffers, and what the lists above have no room for. */
  readonly tally: Exporter['tally'];
  readonly dropped: RecordsDropped & { readonly corruptions: number };
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
  readonly left: BuffersLeft;
}

/** Makes the heaps, the exporter and the mover, and offers their services. @param drivers that bring memory, by device */
export function openExporter(
  host: ActorHost,
  start: ExporterStart,
  drivers: ReadonlyMap<string, AnyDriver> = new Map(),
): OpenExporter {
  const { board, memories = [] } = start;
  const history = start.history && new HistoryWords(start.history);
  const counts = start.counts && new CountWords(start.counts);
  const open: OpenExporter = openPipelineExporter(host, start, {
    heaps: (memory, fillPools) => [
      ...makeHeaps(board, memory, fillPools),
      ...openDriverHeaps(memories, drivers, memory),
    ],
    costs: storageCosts(start.bandwidths),
    ...(history && { onDeath: ({ actor, deaths }) => logDeath(history, actor, deaths, host.clock.now()) }),
    ...(counts && { onMoved: () => count(open, counts) }),
  });
  if (counts !== undefined) countServices(host, open, counts);
  return open;
}

/** Says what the exporter has counted by now. */
function count({ exporter, sanitizer, watch, guard }: OpenExporter, words: CountWords): void {
  words.setOfExporter('moves', exporter.tally.moved);
  words.setOfExporter('findings', (sanitizer?.findings.length ?? 0) + watch.records.length + guard.records.length);
}

/** Says so from now on after each service: there the checkers look. */
function countServices(host: ActorHost, open: OpenExporter, words: CountWords): void {
  count(open, words);
  const counted = ([method, serve]: [string, CallHandler]): [string, CallHandler] => [
    method,
    function* (args: unknown, from: string): Task<unknown> {
      try {
        return yield* serve(args, from);
      } finally {
        count(open, words);
      }
    },
  ];
  host.serve(Object.fromEntries(Object.entries(open.guard.wrap(open.exporter.handlers())).map(counted)));
  host.serve({
    *[PEER_DIED](death: PeerDeath): Task<void> {
      yield* open.reclaim(death);
      count(open, words);
    },
  });
}

export function* program(host: ActorHost, start: ExporterStart): Task<ExporterReport> {
  const drivers = yield* loadMemoryDrivers(start.memories ?? [], host.life);
  const open = openExporter(host, start, drivers);
  const { exporter, guard, watch, sanitizer } = open;
  yield* host.ready();
  const bornNs = host.life > 0 ? host.clock.now() : 0;
  for (const one of start.exhaustions.filter(({ untilNs }) => untilNs > bornNs)) {
    host.spawn(`exhaust ${one.heap}`, exhaustHeap(host, exporter.heap(one.heap), one));
  }
  yield* host.untilOthersEnd();
  sanitizer?.flush();
  watch.lookAtAllTimelines();
  if (start.counts !== undefined) count(open, new CountWords(start.counts));
  return {
    ...report(open),
    left: buffersLeft(open, start.owners),
    brokenMessages: guard.records,
    corruptions: watch.records,
    ...(sanitizer && { sanitizer: sanitizerReport(sanitizer) }),
  };
}

function sanitizerReport({ checkedBytes, damaged, findings }: DmaSanitizer): ExporterReport['sanitizer'] {
  return { checkedBytes, damaged, findings };
}

function report({
  exporter,
  mover,
  heaps,
  watch,
}: OpenExporter): Omit<ExporterReport, 'left' | 'brokenMessages' | 'corruptions' | 'sanitizer'> {
  return {
    buffers: exporter.allBuffers.map(({ slot, life, name, request, sizeBytes, placements, moves, firstMap }) => {
      return { slot, life, name, pool: request.pool, sizeBytes, placements, moves, firstMap };
    }),
    attaches: exporter.records.attaches,
    hazards: exporter.records.hazards,
    allocations: exporter.records.allocations,
    tally: exporter.tally,
    dropped: { ...exporter.records.dropped, corruptions: watch.dropped },
    heaps: heaps.map((heap) => ({ name: heap.name, ...heap.stats() })),
    bytesCopied: mover.bytesCopied,
  };
}
