/** The actors of the rig. Virtual time alone: what they start with is handed on by reference. */
import { type Nanoseconds, type Task, WordPark } from '../base/index.js';
import type { DmaHeap, MoveRecord, SanitizerFinding } from '../dma-buf/index.js';
import {
  type AnyDriver,
  type BuffersLeft,
  buffersLeft,
  type DriverStart,
  driverProgram,
  openPipelineExporter,
  openTables,
  type PipelineExporterStart,
} from '../driver/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import { type ActorHost, RuntimeWords } from '../runtime/index.js';
import { checkedDriver, type Stay } from './checked-driver.js';
import type { Monitor } from './monitor.js';

export type RigActorStart =
  | { readonly kind: 'exporter'; readonly start: PipelineExporterStart; readonly openHeaps: OpenHeaps }
  | { readonly kind: 'helper'; readonly driver: AnyDriver; readonly start: DriverStart }
  | { readonly kind: 'tested'; readonly tested: TestedDriver; readonly start: DriverStart }
  | { readonly kind: 'operator'; readonly stopNs: Nanoseconds };

/** Makes the heaps over the windows of the board. */
export type OpenHeaps = (memory: PhysicalMemory) => DmaHeap[];

/** The driver under test, as its lives are made. */
export interface TestedDriver {
  /** An instance for one life, and the monitor of that life. */
  begin(life: number): { readonly driver: AnyDriver; readonly monitor: Monitor };
  readonly stays: Stay[];
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
      return exporter(host, data.start, data.openHeaps);
    case 'helper':
      return driverProgram(host, data.driver, data.start);
    case 'tested':
      return tested(host, data.tested, data.start);
    case 'operator':
      return stopAt(host, data.stopNs);
  }
}

function tested(host: ActorHost, { begin, stays }: TestedDriver, start: DriverStart): Task<unknown> {
  const { driver, monitor } = begin(host.life);
  const tables = openTables(host.words, start.tables, start.actor);
  return driverProgram(host, checkedDriver(driver, monitor, tables, stays), start);
}

function* exporter(host: ActorHost, start: PipelineExporterStart, openHeaps: OpenHeaps): Task<RigExporterReport> {
  const open = openPipelineExporter(host, start, {
    heaps: openHeaps,
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

/** Asks the run to end. */
function* stopAt(host: ActorHost, stopNs: Nanoseconds): Task<void> {
  yield* host.ready();
  const isEnding: boolean = yield new WordPark(host.stopWord, 0, 'the end of the run', stopNs);
  if (!isEnding) new RuntimeWords(host.words).stop();
}
