/** Actors that wait for one that is about to die: on its fence, and in maps of its buffer. */
import {
  attempt,
  bufferSlot,
  isErrno,
  sleepUntil,
  type Task,
  timelineSlot,
  type WordIndex,
  WordPark,
  wordIndex,
} from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { type BufferHandle, DmaBufImporter, EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { openTables, PipelineLane, type SharedTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { type DmaFence, Timeline, waitFence } from '@dmabuf-lab/core/sync';

export const LANES = 2;
/** Of the one that dies. */
export const OWNER = 2;
export const BUFFERS = { plain: 0, expecting: 1 } as const;

/** Counts: 0 that hold the buffer, or never will; 1 that are about to wait, attached; 2 of their maps that have ended. */
const WORD = { held: 0, waiting: 1, ended: 2 } as const;
/** Beside the one that holds. */
const MAPS = 2;

export interface WaitingStart {
  readonly tables: SharedTables;
  readonly does: /** Owns two buffers and a fence that it never signals. */
    | 'owner'
    /** Waits for the fence. */
    | 'fence'
    /** Maps the buffer and holds it until the end. */
    | 'hold'
    /** Maps the buffer, which has to move for it, once it is held. */
    | 'map, which moves'
    /** Maps a buffer that expects another device. */
    | 'map, which expects';
  readonly constraints: DeviceConstraints;
  /** The owner exits once so many wait; absent = it lives until it is killed. */
  readonly exitsAfter?: number;
}

/** When its wait ended, and how: the status of a fence, or an errno. */
export type Waited = readonly [atNs: number, how: number | string];

export function* program(host: ActorHost, start: WaitingStart): Task<Waited | undefined> {
  const tables = openTables(host.words, start.tables, host.id);
  if (start.does === 'owner') return yield* own(host, tables.timelines, start);
  yield* host.ready();
  if (start.does === 'fence') {
    const fence: DmaFence = { timeline: timelineSlot((OWNER - 1) * LANES), generation: 1, seqno: 1 };
    tell(host, start, WORD.waiting);
    const status = yield* waitFence(tables.timelines, fence, 'a fence of the owner');
    return [host.clock.now(), status];
  }
  return yield* mapAndTell(host, tables, start);
}

function* own(
  host: ActorHost,
  timelines: ReturnType<typeof openTables>['timelines'],
  start: WaitingStart,
): Task<undefined> {
  new Timeline(timelines, timelineSlot((OWNER - 1) * LANES)).next();
  for (const expect of [[], ['nobody']]) {
    const request = { name: 'b', pool: 'p', sizeBytes: 65_536, allocate: 'deferred', expectTimeoutNs: 60e9 } as const;
    yield* host.call<BufferHandle>(EXPORTER, 'create', { ...request, expect, actor: host.id });
  }
  yield* host.ready();
  if (start.exitsAfter !== undefined) {
    yield* untilTold(host, start, WORD.waiting, start.exitsAfter);
    process.exit(3);
  }
  yield new WordPark(host.stopWord, 0, 'for ever');
  return undefined;
}

function* mapAndTell(
  host: ActorHost,
  { buffers, timelines }: ReturnType<typeof openTables>,
  start: WaitingStart,
): Task<Waited> {
  const { does, constraints } = start;
  const device = { name: host.name, constraints, mapping: 'per-job' } as const;
  const importer = new DmaBufImporter(host, buffers, PhysicalMemory.open(host.memory), device);
  if (does === 'map, which moves') yield* untilTold(host, start, WORD.held, 1);
  const slot = does === 'map, which expects' ? BUFFERS.expecting : BUFFERS.plain;
  const handle: BufferHandle = { slot: bufferSlot(slot), life: 1 };
  const lane = new PipelineLane(new Timeline(timelines, timelineSlot((host.id - 1) * LANES)));
  let how = 'mapped';
  try {
    const attachment = yield* importer.attach(handle);
    if (does !== 'hold') tell(host, start, WORD.waiting);
    const mapping = yield* importer.map(attachment, lane);
    if (does === 'hold') {
      tell(host, start, WORD.held);
      yield* sleepUntil(900_000_000, 'the end');
      yield* untilTold(host, start, WORD.ended, MAPS);
      mapping.segments()[0].fill(1); // still there
    }
    importer.unmap(mapping);
  } catch (error) {
    if (!isErrno(error)) throw error;
    how = error.code;
    if (does === 'hold') tell(host, start, WORD.held);
  }
  if (does !== 'hold') tell(host, start, WORD.ended);
  const atNs = host.clock.now();
  const attachment = importer.attachmentOf(handle);
  if (attachment !== undefined) yield* importer.detach(attachment);
  return [atNs, how];
}

type Word = (typeof WORD)[keyof typeof WORD];

/** A word behind the tables. */
const wordOf = ({ tables }: WaitingStart, word: Word): WordIndex =>
  wordIndex(tables.sizeBytes / Int32Array.BYTES_PER_ELEMENT + word);

function tell({ words }: ActorHost, start: WaitingStart, word: Word): void {
  words.add(wordOf(start, word), 1);
  words.notify(wordOf(start, word));
}

/** Waits until so many have told. */
function* untilTold({ words }: ActorHost, start: WaitingStart, word: Word, count: number): Task<void> {
  const index = wordOf(start, word);
  yield* attempt(() => {
    const told = words.load(index);
    return told >= count ? true : new WordPark(index, told, 'the others');
  });
}
