import { AtomicWords, actorId, bufferSlot, ERRNO, timelineSlot } from '@dmabuf-lab/core/base';
import { layOutTables, openTables } from '@dmabuf-lab/core/driver';
import { DmaResv, ResvUsage, Timeline } from '@dmabuf-lab/core/sync';
import { leftOfDead } from '@dmabuf-lab/lab';
import test from 'ava';

const DEAD = actorId(2);
const SLOT = bufferSlot(1);

test('leftOfDead tells of locks and pending fences of the dead alone, and of nothing once they are taken back', (t) => {
  const layout = layOutTables({ actors: 3, buffers: 2, attachments: 2, timelines: 24, pools: 1, frames: 1, rings: [] });
  const tables = openTables(new AtomicWords(new SharedArrayBuffer(layout.sizeBytes)), layout, actorId(1));
  const { resv, timelines } = tables;
  const lane = timelineSlot(9);
  for (const timeline of [new Timeline(timelines, lane), new Timeline(timelines, timelineSlot(16))]) {
    const reservation = new DmaResv(resv, timelines, SLOT);
    reservation.reserveFences(1);
    reservation.addFence(timeline.next(), ResvUsage.Write);
  }
  resv.lockStep(SLOT, resv.acquireContext(DEAD));
  t.deepEqual(leftOfDead(tables, [], DEAD), ['the lock of slot 1', 'pending fence 1 on slot 1']);
  resv.reclaimLock(SLOT, DEAD);
  timelines.fail(lane, ERRNO.EOWNERDEAD);
  t.deepEqual(leftOfDead(tables, [], DEAD), []);
});
