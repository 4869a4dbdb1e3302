/**
 * Links: a producer that hands the frames of its pool to one consumer or two, through rings of depth 1; a consumer may leave
 * early. It is `PipelineOutput.push`, `PipelineInput` and `FrameWords`, and `reclaimActor` for those that die.
 *
 * In the end nobody holds a frame and no push is under way. A consumer takes frames in order and each once; where nothing is
 * dropped and nobody dies or leaves, all of them. Who writes a frame and who reads it never do so at a time.
 */
import { type AtomicWords, actorId, attempt, type Task, wordAt } from '@dmabuf-lab/core/base';
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
}

export type LinkMutant =
  | 'takes a frame in two operations'
  | 'moves on without a wake-up'
  | 'leaves while a push is under way'
  | 'pushes without a journal'
  | 'is reclaimed without a wake-up'
  | 'frees a frame without a count'
  | 'ends its hold in two operations'
  | 'is reclaimed as if it held what it did not';

const PRODUCER = actorId(1);
const FORMAT = {} as FrameFormat;

/** ENABLED of a ring. */
const ENABLED = 17;

class Ring extends RingWords {
  constructor(
    private readonly operations: AtomicWords,
    private readonly region: ConstructorParameters<typeof RingWords>[1],
    depth: number,
    private readonly explored: ExploredWords,
    private readonly mutant: LinkMutant | undefined,
  ) {
    super(operations, region, depth);
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
  override reclaimProducer(letGo: (frame: number) => void): void {
    super.reclaimProducer((frame) => {
      this.explored.probe('the dead had begun to push or to drop a frame');
      letGo(frame);
    });
  }
}

class Frames extends FrameWords {
  constructor(
    private readonly operations: AtomicWords,
    pools: ConstructorParameters<typeof FrameWords>[1],
    private readonly rows: ConstructorParameters<typeof FrameWords>[2],
    private readonly explored: ExploredWords,
    private readonly mutant: LinkMutant | undefined,
  ) {
    super(operations, pools, rows);
  }
  override reclaimHolds(pool: PoolRegion, holder: FrameHolder, nowNs: number): number {
    if (this.mutant === 'is reclaimed as if it held what it did not') {
      this.operations.add(wordAt(this.rows, pool.firstFrame, 1), -holder);
      return 1;
    }
    const count = super.reclaimHolds(pool, holder, nowNs);
    if (count > 0) this.explored.probe('the dead held a frame');
    return count;
  }
}

export function linkBoard(options: LinkBoardOptions, mutant?: LinkMutant): Board {
  const { policy, pushes, frames, consumers, leavesAfter } = options;
  const links = Array.from({ length: consumers }, (_, i) => i);
  const tables = layOutTables({
    actors: 1 + consumers,
    buffers: 1,
    attachments: 1,
    timelines: 1,
    pools: 1,
    frames,
    rings: links.map(() => 1),
  });
  const words = new ExploredWords(tables.sizeBytes);
  const pool: PoolRegion = { row: 0, firstFrame: 0, limit: frames };
  const setUp = openTables(words, tables, PRODUCER);
  for (let i = 0; i < frames; i += 1) setUp.frames.addBuffer(pool, { slot: 0, life: 1 } as never);
  for (const link of links) setUp.ring(link).enable();
  words.keepAsInitial();

  const RELEASES = wordAt(tables.pools, 0, 0);
  const heads = links.map((link) => wordAt(tables.rings[link].region, 0, 16));
  const mutations: Partial<Record<LinkMutant, Mutation>> = {
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
  const isOfRing = mutant === 'takes a frame in two operations' || mutant === 'moves on without a wake-up';
  const wrong = mutation && new MutatedWords(words, mutation);
  const opened: OpenTables = {
    ...setUp,
    frames: new Frames(isOfRing ? words : (wrong ?? words), tables.pools, tables.frames, words, mutant),
    ring: (index) => {
      const { region, depth } = tables.rings[index];
      return new Ring(isOfRing ? (wrong ?? words) : words, region, depth, words, mutant);
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

  const producer = function* (): Task<void> {
    const output = new PipelineOutput(partsOf(PRODUCER), 'out', FORMAT, undefined, links.map(spec));
    for (let push = 1; push <= pushes; push += 1) {
      const row = yield* attempt(() => opened.frames.acquireStep(pool, () => true));
      words.access(`frame ${row}`, 'write');
      words.ghost(() => {
        carried[row] = push;
      });
      const frame = new PipelineFrame(opened.frames, pool, row, FORMAT, FRAME_OWNER, 0);
      frame.lend(() => opened.frames.release(pool, row, FRAME_OWNER, 0), output);
      yield* output.push(frame);
    }
    for (const link of links) opened.ring(link).close();
  };
  const consumer = (link: number) =>
    function* (): Task<void> {
      const input = new PipelineInput(partsOf(2 + link), spec(link));
      const most = link === 0 ? (leavesAfter ?? pushes + 1) : pushes + 1;
      for (let count = 0; count < most; count += 1) {
        const frame = yield* input.take();
        if (frame === undefined) return;
        words.access(`frame ${frame.row}`, 'read');
        words.ghost(() => taken[link].push(carried[frame.row]));
        input.release(frame);
      }
      yield* input.leave();
    };
  return {
    words,
    begin() {
      carried = [];
      taken = links.map(() => []);
      const all = Object.fromEntries(links.map((link) => [`consumer ${link + 1}`, consumer(link)]));
      return { producer, ...all };
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
        lanesPerActor: 0,
      };
      const parts = { services: servicesOf(words, 9), tables: opened, owners, reclaimBuffers: () => {} };
      const actor = actorId(dead + 1);
      return reclaimActor(parts, { actor, name: `actor ${actor}`, deaths: 1, returns: false });
    },
    end(dead) {
      for (let frame = 0; frame < frames; frame += 1) {
        const holders = setUp.frames.holders(frame);
        if (holders !== 0) throw new Error(`frame ${frame} is held: ${holders}`);
      }
      for (const link of links) {
        if (words.peek(wordAt(tables.rings[link].region, 0, 1)) !== 0) throw new Error('a push is under way for ever');
        const inOrder = taken[link].every((push, i) => i === 0 || push > taken[link][i - 1]);
        if (!inOrder) throw new Error(`consumer ${link + 1} took ${taken[link]}`);
        const isWhole = dead.length === 0 && policy === 'block' && (link > 0 || leavesAfter === undefined);
        if (isWhole && taken[link].length !== pushes) throw new Error(`consumer ${link + 1} took only ${taken[link]}`);
      }
    },
  };
}
