/**
 * Sources with `pace: max`: two that raise the time reached, either of which or both may die at any step, and somebody who waits
 * for the end. Each comes back at an instant of its own, which only sources let come; on the second board one of them attaches late
 * as well, in each of its lives. The production `reclaimActor` cleans up.
 *
 * In the end nobody waits; and time has not gone beyond what sources have lived, but to the first return where none was there.
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
  | 'wakes nobody for a source that died half-way'
  | 'waits for its attach without a word';

const COUNTS = { actors: 4, buffers: 1, attachments: 1, timelines: 4, pools: 2, frames: 2 };
const TABLES = layOutTables({ ...COUNTS, rings: [1, 1] });
const SOURCES = [actorId(1), actorId(2)];
const RETURNS_MS = [5, 7];
const END_MS = 9;
const REACHED = 3;
const NS_PER_MS = 1_000_000;

type Source = (typeof SOURCES)[number];

class WrongSources extends SourceWords {
  constructor(
    words: ExploredWords,
    private readonly mutant: SourceMutant,
  ) {
    super(words, TABLES.sources);
  }

  override leave(source: Source, returns: SourceReturn, all: readonly Source[]): number | undefined {
    const beforeNs = this.mutant === 'looks before it stores' ? super.firstReturnNs(all) : undefined;
    const firstNs = super.leave(source, returns, this.mutant === 'does not look at the other source' ? [source] : all);
    if (this.mutant === 'looks before it stores') return beforeNs;
    if (this.mutant === 'lets time go on only as a lone source') return undefined;
    const isLast = this.mutant === 'lets time go on to the last return' && firstNs !== undefined;
    return isLast ? Math.max(...RETURNS_MS) * NS_PER_MS : firstNs;
  }
}

/** @param lateMs when each attaches; 0 = it is there from the start */
function sourcesBoard(lateMs: readonly number[], mutant?: SourceMutant): Board {
  const words = new ExploredWords(TABLES.sizeBytes);
  const open = openTables(words, TABLES, actorId(4));
  words.keepAsInitial();
  const runtime = new RuntimeWords(words);
  const isAsleep = mutant === 'wakes nobody for a source that died half-way';
  const isRight = mutant === undefined || isAsleep || mutant === 'waits for its attach without a word';
  const tables = isRight ? open : { ...open, sources: new WrongSources(words, mutant) };
  /** As far as sources have come, or had to be waited for by all. */
  let mayBeMs = 0;
  /** Until when each is away; absent = it is there. */
  let away = new Map<number, number>();

  const goesAway = (number: number, untilMs: number): void =>
    words.ghost(() => {
      away.set(number, untilMs);
      if (away.size < SOURCES.length) return;
      words.probe('none is there, and time goes on to the first return');
      mayBeMs = Math.max(mayBeMs, Math.min(...away.values()));
    });
  const looksAtTime = (): void => {
    const ms = words.peek(REACHED);
    if (ms > mayBeMs) throw new Error(`the time reached is ${ms} ms, and may be ${mayBeMs} ms`);
  };
  const comesAt = function* (number: number, ms: number): Task<void> {
    yield* attempt(() => runtime.reachedStep(ms * NS_PER_MS));
    words.ghost(() => {
      looksAtTime();
      away.delete(number);
    });
  };
  /** A life: comes late where it does, as a driver's actor does, and raises the time. */
  const lives = function* (number: number, instants: readonly number[]): Task<void> {
    if (lateMs[number] > 0) {
      if (mutant !== 'waits for its attach without a word') {
        goesAway(number, lateMs[number]);
        const firstNs = tables.sources.leave(SOURCES[number], lateMs[number] * NS_PER_MS, SOURCES);
        if (firstNs !== undefined) runtime.reach(firstNs);
      }
      yield* comesAt(number, lateMs[number]);
    }
    for (const ms of instants) {
      words.ghost(() => {
        mayBeMs = Math.max(mayBeMs, ms);
      });
      runtime.reach(ms * NS_PER_MS);
    }
  };
  return {
    words,
    begin() {
      mayBeMs = 0;
      away = new Map();
      return {
        'source 1': () => lives(0, [2, END_MS]),
        'source 2': () => lives(1, [3, END_MS]),
        watcher: () => attempt(() => runtime.reachedStep(END_MS * NS_PER_MS)),
      };
    },
    mortal: ['source 1', 'source 2'],
    reclaimer: (number) =>
      function* (): Task<void> {
        goesAway(number, RETURNS_MS[number]);
        const services = servicesOf(words, 9);
        const mute = { ...services, words: new MutatedWords(words, { notify() {} }) };
        const pool = (row: number) => ({ row, firstFrame: row, limit: 1 });
        const links = SOURCES.map((producer, i) => {
          return { ring: i, producer, consumer: actorId(3 + i), pool: pool(i), place: 0 };
        });
        const owners = { links, pools: [], sources: SOURCES, lanesPerActor: 0 };
        const parts = { services: isAsleep ? mute : services, tables, owners, reclaimBuffers() {} };
        const returnsAtNs = RETURNS_MS[number] * NS_PER_MS;
        const death = { actor: SOURCES[number], name: `source ${number + 1}`, deaths: 1, returns: true, returnsAtNs };
        yield* reclaimActor(parts, death);
        words.ghost(looksAtTime);
        // Its event and its next life, which begins once the time is reached.
        yield* comesAt(number, RETURNS_MS[number]);
        yield* lives(number, [END_MS]);
      },
    end(deadOnes) {
      words.probe(`deaths: ${deadOnes.length}`);
      looksAtTime();
    },
  };
}

const MUTANTS = [
  'lets time go on only as a lone source',
  'looks before it stores',
  'lets time go on to the last return',
  'does not look at the other source',
  'wakes nobody for a source that died half-way',
] as const;

const RARE_PATHS = [
  'deaths: 0',
  'deaths: 1',
  'deaths: 2',
  'a reclaimer dies',
  'none is there, and time goes on to the first return',
];

export const DEAD_SOURCES: Protocol = {
  name: 'dead sources: time goes on to the first return',
  board: (mutant) => sourcesBoard([0, 0], mutant as SourceMutant),
  mutants: MUTANTS,
  rarePaths: RARE_PATHS,
  searches: [
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 6_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 1, crashes: 2, schedules: 1_500 },
    { by: 'random', crashes: 3, schedules: 800 },
  ],
};

export const LATE_SOURCES: Protocol = {
  name: 'late sources: time goes on to the first attach or return',
  board: (mutant) => sourcesBoard([0, 5], mutant as SourceMutant),
  mutants: [...MUTANTS, 'waits for its attach without a word'],
  rarePaths: RARE_PATHS,
  searches: [
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 10_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 1, crashes: 2, schedules: 1_500 },
    { by: 'random', crashes: 3, schedules: 800 },
  ],
};
