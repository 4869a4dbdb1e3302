/**
 * The words of map, unmap and move alone, so small that more preemptions can be tried: two mappers, and a mover that gives a
 * first move up and carries a second one out. Any of the mappers may die.
 *
 * In the end the buffer is in generation 2, nobody is mapped and nobody waits; no page is touched while it is copied or after
 * it was freed.
 */
import { actorId, attachmentSlot, attempt, bufferSlot, type Task, wordAt } from '@dmabuf-lab/core/base';
import { type BufferState, BufferWords, isMoving, type MapOutcome, settledState } from '@dmabuf-lab/core/dma-buf';
import { layOutTables, openTables } from '@dmabuf-lab/core/driver';
import { type Board, ExploredWords, MutatedWords } from '../explorer/index.js';
import { pageOf } from './mover-parts.js';
import type { Protocol } from './protocol.js';

export type MapWordsMutant =
  | 'does not look again after it has counted'
  | 'gives a move up without a wake-up'
  | 'backs out without a wake-up'
  | 'is reclaimed only where it was mapped';

const TABLES = layOutTables({ actors: 3, buffers: 1, attachments: 2, timelines: 1, pools: 1, frames: 1, rings: [] });
const BUFFER = bufferSlot(0);
const STATE = wordAt(TABLES.buffers, 0, 0);
const PAGES = [0, 1].map((device) => [0, 1, 2].map((generation) => pageOf(0, generation, device)));
const mappedWords = (slot: number) => [0, 1].map((parity) => wordAt(TABLES.attachments, slot, parity));

class Hasty extends BufferWords {
  constructor(private readonly explored: ExploredWords) {
    super(explored, TABLES.buffers, TABLES.attachments);
  }
  override tryMap(_buffer: typeof BUFFER, slot: ReturnType<typeof attachmentSlot>, cached: BufferState): MapOutcome {
    this.explored.add(mappedWords(slot)[(cached >> 1) % 2], 1);
    return { mapped: true };
  }
}

export function mapWordsBoard(mutant?: MapWordsMutant): Board {
  const words = new ExploredWords(TABLES.sizeBytes);
  const right = openTables(words, TABLES, actorId(3)).buffers;
  right.openBuffer(BUFFER);
  right.publish(BUFFER);
  for (const device of [0, 1]) right.openAttachment(attachmentSlot(device), actorId(device + 1));
  words.keepAsInitial();
  const all = [0, 1].flatMap(mappedWords);
  const mutated = (mutation: ConstructorParameters<typeof MutatedWords>[1]): BufferWords =>
    new BufferWords(new MutatedWords(words, mutation), TABLES.buffers, TABLES.attachments);
  const silent = (about: readonly number[]): BufferWords =>
    mutated({
      notify(own, word) {
        if (!about.includes(word)) own.notify(word);
      },
    });
  let mappers = right;
  if (mutant === 'does not look again after it has counted') mappers = new Hasty(words);
  if (mutant === 'backs out without a wake-up') mappers = silent(all);
  const movers = mutant === 'gives a move up without a wake-up' ? silent([STATE]) : right;

  const device = (number: number, rounds: number) =>
    function* (): Task<void> {
      const slot = attachmentSlot(number);
      let cached = settledState(1);
      for (let round = 0; round < rounds; round += 1) {
        for (;;) {
          const outcome = mappers.tryMap(BUFFER, slot, cached);
          if (outcome.mapped) break;
          if (isMoving(outcome.state)) words.probe('a map backs out because of MOVING');
          else words.probe('a map finds that it has moved');
          cached = yield* attempt(() => mappers.settledStep(BUFFER));
        }
        words.access(PAGES[number][cached >> 1], 'write');
        mappers.unmap(BUFFER, slot, cached);
      }
    };
  const drain = function* (): Task<void> {
    for (const number of [0, 1]) yield* attempt(() => movers.drainedStep(attachmentSlot(number)));
  };
  const mover = function* (): Task<void> {
    movers.beginMove(BUFFER);
    movers.abortMove(BUFFER);
    movers.beginMove(BUFFER);
    yield* drain();
    for (const pages of PAGES) {
      words.access(pages[1], 'read');
      words.access(pages[2], 'write');
    }
    movers.publish(BUFFER);
    for (const pages of PAGES) words.access(pages[1], 'write'); // freed, and somebody else's
  };
  return {
    words,
    begin: () => ({ 'device 1': device(0, 2), 'device 2': device(1, 1), mover }),
    mortal: ['device 1', 'device 2'],
    reclaimer: (dead) =>
      function* () {
        const isMapped = (): boolean => mappedWords(dead).some((word) => words.load(word) !== 0);
        if (mutant !== 'is reclaimed only where it was mapped' || isMapped())
          right.reclaimMappings(attachmentSlot(dead));
      },
    end() {
      if (words.peek(STATE) !== settledState(2)) throw new Error(`the state of the buffer is ${words.peek(STATE)}`);
      if (all.some((word) => words.peek(word) !== 0)) throw new Error('a mapping counts that has ended');
    },
  };
}

export const MAP_WORDS: Protocol = {
  name: 'map, unmap, move: the words',
  board: (mutant) => mapWordsBoard(mutant as MapWordsMutant),
  mutants: [
    'does not look again after it has counted',
    'gives a move up without a wake-up',
    'backs out without a wake-up',
    'is reclaimed only where it was mapped',
  ],
  rarePaths: [
    'a map backs out because of MOVING',
    'a map finds that it has moved',
    'a reclaimer dies',
    'sleeps: mover for the mappings of an importer',
    'sleeps: device 1 for a buffer being moved',
  ],
  searches: [
    { by: 'depth first', preemptions: 2, schedules: 15_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 12_000, complete: 'in tests' },
    { by: 'random', crashes: 3, schedules: 3_000 },
    { by: 'PCT', depth: 3, crashes: 1, schedules: 1_000 },
  ],
};
