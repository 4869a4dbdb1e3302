/** The fast path of map and unmap: shared words only, no call. */
import {
  type ActorServices,
  AtomicWords,
  actorId,
  attachmentSlot,
  bufferSlot,
  physAddr,
  RandomStream,
  type Task,
  TraceLog,
} from '@dmabuf-lab/core/base';
import { type DmaBufAttachment, DmaBufImporter } from '@dmabuf-lab/core/dma-buf';
import { layOutTables, openTables } from '@dmabuf-lab/core/driver';
import { PhysicalMemory, SgTable } from '@dmabuf-lab/core/memory';

const PAGE = 4096;

/** An importer with one buffer attached, backed and known. */
export function mappedBoard(): { mapAndUnmap: () => void } {
  const memory = PhysicalMemory.create([{ name: 'dram', base: 0x4000_0000, sizeBytes: 16 * PAGE }]);
  const tables = layOutTables({ actors: 1, buffers: 1, attachments: 1, timelines: 1, pools: 1, frames: 1, rings: [] });
  const words = new AtomicWords(new SharedArrayBuffer(tables.sizeBytes));
  const { buffers } = openTables(words, tables, actorId(1));
  buffers.openBuffer(bufferSlot(0));
  const state = buffers.publish(bufferSlot(0));
  const runs = new SgTable([{ address: physAddr(0x4000_0000), lengthBytes: PAGE }]).runs;
  const services: ActorServices = {
    name: 'bench',
    id: actorId(1),
    clock: { now: () => 0 },
    words,
    trace: new TraceLog(false),
    random: (name) => new RandomStream(1, name),
    *call<T>(_peer: string, method: string): Task<T> {
      const attached = { attachment: attachmentSlot(0), name: 'buffer', sizeBytes: PAGE, moved: false };
      return (method === 'attach' ? attached : { state, runs, did: 'mapping' }) as T;
    },
    serve: () => {},
    spawn: () => {},
    *untilScenarioTime() {
      return true;
    },
    backPressured: false,
  };
  const device = { name: 'bench', constraints: { device: 'bench' }, mapping: 'per-job' } as const;
  const importer = new DmaBufImporter(services, buffers, memory, device);
  const debt = { owed: 0 };
  const finish = <T>(task: Task<T>): T => {
    const result = task.next();
    if (result.done !== true) throw new Error('the fast path does not wait');
    return result.value;
  };
  const attachment: DmaBufAttachment = finish(importer.attach({ slot: bufferSlot(0), life: 1 }));
  return {
    mapAndUnmap: () => importer.unmap(finish(importer.map(attachment, debt))),
  };
}
