/**
 * Map, unmap and move: two static importers that map, touch and unmap one buffer, and a mover of it: `DmaBufImporter`,
 * `BufferMover`. Either importer may die, and so may its reclaimer, the production `reclaimActor`.
 *
 * In the end the buffer has moved, nobody is mapped and nobody waits. No page is touched while it is copied, after it has
 * been freed, or before it is filled.
 */
import { actorId, attachmentSlot, bufferSlot, type Task, wordAt } from '@dmabuf-lab/core/base';
import {
  type BufferState,
  BufferWords,
  DmaBufAttachment,
  DmaBufImporter,
  isMoving,
  type MapOutcome,
} from '@dmabuf-lab/core/dma-buf';
import { layOutTables, openTables } from '@dmabuf-lab/core/driver';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type Board, ExploredWords, MutatedWords, type Mutation } from '../explorer/index.js';
import { moveOnce, pageOf, STORAGE } from './mover-parts.js';
import { answering, reclaimerOf, servicesOf } from './parts.js';
import type { Protocol } from './protocol.js';

export type MapMutant =
  | 'looks at the state before it counts'
  | 'unmaps without a wake-up'
  | 'ends a move without a wake-up'
  | 'drains before it forbids maps';

const TABLES = layOutTables({ actors: 3, buffers: 1, attachments: 2, timelines: 2, pools: 1, frames: 1, rings: [] });
const BUFFER = bufferSlot(0);
const STATE = wordAt(TABLES.buffers, 0, 0);
const isMapped = (word: number): boolean =>
  word >= TABLES.attachments.base && word < TABLES.attachments.base + 2 * TABLES.attachments.rowWords;

/** Tells of rare paths; a mutant of it makes one mistake. */
class BoardBuffers extends BufferWords {
  constructor(
    private readonly explored: ExploredWords,
    words: ConstructorParameters<typeof BufferWords>[0],
    private readonly mutant: MapMutant | undefined,
  ) {
    super(words, TABLES.buffers, TABLES.attachments);
  }

  override tryMap(buffer: typeof BUFFER, slot: ReturnType<typeof attachmentSlot>, cached: BufferState): MapOutcome {
    if (this.mutant === 'looks at the state before it counts') {
      const state = this.state(buffer);
      if (state !== cached || state === 0) return { mapped: false, state };
      this.explored.add(wordAt(TABLES.attachments, slot, (cached >> 1) % 2), 1);
      return { mapped: true };
    }
    const outcome = super.tryMap(buffer, slot, cached);
    if (!outcome.mapped && isMoving(outcome.state)) this.explored.probe('a map backs out because of MOVING');
    if (!outcome.mapped && !isMoving(outcome.state) && cached !== 0)
      this.explored.probe('a map finds that it has moved');
    return outcome;
  }

  override beginMove(buffer: typeof BUFFER): void {
    if (this.mutant !== 'drains before it forbids maps') super.beginMove(buffer);
  }

  override publish(buffer: typeof BUFFER): BufferState {
    if (this.mutant === 'drains before it forbids maps') super.beginMove(buffer);
    return super.publish(buffer);
  }
}

export function mapBoard(mutant?: MapMutant): Board {
  const words = new ExploredWords(TABLES.sizeBytes);
  const setUp = openTables(words, TABLES, actorId(3));
  setUp.buffers.openBuffer(BUFFER);
  setUp.buffers.publish(BUFFER);
  for (const device of [0, 1]) setUp.buffers.openAttachment(attachmentSlot(device), actorId(device + 1));
  words.keepAsInitial();

  const silent = (about: (word: number) => boolean): Mutation => ({
    notify(own, word) {
      if (!about(word)) own.notify(word);
    },
  });
  const wrong =
    mutant === 'unmaps without a wake-up'
      ? new MutatedWords(words, silent(isMapped))
      : new MutatedWords(
          words,
          silent((word) => word === STATE),
        );
  const isOfImporter = mutant === 'unmaps without a wake-up' || mutant === 'looks at the state before it counts';
  const isSilent = mutant === 'unmaps without a wake-up' || mutant === 'ends a move without a wake-up';
  const right = new BoardBuffers(words, words, undefined);
  const mutated = new BoardBuffers(words, isSilent ? wrong : words, mutant);
  const importersBuffers = isOfImporter ? mutated : right;
  const moversBuffers = isOfImporter ? right : mutated;

  const device = (number: number, rounds: number) => {
    const services = answering(servicesOf(words, number + 1), importersBuffers, [], (state) => STORAGE[state / 2 - 1]);
    return function* (): Task<void> {
      const importer = new DmaBufImporter(services, importersBuffers, undefined as unknown as PhysicalMemory, {
        name: `device ${number}`,
        constraints: { device: `device ${number}` },
        mapping: 'per-job',
      });
      const handle = { slot: BUFFER, life: 1 };
      const attachment = new DmaBufAttachment(handle, attachmentSlot(number), 'buffer', 4096);
      for (let round = 0; round < rounds; round += 1) {
        const mapping = yield* importer.map(attachment, { owed: 0 });
        words.access(pageOf(0, mapping.generation, number), 'write');
        importer.unmap(mapping);
      }
    };
  };
  const attached = [0, 1].map((number) => {
    const name = `device ${number}`;
    return { slot: attachmentSlot(number), device: name, actor: actorId(number + 1), mapping: 'per-job' as const };
  });
  const fixed = { words, tables: setUp, queues: TABLES.queues, buffers: moversBuffers };
  const move = { ...fixed, id: 3, buffer: BUFFER, devices: [0, 1] };
  const mover = () => moveOnce(move, attached);
  return {
    words,
    begin: () => ({ 'device 1': device(0, 2), 'device 2': device(1, 1), mover }),
    mortal: ['device 1', 'device 2'],
    reclaimer: reclaimerOf(words, setUp, (dead) => [attachmentSlot(dead)]),
    end() {
      if (words.peek(STATE) !== 4) throw new Error(`the state of the buffer is ${words.peek(STATE)}, not 4`);
      for (const number of [0, 1]) {
        if (right.mappings(attachmentSlot(number)) !== 0) throw new Error('a mapping counts that has ended');
      }
    },
  };
}

export const MAP_AND_MOVE: Protocol = {
  name: 'map, unmap, move',
  board: (mutant) => mapBoard(mutant as MapMutant),
  mutants: [
    'looks at the state before it counts',
    'unmaps without a wake-up',
    'ends a move without a wake-up',
    'drains before it forbids maps',
  ],
  rarePaths: [
    'a map backs out because of MOVING',
    'a map finds that it has moved',
    'sleeps: mover for the mappings of an importer',
    'sleeps: device 1 for a buffer being moved',
    'a reclaimer dies',
  ],
  searches: [
    { by: 'depth first', preemptions: 2, schedules: 9_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 1_000, complete: 'in tests' },
    { by: 'random', crashes: 2, schedules: 300 },
    { by: 'PCT', depth: 3, crashes: 1, schedules: 300 },
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 100, complete: 'in explore' },
  ],
};
