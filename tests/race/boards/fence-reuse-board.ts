/**
 * A timeline slot that is opened anew while fences of its former life are still asked about: its owner signals one point and
 * dies or not, the slot fails, and a new life is opened in it. Whoever does that may die at any step.
 *
 * In the end each fence of the former life has ended as it had to: the signalled one with success, the lost one with the
 * death, whoever asks and when.
 */
import { attempt, ERRNO, type Task, timelineSlot, WordLayout, wordAt } from '@dmabuf-lab/core/base';
import { TIMELINE_ROW_WORDS, TimelineWords } from '@dmabuf-lab/core/sync';
import { type Board, ExploredWords, MutatedWords, type Mutation } from '../explorer/index.js';
import type { Protocol } from './protocol.js';

type ReuseMutant = 'forgets how the past life failed' | 'looks at the generation too early' | 'never wakes';

const SLOT = timelineSlot(0);
const layout = new WordLayout();
const TABLE = layout.table(1, TIMELINE_ROW_WORDS);
const EPOCH = wordAt(TABLE, 0, 0);
const GENERATION = wordAt(TABLE, 0, 4);
const PAST = wordAt(TABLE, 0, 30);

const FORGETS: Mutation = {
  store(words, word, value) {
    if (word < PAST) words.store(word, value);
  },
};

/** Looks at the generation when a look begins, and not after what it judges by. */
function generationFirst(): Mutation {
  let seen = 0;
  return {
    load(words, word) {
      if (word === EPOCH) seen = words.load(GENERATION);
      return word === GENERATION ? seen : words.load(word);
    },
  };
}

export function fenceReuseBoard(mutant?: ReuseMutant): Board {
  const words = new ExploredWords(layout.sizeBytes);
  const timelines = new TimelineWords(words, TABLE);
  timelines.open(SLOT);
  const generation = timelines.generation(SLOT);
  words.keepAsInitial();
  const mutated = (name: ReuseMutant, mutation: () => Mutation): TimelineWords =>
    mutant === name ? new TimelineWords(new MutatedWords(words, mutation()), TABLE) : timelines;

  let signalled = false;

  const lives = function* (): Task<void> {
    const own =
      mutant === 'never wakes'
        ? mutated(mutant, () => ({ notify() {} }))
        : mutated('forgets how the past life failed', () => FORGETS);
    timelines.signal(SLOT, 1);
    words.ghost(() => {
      signalled = true;
    });
    own.fail(SLOT, ERRNO.EOWNERDEAD);
    own.open(SLOT);
    own.signal(SLOT, 1);
  };
  const waiter = function* (): Task<void> {
    const own = mutated('looks at the generation too early', generationFirst);
    const status = yield* attempt(() => own.step(SLOT, generation, 2, 'the lost point'));
    words.ghost(() => {
      if (status !== -ERRNO.EOWNERDEAD) throw new Error(`the lost point ends with ${status}`);
      if (words.peek(GENERATION) !== generation) words.probe('a waiter learns of a death in a past life');
    });
  };
  const poller = function* (): Task<void> {
    const own = mutated('looks at the generation too early', generationFirst);
    const status = yield* attempt(() => own.step(SLOT, generation, 1, 'the signalled point'));
    words.ghost(() => {
      if (status === 1) return;
      if (signalled || status !== -ERRNO.EOWNERDEAD) throw new Error(`the signalled point ends with ${status}`);
      words.probe('a point dies with its owner');
    });
  };
  return {
    words,
    begin() {
      signalled = false;
      return { lives, waiter, poller };
    },
    mortal: ['lives'],
    reclaimer: () =>
      function* () {
        timelines.fail(SLOT, ERRNO.EOWNERDEAD);
      },
  };
}

export const FENCE_REUSE: Protocol = {
  name: 'fence: reuse of a slot',
  board: (mutant) => fenceReuseBoard(mutant as ReuseMutant),
  mutants: ['forgets how the past life failed', 'looks at the generation too early', 'never wakes'],
  rarePaths: ['a waiter learns of a death in a past life', 'a point dies with its owner', 'a reclaimer dies'],
  searches: [
    { by: 'depth first', preemptions: 2, schedules: 30_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 1_000, complete: 'in tests' },
    { by: 'random', crashes: 2, schedules: 1_000 },
    { by: 'PCT', depth: 4, schedules: 1_000 },
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 1_000, complete: 'in explore' },
  ],
};
