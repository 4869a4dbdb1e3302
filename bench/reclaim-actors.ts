/** The actors of the reclaim bench: one owns buffers, the other attaches to all of them, maps them and exits, life after life. */
import { bufferSlot, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { type BufferHandle, type CreateRequest, DmaBufImporter, EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { openTables, type SharedTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import type { ActorHost } from '@dmabuf-lab/core/runtime';

export interface ReclaimStart {
  readonly role: 'owner' | 'victim';
  readonly tables: SharedTables;
  readonly buffers: number;
  /** Lives of the victim that end with an exit. */
  readonly lives: number;
  /** One word: 1 once the victim has lived its last life. */
  readonly done: SharedArrayBuffer;
}

export function* program(host: ActorHost, start: ReclaimStart): Task<void> {
  yield* start.role === 'owner' ? own(host, start) : attachAndExit(host, start);
}

function* own(host: ActorHost, { buffers, done }: ReclaimStart): Task<void> {
  const made: BufferHandle[] = [];
  for (let i = 0; i < buffers; i += 1) {
    const request: CreateRequest = {
      name: `buffer ${i}`,
      pool: 'bench',
      sizeBytes: 4096,
      allocate: 'deferred',
      expect: [],
      expectTimeoutNs: 0,
    };
    made.push(yield* host.call<BufferHandle>(EXPORTER, 'create', request));
  }
  yield* host.ready();
  const flag = new Int32Array(done);
  while (Atomics.load(flag, 0) === 0) yield* sleepUntil(host.clock.now() + 20_000_000, 'the victim');
  for (const buffer of made) yield* host.call(EXPORTER, 'destroy', { buffer });
}

function* attachAndExit(host: ActorHost, { tables, buffers, lives, done }: ReclaimStart): Task<void> {
  const { buffers: words } = openTables(host.words, tables, host.id);
  const device = { name: host.name, constraints: { device: host.name }, mapping: 'per-job' } as const;
  const importer = new DmaBufImporter(host, words, PhysicalMemory.open(host.memory), device);
  yield* host.ready();
  if (host.life >= lives) {
    Atomics.store(new Int32Array(done), 0, 1);
    return;
  }
  for (let slot = 0; slot < buffers; slot += 1) {
    const attachment = yield* importer.attach({ slot: bufferSlot(slot), life: 1 });
    yield* importer.map(attachment, { owed: 0 });
  }
  process.exit(1); // of this worker: nothing is let go of
}
