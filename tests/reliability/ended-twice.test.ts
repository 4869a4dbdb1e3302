/** Row 14: what is ended twice is refused, names both places, and does nothing to anybody. */
import { CallSites, type Task } from '@dmabuf-lab/core/base';
import test from 'ava';
import { CAMERA, GPU, TableTop } from '../unit/core/dma-buf/table-top.js';

test('row 14: a second detach does nothing to the device that has the slot of the first by now', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const camera = table.importer(CAMERA);
  const old = table.run(camera.attach(buffer));
  table.run(camera.detach(old));
  const gpu = table.importer(GPU);
  const attachment = table.run(gpu.attach(buffer));
  t.is(attachment.slot, old.slot);
  const mapping = table.run(gpu.map(attachment, table.lane()));
  t.throws(() => table.run(camera.detach(old)), {
    code: 'ESTALE',
    message: 'Cannot detach camera from buffer: it is detached already',
  } as object);
  t.is(table.tables.buffers.mappings(attachment.slot), 1);
  gpu.unmap(mapping);
  t.throws(() => gpu.unmap(mapping), {
    code: 'EINVAL',
    message: 'Cannot unmap buffer for gpu: this mapping has ended already',
  } as object);
  t.is(table.tables.buffers.mappings(attachment.slot), 0);
  table.run(gpu.detach(attachment));
});

/** From tests/dist/reliability. */
const CORE = new URL('../../../packages/core/', import.meta.url).href;
const PLACES = /already, at .*ended-twice\.test\.[jt]s:(\d+), and now again at .*ended-twice\.test\.[jt]s:(\d+)$/;

test('row 14: where call sites are kept, a second unmap and a second detach name the line of the first and their own', (t) => {
  const table = new TableTop();
  const buffer = table.create();
  const camera = table.importer(CAMERA);
  camera.callSites = new CallSites(CORE);
  const messages: string[] = [];
  function* twice(): Task<void> {
    const attachment = yield* camera.attach(buffer);
    const mapping = yield* camera.map(attachment, table.lane());
    camera.unmap(mapping);
    try {
      camera.unmap(mapping);
    } catch (error) {
      messages.push((error as Error).message);
    }
    yield* camera.detach(attachment);
    try {
      yield* camera.detach(attachment);
    } catch (error) {
      messages.push((error as Error).message);
    }
  }
  table.run(twice());
  t.is(messages.length, 2);
  for (const message of messages) {
    const [, first, second] = PLACES.exec(message) ?? [];
    t.is(Number(second) - Number(first), 2, message);
  }
});
