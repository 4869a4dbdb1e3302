/** What the boards of several explorations share: an exporter that answers at once, ghosts of a copy, services. */
import { type ActorServices, actorId, type bufferSlot, type Task, TraceLog } from '@dmabuf-lab/core/base';
import {
  BufferWords,
  type ExportedBuffer,
  generationOf,
  type HeapAllocation,
  type MapReply,
  settledState,
} from '@dmabuf-lab/core/dma-buf';
import type { ExploredWords } from './explorer.js';

const PAGE = 4096;

/** Answers `map` as the exporter does when nothing has to be placed: the present storage. */
export function answering(
  services: ActorServices,
  buffers: BufferWords,
  storage: readonly { allocation: HeapAllocation }[],
): ActorServices {
  return {
    ...services,
    *call<T>(_peer: string, method: string, args: unknown): Task<T> {
      if (method === 'detach') return undefined as T;
      const { buffer } = args as { buffer: { slot: ReturnType<typeof bufferSlot> } };
      const state = buffers.state(buffer.slot);
      const reply: MapReply = {
        state: settledState(generationOf(state)),
        runs: storage[buffer.slot].allocation.sgTable.runs,
        did: 'mapping',
      };
      return reply as T;
    },
  };
}

/** Tells a ghost when the copy begins and when the new generation is published. */
export class GhostedBuffers extends BufferWords {
  constructor(
    private readonly explored: ExploredWords,
    buffers: ConstructorParameters<typeof BufferWords>[1],
    attachments: ConstructorParameters<typeof BufferWords>[2],
    private readonly tell: (copying: boolean) => void,
  ) {
    super(explored, buffers, attachments);
  }

  override publish(buffer: Parameters<BufferWords['publish']>[0]): number {
    this.explored.pause(() => this.tell(true));
    this.explored.pause(() => this.tell(false));
    return super.publish(buffer);
  }
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
