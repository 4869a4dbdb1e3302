/**
 * Who waits for whom, told by rows: two actors that never wait for each other for good, and a look at any time.
 *
 * `holder` holds BEFORE and, once the other has given it up, waits for AFTER. `taker` waits for BEFORE with a time-out, gives up,
 * takes AFTER, waits for GO, starts a helper that gives AFTER back, and waits for BEFORE again. So each waits for the other
 * at some time, and never both at once with nobody to go on. The look must find no deadlock.
 */
import { actorId, attempt, type Park, type Task, type WordIndex, WordPark, wordIndex } from '@dmabuf-lab/core/base';
import { DeadlockLook, type ParkRow, ParkRows, ParkWords } from '@dmabuf-lab/core/runtime';
import { type Board, ExploredWords, MutatedWords, type Mutation } from '../explorer/index.js';
import type { Protocol } from './protocol.js';

type ParkMutant =
  | 'is looked at once'
  | 'tells that it waits before it tells for what'
  | 'does not tell that it goes on'
  | 'starts a generator that is told of late';

const TAKER = actorId(1);
const HOLDER = actorId(2);
/** Behind the rows: two words that are held, 1 = by the taker, 2 = by the holder; and two signals. */
const FIRST = ParkWords.sizeBytes(2) / 4;
const BEFORE = wordIndex(FIRST);
const AFTER = wordIndex(FIRST + 1);
const GIVEN_UP = wordIndex(FIRST + 2);
const GO = wordIndex(FIRST + 3);
const RUNNING = 1;
const PARKED = 2;

/** A look without its second pass. */
class OneLook extends DeadlockLook {
  protected override isStill(): boolean {
    return true;
  }
}

const isSerial = (word: WordIndex): boolean => word >= 16 && word < FIRST && (word - 16) % 16 === 0 && !isHead(word);
const isHead = (word: WordIndex): boolean => (word - 16) % (16 * 65) === 0;

/** SERIAL before the contents: what a row is given comes behind the next SERIAL. */
function serialFirst(): Mutation {
  const late: [WordIndex, number][] = [];
  return {
    store(words, word, value) {
      const isContents = word >= 16 && word < FIRST && word % 16 >= 4 && !isHead(wordIndex(word - (word % 16)));
      if (isContents) late.push([word, value]);
      else words.store(word, value);
      if (isSerial(word) && (value & 3) === PARKED) for (const one of late.splice(0)) words.store(...one);
    },
  };
}

const NEVER_RUNS: Mutation = {
  store(words, word, value) {
    if (isSerial(word) && (value & 3) === RUNNING && (words.load(word) & 3) === PARKED) return;
    words.store(word, value);
  },
};

/** Runs a generator as the scheduler of a thread does. */
function* told(row: ParkRow, task: Task<void>): Task<void> {
  let result: IteratorResult<Park, void> = task.next();
  while (result.done !== true) {
    row.park(result.value, false);
    const value: unknown = yield result.value;
    row.run();
    result = task.next(value);
  }
  row.end();
}

