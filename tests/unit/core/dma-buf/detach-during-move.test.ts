/** Who leaves while a buffer moves: a move goes on as long as one device is left that it is for. */
import type { DmaBufAttachment, DmaBufImporter } from '@dmabuf-lab/core/dma-buf';
import test from 'ava';
import { CAMERA, ENCODER, TableTop } from './table-top.js';

const FIRST = { ...ENCODER, device: 'enc1' };
const SECOND = { ...ENCODER, device: 'enc2' };

/** A buffer that the camera has mapped, and two late encoders that cannot reach it. */
function twoLateDevices(table: TableTop) {
  const buffer = table.create();
  const camera = table.importer(CAMERA);
  const mapping = table.run(camera.map(table.run(camera.attach(buffer)), table.lane()));
  const late = [FIRST, SECOND].map((constraints) => {
    const importer = table.importer(constraints);
    return { importer, attachment: table.run(importer.attach(buffer)) };
  });
  /** While the move waits for the camera, these leave; then the camera unmaps. */
  const leaveDuringMove = (...leaving: readonly { importer: DmaBufImporter; attachment: DmaBufAttachment }[]): void => {
    table.onPark = () => {
      for (const { importer, attachment } of leaving) table.run(importer.detach(attachment));
      camera.unmap(mapping);
      return true;
    };
  };
  const moves = () => [...table.exporter.liveBuffers].flatMap((live) => live.moves.map(({ outcome }) => outcome));
  return { buffer, first: late[0], second: late[1], leaveDuringMove, moves };
}

test('BufferMover, another late device detaches meanwhile, goes on for the one that asked', (t) => {
  const table = new TableTop();
  const { buffer, first, second, leaveDuringMove, moves } = twoLateDevices(table);
  leaveDuringMove(first);
  const mapping = table.run(second.importer.map(second.attachment, table.lane()));
  t.is(mapping.sgTable.runs.length, 1);
  t.is(table.heapOf(buffer), 'cma');
  t.deepEqual(moves(), ['moved']);
});

test('BufferMover, the device that asked detaches meanwhile, goes on for the other; the map is ECANCELED', (t) => {
  const table = new TableTop();
  const { buffer, first, second, leaveDuringMove, moves } = twoLateDevices(table);
  leaveDuringMove(first);
  t.throws(() => table.run(first.importer.map(first.attachment, table.lane())), {
    code: 'ECANCELED',
    message: /enc1 has detached/,
  } as object);
  t.is(table.heapOf(buffer), 'cma');
  t.notThrows(() => second.importer.unmap(table.run(second.importer.map(second.attachment, table.lane()))));
  t.deepEqual(moves(), ['moved']);
});

test('BufferMover, all late devices detach meanwhile, is ECANCELED and moves nothing', (t) => {
  const table = new TableTop();
  const { buffer, first, second, leaveDuringMove, moves } = twoLateDevices(table);
  leaveDuringMove(first, second);
  t.throws(() => table.run(first.importer.map(first.attachment, table.lane())), { code: 'ECANCELED' } as object);
  t.is(table.heapOf(buffer), 'system');
  t.is(table.cma.stats().usedBytes, 0, 'the target is free');
  t.deepEqual(moves(), ['refused']);
});
