import { type ActorServices, sleepUntil } from '@dmabuf-lab/core/base';
import { DmaBufImporter } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { GPU, TableTop } from './table-top.js';

/** Services whose calls take a while, so that another generator of the driver can come between. */
function slowServices(table: TableTop): ActorServices {
  const services = table.services('gpu');
  return {
    ...services,
    *call(peer, method, args) {
      yield* sleepUntil(table.nowNs + 1, 'a call');
      return yield* services.call(peer, method, args);
    },
  };
}

test('DmaBufImporter.attach, two generators of a driver at once, leaves one attachment that both have', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const device = { name: 'gpu', constraints: GPU, mapping: 'per-job' } as const;
  const importer = new DmaBufImporter(slowServices(table), table.tables.buffers, table.memory, device);
  const first = importer.attach(buffer);
  const second = importer.attach(buffer);
  first.next();
  second.next();
  const attachment = table.run(first);
  t.is(table.run(second), attachment);
  const [live] = table.exporter.liveBuffers;
  t.deepEqual([...live.attachments.keys()], [attachment.slot]);
  table.run(importer.detach(attachment));
  t.is(live.attachments.size, 0, 'the owner can destroy it');
});
