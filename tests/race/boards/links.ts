/** Rings and pools as they are explored. */
import { type LinkMutant, linkBoard } from './link-board.js';
import type { Protocol } from './protocol.js';

const SEARCHES: Protocol['searches'] = [
  { by: 'depth first', preemptions: 0, crashes: 1, schedules: 12_000, complete: 'in tests' },
  { by: 'depth first', preemptions: 1, schedules: 6_000, complete: 'in tests' },
  { by: 'depth first', preemptions: 2, schedules: 700 },
  { by: 'depth first', preemptions: 1, crashes: 1, schedules: 1_500 },
  { by: 'random', crashes: 3, schedules: 1_000 },
  { by: 'PCT', depth: 3, crashes: 1, schedules: 1_000 },
];

/** Rings of one consumer, which nobody overwrites: with a preemption and a death there are some ten thousand. */
const RING_SEARCHES = SEARCHES.map((search): (typeof SEARCHES)[number] =>
  search.by === 'depth first' && search.complete === undefined ? { ...search, complete: 'in explore' } : search,
);

const JOURNALS: readonly LinkMutant[] = ['pushes without a journal', 'moves on without a wake-up'];

export const RING_BLOCKS: Protocol = {
  name: 'ring: block',
  board: (mutant) => linkBoard({ policy: 'block', pushes: 3, frames: 2, consumers: 1 }, mutant as LinkMutant),
  mutants: [...JOURNALS, 'is reclaimed without a wake-up'],
  rarePaths: [
    'sleeps: producer for room in a queue',
    'sleeps: consumer 1 for a frame',
    'a reclaimer dies',
    'the dead had begun to push or to drop a frame',
    'the dead held a frame',
  ],
  searches: RING_SEARCHES,
};

export const RING_DROPS: Protocol = {
  name: 'ring: drop the oldest',
  board: (mutant) => linkBoard({ policy: 'drop-oldest', pushes: 3, frames: 3, consumers: 1 }, mutant as LinkMutant),
  mutants: ['takes a frame in two operations', 'pushes without a journal'],
  rarePaths: ['the dead had begun to push or to drop a frame', 'the dead held a frame'],
  searches: RING_SEARCHES,
};

export const RING_LEAVE: Protocol = {
  name: 'ring: a consumer leaves',
  board: (mutant) =>
    linkBoard({ policy: 'block', pushes: 3, frames: 2, consumers: 1, leavesAfter: 1 }, mutant as LinkMutant),
  mutants: ['leaves while a push is under way', 'moves on without a wake-up'],
  rarePaths: ['a push is under way when its consumer has gone', 'sleeps: consumer 1 for the end of a push'],
  searches: RING_SEARCHES,
};

export const RING_OVERWRITTEN: Protocol = {
  name: 'ring: overwritten',
  board: (mutant) =>
    linkBoard({ policy: 'block', pushes: 2, frames: 2, consumers: 1, overwritten: 'ring' }, mutant as LinkMutant),
  mutants: [
    'looks at the guards before it loads',
    'pushes into an overwritten ring',
    'leaves an overwritten ring as it is',
    'is reclaimed by the journal of an overwritten ring',
    'tells nobody of an overwritten ring',
  ],
  rarePaths: ['a push finds its ring overwritten', 'the dead has left an overwritten ring'],
  searches: SEARCHES,
};

export const RING_DROPS_OVERWRITTEN: Protocol = {
  name: 'ring: drop the oldest, overwritten',
  board: (mutant) =>
    linkBoard({ policy: 'drop-oldest', pushes: 3, frames: 2, consumers: 1, overwritten: 'ring' }, mutant as LinkMutant),
  mutants: ['looks at the guards before it loads', 'pushes into an overwritten ring'],
  rarePaths: ['a push finds its ring overwritten', 'the dead has left an overwritten ring'],
  searches: SEARCHES,
};

export const FRAME_OVERWRITTEN: Protocol = {
  name: 'frame pool: a frame overwritten',
  board: (mutant) =>
    linkBoard({ policy: 'block', pushes: 3, frames: 2, consumers: 1, overwritten: 'frame' }, mutant as LinkMutant),
  mutants: ['looks at the guards of a frame before it loads', 'waits for an overwritten frame'],
  rarePaths: ['a frame is found overwritten'],
  searches: SEARCHES,
};

export const POOL: Protocol = {
  name: 'frame pool: two consumers',
  board: (mutant) => linkBoard({ policy: 'block', pushes: 2, frames: 1, consumers: 2 }, mutant as LinkMutant),
  mutants: [
    'frees a frame without a count',
    'ends its hold in two operations',
    'is reclaimed as if it held what it did not',
  ],
  rarePaths: ['sleeps: producer for a free buffer', 'the dead held a frame'],
  searches: SEARCHES,
};
