/** The actors of the rig, in both runtimes. The driver under test is handed on by reference in virtual time, else by its module. */
import { ErrnoError, external, type Nanoseconds, type Task, WordPark } from '../base/index.js';
import type { DmaHeap, MoveRecord, SanitizerFinding } from '../dma-buf/index.js';
import {
  type AnyDriver,
  type BuffersLeft,
  buffersLeft,
  type DriverStart,
  driverProgram,
  type MemoryPlace,
  openPipelineExporter,
  openTables,
  type PipelineExporterStart,
} from '../driver/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import { type ActorHost, RuntimeWords } from '../runtime/index.js';
import { checkedDriver } from './checked-driver.js';
import { RigHeap, type RigHeapKind } from './rig-heap.js';
import { testSink } from './test-sink.js';
import { testSource } from './test-source.js';
import { beginInWorker, importDriver, type TestedDriver, type TestedLife } from './tested-driver.js';

/** Plain data, but for what is by reference in virtual time. */
export type RigActorStart =
  | { readonly kind: 'exporter'; readonly start: PipelineExporterStart; readonly own: readonly OwnHeap[] }
  | { readonly kind: 'helper'; readonly driver: RigHelper; readonly start: DriverStart }
  | { readonly kind: 'tested'; readonly tested: TestedDriver; readonly start: DriverStart }
  | { readonly kind: 'operator'; readonly stopNs: Nanoseconds };

/** What the rig puts around the driver under test. */
const HELPERS = { source: testSource, sink: testSink } as const;
export type RigHelper = keyof typeof HELPERS;

/** Makes the heap over the memory that a driver brings. */
export type OpenHeap =
  | { readonly open: (place: MemoryPlace) => DmaHeap }
  /** URL of the driver's module. */
  | { readonly module: string; readonly parameters: unknown };

/** A window of the board that is the memory of a device. */
export interface OwnHeap {
  readonly window: string;
  readonly device: string;
  readonly heap: OpenHeap;
}

export interface RigExporterReport {
  readonly moves: readonly MoveRecord[];
  readonly left: BuffersLeft & { readonly bytes: number };
  readonly sanitizer: readonly SanitizerFinding[];
}

const ALLOCATION_NS = 20_000;
const COPY_NS = 50_000;

export function program(host: ActorHost, data: RigActorStart): Task<unknown> {
  switch (data.kind) {
    case 'exporter':
      return exporter(host, data.start, data.own);
    case 'helper':
      return driverProgram(host, HELPERS[data.driver], data.start);
    case 'tested':
      return tested(host, data.tested, data.start);
    case 'operator':
      return stopAt(host, data.stopNs);
  }
}

function* tested(host: ActorHost, tested: TestedDriver, start: DriverStart): Task<unknown> {
  const { driver, monitor, stays }: TestedLife =
    'begin' in tested
      ? tested.begin(host.life)
      : beginInWorker(tested, yield* external(importDriver(tested.module), `loading ${tested.module}`), host.life);
  const tables = openTables(host.words, start.tables, start.actor);
  return yield* driverProgram(host, checkedDriver(driver, monitor, tables, stays), start);
}

function* exporter(host: ActorHost, start: PipelineExporterStart, own: readonly OwnHeap[]): Task<RigExporterReport> {
  const opened = new Map<string, (place: MemoryPlace) => DmaHeap>();
  for (const { window, heap } of own) opened.set(window, yield* openOf(heap));
  const heaps = (memory: PhysicalMemory): DmaHeap[] =>
    memory.handle.windows.map((window) => {
      const owner = own.find((one) => one.window === window.name);
      const open = opened.get(window.name);
      if (owner === undefined || open === undefined) {
        return new RigHeap(window.name, window.name as RigHeapKind, window, memory);
      }
      return open({ heap: window.name, device: owner.device, memory, window });
    });
  const open = openPipelineExporter(host, start, {
    heaps,
    costs: { allocationNs: () => ALLOCATION_NS, zeroNs: () => 0, copyNs: () => COPY_NS },
  });
  yield* host.ready();
  yield* host.untilOthersEnd();
  open.sanitizer?.flush();
  const bytes = open.heaps.reduce((sum, heap) => sum + heap.stats().usedBytes, 0);
  return {
    moves: open.exporter.allBuffers.flatMap(({ moves }) => moves),
    left: { ...buffersLeft(open, start.owners), bytes },
    sanitizer: open.sanitizer?.findings ?? [],
  };
}

function* openOf(heap: OpenHeap): Task<(place: MemoryPlace) => DmaHeap> {
  if ('open' in heap) return heap.open;
  const { memory }: AnyDriver = yield* external(importDriver(heap.module), `loading ${heap.module}`);
  if (memory === undefined)
    throw new ErrnoError('ENODEV', 'load', `Cannot open the memory of ${heap.module}: it has none`);
  return (place) => memory.openHeap(place, heap.parameters as never);
}

/** Asks the run to end. */
function* stopAt(host: ActorHost, stopNs: Nanoseconds): Task<void> {
  yield* host.ready();
  const isEnding: boolean = yield new WordPark(host.stopWord, 0, 'the end of the run', stopNs);
  if (!isEnding) new RuntimeWords(host.words).stop();
}
