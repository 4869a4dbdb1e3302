/** An exporter and importers without a runtime: one task at a time on a clock set by hand. */
import {
  type ActorServices,
  type AtomicWords,
  actorId,
  type CallHandler,
  type Journal,
  RandomStream,
  type Task,
  TraceLog,
  timelineSlot,
  AtomicWords as Words,
} from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import {
  type ActorLives,
  type BufferHandle,
  DmaBufImporter,
  DmaSanitizer,
  Exporter,
  type ExporterPolicy,
  type ImporterTraits,
  type MappingStyle,
  SlotWatch,
} from '@dmabuf-lab/core/dma-buf';
import { layOutTables, type OpenTables, openTables, PipelineLane } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { BufferMover } from '@dmabuf-lab/core/migration';
import { RuntimeWords } from '@dmabuf-lab/core/runtime';
import { Timeline } from '@dmabuf-lab/core/sync';
import { CmaHeap, SystemHeap, storageCosts } from '@dmabuf-lab/heaps';

const MiB = 1024 * 1024;
const BASE = 0x4000_0000;
const CMA_BASE = 0x4400_0000;
export const TABLES = layOutTables({
  actors: 8,
  buffers: 8,
  attachments: 32,
  timelines: 16,
  pools: 1,
  frames: 1,
  rings: [],
});

export const CAMERA: DeviceConstraints = { device: 'camera', iommu: { iovaBits: 32, physBits: 32 } };
export const GPU: DeviceConstraints = { device: 'gpu', iommu: { iovaBits: 48 } };
export const ENCODER: DeviceConstraints = { device: 'encoder', contiguous: true, addressLimit: 0xffff_ffff };

export const CONTROL_BYTES = TABLES.sizeBytes;

/** What an exporter starts with besides its board. */
export interface Life {
  readonly journal?: Journal;
  readonly words?: AtomicWords;
  readonly memory?: PhysicalMemory;
}

export class TableTop {
  nowNs = 0;
  readonly memory: PhysicalMemory;
  readonly words: AtomicWords;
  readonly tables: OpenTables;
  readonly system: SystemHeap;
  readonly cma: CmaHeap;
  readonly exporter: Exporter<BufferMover>;
  readonly mover: BufferMover;
  readonly spawned: Task<void>[] = [];
  /** Called when a task parks on a word and no time-out helps: lets a test act as somebody else. */
  onPark: (what: string) => boolean = () => false;
  #actors = 1;
  readonly #names = new Map<number, string>();

  readonly watch: SlotWatch;
  readonly lives: RuntimeWords;
  /** Only where it was asked for. */
  readonly sanitizer: DmaSanitizer | undefined;

