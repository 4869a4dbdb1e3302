/**
 * Links: a producer that hands the frames of its pool to one consumer or two, through rings of depth 1; a consumer may leave
 * early. It is `PipelineOutput.push`, `PipelineInput` and `FrameWords`, and `reclaimActor` for those that die.
 *
 * Somebody may write over the words of a ring or of a frame meanwhile, from the end of its row, at any step.
 *
 * In the end nobody holds a frame and no push is under way. A consumer takes frames in order and each once; where nothing is
 * dropped and nobody dies or leaves, all of them. Who writes a frame and who reads it never do so at a time.
 */
import { type AtomicWords, actorId, attempt, isErrno, type Task, WordPark, wordAt } from '@dmabuf-lab/core/base';
import type { RowGuards } from '@dmabuf-lab/core/dma-buf';
import {
  DeviceStatistics,
  FRAME_OWNER,
  type FrameFormat,
  type FrameHolder,
  FrameWords,
  type LinkSpec,
  layOutTables,
  type OpenTables,
  openTables,
  PipelineFrame,
  PipelineInput,
  PipelineOutput,
  type PoolRegion,
  type PortParts,
  type QueuePolicy,
  RingWords,
  reclaimActor,
  rowGuardsOf,
} from '@dmabuf-lab/core/driver';
import { type Board, ExploredWords, MutatedWords, type Mutation, swapInTwo } from '../explorer/index.js';
import { servicesOf } from './parts.js';

export interface LinkBoardOptions {
  readonly policy: QueuePolicy;
  /** Frames that are pushed, through a pool of so many. */
  readonly pushes: number;
  readonly frames: number;
  readonly consumers: 1 | 2;
  /** Frames after which the first consumer leaves. */
  readonly leavesAfter?: number;
  /** Somebody writes over the words of the first of these. */
  readonly overwritten?: 'ring' | 'frame';
}

export type LinkMutant =
  | 'takes a frame in two operations'
  | 'moves on without a wake-up'
  | 'leaves while a push is under way'
  | 'pushes without a journal'
  | 'is reclaimed without a wake-up'
  | 'frees a frame without a count'
  | 'ends its hold in two operations'
  | 'is reclaimed as if it held what it did not'
  | 'looks at the guards before it loads'
  | 'looks at the guards of a frame before it loads'
  | 'waits for an overwritten frame'
  | 'pushes into an overwritten ring'
  | 'leaves an overwritten ring as it is'
  | 'is reclaimed by the journal of an overwritten ring'
  | 'tells nobody of an overwritten ring';

/** Mutants whose words are wrong for rings, and not for frames. */
const OF_RINGS: readonly string[] = [
  'takes a frame in two operations',
  'moves on without a wake-up',
  'tells nobody of an overwritten ring',
];

const PRODUCER = actorId(1);
const FORMAT = {} as FrameFormat;

/** Columns of a ring. */
const TAIL = 0;
const PUSHING = 1;
const INTENT = 2;
const HEAD = 16;
const ENABLED = 17;
const ENTRY = 32;
const TAKER = 35;
/** What a wild write leaves, and where, from the end of the row. */
const WILD = 0x7777_7777;
const OVERWRITTEN = {
  ring: [TAKER, ENTRY, ENABLED, HEAD, INTENT, PUSHING, TAIL],
  // of a frame: release fence, acquire fence, LIFE, BUFFER, ORDER, HOLDERS
  frame: [16, 10, 4, 3, 2, 1],
};

class Ring extends RingWords {
  #lastLook = false;

  constructor(
    private readonly operations: AtomicWords,
    private readonly region: ConstructorParameters<typeof RingWords>[1],
    depth: number,
    private readonly explored: ExploredWords,
    private readonly mutant: LinkMutant | undefined,
    guards?: RowGuards,
  ) {
    super(operations, region, depth, guards);
  }
  override get isDamaged(): boolean {
    const isDamaged = super.isDamaged;
    if (this.mutant !== 'looks at the guards before it loads') return isDamaged;
    const before = this.#lastLook;
    this.#lastLook = isDamaged;
    return before;
  }
  override push(frame: number, nowNs: number): boolean {
    const isPushed = super.push(frame, nowNs);
    if (!isPushed) this.explored.probe('a push finds its ring overwritten');
    return isPushed || this.mutant === 'pushes into an overwritten ring';
  }
  override intend(frame: number): void {
    if (this.mutant !== 'pushes without a journal') super.intend(frame);
  }
  override quietStep(): ReturnType<RingWords['quietStep']> {
    const step = super.quietStep();
    if (step !== true) this.explored.probe('a push is under way when its consumer has gone');
    return this.mutant === 'leaves while a push is under way' ? true : step;
  }
  override disable(): void {
    if (this.mutant === 'is reclaimed without a wake-up') this.operations.store(wordAt(this.region, 0, ENABLED), 0);
    else super.disable();
  }
  override reclaimProducer(letGo: (frame: number) => void, letGoBegun: () => void): void {
    super.reclaimProducer(
      (frame) => {
        this.explored.probe('the dead had begun to push or to drop a frame');
        letGo(frame);
      },
      () => {
        this.explored.probe('the dead has left an overwritten ring');
        if (this.mutant !== 'is reclaimed by the journal of an overwritten ring') letGoBegun();
      },
    );
  }
}

