/**
 * A dynamic importer with two jobs, a static one with one, and a move of the buffer that both use: `PipelineJob`,
 * `DmaBufImporter`, `BufferMover`. The dynamic one may pin for each job, or for its stay. Either may
 * die.
 *
 * In the end the buffer has moved, or a pin of a stay has refused the move; nobody is mapped or pinned and nobody waits. No
 * page is touched while it is copied or after it was freed, by mappings that a job of a dynamic importer kept either.
 */
import {
  type AtomicWords,
  actorId,
  attachmentSlot,
  bufferSlot,
  isErrno,
  type Task,
  timelineSlot,
  type WordPark,
  wordAt,
} from '@dmabuf-lab/core/base';
import {
  BufferWords,
  DmaBufAttachment,
  DmaBufImporter,
  type DmaMapping,
  type ImporterTraits,
} from '@dmabuf-lab/core/dma-buf';
import {
  DeviceStatistics,
  layOutTables,
  openTables,
  type PipelineFrame,
  PipelineJob,
  PipelineLane,
} from '@dmabuf-lab/core/driver';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { Timeline } from '@dmabuf-lab/core/sync';
import { type Board, ExploredWords, MutatedWords } from '../explorer/index.js';
import { moveOnce, pageOf, STORAGE } from './mover-parts.js';
import { OpenedTimelines } from './opposite-order-board.js';
import { answering, reclaimerOf, servicesOf } from './parts.js';
import type { Protocol } from './protocol.js';

export type DynamicMutant =
  | 'gives its count back before its fence is published'
  | 'trusts the mapping of an earlier job'
  | 'unpins without a wake-up'
  | 'moves without a look at the pins'
  | 'does not wait for pins'
  | 'pins once its mapping counts no more';

type Pins = 'none' | 'for each job' | 'for its stay';

const TABLES = layOutTables({ actors: 3, buffers: 1, attachments: 2, timelines: 2, pools: 1, frames: 1, rings: [] });
const BUFFER = bufferSlot(0);
const PINNED = [0, 1].map((slot) => wordAt(TABLES.attachments, slot, 3));

const traitsOf = (pins: Pins): readonly ImporterTraits[] => [
  { mapping: pins === 'for its stay' ? 'held' : 'per-job', importer: 'dynamic', ...(pins !== 'none' && { pin: true }) },
  { mapping: 'per-job' },
];

/** The mover's view: it may overlook pins. */
class MoversBuffers extends BufferWords {
  constructor(
    words: AtomicWords,
    private readonly mutant: DynamicMutant | undefined,
  ) {
    super(words, TABLES.buffers, TABLES.attachments);
  }
  override pinsOf(slot: ReturnType<typeof attachmentSlot>): number {
    return this.mutant === 'moves without a look at the pins' ? 0 : super.pinsOf(slot);
  }
  override unpinnedStep(slot: ReturnType<typeof attachmentSlot>): true | WordPark {
    return this.mutant === 'does not wait for pins' ? true : super.unpinnedStep(slot);
  }
}

export function dynamicImporterBoard(pins: Pins, mutant?: DynamicMutant): Board {
  const words = new ExploredWords(TABLES.sizeBytes);
  const open = openTables(words, TABLES, actorId(3));
  open.buffers.openBuffer(BUFFER);
  open.buffers.publish(BUFFER);
  for (const device of [0, 1]) {
    open.buffers.openAttachment(attachmentSlot(device), actorId(device + 1));
    open.timelines.open(timelineSlot(device));
  }
  words.keepAsInitial();
  const timelines = new OpenedTimelines(words, TABLES.timelines);
  const silent = new MutatedWords(words, {
    notify(own, word) {
      if (!PINNED.includes(word)) own.notify(word);
    },
  });
  const importers =
    mutant === 'unpins without a wake-up' ? new BufferWords(silent, TABLES.buffers, TABLES.attachments) : open.buffers;
  const movers = new MoversBuffers(words, mutant);
  let moved = false;
  let refused = false;

  const device = (number: number, rounds: number) => {
    const services = answering(servicesOf(words, number + 1), importers, [], (state) => STORAGE[state / 2 - 1]);
    const traits = traitsOf(pins)[number];
    return function* (): Task<void> {
      const name = `device ${number + 1}`;
      const handle = { slot: BUFFER, life: 1 };
      const importer = new BoardImporter(services, importers, undefined as unknown as PhysicalMemory, {
        name,
        constraints: { device: name },
        ...traits,
      });
      importer.knows(
        new DmaBufAttachment(handle, attachmentSlot(number), 'the buffer', 4096),
        traits.importer === 'dynamic' ? mutant : undefined,
      );
      const lane = new PipelineLane(new Timeline(timelines, timelineSlot(number)));
      const parts = { services, tables: { ...open, timelines }, importer, statistics: new DeviceStatistics() };
      const frame = { buffer: handle, acquireFence: undefined, sequence: 0, row: 0 } as unknown as PipelineFrame;
      for (let round = 0; round < rounds; round += 1) {
        const job = yield* PipelineJob.begin(parts, lane, [{ frame, write: false }]);
        words.access(pageOf(0, importer.used[0].generation, number), 'write');
        job.end();
        // What is pinned for its stay may be touched between the jobs, too.
        if (pins === 'for its stay' && traits.pin)
          words.access(pageOf(0, importer.used[0].generation, number), 'write');
      }
      if (traits.pin) yield* importer.letGo();
      if (importer.moveNotifies > 0) words.ghost(() => words.probe('a dynamic importer heeds moveNotify'));
    };
  };
  const attached = traitsOf(pins).map((traits, number) => {
    return { slot: attachmentSlot(number), device: `device ${number + 1}`, actor: actorId(number + 1), ...traits };
  });
  const fixed = { words, tables: open, queues: TABLES.queues, buffers: movers };
  const move = { ...fixed, id: 3, buffer: BUFFER, devices: [0, 1] };
  const mover = function* (): Task<void> {
    try {
      yield* moveOnce(move, attached);
      words.ghost(() => {
        moved = true;
      });
    } catch (error) {
      if (!isErrno(error, 'EBUSY')) throw error;
      words.ghost(() => {
        refused = true;
        words.probe('a pin of a stay refuses the move');
      });
    }
  };
  return {
    words,
    begin() {
      moved = false;
      refused = false;
      return { 'device 1': device(0, 2), 'device 2': device(1, 1), mover };
    },
    mortal: ['device 1', 'device 2'],
    reclaimer: reclaimerOf(words, open, (dead) => [attachmentSlot(dead)]),
    end() {
      if (moved === refused) throw new Error('the move has neither ended nor been refused');
      if (refused && pins !== 'for its stay') throw new Error('a move is refused that has only to wait');
      if (moved) words.probe('the buffer moves');
      for (const slot of [0, 1]) {
        const left = open.buffers.mappings(attachmentSlot(slot)) + open.buffers.pinsOf(attachmentSlot(slot));
        if (left !== 0) throw new Error('a mapping or a pin counts that has ended');
      }
    },
  };
}

