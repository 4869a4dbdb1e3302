import { type ActorServices, ErrnoError, sleepUntil } from '@dmabuf-lab/core/base';
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

test('DmaBufImporter.attach, two at once, and the spare one was let go of before the exporter died and was asked again, is well', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const services = slowServices(table);
  const device = { name: 'gpu', constraints: GPU, mapping: 'per-job' } as const;
  const again: ActorServices = {
    ...services,
    *call<T>(peer: string, method: string, args: unknown) {
      const answer = yield* services.call<T>(peer, method, args);
      if (method !== 'detach') return answer;
      // The answer is lost: the call is made again, of an exporter that has served it.
      t.throws(() => table.run(services.call(peer, method, args)), { code: 'ESTALE' });
      throw repeated(method);
    },
  };
  const importer = new DmaBufImporter(again, table.tables.buffers, table.memory, device);
  const [first, second] = [importer.attach(buffer), importer.attach(buffer)];
  first.next();
  second.next();
  const attachment = table.run(first);
  t.is(table.run(second), attachment);
});

/** ESTALE of a call that was made again, as a runtime's `call` gives it. */
const repeated = (op: string): ErrnoError => new ErrnoError('ESTALE', op, `${op}: it is gone`, { repeated: true });

test('Exporter.detach, made again after its device has attached anew in the same slot, is ESTALE, and the new attachment stays', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const importer = table.importer(GPU);
  const old = table.run(importer.attach(buffer));
  table.run(importer.detach(old));
  const present = table.run(importer.attach(buffer));
  t.is(present.slot, old.slot);
  t.not(present.call, old.call);
  const mapping = table.run(importer.map(present, table.lane()));
  const late = { buffer, attachment: old.slot, ended: false };
  t.throws(() => table.run(table.exporter.detach({ ...late, call: old.call })), { code: 'ESTALE' });
  t.is(table.tables.buffers.mappings(present.slot), 1);
  importer.unmap(mapping);
  table.run(table.exporter.detach({ ...late, call: present.call }));
  t.deepEqual([...(table.exporter.find(buffer)?.attachments.keys() ?? [])], []);
});
