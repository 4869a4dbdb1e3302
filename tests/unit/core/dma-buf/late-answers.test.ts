/** Calls and answers that come late, when another generator of the same driver, or another device, has gone on. */
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

test('Exporter.map, where the device has it mapped by now, answers with what it has, whoever the buffer should move for', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const gpu = table.importer(GPU, 'held');
  const attachment = table.run(gpu.attach(buffer));
  const held = table.run(gpu.map(attachment, table.lane()));
  const encoder = table.importer(ENCODER);
  table.run(encoder.attach(buffer)); // cannot reach it
  const sinceNs = table.nowNs;
  const answer = table.run(table.exporter.map({ buffer, attachment: attachment.slot }));
  t.like(answer, { did: 'mapping', state: attachment.cached });
  t.is(table.nowNs, sinceNs, 'it waited for nothing, and its own mapping least of all');
  gpu.unmap(held);
  t.like(table.run(table.exporter.map({ buffer, attachment: attachment.slot })), { did: 'moving' });
});

test('Exporter.map, whose device has mapped it when the move begins, calls the move off instead of waiting for that mapping', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const gpu = table.importer(GPU);
  const attachment = table.run(gpu.attach(buffer));
  gpu.unmap(table.run(gpu.map(attachment, table.lane())));
  const encoder = table.importer(ENCODER);
  table.run(encoder.attach(buffer)); // cannot reach it
  const asked = table.exporter.map({ buffer, attachment: attachment.slot });
  const park = asked.next().value;
  t.like(park, { kind: 'time' }, 'the exporter is busy with the storage for the move');
  const held = table.run(gpu.map(attachment, table.lane())); // another generator: nothing moves yet
  const answer = table.run(asked);
  t.deepEqual({ state: answer.state, runs: answer.runs }, { state: attachment.cached, runs: held.sgTable.runs });
  const [{ moves, reserved }] = table.exporter.liveBuffers;
  t.like(moves[0], { outcome: 'refused', error: { code: 'ECANCELED' }, waited: [] });
  t.is(reserved, undefined);
  t.is(table.cma.stats().usedBytes, 0);
  gpu.unmap(held);
  t.like(table.run(table.exporter.map({ buffer, attachment: attachment.slot })), { did: 'moving' });
});

test('Exporter.map, whose attachment went while it waited in the queue, maps nothing for whoever has the slot by now', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const gpu = table.importer(GPU);
  const attachment = table.run(gpu.attach(buffer));
  // Another service of the buffer is under way: an attach and the map wait in its queue.
  let isDone = false;
  const under = table.tables.queues.serialised(buffer.slot, function* () {
    while (!isDone) yield* sleepUntil(table.nowNs + 1, 'what is under way');
  });
  under.next();
  const arriving = table.importer(ENCODER).attach(buffer);
  arriving.next();
  const asked = table.exporter.map({ buffer, attachment: attachment.slot });
  asked.next();
  table.run(gpu.detach(attachment));
  isDone = true;
  table.run(under);
  t.is(table.run(arriving).slot, attachment.slot, 'the slot is taken anew');
  t.throws(() => table.run(asked), { code: 'ECANCELED', message: /gpu has detached meanwhile/ });
});

test('Exporter.attach, of a buffer that was destroyed while it waited in the queue, is ESTALE, and nobody is told of damage', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  // Another service of the buffer is under way: the destroy and the attach wait in its queue.
  let isDone = false;
  const under = table.tables.queues.serialised(buffer.slot, function* () {
    while (!isDone) yield* sleepUntil(table.nowNs + 1, 'what is under way');
  });
  under.next();
  const destroyed = table.exporter.destroy({ buffer });
  destroyed.next();
  const arriving = table.importer(GPU).attach(buffer);
  arriving.next();
  isDone = true;
  table.run(under);
  table.run(destroyed);
  t.throws(() => table.run(arriving), { code: 'ESTALE' });
  t.deepEqual(table.watch.records, []);
});
