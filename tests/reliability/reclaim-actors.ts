/** An owner of buffers, and a device that attaches to all of them, maps them and exits when the owner has looked. */
import { attachmentSlot, bufferSlot, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { type BufferHandle, type CreateRequest, DmaBufImporter, EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { openTables, type SharedTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type ActorHost, RuntimeWords } from '@dmabuf-lab/core/runtime';

export interface ReclaimStart {
  readonly role: 'owner' | 'victim';
  readonly tables: SharedTables;
  readonly buffers: number;
  readonly victim: number;
  /** One word: 1 when all is mapped, 2 when the owner has looked. */
  readonly turn: SharedArrayBuffer;
}

/** What the owner has seen: mappings that count. */
export interface Seen {
  readonly mapped: number;
  /** At the first look at which the death counted as cleaned up after. */
  readonly left: number;
}

export function* program(host: ActorHost, start: ReclaimStart): Task<Seen | undefined> {
  if (start.role === 'owner') return yield* own(host, start);
  yield* attachAndExit(host, start);
  return undefined;
}

function* own(host: ActorHost, { tables, buffers, victim, turn }: ReclaimStart): Task<Seen> {
  const made: BufferHandle[] = [];
  for (let i = 0; i < buffers; i += 1) {
    const fixed = { pool: 'test', sizeBytes: 4096, allocate: 'deferred', expect: [], expectTimeoutNs: 0 } as const;
    const request: CreateRequest = { name: `buffer ${i}`, ...fixed };
    made.push(yield* host.call<BufferHandle>(EXPORTER, 'create', request));
  }
  yield* host.ready();
  const words = openTables(host.words, tables, host.id).buffers;
  const mappings = (): number => {
    let sum = 0;
    for (let slot = 0; slot < words.attachmentCount; slot += 1) sum += words.mappings(attachmentSlot(slot));
    return sum;
  };
  const runtime = new RuntimeWords(host.words);
  const id = victim as typeof host.id;
  const flag = new Int32Array(turn);
  while (Atomics.load(flag, 0) !== 1) yield* sleepUntil(host.clock.now() + 1e6, 'the victim');
  const mapped = mappings();
  Atomics.store(flag, 0, 2);
  while (runtime.deaths(id) === 0 || runtime.unreclaimed(id) > 0) yield* sleepUntil(host.clock.now() + 1e5, 'the end');
  const left = mappings();
  for (const buffer of made) yield* host.call(EXPORTER, 'destroy', { buffer });
  return { mapped, left };
}

function* attachAndExit(host: ActorHost, { tables, buffers, turn }: ReclaimStart): Task<void> {
  const { buffers: words } = openTables(host.words, tables, host.id);
  const device = { name: host.name, constraints: { device: host.name }, mapping: 'per-job' } as const;
  const importer = new DmaBufImporter(host, words, PhysicalMemory.open(host.memory), device);
  yield* host.ready();
  for (let slot = 0; slot < buffers; slot += 1) {
    const attachment = yield* importer.attach({ slot: bufferSlot(slot), life: 1 });
    yield* importer.map(attachment, { owed: 0 });
  }
  const flag = new Int32Array(turn);
  Atomics.store(flag, 0, 1);
  while (Atomics.load(flag, 0) !== 2) yield* sleepUntil(host.clock.now() + 1e6, 'the owner');
  process.exit(1); // of this worker: nothing is let go of
}
