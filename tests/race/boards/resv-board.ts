/**
 * Reservations: two actors that lock two buffers in opposite order and publish a fence on the first of them, and one that
 * reads its fences without the lock. Either of the two may die, and so may their reclaimer.
 *
 * In the end no lock is held, no slot is being changed, nobody waits. No two hold one lock at a time (a page that they write
 * under it tells), and no fence is ever read half changed, but for one whose owner is dead: it has ended with its timeline.
 */
import {
  type AtomicWords,
  actorId,
  attempt,
  type BufferSlot,
  bufferSlot,
  ERRNO,
  type TableRegion,
  type Task,
  timelineSlot,
  type WordIndex,
  WordLayout,
  WordPark,
  wordAt,
} from '@dmabuf-lab/core/base';
import {
  type AcquireContext,
  DmaResv,
  fenceStatus,
  type LockOutcome,
  lockReservations,
  RESV_ROW_WORDS,
  type ResvFence,
  ResvUsage,
  ResvWords,
  TIMELINE_ROW_WORDS,
  TimelineWords,
} from '@dmabuf-lab/core/sync';
import { type Board, ExploredWords, MutatedWords, type Mutation, swapInTwo } from '../explorer/index.js';
import type { Protocol } from './protocol.js';

type ResvMutant =
  | 'waits where it should back off'
  | 'takes a lock in two operations'
  | 'unlocks without a wake-up'
  | 'changes fences without a sign'
  | 'reclaims only where the dead was owner'
  | 'leaves a change of the dead open';

const layout = new WordLayout();
const RESV = layout.table(2, RESV_ROW_WORDS);
const TIMELINES = layout.table(2, TIMELINE_ROW_WORDS);
const TICKET = wordAt(layout.table(1, 16), 0, 0);
const [A, B] = [bufferSlot(0), bufferSlot(1)];
const LOCKS = [A, B].map((buffer) => wordAt(RESV, buffer, 0));
const SEQS = [A, B].map((buffer) => wordAt(RESV, buffer, 1));
const OLD_SEQNO = 7;
const NEW_SEQNO = 0x1_0000_0001;

/** One that waits behind an older holder, too. */
export class WaitingResv extends ResvWords {
  constructor(
    private readonly operations: AtomicWords,
    private readonly rows: TableRegion,
    ticketWord: WordIndex,
  ) {
    super(operations, rows, ticketWord);
  }
  override lockStep(buffer: BufferSlot, context: AcquireContext): LockOutcome | WordPark {
    const outcome = super.lockStep(buffer, context);
    if (outcome !== 'EDEADLK') return outcome;
    const lock = wordAt(this.rows, buffer, 0);
    return new WordPark(lock, this.operations.load(lock), 'a reservation lock');
  }
}

/** Tells of the rare paths. */
class ProbedResv extends ResvWords {
  constructor(private readonly explored: ExploredWords) {
    super(explored, RESV, TICKET);
  }
  override lockStep(buffer: BufferSlot, context: AcquireContext): LockOutcome | WordPark {
    const outcome = super.lockStep(buffer, context);
    if (outcome === 'EDEADLK') this.explored.probe('a younger context backs off');
    return outcome;
  }
  override reclaimLock(buffer: BufferSlot, dead: ReturnType<typeof actorId>): void {
    if ((this.explored.peek(LOCKS[buffer]) & 127) === dead) {
      this.explored.probe('a lock is taken from the dead');
      if (this.explored.peek(SEQS[buffer]) % 2 !== 0) this.explored.probe('reclaim finds an odd SEQ');
    }
    super.reclaimLock(buffer, dead);
  }
}

class OwnerOnlyReclaim extends ResvWords {
  constructor(private readonly explored: ExploredWords) {
    super(explored, RESV, TICKET);
  }
  override reclaimLock(buffer: BufferSlot, dead: ReturnType<typeof actorId>): void {
    if ((this.explored.load(LOCKS[buffer]) & 127) === dead) super.reclaimLock(buffer, dead);
  }
}

const MUTATIONS: Partial<Record<ResvMutant, Mutation>> = {
  'takes a lock in two operations': { compareExchange: swapInTwo },
  'unlocks without a wake-up': {
    notify(words, word) {
      if (!LOCKS.includes(word)) words.notify(word);
    },
  },
  'changes fences without a sign': { add: (words, word, delta) => (SEQS.includes(word) ? 0 : words.add(word, delta)) },
  'leaves a change of the dead open': {
    add: (words, word, delta) => (SEQS.includes(word) ? 0 : words.add(word, delta)),
  },
};

