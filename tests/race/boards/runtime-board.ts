/**
 * The runtime's own words: two actors get ready, start, raise the model time reached and one waits for a time, all while
 * the runtime starts the run and stops it.
 *
 * In the end nobody waits, whoever has seen the start reads its epoch whole, and the time reached has never fallen.
 */
import { attempt, type Task } from '@dmabuf-lab/core/base';
import { RUNTIME_WORDS, RuntimeWords } from '@dmabuf-lab/core/runtime';
import { addInTwo, type Board, ExploredWords, MutatedWords, type Mutation, swapInTwo } from '../explorer/index.js';
import type { Protocol } from './protocol.js';

type RuntimeMutant =
  | 'counts in two operations'
  | 'raises the time in two operations'
  | 'starts before the epoch'
  | 'stops without a wake-up';

const EPOCH_NS = (7n << 32n) + 5n;
const START = 2;
const REACHED = 3;

/** The store of START before those of EPOCH. */
const START_FIRST: Mutation = {
  store(words, word, value) {
    if (word === 5) words.store(START as typeof word, 1);
    words.store(word, value);
  },
};

export function runtimeBoard(mutant?: RuntimeMutant): Board {
  const words = new ExploredWords(RUNTIME_WORDS * 4);
  words.keepAsInitial();
  const mutations: Record<RuntimeMutant, Mutation> = {
    'counts in two operations': { add: addInTwo },
    'raises the time in two operations': { compareExchange: swapInTwo },
    'starts before the epoch': START_FIRST,
    'stops without a wake-up': { notify() {} },
  };
  const right = new RuntimeWords(words);
  const wrong = mutant && new RuntimeWords(new MutatedWords(words, mutations[mutant]));
  const runtimeSide =
    mutant === 'starts before the epoch' || mutant === 'stops without a wake-up' ? (wrong ?? right) : right;
  const actorSide = runtimeSide === right ? (wrong ?? right) : right;
  let reached = 0;

  const runtime = function* (): Task<void> {
    yield* attempt(() => right.readyStep(2));
    runtimeSide.start(EPOCH_NS);
    yield* attempt(() => right.reachedStep(4_000_000));
    runtimeSide.stop();
  };
  const source = (times: readonly number[]) =>
    function* (): Task<void> {
      actorSide.countReady();
      yield* attempt(() => right.startStep());
      const epoch = right.epochNs();
      words.ghost(() => {
        if (epoch !== EPOCH_NS) throw new Error(`the epoch is read as ${epoch}`);
      });
      for (const ms of times) {
        actorSide.reach(ms * 1_000_000);
        words.ghost(() => {
          const now = words.peek(REACHED);
          if (now < reached) throw new Error(`the time reached falls from ${reached} to ${now}`);
          if (now > ms) words.probe('a source finds that another was further');
          reached = now;
        });
      }
      yield* attempt(() => right.reachedStep(9_000_000));
    };
  return {
    words,
    begin() {
      reached = 0;
      return { runtime, 'source 1': source([2, 4]), 'source 2': source([3]) };
    },
    end() {
      if (!right.stopped) throw new Error('the run has not been stopped');
    },
  };
}

export const RUNTIME: Protocol = {
  name: 'runtime: ready, start, reach, stop',
  board: (mutant) => runtimeBoard(mutant as RuntimeMutant),
  mutants: [
    'counts in two operations',
    'raises the time in two operations',
    'starts before the epoch',
    'stops without a wake-up',
  ],
  rarePaths: ['a source finds that another was further', 'sleeps: runtime for the set-up of all actors'],
  searches: [
    { by: 'depth first', preemptions: 1, schedules: 5_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 2, schedules: 12_000, complete: 'in explore' },
    { by: 'random', schedules: 1_000 },
  ],
};