export function parkBoard(mutant?: ParkMutant): Board {
  const words = new ExploredWords((FIRST + 4) * 4);
  words.store(BEFORE, HOLDER);
  words.keepAsInitial();
  /** One by one for each actor: an actor that is run anew begins with nothing held back. */
  const rowsOf = (actor: typeof TAKER): ParkRows => {
    const mutation =
      mutant === 'tells that it waits before it tells for what'
        ? serialFirst()
        : mutant === 'does not tell that it goes on'
          ? NEVER_RUNS
          : undefined;
    return new ParkRows(new ParkWords(mutation ? new MutatedWords(words, mutation) : words), actor, () => {});
  };
  const isLate = mutant === 'starts a generator that is told of late';
  const Look = mutant === 'is looked at once' ? OneLook : DeadlockLook;

  const give = (word: WordIndex, value: number): void => {
    words.store(word, value);
    words.notify(word);
  };
  const takeStep = (word: WordIndex, actor: number): true | WordPark => {
    const seen = words.compareExchange(word, 0, actor);
    return seen === 0 ? true : new WordPark(word, seen, 'a word that is held');
  };
  const signalStep = (word: WordIndex): true | WordPark =>
    words.load(word) === 1 ? true : new WordPark(word, 0, 'a signal');

  const helper = function* (): Task<void> {
    words.probe('a helper gives back what its actor holds');
    give(AFTER, 0);
  };
  const takerMain = function* (start: () => void): Task<void> {
    const seen = words.load(BEFORE);
    const woken: boolean = yield new WordPark(BEFORE, seen, 'a word that is held', 1_000_000);
    if (!woken) words.probe('a wait times out while it is looked at');
    yield* attempt(() => takeStep(AFTER, TAKER));
    give(GIVEN_UP, 1);
    yield* attempt(() => signalStep(GO));
    start();
    yield* attempt(() => takeStep(BEFORE, TAKER));
    give(BEFORE, 0);
  };
  const taker = function* (): Task<void> {
    const rows = rowsOf(TAKER);
    const main = rows.begin('main');
    let row: ParkRow | undefined;
    let task: Task<void> | undefined;
    const start = (): void => {
      if (!isLate) row = rows.begin('helper');
      task = helper();
    };
    // The helper runs once the main generator waits or has ended, as in a thread.
    const running = told(main, takerMain(start));
    const help = (): void => {
      if (task === undefined) return;
      const own = row ?? rows.begin('helper');
      task.next();
      own.end();
      task = undefined;
    };
    let result = running.next();
    while (result.done !== true) {
      help();
      const value: unknown = yield result.value;
      result = running.next(value);
    }
    help();
  };
  const holder = function* (): Task<void> {
    const rows = rowsOf(HOLDER);
    yield* told(
      rows.begin('main'),
      (function* (): Task<void> {
        yield* attempt(() => signalStep(GIVEN_UP));
        yield* attempt(() => takeStep(AFTER, HOLDER));
        give(AFTER, 0);
        give(BEFORE, 0);
      })(),
    );
  };
  const starter = function* (): Task<void> {
    give(GO, 1);
  };
  const looker = function* (): Task<void> {
    const owners = {
      ownersOf: ({ word }: WordPark) => {
        if (word !== BEFORE && word !== AFTER) return [];
        const owner = words.load(word);
        return owner === 0 ? [] : [{ actor: actorId(owner) }];
      },
    };
    const actors = [TAKER, HOLDER].map((id) => ({
      id,
      name: id === TAKER ? 'taker' : 'holder',
      posted: 0,
      isCalled: false,
      text: () => 'text',
    }));
    const sight = new Look(words, new ParkWords(words), owners).look(actors, 0);
    words.ghost(() => {
      if (sight.deadlocks.length > 0) throw new Error(`a deadlock is told that is none: ${sight.deadlocks[0].text}`);
      if (sight.tasks.length > 2) words.probe('a helper is seen');
    });
  };
  return {
    words,
    begin: () => ({ taker, holder, starter, looker }),
    end() {
      for (const word of [BEFORE, AFTER]) if (words.peek(word) !== 0) throw new Error('a word is still held');
    },
  };
}

export const PARK_ROWS_LOOK: Protocol = {
  name: 'rows of parks, and a look for deadlocks',
  board: (mutant) => parkBoard(mutant as ParkMutant),
  mutants: [
    'is looked at once',
    'tells that it waits before it tells for what',
    'does not tell that it goes on',
    'starts a generator that is told of late',
  ],
  rarePaths: [
    'a wait times out while it is looked at',
    'a helper gives back what its actor holds',
    'a helper is seen',
    'sleeps: holder for a word that is held',
  ],
  searches: [
    { by: 'depth first', preemptions: 1, schedules: 17_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 2, schedules: 4_000 },
    { by: 'random', schedules: 1_000 },
    { by: 'PCT', depth: 3, schedules: 1_000 },
  ],
};
