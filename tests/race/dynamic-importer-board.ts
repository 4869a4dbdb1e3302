/**
 * A dynamic importer with two jobs, a static one, and a move of each of two buffers, made of the production code: `PipelineJob`,
 * `DmaBufImporter`, `BufferMover`. Ghosts tell whether pages are touched while they are copied or after they have moved.
 */
import { actorId, attachmentSlot, bufferSlot, isErrno, type Task, timelineSlot } from '@dmabuf-lab/core/base';
import {
  DmaBufAttachment,
  DmaBufImporter,
  type DmaMapping,
  ExportedBuffer,
  type HeapAllocation,
  type ImporterTraits,
} from '@dmabuf-lab/core/dma-buf';
import {
  DeviceStatistics,
  layOutTables,
  openTables,
  type PipelineFrame,
  PipelineJob,
  PipelineLane,
} from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { BufferMover } from '@dmabuf-lab/core/migration';
import { Timeline } from '@dmabuf-lab/core/sync';
import { CmaHeap, storageCosts } from '@dmabuf-lab/heaps';
import { answering, GhostedBuffers, requestOf, servicesOf } from './board-parts.js';
import { ExploredWords, explore, type Outcome } from './explorer.js';

const PAGE = 4096;
const BASE = 0x4000_0000;
const NAMES = ['A', 'B'];

/**
 * What is wrong with the dynamic importer: it gives its count back before its fence is published, or uses what it mapped
 * for an earlier job without a look at the state.
 */
export type Mutant = 'leaves early' | 'trusts its mapping';

export interface DynamicBoardOptions {
  readonly mutant?: Mutant;
  /** It pins for each job; or for its stay, and goes on touching A between its jobs until it lets go. */
  readonly pins?: 'for each job' | 'for its stay';
}

export interface DynamicOutcome extends Outcome {
  readonly moved: number;
  /** Moves that found a pin. */
  readonly refused: number;
  /** Calls of moveNotify that the dynamic importer has heeded. */
  readonly heeded: number;
}

