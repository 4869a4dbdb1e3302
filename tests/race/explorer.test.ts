import { attempt, attemptUntil, type Task, WordPark, wordIndex } from '@dmabuf-lab/core/base';
import test from 'ava';
import { FENCES } from './boards/fence-board.js';
import { searchProtocol } from './boards/search.js';
import {
  type Board,
  DepthFirst,
  ExploredWords,
  explore,
  formatSchedule,
  isAlike,
  Pct,
  parseSchedule,
  RandomSwitches,
  Replay,
  replay,
  runSchedule,
} from './explorer/index.js';

const [X, Y] = [wordIndex(0), wordIndex(1)];

/** Two actors that add one to a word, in two operations each; in the end it must be 2. */
function counting(steps = 1): Board {
  const words = new ExploredWords(64);
  words.keepAsInitial();
  const adder = function* (): Task<void> {
    for (let i = 0; i < steps; i += 1) words.store(X, words.load(X) + 1);
  };
  return {
    words,
    begin: () => ({ one: adder, other: adder }),
    end() {
      if (words.peek(X) !== 2 * steps) throw new Error(`${words.peek(X)} is counted, not ${2 * steps}`);
    },
  };
}

const unlimited = { schedules: 1_000_000 };

test('DepthFirst, without preemptions, tries each order of actors and finds no lost update', (t) => {
  const board = counting();
  const { exhausted, failure, schedules } = explore(board, new DepthFirst(board.words, { preemptions: 0 }), unlimited);
  t.true(exhausted);
  t.is(failure, undefined);
  t.true(schedules >= 2);
});

test('DepthFirst, with enough preemptions, tries every interleaving once', (t) => {
  const board = { ...counting(), end: undefined };
  explore(board, new DepthFirst(board.words, { preemptions: 9 }), unlimited); // learns which words are contended
  const seen = new Set<string>();
  const strategy = new DepthFirst(board.words, { preemptions: 9 });
  let count = 0;
  while (strategy.begin()) {
    count += 1;
    const steps: number[] = [];
    const noted = {
      begin: () => true,
      name: '',
      next: (point: Parameters<DepthFirst['next']>[0]) => {
        const choice = strategy.next(point);
        steps.push(choice);
        return choice;
      },
    };
    runSchedule(board, noted, 0);
    seen.add(steps.join());
  }
  t.is(seen.size, count);
  t.is(count, 6, 'two sequences of two steps interleave in 4! / (2! 2!) ways');
});

for (const [name, make] of [
  ['DepthFirst', (board: Board) => new DepthFirst(board.words, { preemptions: 1 })],
  ['RandomSwitches', () => new RandomSwitches({ firstSeed: 1 })],
  ['Pct', () => new Pct({ firstSeed: 1, depth: 2 })],
] as const) {
  test(`${name}, of a lost update, finds it, and its schedule shrinks to one preemption`, (t) => {
    const board = counting(5);
    const { failure } = explore(board, make(board), { schedules: 10_000 });
    if (failure === undefined) {
      t.fail('not found');
      return;
    }
    t.is(failure.kind, 'broken');
    t.true(parseSchedule(failure.schedule).length <= 2, failure.schedule);
    t.true(isAlike(failure, replay(board, failure.schedule)));
    t.true(isAlike(failure, replay(board, failure.found)));
  });
}

test('RandomSwitches and Pct, of the same seed, give the same schedules', (t) => {
  for (const make of [() => new RandomSwitches({ firstSeed: 7 }), () => new Pct({ firstSeed: 7, depth: 3 })]) {
    const run = (): string[] => {
      const [board, strategy] = [counting(5), make()];
      return Array.from({ length: 20 }, () => {
        strategy.begin();
        const { schedule, steps } = runSchedule(board, strategy, 0);
        strategy.end(steps);
        return formatSchedule(schedule);
      });
    };
    const first = run();
    t.deepEqual(run(), first);
    t.true(new Set(first).size > 1);
  }
});

