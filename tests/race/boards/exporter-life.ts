/**
 * One life of an exporter that nobody calls but the board: the production `Exporter` with two heaps, a journal and a mover. Its
 * pages are ghosts; each entry of the journal is a step of its own,
 * before and after which it may die.
 */
import { actorId, type Journal, type Task } from '@dmabuf-lab/core/base';
import {
  type BufferWords,
  Exporter,
  ExporterWords,
  type HeapAllocation,
  type StoredAllocation,
} from '@dmabuf-lab/core/dma-buf';
import type { OpenTables, SharedTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory, type Run } from '@dmabuf-lab/core/memory';
import { BufferMover } from '@dmabuf-lab/core/migration';
import { CmaHeap, SystemHeap } from '@dmabuf-lab/heaps';
import type { ExploredWords } from '../explorer/index.js';
import { servicesOf } from './parts.js';

export const PAGE = 4096;
const BASE = 0x4000_0000;
const SYSTEM_BASE = BASE + 16 * PAGE;
const MEMORY = PhysicalMemory.create([{ name: 'dram', base: BASE, sizeBytes: 32 * PAGE }]);
const FREED = -1000;

export const EXPORTER = actorId(1);
/** Reaches the CMA heap only: it is for this one that the buffer moves. */
const STRICT = { device: 'strict', addressLimit: SYSTEM_BASE - 1 };
const HANDLE = { slot: 0, life: 1 } as Parameters<Exporter['map']>[0]['buffer'];

/** What is in the page at an address: how many jobs have been done on it. */
export class GhostPages {
  #contents = new Map<number, number>();

  constructor(private readonly words: ExploredWords) {}

  reset(): void {
    this.#contents.clear();
  }

  at(address: number): number {
    return this.#contents.get(address) ?? 0;
  }

  work(address: number): void {
    this.words.access(nameOf(address), 'write');
    this.words.ghost(() => this.#contents.set(address, this.at(address) + 1));
  }

  /** Copies, and may die before it has. */
  copy(to: number, from: number): void {
    this.words.access(nameOf(from), 'read');
    this.words.access(nameOf(to), 'write');
    this.words.pause(() => this.#contents.set(to, this.at(from)));
  }

  free(address: number): void {
    this.words.access(nameOf(address), 'write');
    this.words.ghost(() => this.#contents.set(address, FREED));
  }
}

const nameOf = (address: number): string => `the page at ${(address - BASE) / PAGE}`;

class WatchedSystemHeap extends SystemHeap {
  onFree: (address: number) => void = () => {};
  override free(allocation: HeapAllocation): void {
    this.onFree(allocation.sgTable.runs[0].address);
    super.free(allocation);
  }
}

export type Entries = ReadonlyMap<string, unknown>;

export interface LifeParts {
  readonly words: ExploredWords;
  readonly tables: OpenTables;
  readonly regions: SharedTables;
  readonly buffers: BufferWords;
  readonly pages: GhostPages;
  /** An entry has reached whoever starts the next life. */
  posted(key: string, value: unknown): void;
}

/** What is told of a buffer in the journal, as far as the board looks at it. */
export interface JournalledBuffer {
  readonly present?: { readonly generation: number; readonly storage: StoredAllocation };
  readonly incoming?: StoredAllocation;
  readonly reserved?: StoredAllocation;
}

/** An exporter, as it is before it is restored. */
export class Life {
  readonly exporter: Exporter;
  readonly #system: WatchedSystemHeap;
  readonly #cma: CmaHeap;

  constructor(parts: LifeParts, restored: Entries) {
    const { words, tables, buffers, pages } = parts;
    this.#system = new WatchedSystemHeap('system', MEMORY, { base: SYSTEM_BASE, sizeBytes: 16 * PAGE });
    this.#system.onFree = (address) => pages.free(address);
    this.#cma = new CmaHeap('cma', MEMORY, { base: BASE, sizeBytes: 16 * PAGE });
    const journal: Journal = { restored, set: (key, value) => words.pause(() => parts.posted(key, value)) };
    const memory = {
      copyRuns(to: readonly Run[], from: readonly Run[]): number {
        pages.copy(to[0].address, from[0].address);
        return PAGE;
      },
    } as unknown as PhysicalMemory;
    const timeoutNs = Number.POSITIVE_INFINITY;
    const shared = {
      services: servicesOf(words, EXPORTER),
      buffers,
      queues: new ExporterWords(words, parts.regions.queues),
      policy: { onBusy: 'wait', timeoutNs, moveAt: 'first-map', moveBack: 'never' } as const,
      costs: { allocationNs: () => 0, zeroNs: () => 0, copyNs: () => 0 },
    };
    this.exporter = new Exporter({
      ...shared,
      heaps: [this.#system, this.#cma],
      journal,
      mover: (storage) => new BufferMover({ ...shared, ...tables, buffers, queues: shared.queues, memory, storage }),
    });
  }

  /** Bytes that the heaps have handed out. */
  get used(): { readonly system: number; readonly cma: number } {
    return { system: this.#system.stats().usedBytes, cma: this.#cma.stats().usedBytes };
  }

  /** Where the buffer lies. */
  get address(): number | undefined {
    const [buffer] = this.exporter.liveBuffers;
    return buffer?.allocation?.sgTable.runs[0].address;
  }

  /** The buffer in the system heap, a device attached to it, and a strict one, whose first map will move it. */
  setUp(): void {
    const fixed = { pool: 'pool', sizeBytes: PAGE, expect: [], expectTimeoutNs: 0 };
    atOnce(this.exporter.create({ ...fixed, name: 'the buffer', allocate: { heap: 'system' } }));
    const devices = [{ device: 'device' }, STRICT];
    for (const [i, constraints] of devices.entries()) {
      const request = { buffer: HANDLE, device: constraints.device, actor: actorId(i + 2), constraints };
      atOnce(this.exporter.attach({ ...request, mapping: 'per-job' }));
    }
  }

  /** The map of the strict device. */
  *moveForStrict(): Task<void> {
    const [buffer] = this.exporter.liveBuffers;
    const strict = [...buffer.attachments.values()].find(({ device }) => device === STRICT.device);
    if (strict === undefined) throw new Error('an attachment is lost');
    yield* this.exporter.map({ buffer: HANDLE, attachment: strict.slot });
  }
}

/** Runs what has nobody to wait for. */
function atOnce(task: Task<unknown>): void {
  if (task.next().done !== true) throw new Error('the set-up of a board waits');
}