/** The production importer on an attachment that is there already; a mutant differs in one step. */
class BoardImporter extends DmaBufImporter {
  /** Of the present job. */
  used: readonly DmaMapping[] = [];
  #known: DmaBufAttachment | undefined;
  #mutant: DynamicMutant | undefined;

  knows(known: DmaBufAttachment, mutant: DynamicMutant | undefined): void {
    this.#known = known;
    this.#mutant = mutant;
  }

  get #trusts(): boolean {
    return this.#mutant === 'trusts the mapping of an earlier job';
  }

  override attachmentOf(): DmaBufAttachment | undefined {
    return this.#known;
  }

  override *mapAll(...[attachments, debt]: Parameters<DmaBufImporter['mapAll']>): Task<DmaMapping[]> {
    if (this.#trusts && this.used.length > 0) {
      return this.used.map((one) => Object.assign(Object.create(Object.getPrototypeOf(one)), one));
    }
    this.used = yield* super.mapAll(attachments, debt);
    return [...this.used];
  }

  override beginUse(mappings: readonly DmaMapping[]): void {
    if (this.#mutant === 'pins once its mapping counts no more') this.leaveToFences(mappings);
    super.beginUse(mappings);
    if (this.#mutant === 'gives its count back before its fence is published') this.leaveToFences(mappings);
  }

  override unmap(mapping: DmaMapping): void {
    if (!this.#trusts) super.unmap(mapping);
  }
}

const SEARCHES: Protocol['searches'] = [
  { by: 'depth first', preemptions: 1, schedules: 2_000, complete: 'in tests' },
  { by: 'depth first', preemptions: 0, crashes: 1, schedules: 3_000, complete: 'in tests' },
  { by: 'random', crashes: 2, schedules: 100 },
  { by: 'PCT', depth: 3, crashes: 1, schedules: 100 },
  { by: 'depth first', preemptions: 1, crashes: 1, schedules: 50 },
];

export const DYNAMIC_IMPORTER: Protocol = {
  name: 'dynamic importer',
  board: (mutant) => dynamicImporterBoard('none', mutant as DynamicMutant),
  mutants: ['gives its count back before its fence is published', 'trusts the mapping of an earlier job'],
  rarePaths: ['a dynamic importer heeds moveNotify', 'sleeps: mover for a fence on buffer 0'],
  searches: SEARCHES,
};

export const PINS_OF_JOBS: Protocol = {
  name: 'pins of jobs',
  board: (mutant) => dynamicImporterBoard('for each job', mutant as DynamicMutant),
  mutants: ['unpins without a wake-up', 'does not wait for pins'],
  rarePaths: ['sleeps: mover for the pin of an importer'],
  searches: SEARCHES,
};

export const PINS_OF_A_STAY: Protocol = {
  name: 'pins of a stay',
  board: (mutant) => dynamicImporterBoard('for its stay', mutant as DynamicMutant),
  mutants: ['moves without a look at the pins', 'pins once its mapping counts no more'],
  rarePaths: ['a pin of a stay refuses the move', 'the buffer moves'],
  searches: SEARCHES,
};
