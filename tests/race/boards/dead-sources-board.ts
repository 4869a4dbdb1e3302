/**
 * Dead sources with `pace: max`: two that raise the time reached, either of which or both may die at any step, and somebody who waits
 * for the end. Each comes back at an instant of its own, which only sources let come. The production `reclaimActor` cleans up.
 *
 * In the end nobody waits; and time has not gone beyond what sources have lived, but to the first return where both were dead.
 */
import { actorId, attempt, type Task } from '@dmabuf-lab/core/base';
import { layOutTables, openTables, reclaimActor, type SourceReturn, SourceWords } from '@dmabuf-lab/core/driver';
import { RuntimeWords } from '@dmabuf-lab/core/runtime';
import { type Board, ExploredWords, MutatedWords } from '../explorer/index.js';
import { servicesOf } from './parts.js';
import type { Protocol } from './protocol.js';

type SourceMutant =
  | 'lets time go on only as a lone source'
  | 'looks before it stores'
  | 'lets time go on to the last return'
  | 'does not look at the other source'
  | 'wakes nobody for a source that died half-way';

const COUNTS = { actors: 4, buffers: 1, attachments: 1, timelines: 4, pools: 2, frames: 2 };
const TABLES = layOutTables({ ...COUNTS, rings: [1, 1] });
const SOURCES = [actorId(1), actorId(2)];
const RETURNS_MS = [5, 7];
const END_MS = 9;
const REACHED = 3;
const NS_PER_MS = 1_000_000;

class WrongSources extends SourceWords {
  #seenNs: number | undefined;
  #dead = SOURCES[0];

  constructor(
    words: ExploredWords,
    private readonly mutant: SourceMutant,
  ) {
    super(words, TABLES.sources);
  }

  override died(source: (typeof SOURCES)[number], returns: SourceReturn): void {
    this.#seenNs = super.firstReturnNs(SOURCES);
    this.#dead = source;
    super.died(source, returns);
  }

  override firstReturnNs(sources: readonly (typeof SOURCES)[number][]): number | undefined {
    if (this.mutant === 'looks before it stores') return this.#seenNs;
    if (this.mutant === 'does not look at the other source') return super.firstReturnNs([this.#dead]);
    if (this.mutant === 'lets time go on only as a lone source') return undefined;
    return super.firstReturnNs(sources) === undefined ? undefined : Math.max(...RETURNS_MS) * NS_PER_MS;
  }
}

function deadSourcesBoard(mutant?: SourceMutant): Board {
  const words = new ExploredWords(TABLES.sizeBytes);
  const right = openTables(words, TABLES, actorId(4));
  words.keepAsInitial();
  const runtime = new RuntimeWords(words);
  /** As far as sources have come. */
  let livedMs = 0;
  let dead = new Set<number>();
  let isBack = false;

  const lives = function* (instants: readonly number[]): Task<void> {
    for (const ms of instants) {
      words.ghost(() => {
        livedMs = Math.max(livedMs, ms);
      });
      runtime.reach(ms * NS_PER_MS);
    }
  };
  const looksAtTime = (): void => {
    const mayBeMs = Math.max(livedMs, dead.size === 2 ? Math.min(...RETURNS_MS) : 0);
    const ms = words.peek(REACHED);
    if (!isBack && ms > mayBeMs) throw new Error(`the time reached is ${ms} ms, and may be ${mayBeMs} ms`);
    if (!isBack && ms > livedMs) words.probe('both are dead, and time goes on to the first return');
  };
  return {
    words,
    begin() {
      livedMs = 0;
      dead = new Set();
      isBack = false;
      return {
        'source 1': () => lives([2, END_MS]),
        'source 2': () => lives([3, END_MS]),
        watcher: () => attempt(() => runtime.reachedStep(END_MS * NS_PER_MS)),
      };
    },
    mortal: ['source 1', 'source 2'],
    reclaimer: (number) =>
      function* (): Task<void> {
        words.ghost(() => dead.add(number));
        const isAsleep = mutant === 'wakes nobody for a source that died half-way';
        const isRight = mutant === undefined || isAsleep;
        const tables = isRight ? right : { ...right, sources: new WrongSources(words, mutant) };
        const services = servicesOf(words, 9);
        const mute = { ...services, words: new MutatedWords(words, { notify() {} }) };
        const pool = (row: number) => ({ row, firstFrame: row, limit: 1 });
        const links = SOURCES.map((producer, i) => {
          return { ring: i, producer, consumer: actorId(3 + i), pool: pool(i), place: 0 };
        });
        const owners = { links, pools: [], lanesPerActor: 0 };
        const parts = { services: isAsleep ? mute : services, tables, owners, reclaimBuffers() {} };
        const returnsAtNs = RETURNS_MS[number] * NS_PER_MS;
        const death = { actor: SOURCES[number], name: `source ${number + 1}`, deaths: 1, returns: true, returnsAtNs };
        yield* reclaimActor(parts, death);
        words.ghost(looksAtTime);
        // Its event and its next life, which begins once the time is reached.
        yield* attempt(() => runtime.reachedStep(returnsAtNs));
        words.ghost(() => {
          looksAtTime();
          isBack = true;
        });
        yield* lives([END_MS]);
      },
    end(deadOnes) {
      words.probe(`deaths: ${deadOnes.length}`);
    },
  };
}

export const DEAD_SOURCES: Protocol = {
  name: 'dead sources: time goes on to the first return',
  board: (mutant) => deadSourcesBoard(mutant as SourceMutant),
  mutants: [
    'lets time go on only as a lone source',
    'looks before it stores',
    'lets time go on to the last return',
    'does not look at the other source',
    'wakes nobody for a source that died half-way',
  ],
  rarePaths: [
    'deaths: 0',
    'deaths: 1',
    'deaths: 2',
    'a reclaimer dies',
    'both are dead, and time goes on to the first return',
  ],
  searches: [
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 6_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 1, crashes: 2, schedules: 1_500 },
    { by: 'random', crashes: 3, schedules: 800 },
  ],
};