test('replay, of a recorded schedule, performs the same steps', (t) => {
  const board = counting(5);
  const strategy = new RandomSwitches({ firstSeed: 3 });
  strategy.begin();
  const { schedule } = runSchedule(board, strategy, 0);
  const again = runSchedule(board, new Replay(parseSchedule(formatSchedule(schedule))), 0);
  t.is(formatSchedule(again.schedule), formatSchedule(schedule));
});

test('an interrupted actor, goes on where it stood unless one on top of it is interrupted, which is started anew', (t) => {
  const made = [0, 0];
  const board = counting(5);
  const counted = (index: number, make: () => Task<unknown>) => () => {
    made[index] += 1;
    return make();
  };
  const begin = () => {
    const { one, other } = board.begin();
    return { one: counted(0, one), other: counted(1, other) };
  };
  for (const [text, expected] of [
    ['a3b', [1, 1]],
    ['a3b4a', [1, 2]],
    ['a1b1a1b1a', [1, 3]],
  ] as const) {
    made.fill(0);
    runSchedule({ ...board, begin, end: undefined }, new Replay(parseSchedule(text)), 0);
    t.deepEqual(made, [...expected], text);
  }
});

test('what a board notes down as a failure, is not lost where code on the way out is interrupted', (t) => {
  const words = new ExploredWords(64);
  words.keepAsInitial();
  const board: Board = {
    words,
    begin: () => ({
      *failing(): Task<void> {
        try {
          words.load(X);
          words.ghost(() => {
            throw new Error('seen');
          });
        } finally {
          words.store(Y, 1);
          words.store(Y, 2);
        }
      },
      *other(): Task<void> {
        words.load(Y);
      },
    }),
  };
  for (const text of ['', 'a1b1a', 'a2b1a', 'ba']) t.is(replay(board, text)?.message, 'seen', text);
});

test('parseSchedule, of text that is no schedule, says what one is made of', (t) => {
  t.deepEqual(parseSchedule('a12!bc'), [
    { actor: 0, steps: 12 },
    { actor: 1, steps: 0, crash: true },
    { actor: 2, steps: Number.POSITIVE_INFINITY },
  ]);
  for (const text of ['A1', 'a-1', '1a', '!3', 'z']) t.throws(() => parseSchedule(text), { message: /Cannot replay/ });
});

/** One that waits for a word to become 1, and one that sets it, with or without a wake-up. */
function waiting(notifies: boolean, untilNs = Number.POSITIVE_INFINITY): Board {
  const words = new ExploredWords(64);
  words.keepAsInitial();
  return {
    words,
    begin: () => ({
      *waiter(): Task<void> {
        yield* attemptUntil(() => (words.load(X) === 1 ? true : new WordPark(X, 0, 'a test')), untilNs);
      },
      *setter(): Task<void> {
        words.store(X, 1);
        if (notifies) words.notify(X);
      },
    }),
  };
}

test('a missing wake-up, is found as somebody that waits for ever, and one that times out is not', (t) => {
  const search = (board: Board) => explore(board, new DepthFirst(board.words, { preemptions: 1 }), unlimited);
  t.is(search(waiting(true)).failure, undefined);
  const { failure } = search(waiting(false));
  t.is(failure?.kind, 'stuck');
  t.is(failure?.message, 'waiter waits for a test');
  t.is(failure?.schedule, '', 'the waiter is the first: nothing has to be prescribed');
  t.is(search(waiting(false, 1_000)).failure, undefined);
});

/** A writer and a reader of one page, which a flag orders or not. */
function sharingPage(flag: 'waits for the flag' | 'looks at another word'): Board {
  const words = new ExploredWords(64);
  words.keepAsInitial();
  return {
    words,
    begin: () => ({
      *writer(): Task<void> {
        words.access('the page', 'write');
        words.store(X, 1);
        words.notify(X);
        words.store(Y, 1);
      },
      *reader(): Task<void> {
        yield* attempt(() => (words.load(X) === 1 ? true : new WordPark(X, 0, 'the page')));
        words.access('the page', 'read');
      },
      *bystander(): Task<void> {
        words.load(Y);
        if (flag === 'looks at another word') words.access('the page', 'read');
      },
    }),
  };
}