/** Runs one schedule; throws when a page is touched when it must not be. */
export function runDynamicBoard(seed: number, { mutant, pins }: DynamicBoardOptions): DynamicOutcome {
  const memory = PhysicalMemory.create([{ name: 'dram', base: BASE, sizeBytes: 64 * PAGE }]);
  const tables = layOutTables({ actors: 4, buffers: 2, attachments: 4, timelines: 2, pools: 1, frames: 1, rings: [] });
  const words = new ExploredWords(new SharedArrayBuffer(tables.sizeBytes));
  const open = openTables(words, tables, actorId(1));
  const heap = new CmaHeap('cma', memory, { base: BASE, sizeBytes: 64 * PAGE });
  const copying = [false, false];
  const storage: { generation: number; allocation: HeapAllocation }[] = [];
  const tally = { moved: 0, refused: 0, heeded: 0 };
  words.during([], 1_000_000, () => {
    for (const slot of [0, 1]) {
      open.buffers.openBuffer(bufferSlot(slot));
      open.buffers.publish(bufferSlot(slot));
      for (const job of [0, 1]) open.buffers.openAttachment(attachmentSlot(2 * job + slot));
      storage.push({ generation: 1, allocation: heap.allocate(PAGE, { zero: false }) });
    }
    for (const job of [0, 1]) open.timelines.open(timelineSlot(job));
  });

  const touch = (generation: number, slot: number): void => {
    if (copying[slot]) throw new Error(`${NAMES[slot]} is touched while it is copied`);
    if (generation !== storage[slot].generation) throw new Error(`${NAMES[slot]} is touched after it has moved`);
  };

  const device = (number: number, traits: ImporterTraits, rounds: number) =>
    function* (): Task<void> {
      const order = number === 0 ? [0, 1] : [1, 0];
      const services = servicesOf(words, number + 1);
      const slots = order.map((slot) => attachmentSlot(2 * number + slot));
      const known = order.map((slot, i) => {
        return new DmaBufAttachment({ slot: bufferSlot(slot), life: 1 }, slots[i], NAMES[slot], PAGE);
      });
      const constraints = { device: services.name };
      const importer = new BoardImporter(answering(services, open.buffers, storage), open.buffers, memory, {
        name: services.name,
        constraints,
        ...traits,
      });
      importer.knows(known, traits.importer === 'dynamic' ? mutant : undefined);
      const lane = new PipelineLane(new Timeline(open.timelines, timelineSlot(number)));
      const parts = { services, tables: open, importer, statistics: new DeviceStatistics() };
      const frames = order.map((slot, row) => frameOf(slot, row));
      for (let round = 0; round < rounds; round += 1) {
        const accesses = frames.map((frame) => ({ frame, write: true }));
        const job = yield* PipelineJob.begin(parts, lane, accesses);
        for (const [i, slot] of order.entries()) {
          words.pause(() => touch(importer.used[i].generation, slot));
        }
        job.end();
        if (pins === 'for its stay' && traits.pin) words.pause(() => touch(importer.used[0].generation, order[0]));
      }
      if (traits.pin) yield* importer.letGo();
      words.pause(() => {
        if (traits.importer === 'dynamic') tally.heeded += importer.moveNotifies;
      });
    };

  const mover = (slot: number) =>
    function* (): Task<void> {
      for (let i = 0; i < 25; i += 1) words.pause(() => {}); // so that the jobs may be anywhere when the moves begin
      const buffer = new ExportedBuffer(bufferSlot(slot), 1, requestOf(NAMES[slot]), PAGE);
      for (const [number, traits] of TRAITS(pins).entries()) {
        const attachment = attachmentSlot(2 * number + slot);
        const name = `device ${number + 1}`;
        const fixed = { slot: attachment, device: name, actor: actorId(number + 1), constraints: { device: name } };
        buffer.attachments.set(attachment, { ...fixed, ...traits });
      }
      const target = storage[slot].allocation;
      const ghosted = new GhostedBuffers(words, tables.buffers, tables.attachments, (isCopying) => {
        copying[slot] = isCopying;
        if (!isCopying) storage[slot].generation += 1;
      });
      const mover = new BufferMover({
        services: servicesOf(words, 3 + slot),
        memory,
        buffers: ghosted,
        queues: open.queues,
        resv: open.resv,
        timelines: open.timelines,
        policy: { onBusy: 'wait', timeoutNs: Number.POSITIVE_INFINITY, moveAt: 'first-map', moveBack: 'never' },
        costs: storageCosts({ copyBytesPerSecond: 1e9, zeroBytesPerSecond: 1e9 }),
        storage: { release: () => {}, settle: () => {}, violation: () => undefined },
      });
      try {
        yield* mover.move(buffer, target, { reason: 'test', forcedBy: [], requestedNs: 0 });
        words.pause(() => {
          tally.moved += 1;
        });
      } catch (error) {
        if (!isErrno(error, 'EBUSY')) throw error;
        words.pause(() => {
          tally.refused += 1;
        });
      }
    };

  const [dynamic, fixed] = TRAITS(pins);
  const actors = {
    'device 1': device(0, dynamic, 2),
    'device 2': device(1, fixed, 1),
    'move of A': mover(0),
    'move of B': mover(1),
  };
  return { ...explore(words, actors, seed), ...tally };
}

const TRAITS = (pins: DynamicBoardOptions['pins']): readonly ImporterTraits[] => [
  { mapping: pins === 'for its stay' ? 'held' : 'per-job', importer: 'dynamic', ...(pins && { pin: true }) },
  { mapping: 'per-job' },
];

/** What `PipelineJob` reads of a frame. */
function frameOf(slot: number, row: number): PipelineFrame {
  return {
    buffer: { slot: bufferSlot(slot), life: 1 },
    acquireFence: undefined,
    sequence: 0,
    row,
  } as unknown as PipelineFrame;
}

/** The production importer on attachments that are there already; a mutant differs in one step. */
class BoardImporter extends DmaBufImporter {
  /** Of the present job, in its order. */
  used: readonly DmaMapping[] = [];
  #known: readonly DmaBufAttachment[] = [];
  #mutant: Mutant | undefined;

  knows(known: readonly DmaBufAttachment[], mutant: Mutant | undefined): void {
    this.#known = known;
    this.#mutant = mutant;
  }

  override attachmentOf(buffer: DmaBufAttachment['buffer']): DmaBufAttachment | undefined {
    return this.#known.find((one) => one.buffer.slot === buffer.slot);
  }

  override *mapAll(
    attachments: readonly DmaBufAttachment[],
    debt: Parameters<DmaBufImporter['mapAll']>[1],
  ): Task<DmaMapping[]> {
    if (this.#mutant === 'trusts its mapping' && this.used.length > 0) {
      return this.used.map((one) => Object.assign(Object.create(Object.getPrototypeOf(one)), one));
    }
    this.used = yield* super.mapAll(attachments, debt);
    return [...this.used];
  }

  override beginUse(mappings: readonly DmaMapping[]): void {
    super.beginUse(mappings);
    if (this.#mutant === 'leaves early') this.leaveToFences(mappings);
  }

  override unmap(mapping: DmaMapping): void {
    if (this.#mutant !== 'trusts its mapping') super.unmap(mapping);
  }
}