class Frames extends FrameWords {
  #lastLook = false;

  constructor(
    private readonly operations: AtomicWords,
    private readonly poolRows: ConstructorParameters<typeof FrameWords>[1],
    private readonly rows: ConstructorParameters<typeof FrameWords>[2],
    private readonly explored: ExploredWords,
    private readonly mutant: LinkMutant | undefined,
    guards: ConstructorParameters<typeof FrameWords>[3],
  ) {
    super(operations, poolRows, rows, guards);
  }
  override isLost(frame: number): boolean {
    const isLost = super.isLost(frame);
    if (isLost) this.explored.probe('a frame is found overwritten');
    if (this.mutant !== 'looks at the guards of a frame before it loads') return isLost;
    const before = this.#lastLook;
    this.#lastLook = isLost;
    return before;
  }
  override allFreeStep(pool: PoolRegion): ReturnType<FrameWords['allFreeStep']> {
    const step = super.allFreeStep(pool);
    if (this.mutant !== 'waits for an overwritten frame' || step !== true || !super.isLost(0)) return step;
    const word = wordAt(this.poolRows, pool.row, 0);
    return new WordPark(word, this.operations.load(word), 'a frame that is lost');
  }
  override reclaimHolds(
    pool: PoolRegion,
    holder: FrameHolder,
    nowNs: number,
    isOne?: (frame: number) => boolean,
  ): number {
    if (this.mutant === 'leaves an overwritten ring as it is' && isOne !== undefined) return 0;
    if (this.mutant === 'is reclaimed as if it held what it did not') {
      this.operations.add(wordAt(this.rows, pool.firstFrame, 1), -holder);
      return 1;
    }
    const count = super.reclaimHolds(pool, holder, nowNs, isOne);
    if (count > 0) this.explored.probe('the dead held a frame');
    return count;
  }
}

