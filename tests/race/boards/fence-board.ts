/**
 * Fences: a timeline that signals across the carry of its low word, one that waits, one that polls, and the reclaimer of
 * the signaller.
 *
 * In the end nobody waits. A waiter has success only for a point that was about to be signalled, and an error only from
 * its own point or from the death. What has ended once never changes.
 */
import { attempt, ERRNO, type Task, timelineSlot, WordLayout, wordAt } from '@dmabuf-lab/core/base';
import { TIMELINE_ROW_WORDS, TimelineWords } from '@dmabuf-lab/core/sync';
import {
  type Board,
  ExploredWords,
  MutatedWords,
  type Mutation,
  NOTIFIES_BEFORE_IT_STORES,
} from '../explorer/index.js';
import type { Protocol } from './protocol.js';

const SLOT = timelineSlot(0);
const BEFORE_CARRY = 0xffff_ffff;
const CARRY = 0x1_0000_0000;

type FenceMutant =
  | 'notifies before it stores'
  | 'stores the high word first'
  | 'reads plain halves'
  | 'reclaims without a wake-up';

const layout = new WordLayout();
const TABLE = layout.table(1, TIMELINE_ROW_WORDS);
const [SEQ_LO, SEQ_HI] = [1, 2].map((column) => wordAt(TABLE, 0, column));

/** A reader that does not look whether the low word tells of a carry: for it the seqno falls. */
function plainHalves(): Mutation {
  let parity = 0;
  return {
    load(words, word) {
      const value = words.load(word);
      if (word === SEQ_HI) parity = value & 1;
      return word === SEQ_LO ? (value & 0x7fff_ffff) | (parity << 31) : value;
    },
  };
}

/** Holds the store of the low word back until the high one is stored: the carry is read twice. */
function highWordFirst(): Mutation {
  let held: number | undefined;
  return {
    store(words, word, value) {
      if (word === SEQ_LO) held = value;
      else words.store(word, value);
      if (word !== SEQ_HI || held === undefined) return;
      words.store(SEQ_LO, held);
      held = undefined;
    },
  };
}

export function fenceBoard(mutant?: FenceMutant): Board {
  const words = new ExploredWords(layout.sizeBytes);
  const timelines = new TimelineWords(words, TABLE);
  timelines.open(SLOT);
  const generation = timelines.generation(SLOT);
  timelines.signal(SLOT, BEFORE_CARRY);
  words.keepAsInitial();
  const mutated = (name: FenceMutant, mutation: () => Mutation): TimelineWords =>
    mutant === name ? new TimelineWords(new MutatedWords(words, mutation()), TABLE) : timelines;
  let signalling = 0;

  const owner = function* (): Task<void> {
    const own =
      mutant === 'notifies before it stores'
        ? mutated(mutant, () => NOTIFIES_BEFORE_IT_STORES)
        : mutated('stores the high word first', highWordFirst);
    for (const [seqno, errno] of [
      [CARRY, ERRNO.EIO],
      [CARRY + 1, 0],
    ]) {
      words.ghost(() => {
        signalling = seqno;
      });
      own.signal(SLOT, seqno, errno);
    }
  };
  const waiter = function* (): Task<void> {
    const status = yield* attempt(() => timelines.step(SLOT, generation, CARRY + 1, 'the point after the carry'));
    words.ghost(() => check(status, CARRY + 1, 1));
  };
  const poller = function* (): Task<void> {
    const own = mutated('reads plain halves', plainHalves);
    let ended = 0;
    for (let look = 0; look < 2; look += 1) {
      const past = own.status(SLOT, generation, BEFORE_CARRY);
      const status = own.status(SLOT, generation, CARRY);
      words.ghost(() => {
        if (past !== 1) throw new Error(`a point that was signalled long ago is ${past}`);
        if (status !== 0) check(status, CARRY, -ERRNO.EIO);
        if (ended !== 0 && status !== ended)
          throw new Error(`a point that has ended with ${ended} ends with ${status}`);
      });
      ended = status;
    }
  };
  const check = (status: number, seqno: number, expected: number): void => {
    if (status === -ERRNO.EOWNERDEAD) words.probe('somebody sees the death of the signaller');
    else if (status !== expected) throw new Error(`a point ends with ${status}, not with ${expected}`);
    else if (signalling < seqno) throw new Error('a point has success before it is signalled');
  };
  return {
    words,
    begin() {
      signalling = 0;
      return { owner, waiter, poller };
    },
    mortal: ['owner'],
    reclaimer: () =>
      function* () {
        mutated('reclaims without a wake-up', () => ({ notify() {} })).fail(SLOT, ERRNO.EOWNERDEAD);
      },
    end(dead) {
      const status = timelines.status(SLOT, generation, CARRY + 1);
      if (status === 0) throw new Error('a point is pending although its owner is gone');
      if (dead.length === 0 && status !== 1) throw new Error(`the last point ends with ${status}`);
    },
  };
}

export const FENCES: Protocol = {
  name: 'fence: signal, wait, poll, fail',
  board: (mutant) => fenceBoard(mutant as FenceMutant),
  mutants: [
    'notifies before it stores',
    'stores the high word first',
    'reads plain halves',
    'reclaims without a wake-up',
  ],
  rarePaths: [
    'a reclaimer dies',
    'somebody sees the death of the signaller',
    'sleeps: waiter for the point after the carry',
  ],
  searches: [
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 20_000, complete: 'in tests' },
    { by: 'random', crashes: 2, schedules: 2_000 },
    { by: 'depth first', preemptions: 2, schedules: 20_000, complete: 'in tests' },
    { by: 'PCT', depth: 4, schedules: 1_000 },
  ],
};
