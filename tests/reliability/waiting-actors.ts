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
}

/** When its wait ended, and how: the status of a fence, or an errno. */
export type Waited = readonly [atNs: number, how: number | string];

export function* program(host: ActorHost, start: WaitingStart): Task<Waited | undefined> {
  const tables = openTables(host.words, start.tables, host.id);
  if (start.does === 'owner') return yield* own(host, tables.timelines);
  yield* host.ready();
  if (start.does === 'fence') {
    const fence: DmaFence = { timeline: timelineSlot((OWNER - 1) * LANES), generation: 1, seqno: 1 };
    const status = yield* waitFence(tables.timelines, fence, 'a fence of the owner');
    return [host.clock.now(), status];
  }
  return yield* mapAndTell(host, tables, start);
}

function* own(host: ActorHost, timelines: ReturnType<typeof openTables>['timelines']): Task<undefined> {
  new Timeline(timelines, timelineSlot((OWNER - 1) * LANES)).next();
  for (const expect of [[], ['nobody']]) {
    const request = { name: 'b', pool: 'p', sizeBytes: 65_536, allocate: 'deferred', expectTimeoutNs: 60e9 } as const;
    yield* host.call<BufferHandle>(EXPORTER, 'create', { ...request, expect, actor: host.id });
  }
  yield* host.ready();
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
  if (does === 'map, which moves') yield* attempt(() => isHeldStep(host, start));
  const slot = does === 'map, which expects' ? BUFFERS.expecting : BUFFERS.plain;
  const handle: BufferHandle = { slot: bufferSlot(slot), life: 1 };
  const lane = new PipelineLane(new Timeline(timelines, timelineSlot((host.id - 1) * LANES)));
  let how = 'mapped';
  try {
    const mapping = yield* importer.map(yield* importer.attach(handle), lane);
    if (does === 'hold') {
      tellIsHeld(host, start);
      yield* sleepUntil(900_000_000, 'the end');
      mapping.segments()[0].fill(1); // still there
    }
    importer.unmap(mapping);
  } catch (error) {
    if (!isErrno(error)) throw error;
    how = error.code;
    if (does === 'hold') tellIsHeld(host, start);
  }
  const atNs = host.clock.now();
  const attachment = importer.attachmentOf(handle);
  if (attachment !== undefined) yield* importer.detach(attachment);
  return [atNs, how];
}

/** A word behind the tables: 1 once the buffer is held, or never will be. */
const heldWord = ({ tables }: WaitingStart): WordIndex => wordIndex(tables.sizeBytes / Int32Array.BYTES_PER_ELEMENT);

function tellIsHeld({ words }: ActorHost, start: WaitingStart): void {
  words.store(heldWord(start), 1);
  words.notify(heldWord(start));
}

function isHeldStep({ words }: ActorHost, start: WaitingStart): true | WordPark {
  return words.load(heldWord(start)) === 1 ? true : new WordPark(heldWord(start), 0, 'a holder');
}