export function resvBoard(mutant?: ResvMutant): Board {
  const words = new ExploredWords(layout.sizeBytes);
  const right = new ProbedResv(words);
  const timelines = new TimelineWords(words, TIMELINES);
  for (const slot of [0, 1]) timelines.open(timelineSlot(slot));
  const fenceOf = (owner: number, seqno: number) => ({ timeline: timelineSlot(owner), generation: 1, seqno });
  const setUp = right.acquireContext(actorId(3));
  right.lockStep(A, setUp);
  for (const owner of [0, 1]) {
    new DmaResv(right, timelines, A).addFence(fenceOf(owner, OLD_SEQNO), ResvUsage.Write);
    timelines.signal(timelineSlot(owner), OLD_SEQNO - 1);
  }
  right.unlock(A, setUp);
  words.keepAsInitial();

  const mutation = mutant && MUTATIONS[mutant];
  const mutated = mutation && new ResvWords(new MutatedWords(words, mutation), RESV, TICKET);
  const isReclaims = mutant === 'leaves a change of the dead open';
  const lockers =
    mutant === 'waits where it should back off'
      ? new WaitingResv(words, RESV, TICKET)
      : isReclaims
        ? right
        : (mutated ?? right);
  const reclaims =
    mutant === 'reclaims only where the dead was owner'
      ? new OwnerOnlyReclaim(words)
      : isReclaims
        ? (mutated ?? right)
        : right;
  let torn: ResvFence[] = [];

  const locker = (owner: number, order: readonly BufferSlot[]) =>
    function* (): Task<void> {
      const context = lockers.acquireContext(actorId(owner + 1));
      yield* lockReservations(lockers, order, context);
      for (const buffer of order) words.access(`what lock ${buffer} protects`, 'write');
      new DmaResv(lockers, timelines, A).addFence(fenceOf(owner, NEW_SEQNO), ResvUsage.Write);
      for (const buffer of order) lockers.unlock(buffer, context);
    };
  const reader = function* (): Task<void> {
    const fences = yield* attempt(() => right.snapshotStep(A));
    words.ghost(() => {
      torn = fences.filter(({ fence }) => fence.seqno !== OLD_SEQNO && fence.seqno !== NEW_SEQNO);
      if (fences.length !== 2) throw new Error(`${fences.length} fences are read where there are 2`);
    });
  };
  return {
    words,
    begin() {
      torn = [];
      return { 'A then B': locker(0, [A, B]), 'B then A': locker(1, [B, A]), reader };
    },
    mortal: ['A then B', 'B then A'],
    reclaimer: (dead) =>
      function* () {
        timelines.fail(timelineSlot(dead), ERRNO.EOWNERDEAD);
        for (const buffer of [A, B]) reclaims.reclaimLock(buffer, actorId(dead + 1));
      },
    end(dead) {
      for (const buffer of [A, B]) {
        if (words.peek(LOCKS[buffer]) !== 0) throw new Error(`lock ${buffer} is held by nobody alive`);
        if (words.peek(SEQS[buffer]) % 2 !== 0) throw new Error(`the fences of ${buffer} are being changed by nobody`);
      }
      for (const { fence } of torn) {
        if (!dead.includes(fence.timeline)) throw new Error(`a fence is read half changed: ${fence.seqno}`);
        words.probe('a fence of the dead is read half changed');
      }
      for (const { fence } of right.fences(A)) {
        if (dead.includes(fence.timeline) && fenceStatus(timelines, fence) === 0)
          throw new Error('a fence of the dead is pending');
      }
    },
  };
}

export const RESERVATIONS: Protocol = {
  name: 'reservation: wait-die lock, fences',
  board: (mutant) => resvBoard(mutant as ResvMutant),
  mutants: [
    'waits where it should back off',
    'takes a lock in two operations',
    'unlocks without a wake-up',
    'changes fences without a sign',
    'reclaims only where the dead was owner',
    'leaves a change of the dead open',
  ],
  rarePaths: [
    'a younger context backs off',
    'a lock is taken from the dead',
    'reclaim finds an odd SEQ',
    'a reclaimer dies',
    'sleeps: reader for a reservation being changed',
    'sleeps: A then B for a reservation lock',
  ],
  searches: [
    { by: 'depth first', preemptions: 2, schedules: 15_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 1_000, complete: 'in tests' },
    { by: 'random', crashes: 3, schedules: 2_000 },
    { by: 'PCT', depth: 3, crashes: 2, schedules: 2_000 },
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 5_000, complete: 'in explore' },
  ],
};
