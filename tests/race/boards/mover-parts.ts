/** A mover for boards: the production `BufferMover`, whose copy is an access to the pages of two generations. */
import type { ActorId, AttachmentSlot, BufferSlot, TableRegion, Task } from '@dmabuf-lab/core/base';
import {
  type BufferWords,
  ExportedBuffer,
  ExporterWords,
  type HeapAllocation,
  type ImporterTraits,
} from '@dmabuf-lab/core/dma-buf';
import type { OpenTables } from '@dmabuf-lab/core/driver';
import { type PhysicalMemory, SgTable } from '@dmabuf-lab/core/memory';
import { BufferMover } from '@dmabuf-lab/core/migration';
import type { ExploredWords } from '../explorer/index.js';
import { requestOf, servicesOf } from './parts.js';

const PAGE = 4096;

/** Storage of a generation: its address tells which. */
export function storageOf(generation: number): HeapAllocation {
  const runs = [{ address: generation * PAGE, lengthBytes: PAGE }] as unknown as ConstructorParameters<
    typeof SgTable
  >[0];
  return { heap: 'cma', sgTable: new SgTable(runs) } as unknown as HeapAllocation;
}

export const STORAGE = [1, 2, 3].map(storageOf);

const PAGE_NAMES = [0, 1].map((buffer) =>
  [0, 1, 2, 3].map((generation) =>
    [0, 1].map((device) => `page ${device} of buffer ${buffer}, generation ${generation}`),
  ),
);

/** The pages of a buffer in a generation: each device has one of its own, so that only moves are in its way. */
export const pageOf = (buffer: number, generation: number, device: number): string =>
  PAGE_NAMES[buffer][generation][device];

const NO_COSTS = { allocationNs: () => 0, zeroNs: () => 0, copyNs: () => 0 };

export interface MoverBoard {
  readonly words: ExploredWords;
  readonly tables: Pick<OpenTables, 'resv' | 'timelines'>;
  /** Where the queues of the exporter lie; their tickets are its own, and drawn anew at each re-execution. */
  readonly queues: TableRegion;
  readonly buffers: BufferWords;
  readonly id: number;
  readonly buffer: BufferSlot;
  /** Whose pages are copied and freed. */
  readonly devices: readonly number[];
  readonly timeoutNs?: number;
}

export interface Attached extends ImporterTraits {
  readonly slot: AttachmentSlot;
  readonly device: string;
  readonly actor: ActorId;
}

/** Moves a buffer from generation 1 to 2. */
export function* moveOnce(board: MoverBoard, attached: readonly Attached[]): Task<ExportedBuffer> {
  const { words, buffer: slot } = board;
  const each = (generation: number, kind: 'read' | 'write'): void => {
    for (const device of board.devices) words.access(pageOf(slot, generation, device), kind);
  };
  const memory = {
    copyRuns(): number {
      each(1, 'read');
      each(2, 'write');
      return PAGE;
    },
  } as unknown as PhysicalMemory;
  const buffer = new ExportedBuffer(slot, 1, requestOf(`buffer ${slot}`), PAGE);
  for (const one of attached) buffer.attachments.set(one.slot, { ...one, constraints: { device: one.device } });
  buffer.allocation = STORAGE[0];
  const mover = new BufferMover({
    services: servicesOf(words, board.id),
    memory,
    ...board.tables,
    queues: new ExporterWords(words, board.queues),
    buffers: board.buffers,
    policy: {
      onBusy: 'wait',
      timeoutNs: board.timeoutNs ?? Number.POSITIVE_INFINITY,
      moveAt: 'first-map',
      moveBack: 'never',
    },
    costs: NO_COSTS,
    storage: {
      release: (storage) => each(STORAGE.indexOf(storage) + 1, 'write'),
      settle: () => {},
      note: () => {},
      violation: () => undefined,
    },
  });
  yield* mover.move(buffer, STORAGE[1], { reason: 'test', forcedBy: [], requestedNs: 0 });
  return buffer;
}
