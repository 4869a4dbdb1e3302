/**
 * Recovery: two devices that each run a job on one buffer (map, lock, publish a fence, touch, signal, unmap), a mover of it,
 * and death at any step of either device, of both, and of whoever reclaims. The production `reclaimActor` cleans up.
 *
 * In the end the buffer has moved, no mapping counts, no lock is held, every fence has ended, and nobody waits. No page is
 * touched by a living device while it is copied or after it has been freed; what a dead one was writing, nobody waits for.
 */
import { actorId, attachmentSlot, bufferSlot, type Task, timelineSlot, wordAt } from '@dmabuf-lab/core/base';
import { BufferWords, DmaBufAttachment, DmaBufImporter } from '@dmabuf-lab/core/dma-buf';
import { layOutTables, type OpenTables, openTables, PipelineLane, reclaimActor } from '@dmabuf-lab/core/driver';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  DmaResv,
  fenceStatus,
  lockReservations,
  ResvUsage,
  ResvWords,
  Timeline,
  TimelineWords,
} from '@dmabuf-lab/core/sync';
import { type Board, ExploredWords } from '../explorer/index.js';
import { moveOnce, pageOf, STORAGE } from './mover-parts.js';
import { OpenedTimelines } from './opposite-order-board.js';
import { answering, servicesOf } from './parts.js';
import type { Protocol } from './protocol.js';

export type RecoveryMutant =
  | 'is reclaimed by subtraction'
  | 'is reclaimed without a wake-up'
  | 'leaves its fences pending'
  | 'leaves its lock held'
  | 'is reclaimed only where it was owner';

const TABLES = layOutTables({ actors: 3, buffers: 1, attachments: 2, timelines: 2, pools: 1, frames: 1, rings: [] });
const BUFFER = bufferSlot(0);
const STATE = wordAt(TABLES.buffers, 0, 0);
const LOCK = wordAt(TABLES.resv, 0, 0);
const SEQ = wordAt(TABLES.resv, 0, 1);
const mappedWord = (slot: number, parity: number) => wordAt(TABLES.attachments, slot, parity);

/** The reclaimer's view of the buffers: right, or with a mistake. */
class ReclaimedBuffers extends BufferWords {
  constructor(
    private readonly explored: ExploredWords,
    private readonly mutant: RecoveryMutant | undefined,
  ) {
    super(explored, TABLES.buffers, TABLES.attachments);
  }
  override reclaimMappings(slot: ReturnType<typeof attachmentSlot>): void {
    const { explored, mutant } = this;
    if (this.mappingsNow(slot) > 0) explored.probe('the dead was mapped');
    else explored.probe('the dead was not mapped');
    if (mutant !== 'is reclaimed by subtraction' && mutant !== 'is reclaimed without a wake-up') {
      super.reclaimMappings(slot);
      return;
    }
    for (const parity of [0, 1]) {
      const word = mappedWord(slot, parity);
      if (mutant === 'is reclaimed without a wake-up') explored.store(word, 0);
      else if (parity === 1) {
        explored.add(word, -1); // "it had one mapping"
        explored.notify(word);
      }
    }
  }
  private mappingsNow(slot: number): number {
    return this.explored.peek(mappedWord(slot, 0)) + this.explored.peek(mappedWord(slot, 1));
  }
}

class ReclaimedResv extends ResvWords {
  constructor(
    private readonly explored: ExploredWords,
    private readonly mutant: RecoveryMutant | undefined,
    private readonly onLockOfDead: () => void,
  ) {
    super(explored, TABLES.resv, wordAt(TABLES.tickets, 0, 0));
  }
  override reclaimLock(buffer: typeof BUFFER, dead: ReturnType<typeof actorId>): void {
    const isOwner = (this.explored.peek(LOCK) & 127) === dead;
    if (isOwner) {
      this.explored.probe('the dead held the lock');
      this.onLockOfDead();
    }
    if (this.mutant === 'leaves its lock held') return;
    if (this.mutant === 'is reclaimed only where it was owner' && (this.explored.load(LOCK) & 127) !== dead) return;
    super.reclaimLock(buffer, dead);
  }
}

class ReclaimedTimelines extends TimelineWords {
  constructor(
    words: ExploredWords,
    private readonly mutant: RecoveryMutant | undefined,
  ) {
    super(words, TABLES.timelines);
  }
  override fail(slot: ReturnType<typeof timelineSlot>, errno: number): void {
    if (this.mutant !== 'leaves its fences pending') super.fail(slot, errno);
  }
}

