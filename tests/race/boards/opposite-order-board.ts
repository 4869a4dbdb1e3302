/**
 * Two devices that map two buffers as one set, each in its own order, publish a fence on both and unmap, while one of the
 * buffers, or both, are moved. Either device may die.
 *
 * In the end everybody has gone on and each buffer has moved; no page is touched while it is copied or after it was freed.
 */
import { actorId, attachmentSlot, bufferSlot, type Task, timelineSlot, wordAt, wordIndex } from '@dmabuf-lab/core/base';
import { DmaBufAttachment, DmaBufImporter, type DmaMapping } from '@dmabuf-lab/core/dma-buf';
import { layOutTables, openTables, PipelineLane } from '@dmabuf-lab/core/driver';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { DmaResv, lockReservations, ResvUsage, ResvWords, Timeline, TimelineWords } from '@dmabuf-lab/core/sync';
import { type Board, ExploredWords } from '../explorer/index.js';
import { moveOnce, pageOf, STORAGE } from './mover-parts.js';
import { answering, reclaimerOf, servicesOf } from './parts.js';
import type { Protocol } from './protocol.js';
import { WaitingResv } from './resv-board.js';

export type OrderMutant = 'maps one by one' | 'waits where it should back off' | 'leaves a lock of the dead held';

const TABLES = layOutTables({ actors: 4, buffers: 2, attachments: 4, timelines: 2, pools: 1, frames: 1, rings: [] });
const BUFFERS = [0, 1];

/** A timeline that is open already: opening it again would be an operation of the job. */
export class OpenedTimelines extends TimelineWords {
  override open(): void {}
}

/** Takes back no lock of a set but the first. */
class ForgetfulResv extends ResvWords {
  constructor(words: ExploredWords) {
    super(words, TABLES.resv, wordAt(TABLES.tickets, 0, 0));
  }
  override reclaimLock(...[buffer, dead]: Parameters<ResvWords['reclaimLock']>): void {
    if (buffer === 0) super.reclaimLock(buffer, dead);
  }
}

export function oppositeOrderBoard(moves: readonly number[], mutant?: OrderMutant): Board {
  const words = new ExploredWords(TABLES.sizeBytes);
  const open = openTables(words, TABLES, actorId(1));
  for (const buffer of BUFFERS) {
    open.buffers.openBuffer(bufferSlot(buffer));
    open.buffers.publish(bufferSlot(buffer));
    for (const device of [0, 1]) open.buffers.openAttachment(attachmentSlot(2 * device + buffer), actorId(device + 1));
  }
  for (const device of [0, 1]) open.timelines.open(timelineSlot(device));
  words.keepAsInitial();
  const timelines = new OpenedTimelines(words, TABLES.timelines);
  const resv =
    mutant === 'waits where it should back off'
      ? new WaitingResv(words, TABLES.resv, wordAt(TABLES.tickets, 0, 0))
      : open.resv;

  const reclaimed = mutant === 'leaves a lock of the dead held' ? { ...open, resv: new ForgetfulResv(words) } : open;

  const device = (number: number) => {
    const order = number === 0 ? [0, 1] : [1, 0];
    const services = answering(servicesOf(words, number + 1), open.buffers, [], (state) => STORAGE[state / 2 - 1]);
    return function* (): Task<void> {
      const name = `device ${number + 1}`;
      const importer = new DmaBufImporter(services, open.buffers, undefined as unknown as PhysicalMemory, {
        name,
        constraints: { device: name },
        mapping: 'per-job',
      });
      const known = order.map((buffer) => {
        const handle = { slot: bufferSlot(buffer), life: 1 };
        return new DmaBufAttachment(handle, attachmentSlot(2 * number + buffer), `buffer ${buffer}`, 4096);
      });
      const lane = new PipelineLane(new Timeline(timelines, timelineSlot(number)));
      const mappings: DmaMapping[] = [];
      if (mutant === 'maps one by one') for (const one of known) mappings.push(yield* importer.map(one, lane));
      else mappings.push(...(yield* importer.mapAll(known, lane)));
      const slots = order.map((buffer) => bufferSlot(buffer));
      const context = resv.acquireContext(actorId(number + 1));
      yield* lockReservations(resv, slots, context);
      const fence = lane.owe();
      for (const slot of slots) new DmaResv(resv, timelines, slot).addFence(fence, ResvUsage.Read);
      for (const slot of slots) resv.unlock(slot, context);
      for (const [i, buffer] of order.entries()) words.access(pageOf(buffer, mappings[i].generation, number), 'write');
      lane.pay(fence);
      for (const mapping of mappings) importer.unmap(mapping);
    };
  };
  const mover = (buffer: number) =>
    function* (): Task<void> {
      const attached = [0, 1].map((number) => {
        const fixed = { device: `device ${number + 1}`, actor: actorId(number + 1), mapping: 'per-job' as const };
        return { slot: attachmentSlot(2 * number + buffer), ...fixed };
      });
      const { base, rowWords } = TABLES.queues;
      const queues = { base: wordIndex(base + buffer * rowWords), rows: 1, rowWords };
      const board = { words, tables: open, queues, buffers: open.buffers, id: 3 + buffer };
      yield* moveOnce({ ...board, buffer: bufferSlot(buffer), devices: [0, 1] }, attached);
    };
  return {
    words,
    begin: () => ({
      'device 1': device(0),
      'device 2': device(1),
      ...Object.fromEntries(moves.map((buffer) => [`mover of ${buffer}`, mover(buffer)])),
    }),
    mortal: ['device 1', 'device 2'],
    reclaimer: reclaimerOf(words, reclaimed, (dead) => BUFFERS.map((buffer) => attachmentSlot(2 * dead + buffer))),
    end() {
      for (const buffer of moves) {
        if (open.buffers.state(bufferSlot(buffer)) !== 4) throw new Error(`buffer ${buffer} has not moved`);
      }
    },
  };
}

export const OPPOSITE_ORDER: Protocol = {
  name: 'sets mapped in opposite order, two moves',
  board: (mutant) => oppositeOrderBoard([0, 1], mutant as OrderMutant),
  mutants: ['maps one by one', 'waits where it should back off'],
  rarePaths: [
    'sleeps: device 1 for a buffer being moved',
    'sleeps: mover of 0 for the mappings of an importer',
    'a reclaimer dies',
  ],
  searches: [
    { by: 'depth first', preemptions: 1, schedules: 200, complete: 'in explore' },
    { by: 'random', crashes: 2, schedules: 500 },
    { by: 'PCT', depth: 3, crashes: 1, schedules: 100 },
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 200, complete: 'in explore' },
  ],
};

export const OPPOSITE_ORDER_ONE_MOVE: Protocol = {
  name: 'sets mapped in opposite order, one move',
  board: (mutant) => oppositeOrderBoard([1], mutant as OrderMutant),
  mutants: ['waits where it should back off', 'leaves a lock of the dead held'],
  rarePaths: ['sleeps: mover of 1 for the mappings of an importer', 'sleeps: device 2 for a buffer being moved'],
  searches: [
    { by: 'depth first', preemptions: 1, schedules: 2_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 4_000, complete: 'in tests' },
  ],
};
