/**
 * The exporter dies at any step of a move and is started again: a device that runs jobs on a buffer (map, lock, publish a fence,
 * touch, signal, unmap), and an exporter that moves the buffer for another device. Production throughout: `Exporter` with heaps, journal
 * and mover. Its reclaimer is its next life: `Exporter.restore` on the words and on what was written down before the death,
 * then the same call once more, as the device makes it that got no answer.
 *
 * Right after a restore the buffer has the old generation and its old pages, or the new one and its new pages, and the heaps
 * have handed out what the journal names, no more. In the end the buffer has moved, what the device wrote is in it, nobody
 * waits, and no pages are lost.
 */
import { actorId, attachmentSlot, bufferSlot, type Task, timelineSlot, wordAt } from '@dmabuf-lab/core/base';
import {
  allocationOf,
  type BufferState,
  BufferWords,
  DmaBufAttachment,
  DmaBufImporter,
  generationOf,
  type HeapAllocation,
  isMoving,
  type StoredAllocation,
  settledState,
} from '@dmabuf-lab/core/dma-buf';
import { layOutTables, openTables, PipelineLane } from '@dmabuf-lab/core/driver';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { DmaResv, lockReservations, ResvUsage, Timeline } from '@dmabuf-lab/core/sync';
import { type Board, ExploredWords } from '../explorer/index.js';
import { type Entries, EXPORTER, GhostPages, type JournalledBuffer, Life, PAGE } from './exporter-life.js';
import { OpenedTimelines } from './opposite-order-board.js';
import { answering, servicesOf } from './parts.js';
import type { Protocol } from './protocol.js';

type RestartMutant =
  | 'rolls back although the generation is new'
  | 'leaves MOVING set'
  | 'publishes before its journal names the pages'
  | 'leaves its lock held';

const TABLES = layOutTables({ actors: 3, buffers: 1, attachments: 2, timelines: 3, pools: 1, frames: 1, rings: [] });
const BUFFER = bufferSlot(0);
const DEVICE = actorId(2);
const ATTACHMENT = attachmentSlot(0);
const LANE = timelineSlot(1);
const ENTRY = `buffer/${BUFFER}`;
const STATE = wordAt(TABLES.buffers, 0, 0);
const LOCK = wordAt(TABLES.resv, 0, 0);
const SEQ = wordAt(TABLES.resv, 0, 1);
const [OLD, NEW] = [1, 2];
const JOBS = 2;

/** How the next life finds STATE: rightly, or with a mistake. */
class RestoredBuffers extends BufferWords {
  constructor(
    private readonly explored: ExploredWords,
    private readonly mutant: RestartMutant | undefined,
  ) {
    super(explored, TABLES.buffers, TABLES.attachments);
  }
  override recoverState(buffer: typeof BUFFER): BufferState {
    const { explored, mutant } = this;
    if (mutant === 'leaves MOVING set') return settledState(generationOf(this.state(buffer)));
    const settled = super.recoverState(buffer);
    if (mutant !== 'rolls back although the generation is new' || generationOf(settled) === OLD) return settled;
    explored.store(STATE, settledState(OLD));
    explored.notify(STATE);
    return settledState(OLD);
  }
}