export function linkBoard(options: LinkBoardOptions, mutant?: LinkMutant): Board {
  const { policy, pushes, frames, consumers, leavesAfter, overwritten } = options;
  const links = Array.from({ length: consumers }, (_, i) => i);
  const tables = layOutTables({
    actors: 1 + consumers,
    buffers: 1,
    attachments: 1,
    timelines: 1,
    pools: 1,
    frames,
    rings: links.map(() => 1),
    guarded: overwritten !== undefined,
  });
  const words = new ExploredWords(tables.sizeBytes);
  const pool: PoolRegion = { row: 0, firstFrame: 0, limit: frames };
  const guards = rowGuardsOf(words, tables);
  for (const table of guards ? [guards.pools, guards.frames, ...guards.rings] : []) table.open();
  const setUp = openTables(words, tables, PRODUCER);
  for (let i = 0; i < frames; i += 1) setUp.frames.addBuffer(pool, { slot: 0, life: 1 } as never);
  for (const link of links) setUp.ring(link).enable();
  words.keepAsInitial();

  const RELEASES = wordAt(tables.pools, 0, 0);
  const heads = links.map((link) => wordAt(tables.rings[link].region, 0, HEAD));
  const ofFirstRing = [HEAD, TAIL, PUSHING].map((column) => wordAt(tables.rings[0].region, 0, column));
  const guardOfFirst = wordAt(tables.rings[0].region, 0, tables.rings[0].region.rowWords - 1);
  const mutations: Partial<Record<LinkMutant, Mutation>> = {
    'tells nobody of an overwritten ring': {
      notify(own, word) {
        if (own.peek(guardOfFirst) !== WILD || !ofFirstRing.includes(word)) own.notify(word);
      },
    },
    'takes a frame in two operations': { compareExchange: swapInTwo },
    'moves on without a wake-up': {
      notify(own, word) {
        if (!heads.includes(word)) own.notify(word);
      },
    },
    'frees a frame without a count': {
      add: (own, word, delta) => (word === RELEASES ? own.load(word) : own.add(word, delta)),
    },
    'ends its hold in two operations': { compareExchange: swapInTwo },
  };
  const mutation = mutant && mutations[mutant];
  const isOfRing = OF_RINGS.includes(mutant ?? '');
  const wrong = mutation && new MutatedWords(words, mutation);
  const opened: OpenTables = {
    ...setUp,
    frames: new Frames(isOfRing ? words : (wrong ?? words), tables.pools, tables.frames, words, mutant, guards),
    ring: (index) => {
      const { region, depth } = tables.rings[index];
      return new Ring(isOfRing ? (wrong ?? words) : words, region, depth, words, mutant, guards?.rings[index]);
    },
  };
  const spec = (link: number): LinkSpec => ({
    index: link,
    from: 'producer',
    to: `consumer ${link + 1}`,
    policy,
    pool,
    consumer: link,
    initialBuffers: frames,
    format: FORMAT,
  });
  const partsOf = (id: number): PortParts => ({
    services: servicesOf(words, id),
    tables: opened,
    importer: undefined as unknown as PortParts['importer'],
    statistics: new DeviceStatistics(),
  });
  /** Number of the push that each frame carries, and what each consumer took. */
  let carried: number[] = [];
  let taken: number[][] = [];

  /** Undefined when it has been overwritten since it was acquired, as production has it. */
  const frameAt = (row: number): PipelineFrame | undefined => {
    try {
      return new PipelineFrame(opened.frames, pool, row, FORMAT, FRAME_OWNER, 0);
    } catch (error) {
      if (isErrno(error, 'EIO')) return undefined;
      throw error;
    }
  };

  const producer = function* (): Task<void> {
    const output = new PipelineOutput(partsOf(PRODUCER), 'out', FORMAT, undefined, links.map(spec));
    for (let push = 1; push <= pushes; push += 1) {
      const row = yield* attempt(() => opened.frames.acquireStep(pool, () => true));
      words.access(`frame ${row}`, 'write');
      words.ghost(() => {
        carried[row] = push;
      });
      const frame = frameAt(row);
      if (frame === undefined) continue;
      frame.lend(() => opened.frames.release(pool, row, FRAME_OWNER, 0), output);
      yield* output.push(frame);
    }
    for (const link of links) opened.ring(link).close();
    if (overwritten === 'frame') yield* attempt(() => opened.frames.allFreeStep(pool));
  };
  const consumer = (link: number) =>
    function* (): Task<void> {
      const input = new PipelineInput(partsOf(2 + link), spec(link));
      const most = link === 0 ? (leavesAfter ?? pushes + 1) : pushes + 1;
      for (let count = 0; count < most; count += 1) {
        const frame = yield* input.take();
        if (frame === undefined) {
          if (overwritten !== undefined) break;
          return;
        }
        words.access(`frame ${frame.row}`, 'read');
        words.ghost(() => taken[link].push(carried[frame.row]));
        if (frame.buffer.life !== 1) throw new Error(`consumer ${link + 1} took a frame of no buffer`);
        input.release(frame);
      }
      yield* input.leave();
    };
  /** Guards first, as a wild write does that comes from the end of a row. */
  const wildWriter = function* (): Task<void> {
    if (overwritten === undefined) return;
    const region = overwritten === 'ring' ? tables.rings[0].region : tables.frames;
    for (const column of [region.rowWords - 1, ...OVERWRITTEN[overwritten]])
      words.store(wordAt(region, 0, column), WILD);
  };
  return {
    words,
    begin() {
      carried = [];
      taken = links.map(() => []);
      const all = Object.fromEntries(links.map((link) => [`consumer ${link + 1}`, consumer(link)]));
      return { producer, ...all, ...(overwritten && { 'wild writer': wildWriter }) };
    },
    mortal: ['producer', ...links.map((link) => `consumer ${link + 1}`)],
    reclaimer: (dead) => () => {
      const owners = {
        links: links.map((link) => ({
          ring: link,
          producer: PRODUCER,
          consumer: actorId(2 + link),
          pool,
          place: link,
        })),
        pools: [{ owner: PRODUCER, region: pool }],
        sources: [],
        lanesPerActor: 0,
      };
      const parts = { services: servicesOf(words, 9), tables: opened, owners, reclaimBuffers: () => {} };
      const actor = actorId(dead + 1);
      return reclaimActor(parts, { actor, name: `actor ${actor}`, deaths: 1, returns: false });
    },
    end(dead) {
      for (let frame = 0; frame < frames; frame += 1) {
        const holders = setUp.frames.holders(frame);
        if (holders !== 0 && (overwritten !== 'frame' || frame > 0))
          throw new Error(`frame ${frame} is held: ${holders}`);
      }
      for (const link of links) {
        const pushing = words.peek(wordAt(tables.rings[link].region, 0, PUSHING));
        if (pushing !== 0 && overwritten !== 'ring') throw new Error('a push is under way for ever');
        const inOrder = taken[link].every((push, i) => i === 0 || push > taken[link][i - 1]);
        if (!inOrder) throw new Error(`consumer ${link + 1} took ${taken[link]}`);
        const isWhole =
          dead.length === 0 &&
          overwritten === undefined &&
          policy === 'block' &&
          (link > 0 || leavesAfter === undefined);
        if (isWhole && taken[link].length !== pushes) throw new Error(`consumer ${link + 1} took only ${taken[link]}`);
      }
    },
  };
}
