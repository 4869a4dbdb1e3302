/**
 * A fence whose owner gives its work a time, and waiters that give up: the work is done in time or the owner lets its point
 * expire (ETIMEDOUT); one waits with a deadline and, once that is over, without one; one polls. The owner may die.
 *
 * In the end there is one end of the point, and everybody who has been told of an end was told of this one. A wait whose time
 * is up (which is no end) has looked after that time and found the point pending. A point that has expired never has success.
 */
import {
  attemptUntil,
  ERRNO,
  ErrnoError,
  isErrno,
  type Park,
  type Task,
  TIMED_OUT,
  timelineSlot,
  WordLayout,
  WordPark,
  wordAt,
} from '@dmabuf-lab/core/base';
import { fenceStatus, TIMELINE_ROW_WORDS, TimelineWords, waitFence, waitFenceUntil } from '@dmabuf-lab/core/sync';
import { type Board, ExploredWords, MutatedWords, type Mutation } from '../explorer/index.js';
import type { Protocol } from './protocol.js';

type DeadlineMutant =
  | 'lets a point expire that its owner may still signal'
  | 'tells of the error of a point after its end'
  | 'gives up without a last look'
  | 'tells a wait whose time is up that the point has expired';

const SLOT = timelineSlot(0);
const SOON = 1;
const layout = new WordLayout();
const TABLE = layout.table(1, TIMELINE_ROW_WORDS);
const WORK = wordAt(layout.table(1, 16), 0, 0);
const [SEQ_LO, FAILED, FIRST_ERRNO] = [1, 3, 6].map((column) => wordAt(TABLE, 0, column));

/** Keeps the store of a point's errno back until the point has ended. */
function errorLast(): Mutation {
  let held: number | undefined;
  return {
    store(words, word, value) {
      if (word === FIRST_ERRNO && value !== 0) held = value;
      else words.store(word, value);
      if (word !== SEQ_LO || held === undefined) return;
      words.store(FIRST_ERRNO, held);
      held = undefined;
    },
  };
}

export function fenceDeadlineBoard(mutant?: DeadlineMutant): Board {
  const words = new ExploredWords(layout.sizeBytes);
  const timelines = new TimelineWords(words, TABLE);
  timelines.open(SLOT);
  const fence = { timeline: SLOT, generation: timelines.generation(SLOT), seqno: 1 };
  words.keepAsInitial();
  /** Ends that somebody was told of. */
  let told: number[] = [];
  let expired = false;
  /** Whether the point had ended when the wait with a deadline last went on. */
  let endedAtWake = false;

  const owner = function* (): Task<void> {
    const step = () => (words.load(WORK) === 1 ? true : new WordPark(WORK, 0, 'the work'));
    const outcome = yield* attemptUntil(step, SOON);
    const isLate = outcome === TIMED_OUT;
    words.ghost(() => {
      expired = isLate;
      if (isLate) words.probe('the owner lets its point expire');
    });
    const isWrong = mutant === 'tells of the error of a point after its end';
    const own = isWrong ? new TimelineWords(new MutatedWords(words, errorLast()), TABLE) : timelines;
    own.signal(SLOT, fence.seqno, isLate ? ERRNO.ETIMEDOUT : 0);
  };
  const worker = function* (): Task<void> {
    words.store(WORK, 1);
    words.notify(WORK);
  };
  const tell = (status: number): void =>
    words.ghost(() => {
      if (status !== 0) told.push(status);
    });
  const waiter = function* (): Task<void> {
    try {
      const wait =
        mutant === 'gives up without a last look' ? waitHastily() : waitFenceUntil(timelines, fence, SOON, 'the point');
      tell(yield* seenAtWake(wait));
      return;
    } catch (error) {
      if (!isErrno(error, 'ETIMEDOUT')) throw error;
      words.ghost(() => {
        words.probe('the time of a wait is up');
        if (endedAtWake) throw new Error('a wait runs out of time although its point has ended before');
      });
    }
    if (mutant === 'lets a point expire that its owner may still signal') timelines.fail(SLOT, ERRNO.ETIMEDOUT);
    if (mutant === 'tells a wait whose time is up that the point has expired') tell(-ERRNO.ETIMEDOUT);
    const status = yield* waitFence(timelines, fence, 'the point, without a deadline');
    if (status === 1) words.ghost(() => words.probe('a wait whose time is up sees success later'));
    tell(status);
  };
  /** A wait that keeps in mind how its point stood when the wait went on. */
  const seenAtWake = function* (wait: Task<number>): Task<number> {
    let sent: unknown;
    for (;;) {
      const next: IteratorResult<Park, number> = wait.next(sent);
      if (next.done === true) return next.value;
      sent = yield next.value;
      words.ghost(() => {
        endedAtWake = words.peek(SEQ_LO) !== 0 || words.peek(FAILED) !== 0;
      });
    }
  };
  const waitHastily = function* (): Task<number> {
    for (;;) {
      const park = timelines.step(SLOT, fence.generation, fence.seqno, 'the point');
      if (typeof park === 'number') return park;
      const woken: boolean = yield new WordPark(park.word, park.expected, park.what, SOON);
      if (!woken) throw new ErrnoError('ETIMEDOUT', 'dma_fence_wait_timeout', 'Cannot wait longer for the point');
    }
  };
  const poller = function* (): Task<void> {
    for (let look = 0; look < 2; look += 1) tell(fenceStatus(timelines, fence));
  };
  return {
    words,
    begin() {
      told = [];
      expired = false;
      endedAtWake = false;
      return { owner, worker, waiter, poller };
    },
    mortal: ['owner'],
    reclaimer: () =>
      function* () {
        timelines.fail(SLOT, ERRNO.EOWNERDEAD);
      },
    end(dead) {
      const end = fenceStatus(timelines, fence);
      const right = expired ? -ERRNO.ETIMEDOUT : 1;
      if (end !== right && !(dead.length > 0 && end === -ERRNO.EOWNERDEAD)) {
        throw new Error(`the point ends with ${end}, not with ${right}`);
      }
      for (const one of told)
        if (one !== end) throw new Error(`somebody was told ${one} of a point that ends with ${end}`);
    },
  };
}

export const FENCE_DEADLINES: Protocol = {
  name: 'fence: deadlines and expiry',
  board: (mutant) => fenceDeadlineBoard(mutant as DeadlineMutant),
  mutants: [
    'lets a point expire that its owner may still signal',
    'tells of the error of a point after its end',
    'gives up without a last look',
    'tells a wait whose time is up that the point has expired',
  ],
  rarePaths: [
    'the time of a wait is up',
    'a wait whose time is up sees success later',
    'the owner lets its point expire',
    'a reclaimer dies',
    'sleeps: waiter for the point, without a deadline',
  ],
  searches: [
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 6_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 1, schedules: 12_000, complete: 'in tests' },
    { by: 'random', crashes: 2, schedules: 1_000 },
    { by: 'PCT', depth: 4, schedules: 1_000 },
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 200, complete: 'in explore' },
  ],
};