  /** @param life an exporter that keeps a journal, and the words and the memory that outlive it */
  constructor(policy: Partial<ExporterPolicy> = {}, cmaBytes = 16 * MiB, sanitizerBytes?: number, life: Life = {}) {
    this.words = life.words ?? new Words(new SharedArrayBuffer(CONTROL_BYTES));
    this.tables = openTables(this.words, TABLES, actorId(1));
    this.lives = new RuntimeWords(this.words);
    this.watch = new SlotWatch({
      ...this.tables,
      lastActor: 16,
      lanesPerActor: 1,
      nameOf: (actor) => this.#names.get(actor) ?? `actor ${actor}`,
      now: () => this.nowNs,
    });
    this.watch.openTimelines();
    this.memory = life.memory ?? PhysicalMemory.create([{ name: 'dram', base: BASE, sizeBytes: 128 * MiB }]);
    const holes = [{ offset: CMA_BASE - BASE, sizeBytes: cmaBytes }];
    this.system = new SystemHeap('system', this.memory, { base: BASE, sizeBytes: 128 * MiB, holes });
    this.system.age({ keep: 0.5, random: new RandomStream(1, 'aged') });
    this.cma = new CmaHeap('cma', this.memory, { base: CMA_BASE, sizeBytes: cmaBytes });
    const full: ExporterPolicy = {
      onBusy: 'wait',
      timeoutNs: 1_000_000,
      moveAt: 'first-map',
      moveBack: 'never',
      ...policy,
    };
    const costs = storageCosts({ copyBytesPerSecond: 1e9, zeroBytesPerSecond: 1e9 });
    const services = this.services('exporter');
    const { buffers, queues } = this.tables;
    if (sanitizerBytes !== undefined) {
      this.sanitizer = new DmaSanitizer(this.memory, () => this.nowNs, sanitizerBytes);
    }
    const { memory, sanitizer, tables, watch } = this;
    const { journal } = life;
    const lives: ActorLives = {
      last: 16,
      deaths: (actor) => this.lives.deaths(actor),
      reclaimed: (actor) => this.lives.reclaimed(actor),
    };
    const heaps = [this.system, this.cma].map((heap) => sanitizer?.wrap(heap) ?? heap);
    this.exporter = new Exporter({
      ...{ services, buffers, queues, heaps, policy: full, costs, sanitizer, watch, journal, lives },
      mover: (storage) => new BufferMover({ services, memory, ...tables, policy: full, costs, storage }),
    });
    this.mover = this.exporter.mover;
  }

  importer(
    constraints: DeviceConstraints,
    mapping: MappingStyle = 'per-job',
    more: Omit<ImporterTraits, 'mapping'> = {},
  ): DmaBufImporter {
    const device = { name: constraints.device, constraints, mapping, ...more };
    return new DmaBufImporter(this.services(constraints.device), this.tables.buffers, this.memory, device);
  }

  lane(): PipelineLane {
    this.#actors += 1;
    return new PipelineLane(new Timeline(this.tables.timelines, timelineSlot(this.#actors)));
  }

  create(options: { name?: string; sizeBytes?: number; heap?: string; expect?: string[] } = {}): BufferHandle {
    const { name = 'buffer', sizeBytes = MiB, heap, expect = [] } = options;
    const allocate = heap === undefined ? 'deferred' : { heap };
    return this.run(this.exporter.create({ name, pool: 'pool', sizeBytes, allocate, expect, expectTimeoutNs: 5000 }));
  }

  /** Runs a task to its end; time passes as it asks. */
  run<T>(task: Task<T>): T {
    let value: unknown;
    for (;;) {
      const result = task.next(value);
      if (result.done === true) return result.value;
      const park = result.value;
      if (park.kind === 'time') this.nowNs = Math.max(this.nowNs, park.untilNs);
      else if (park.kind !== 'word') throw new Error(`not on this table: ${park.what}`);
      else if (this.words.load(park.word) !== park.expected || this.onPark(park.what)) value = true;
      else if (Number.isFinite(park.untilNs)) {
        this.nowNs = Math.max(this.nowNs, park.untilNs);
        value = false;
      } else throw new Error(`it waits for ever for ${park.what}`);
    }
  }

  /** Where a buffer is. */
  heapOf(handle: BufferHandle): string | undefined {
    return [...this.exporter.liveBuffers].find((buffer) => buffer.slot === handle.slot)?.allocation?.heap;
  }

  services(name: string): ActorServices {
    const id = actorId(this.#actors);
    this.#names.set(id, name);
    this.#actors += 1;
    return {
      name,
      id,
      clock: { now: () => this.nowNs },
      words: this.words,
      trace: new TraceLog(false),
      random: (stream) => new RandomStream(1, stream),
      call: <T>(_peer: string, method: string, args: unknown): Task<T> => {
        const handlers: Record<string, CallHandler> = this.exporter.handlers();
        return handlers[method](structuredClone(args), name) as Task<T>;
      },
      serve: () => {},
      spawn: (_name, task) => this.spawned.push(task),
      untilScenarioTime: () => {
        throw new Error('not on this table');
      },
      backPressured: false,
    };
  }
}
