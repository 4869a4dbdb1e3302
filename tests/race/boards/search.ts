/** Runs the searches of a protocol. */
import {
  type Board,
  DepthFirst,
  type Exploration,
  explore,
  type FoundFailure,
  Pct,
  RandomSwitches,
  type Strategy,
} from '../explorer/index.js';
import type { Protocol, Search } from './protocol.js';

/** Searches with other seeds: `TEST_SEED=n`. */
export const firstSeed = Number(process.env.TEST_SEED ?? 1);

export function strategyOf(search: Search, board: Board): Strategy {
  const { crashes = 0 } = search;
  if (search.by === 'depth first') return new DepthFirst(board.words, { preemptions: search.preemptions, crashes });
  if (search.by === 'random') return new RandomSwitches({ firstSeed, crashes });
  return new Pct({ firstSeed, crashes, depth: search.depth });
}

export function boundOf(search: Search): string {
  const crashes = search.crashes ? `, ${search.crashes} ${search.crashes === 1 ? 'crash' : 'crashes'}` : '';
  if (search.by === 'depth first') {
    return `all with ${search.preemptions} ${search.preemptions === 1 ? 'preemption' : 'preemptions'}${crashes}`;
  }
  return search.by === 'random' ? `random${crashes}` : `PCT d=${search.depth}${crashes}`;
}

export interface SearchResult extends Exploration {
  readonly search: Search;
}

export interface ProtocolResult {
  readonly results: readonly SearchResult[];
  readonly schedules: number;
  readonly steps: number;
  readonly failure: FoundFailure | undefined;
  /** The rare paths, in their order, and how many schedules have taken each. */
  readonly taken: readonly { readonly path: string; readonly schedules: number }[];
  /** Rare paths that no schedule has taken. */
  readonly neverTaken: readonly string[];
  /** Searches that are said to be complete and are not. */
  readonly unfinished: readonly string[];
}

/** What a search has tried, in words: all of its bound, or the first so many of that. */
export function triedOf({ search, schedules, exhausted }: SearchResult): string {
  const count = schedules.toLocaleString('en');
  if (exhausted) return `${boundOf(search)}: ${count} (complete)`;
  return search.by === 'depth first' ? `the first ${count} of ${boundOf(search)}` : `${boundOf(search)}: ${count}`;
}

/** The rare paths, in words: each with the number of schedules that took it. */
export function takenIn(taken: ProtocolResult['taken']): string {
  return taken.map(({ path, schedules }) => `${path} (${schedules.toLocaleString('en')})`).join('; ');
}

/** The searches that were to come to their end and did not. */
function unfinishedOf(results: readonly SearchResult[], isLong: boolean): string[] {
  const unfinished = results.filter((result) => result.failure === undefined && !result.exhausted);
  return unfinished.filter(({ search }) => mustFinish(search, isLong)).map(triedOf);
}

function mustFinish(search: Search, isLong: boolean): boolean {
  if (search.by !== 'depth first' || search.complete === undefined) return false;
  return isLong || search.complete === 'in tests';
}

/** How much longer a mutant is searched for than production is looked at. */
const MUTANT_TIMES = 4;

export interface Effort {
  /** How many times the schedules that a test runs. */
  readonly times?: number;
  /** Made for each search: tells whether there is time for more of it. */
  limit?(): () => boolean;
}

function schedulesOf(search: Search, times: number): number {
  const isLong = times > 1;
  return isLong && mustFinish(search, isLong) ? Number.POSITIVE_INFINITY : search.schedules * times;
}

/** Runs the searches on the production code, or with a mutant until one of them fails. */
export function searchProtocol(protocol: Protocol, mutant?: string, { times = 1, limit }: Effort = {}): ProtocolResult {
  const board = protocol.board(mutant);
  const results: SearchResult[] = [];
  for (const search of protocol.searches) {
    const schedules = schedulesOf(search, times) * (mutant === undefined ? 1 : MUTANT_TIMES);
    const mayGoOn = mustFinish(search, times > 1) ? undefined : limit?.();
    const budget = { schedules, crashes: search.crashes, mayGoOn };
    const result = { search, ...explore(board, strategyOf(search, board), budget) };
    results.push(result);
    if (result.failure !== undefined) break;
  }
  const taken = protocol.rarePaths.map((path) => ({ path, schedules: board.words.probes.get(path)?.schedules ?? 0 }));
  const sum = (of: (one: SearchResult) => number): number => results.reduce((total, one) => total + of(one), 0);
  return {
    results,
    schedules: sum((one) => one.schedules),
    steps: sum((one) => one.steps),
    failure: results[results.length - 1].failure,
    taken,
    neverTaken: taken.filter(({ schedules }) => schedules === 0).map(({ path }) => path),
    unfinished: unfinishedOf(results, times > 1),
  };
}