export function exporterRestartBoard(mutant?: RestartMutant): Board {
  const words = new ExploredWords(TABLES.sizeBytes);
  const tables = openTables(words, TABLES, EXPORTER);
  const opened = new OpenedTimelines(words, TABLES.timelines);
  tables.timelines.open(LANE);
  const pages = new GhostPages(words);
  const buffers = new RestoredBuffers(words, mutant);
  /** What has been written down before any death so far, as text: it is plain data, and copied at once. */
  let posted = new Map<string, string>();
  /** By generation; those of one that is not published yet may change. */
  const storages: { address: number; allocation: HeapAllocation }[] = [];
  const entryOf = (entries: Entries): JournalledBuffer => entries.get(ENTRY) as JournalledBuffer;
  const parts = {
    words,
    tables,
    regions: TABLES,
    buffers,
    pages,
    posted(key: string, value: unknown): void {
      const isLost = mutant === 'publishes before its journal names the pages' && isAboutToPublish(value);
      if (value === undefined) posted.delete(key);
      else if (!isLost) posted.set(key, JSON.stringify(value));
      if (key === ENTRY) keepStorages(value as JournalledBuffer);
    },
  };
  const keepStorages = ({ present, incoming }: JournalledBuffer): void => {
    const keep = (generation: number, stored: StoredAllocation): void => {
      storages[generation] = { address: stored.runs[0].address, allocation: allocationOf(stored) };
    };
    if (present !== undefined) keep(present.generation, present.storage);
    if (incoming !== undefined) keep((present?.generation ?? 0) + 1, incoming);
  };
  new Life(parts, new Map()).setUp();
  words.keepAsInitial();
  const atFirst = new Map(posted);
  const initial = read(atFirst);
  const ofState = (state: number): HeapAllocation => storages[generationOf(state)].allocation;

  const life = (restored: Entries) =>
    function* (): Task<void> {
      const own = new Life(parts, restored);
      own.exporter.restore();
      const { address, used } = own;
      words.ghost(() => checkRestored(address, used, entryOf(restored)));
      if (mutant !== 'leaves its lock held') tables.resv.reclaimLock(BUFFER, EXPORTER);
      yield* own.moveForStrict();
      const left = own.used;
      words.ghost(() => {
        if (left.system !== 0 || left.cma !== PAGE) throw new Error(`the heaps have handed out ${text(left)}`);
      });
    };
  const checkRestored = (address: number | undefined, used: Life['used'], { reserved }: JournalledBuffer): void => {
    const state = words.peek(STATE);
    if (isMoving(state)) throw new Error('a buffer is restored and still being moved');
    const generation = generationOf(state);
    if (address !== storages[generation].address)
      throw new Error(`generation ${generation} has the pages at ${address}`);
    // What a move took out of the reserve and did not publish is free again.
    const right = generation === OLD ? { system: PAGE, cma: reserved ? PAGE : 0 } : { system: 0, cma: PAGE };
    if (text(used) !== text(right))
      throw new Error(`generation ${generation}, but the heaps have handed out ${text(used)}`);
  };

  const device = function* (): Task<void> {
    const services = answering(servicesOf(words, DEVICE), tables.buffers, [], ofState);
    const traits = { name: 'device', constraints: { device: 'device' }, mapping: 'per-job' as const };
    const importer = new DmaBufImporter(services, tables.buffers, undefined as unknown as PhysicalMemory, traits);
    const attachment = new DmaBufAttachment({ slot: BUFFER, life: 1 }, ATTACHMENT, 'the buffer', PAGE);
    const owner = new PipelineLane(new Timeline(opened, LANE));
    for (let job = 0; job < JOBS; job += 1) {
      const mapping = yield* importer.map(attachment, owner);
      const fence = yield* publish(owner);
      pages.work(mapping.sgTable.runs[0].address);
      owner.pay(fence);
      importer.unmap(mapping);
    }
  };
  const publish = function* (owner: PipelineLane): Task<ReturnType<PipelineLane['owe']>> {
    const context = tables.resv.acquireContext(DEVICE);
    yield* lockReservations(tables.resv, [BUFFER], context);
    const fence = owner.owe();
    new DmaResv(tables.resv, tables.timelines, BUFFER).addFence(fence, ResvUsage.Read);
    tables.resv.unlock(BUFFER, context);
    return fence;
  };
  return {
    words,
    begin() {
      posted = new Map(atFirst);
      pages.reset();
      return { exporter: life(initial), device };
    },
    mortal: ['exporter'],
    reclaimer() {
      const restored = read(posted);
      const state = words.peek(STATE);
      if (isMoving(state)) words.probe('it dies while the buffer is being moved');
      if (isMoving(state) && entryOf(read(posted)).incoming !== undefined)
        words.probe('it dies with all copied and nothing published');
      if (generationOf(state) === NEW) words.probe('it dies when the new generation is published');
      if ((words.peek(LOCK) & 127) === EXPORTER) words.probe('it dies with the lock');
      return life(restored);
    },
    end() {
      if (words.peek(STATE) !== settledState(NEW)) throw new Error(`the state of the buffer is ${words.peek(STATE)}`);
      if (words.peek(LOCK) !== 0 || words.peek(SEQ) % 2 !== 0)
        throw new Error('the reservation is held by nobody alive');
      if (tables.buffers.mappings(ATTACHMENT) !== 0) throw new Error('a mapping counts that has ended');
      const { present, incoming, reserved } = entryOf(read(posted));
      if (present?.generation !== NEW || incoming !== undefined || reserved !== undefined)
        throw new Error('the journal does not name the pages of the new generation, and no others');
      const done = pages.at(present.storage.runs[0].address);
      if (done !== JOBS) throw new Error(`the device has done ${JOBS} jobs, and ${done} are in the pages`);
    },
  };
}

const read = (posted: ReadonlyMap<string, string>): Entries =>
  new Map([...posted].map(([key, value]) => [key, JSON.parse(value) as unknown]));
const text = (value: unknown): string => JSON.stringify(value);
const isAboutToPublish = (value: unknown): boolean => (value as JournalledBuffer | undefined)?.incoming !== undefined;

export const EXPORTER_RESTART: Protocol = {
  name: 'the exporter dies in a move and comes back',
  board: (mutant) => exporterRestartBoard(mutant as RestartMutant),
  mutants: [
    'rolls back although the generation is new',
    'leaves MOVING set',
    'publishes before its journal names the pages',
    'leaves its lock held',
  ],
  rarePaths: [
    'it dies while the buffer is being moved',
    'it dies with all copied and nothing published',
    'it dies when the new generation is published',
    'it dies with the lock',
    'a reclaimer dies',
    'sleeps: device for a buffer being moved',
    'sleeps: exporter for the mappings of an importer',
  ],
  searches: [
    { by: 'random', crashes: 2, schedules: 100 },
    { by: 'depth first', preemptions: 0, crashes: 1, schedules: 1_000, complete: 'in tests' },
    { by: 'depth first', preemptions: 1, schedules: 500, complete: 'in tests' },
    { by: 'PCT', depth: 3, crashes: 2, schedules: 50 },
    { by: 'depth first', preemptions: 1, crashes: 1, schedules: 50, complete: 'in explore' },
  ],
};