test('an access to a page that no chain of words orders behind a write, is a race that names both', (t) => {
  const search = (board: Board) => explore(board, new DepthFirst(board.words, { preemptions: 1 }), unlimited);
  t.is(search(sharingPage('waits for the flag')).failure, undefined);
  const { failure } = search(sharingPage('looks at another word'));
  t.is(failure?.kind, 'race');
  t.regex(failure?.message ?? '', /^(writer and bystander|bystander and writer) race on the page/);
});

/** A mortal actor that sets two words, and a reclaimer that completes the second; it may die as well. */
function dying(isThorough: boolean): Board {
  const words = new ExploredWords(64);
  words.keepAsInitial();
  const both = function* (): Task<void> {
    words.store(X, 1);
    words.store(Y, 1);
  };
  return {
    words,
    begin: () => ({ both }),
    mortal: ['both'],
    reclaimer: () =>
      function* (): Task<void> {
        if (isThorough || words.load(X) === 0) words.store(X, 1);
        if (isThorough || words.load(X) === 0) words.store(Y, 1);
      },
    end(dead) {
      if (words.peek(X) + words.peek(Y) !== 2) throw new Error(`half done after ${dead.length} deaths`);
      words.probe(`deaths: ${dead.length}`);
    },
  };
}

test('a crash, at every step and of the reclaimer too, is tried, and the schedule of a failure tells of it', (t) => {
  const board = dying(true);
  const bound = { preemptions: 0, crashes: 2 };
  const sound = explore(board, new DepthFirst(board.words, bound), { ...unlimited, crashes: 2 });
  t.true(sound.exhausted);
  t.is(sound.failure, undefined);
  const schedulesWith = (path: string): number => board.words.probes.get(path)?.schedules ?? 0;
  t.true(schedulesWith('deaths: 0') > 0 && schedulesWith('deaths: 1') > 0);
  t.is(
    schedulesWith('deaths: 0') + schedulesWith('deaths: 1'),
    sound.schedules,
    'each once, and those that start over',
  );
  const careless = dying(false);
  const { failure } = explore(careless, new DepthFirst(careless.words, bound), { ...unlimited, crashes: 2 });
  t.regex(failure?.schedule ?? '', /!a/);
  t.regex(failure?.message ?? '', /half done after 1 deaths/);
});

test('a search that is said to be complete and is cut short, is told; one for the longer command only there', (t) => {
  const unfinished = (schedules: number, complete: 'in tests' | 'in explore', times: number): readonly string[] => {
    const searches = [{ by: 'depth first', preemptions: 1, schedules, complete } as const];
    return searchProtocol({ ...FENCES, searches }, undefined, { times }).unfinished;
  };
  t.deepEqual(unfinished(10, 'in tests', 1), ['the first 10 of all with 1 preemption']);
  t.deepEqual(unfinished(1_000, 'in tests', 1), []);
  t.deepEqual(unfinished(10, 'in explore', 1), []);
  t.deepEqual(unfinished(10, 'in explore', 2), [], 'it is not stopped there');
});

test('a path that both actors take, and again where their code is executed once more, counts once in a schedule', (t) => {
  const words = new ExploredWords(8);
  words.keepAsInitial();
  let notes = 0;
  const actor = function* (): Task<void> {
    for (let i = 0; i < 3; i += 1) {
      words.add(X, 1);
      words.probe('it counts');
      notes += 1;
    }
  };
  const board: Board = { words, begin: () => ({ one: actor, other: actor }) };
  const { schedules } = explore(board, new DepthFirst(words, { preemptions: 2, crashes: 0 }), unlimited);
  t.true(notes > 6 * schedules, 'some of it is executed once more');
  t.is(words.probes.get('it counts')?.schedules, schedules);
});
