/**
 * Two jobs, two buffers and a mover of each, made of the production code, for exploring their interleavings.
 *
 * Ghosts beside the words tell whether a page was touched while it was copied or after its generation had gone.
 */
import {
  type ActorServices,
  actorId,
  attachmentSlot,
  bufferSlot,
  type Task,
  timelineSlot,
} from '@dmabuf-lab/core/base';
import {
  type BufferWords,
  DmaBufAttachment,
  DmaBufImporter,
  ExportedBuffer,
  type HeapAllocation,
} from '@dmabuf-lab/core/dma-buf';
import { layOutTables, openTables, PipelineLane } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { BufferMover } from '@dmabuf-lab/core/migration';
import { DmaResv, lockReservations, ResvUsage, Timeline } from '@dmabuf-lab/core/sync';
import { CmaHeap, storageCosts } from '@dmabuf-lab/heaps';
import { answering, GhostedBuffers, requestOf, servicesOf } from './board-parts.js';
import { ExploredWords, explore, type Outcome } from './explorer.js';

const PAGE = 4096;
const BASE = 0x4000_0000;

export interface BoardOptions {
  /** How a job maps its two buffers. */
  readonly mapping: 'one by one' | 'as a set';
}

/** Runs one schedule; throws when a page is touched when it must not be. */
export function runBoard(seed: number, options: BoardOptions): Outcome {
  const memory = PhysicalMemory.create([{ name: 'dram', base: BASE, sizeBytes: 64 * PAGE }]);
  const tables = layOutTables({ actors: 4, buffers: 2, attachments: 4, timelines: 2, pools: 1, frames: 1, rings: [] });
  const words = new ExploredWords(new SharedArrayBuffer(tables.sizeBytes));
  const open = openTables(words, tables, actorId(1));
  const heap = new CmaHeap('cma', memory, { base: BASE, sizeBytes: 64 * PAGE });
  const ghosts = { copying: [false, false] };
  const names = ['A', 'B'];
  // What the exporter knows is its own, not shared; it is rebuilt at each re-execution from what was published.
  const storage: { generation: number; allocation: HeapAllocation }[] = [];
  words.during([], 1_000_000, () => {
    for (const slot of [0, 1]) {
      open.buffers.openBuffer(bufferSlot(slot));
      open.buffers.publish(bufferSlot(slot));
      for (const job of [0, 1]) open.buffers.openAttachment(attachmentSlot(2 * job + slot));
      storage.push({ generation: 1, allocation: heap.allocate(PAGE, { zero: false }) });
    }
    for (const job of [0, 1]) open.timelines.open(timelineSlot(job));
  });

  const job = (number: number) =>
    function* (): Task<void> {
      const order = number === 0 ? [0, 1] : [1, 0];
      const services = servicesOf(words, number + 1);
      const importer = new JobImporter(services, open.buffers, memory, options, storage);
      const attachments = order.map((slot) => importer.known(slot, attachmentSlot(2 * number + slot), names[slot]));
      const lane = new PipelineLane(openedTimeline(open.timelines, number));
      const mappings = yield* importer.mapBoth(attachments, lane);
      for (const [i, slot] of order.entries()) words.pause(() => touch(mappings[i].generation, slot));
      const slots = order.map((slot) => bufferSlot(slot));
      const context = open.resv.acquireContext(actorId(number + 1));
      yield* lockReservations(open.resv, slots, context);
      const fence = lane.owe();
      for (const slot of slots) new DmaResv(open.resv, open.timelines, slot).addFence(fence, ResvUsage.Write);
      for (const slot of slots) open.resv.unlock(slot, context);
      for (const [i, slot] of order.entries()) words.pause(() => touch(mappings[i].generation, slot));
      lane.pay(fence);
      for (const mapping of mappings) importer.unmap(mapping);
    };

  const touch = (generation: number, slot: number): void => {
    if (ghosts.copying[slot]) throw new Error(`${names[slot]} is touched while it is copied`);
    if (generation !== storage[slot].generation) throw new Error(`${names[slot]} is touched after it has moved`);
  };

  const mover = (slot: number) =>
    function* (): Task<void> {
      for (let i = 0; i < 12; i += 1) words.pause(() => {}); // so that the jobs may be anywhere when the moves begin
      const services = servicesOf(words, 3 + slot);
      const buffer = new ExportedBuffer(bufferSlot(slot), 1, requestOf(names[slot]), PAGE);
      for (const number of [0, 1]) {
        const attachment = attachmentSlot(2 * number + slot);
        const device = `job ${number + 1}`;
        buffer.attachments.set(attachment, {
          slot: attachment,
          device,
          actor: actorId(number + 1),
          constraints: { device },
          mapping: 'per-job',
        });
      }
      buffer.allocation = undefined; // the copy itself is a ghost: its start and its end are the words below
      const target = storage[slot].allocation;
      const parts = {
        services,
        memory,
        buffers: new GhostedBuffers(words, tables.buffers, tables.attachments, (copying) => {
          ghosts.copying[slot] = copying;
          if (!copying) storage[slot].generation += 1;
        }),
        queues: open.queues,
        resv: open.resv,
        timelines: open.timelines,
        policy: { onBusy: 'wait', timeoutNs: Number.POSITIVE_INFINITY, moveAt: 'first-map', moveBack: 'never' },
        costs: storageCosts({ copyBytesPerSecond: 1e9, zeroBytesPerSecond: 1e9 }),
        storage: { release: (one: typeof target) => heap.free(one), settle: () => {}, violation: () => undefined },
      } as const;
      yield* new BufferMover(parts).move(buffer, target, { reason: 'test', forcedBy: [], requestedNs: 0 });
    };

  return explore(words, { 'job 1': job(0), 'job 2': job(1), 'move of A': mover(0), 'move of B': mover(1) }, seed);
}

/** An importer whose slow path is answered at once from the published storage, and which may map one by one. */
class JobImporter extends DmaBufImporter {
  constructor(
    services: ActorServices,
    buffers: BufferWords,
    memory: PhysicalMemory,
    private readonly options: BoardOptions,
    storage: readonly { allocation: HeapAllocation }[],
  ) {
    super(answering(services, buffers, storage), buffers, memory, {
      name: services.name,
      constraints: { device: services.name },
      mapping: 'per-job',
    });
  }

  known(slot: number, attachment: ReturnType<typeof attachmentSlot>, name: string): DmaBufAttachment {
    return new DmaBufAttachment({ slot: bufferSlot(slot), life: 1 }, attachment, name, PAGE);
  }

  *mapBoth(attachments: readonly DmaBufAttachment[], lane: PipelineLane) {
    if (this.options.mapping === 'as a set') return yield* this.mapAll(attachments, lane);
    const first = yield* this.map(attachments[0], lane);
    const second = yield* this.map(attachments[1], lane);
    return [first, second];
  }
}

/** A timeline that is open already: opening it again would be an operation of the job. */
function openedTimeline(timelines: ReturnType<typeof openTables>['timelines'], slot: number): Timeline {
  return new Timeline(timelines, timelineSlot(slot));
}