export function recoveryBoard(mutant?: RecoveryMutant): Board {
  const words = new ExploredWords(TABLES.sizeBytes);
  const setUp = openTables(words, TABLES, actorId(3));
  setUp.buffers.openBuffer(BUFFER);
  setUp.buffers.publish(BUFFER);
  for (const device of [0, 1]) {
    setUp.buffers.openAttachment(attachmentSlot(device), actorId(device + 1));
    setUp.timelines.open(timelineSlot(device));
  }
  words.keepAsInitial();
  let lockOfDead = false;
  const opened = new OpenedTimelines(words, TABLES.timelines);
  const reclaimed: OpenTables = {
    ...setUp,
    buffers: new ReclaimedBuffers(words, mutant),
    resv: new ReclaimedResv(words, mutant, () => {
      lockOfDead = true;
    }),
    timelines: new ReclaimedTimelines(words, mutant),
  };

  const device = (number: number) => {
    const services = answering(servicesOf(words, number + 1), setUp.buffers, [], (state) => STORAGE[state / 2 - 1]);
    return function* (): Task<void> {
      const importer = new DmaBufImporter(services, setUp.buffers, undefined as unknown as PhysicalMemory, {
        name: `device ${number + 1}`,
        constraints: { device: `device ${number + 1}` },
        mapping: 'per-job',
      });
      const lane = new PipelineLane(new Timeline(opened, timelineSlot(number)));
      const attachment = new DmaBufAttachment({ slot: BUFFER, life: 1 }, attachmentSlot(number), 'buffer', 4096);
      const mapping = yield* importer.map(attachment, lane);
      const context = setUp.resv.acquireContext(actorId(number + 1));
      yield* lockReservations(setUp.resv, [BUFFER], context);
      const fence = lane.owe();
      new DmaResv(setUp.resv, setUp.timelines, BUFFER).addFence(fence, ResvUsage.Read);
      setUp.resv.unlock(BUFFER, context);
      words.access(pageOf(0, mapping.generation, number), 'write');
      lane.pay(fence);
      importer.unmap(mapping);
    };
  };
  const attached = [0, 1].map((number) => {
    const name = `device ${number + 1}`;
    return { slot: attachmentSlot(number), device: name, actor: actorId(number + 1), mapping: 'per-job' as const };
  });
  const fixed = { words, tables: setUp, queues: TABLES.queues, buffers: setUp.buffers };
  const move = { ...fixed, id: 3, buffer: BUFFER, devices: [0, 1] };
  const mover = () => moveOnce(move, attached);
  return {
    words,
    begin() {
      lockOfDead = false;
      return { 'device 1': device(0), 'device 2': device(1), mover };
    },
    mortal: ['device 1', 'device 2'],
    reclaimer: (dead) => () => {
      const owners = { links: [], pools: [], sources: [], lanesPerActor: 1 };
      const reclaimBuffers = (): void => reclaimed.buffers.reclaimMappings(attachmentSlot(dead));
      const parts = { services: servicesOf(words, 9), tables: reclaimed, owners, reclaimBuffers };
      const actor = actorId(dead + 1);
      return reclaimActor(parts, { actor, name: `device ${actor}`, deaths: 1, returns: false });
    },
    end(dead) {
      words.probe(`deaths: ${dead.length}`);
      if (dead.length === 2 && lockOfDead) words.probe('two die, of which one holds the lock');
      if (words.peek(STATE) !== 4) throw new Error(`the state of the buffer is ${words.peek(STATE)}, not 4`);
      if (words.peek(LOCK) !== 0 || words.peek(SEQ) % 2 !== 0)
        throw new Error('the reservation is held by nobody alive');
      for (const number of [0, 1]) {
        if (setUp.buffers.mappings(attachmentSlot(number)) !== 0) throw new Error('a mapping counts that has ended');
      }
      for (const { fence } of setUp.resv.fences(BUFFER)) {
        if (fenceStatus(setUp.timelines, fence) === 0) throw new Error('a fence is pending that nobody will signal');
      }
    },
  };
}

export const RECOVERY: Protocol = {
  name: 'recovery: job and move, death anywhere',
  board: (mutant) => recoveryBoard(mutant as RecoveryMutant),
  mutants: [
    'is reclaimed by subtraction',
    'is reclaimed without a wake-up',
    'leaves its fences pending',
    'leaves its lock held',
    'is reclaimed only where it was owner',
  ],
  rarePaths: [
    'deaths: 0',
    'deaths: 1',
    'deaths: 2',
    'two die, of which one holds the lock',
    'a reclaimer dies',
    'the dead held the lock',
    'the dead was mapped',
    'the dead was not mapped',
  ],
  searches: [
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 2_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 1, schedules: 1_500, complete: 'in tests' },
    { by: 'random', crashes: 3, schedules: 1_200 },
    { by: 'PCT', depth: 3, crashes: 3, schedules: 500 },
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 1_000, complete: 'in explore' },
  ],
};
