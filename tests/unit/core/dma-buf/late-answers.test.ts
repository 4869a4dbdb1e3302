/** Answers of the exporter that come late, when another generator of the same driver has gone on. */
import { type ActorServices, sleepUntil } from '@dmabuf-lab/core/base';
import { DmaBufImporter } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { ENCODER, GPU, TableTop } from './table-top.js';

/** Services whose first answer to a map comes late. */
function lateServices(table: TableTop): ActorServices {
  const services = table.services('gpu');
  let isLate = true;
  return {
    ...services,
    *call<T>(peer: string, method: string, args: unknown) {
      const answer = table.run(services.call<T>(peer, method, args));
      if (method === 'map' && isLate) {
        isLate = false;
        yield* sleepUntil(table.nowNs + 1, 'its answer');
      }
      return answer;
    },
  };
}

test('DmaBufImporter.map, an answer that a later move has overtaken, changes nothing under the mapping of another generator', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const device = { name: 'gpu', constraints: GPU, mapping: 'per-job' } as const;
  const gpu = new DmaBufImporter(lateServices(table), table.tables.buffers, table.memory, device);
  const attachment = table.run(gpu.attach(buffer));
  const first = gpu.map(attachment, table.lane());
  first.next(); // placed for it, and the answer is on its way
  const encoder = table.importer(ENCODER);
  const others = table.run(encoder.map(table.run(encoder.attach(buffer)), table.lane()));
  const second = table.run(gpu.map(attachment, table.lane()));
  t.is(attachment.mapCount, 1);
  const mapped = attachment.cached;
  const late = table.run(first);
  t.is(attachment.mapCount, 2);
  t.is(attachment.cached, mapped, 'it has the storage that is there now');
  gpu.unmap(second);
  gpu.unmap(late);
  encoder.unmap(others);
});
