/** What the boards of several explorations share: an exporter that answers at once, ghosts of a copy, services. */
import {
  type ActorServices,
  type AttachmentSlot,
  actorId,
  type bufferSlot,
  type Task,
  TraceLog,
} from '@dmabuf-lab/core/base';
import {
  type BufferWords,
  type ExportedBuffer,
  generationOf,
  type HeapAllocation,
  type MapReply,
  settledState,
} from '@dmabuf-lab/core/dma-buf';
import { type OpenTables, reclaimActor } from '@dmabuf-lab/core/driver';
import type { ActorMaker, ExploredWords } from '../explorer/index.js';

const PAGE = 4096;

/**
 * Answers `map` as the exporter does when nothing has to be placed: the present storage, by buffer or by the state that the
 * answer tells of.
 */
export function answering(
  services: ActorServices,
  buffers: BufferWords,
  storage: readonly { allocation: HeapAllocation }[],
  ofState?: (state: number) => HeapAllocation,
): ActorServices {
  return {
    ...services,
    *call<T>(_peer: string, method: string, args: unknown): Task<T> {
      if (method === 'detach') return undefined as T;
      const { buffer } = args as { buffer: { slot: ReturnType<typeof bufferSlot> } };
      const state = settledState(generationOf(buffers.state(buffer.slot)));
      const reply: MapReply = {
        state,
        runs: (ofState?.(state) ?? storage[buffer.slot].allocation).sgTable.runs,
        did: 'mapping',
      };
      return reply as T;
    },
  };
}

export function servicesOf(words: ExploredWords, id: number): ActorServices {
  const unused = (): never => {
    throw new Error('not used in this test');
  };
  return {
    name: `actor ${id}`,
    id: actorId(id),
    clock: { now: () => 0 },
    words,
    trace: new TraceLog(false),
    random: unused,
    call: unused,
    serve: unused,
    spawn: unused,
    untilScenarioTime: unused,
    backPressured: false,
  };
}

export function requestOf(name: string): ExportedBuffer['request'] {
  return { name, pool: 'test', sizeBytes: PAGE, allocate: 'deferred', expect: [], expectTimeoutNs: 0 };
}

/**
 * Reclaimers of actors that have a timeline each and no pipeline: the production `reclaimActor`. Actor `dead` of the board has
 * the id after it.
 */
export function reclaimerOf(
  words: ExploredWords,
  tables: OpenTables,
  attachmentsOf: (dead: number) => readonly AttachmentSlot[],
): (dead: number) => ActorMaker {
  const owners = { links: [], pools: [], sources: [], lanesPerActor: 1 };
  return (dead) => () => {
    const reclaimBuffers = (): void => {
      for (const slot of attachmentsOf(dead)) tables.buffers.reclaimMappings(slot);
    };
    const parts = { services: servicesOf(words, 9), tables, owners, reclaimBuffers };
    return reclaimActor(parts, { actor: actorId(dead + 1), name: `actor ${dead}`, deaths: 1, returns: false });
  };
}
