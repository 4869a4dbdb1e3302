import { sleepUntil } from '@dmabuf-lab/core/base';
import { DmaBufCaller } from '@dmabuf-lab/core/dma-buf';
import { ResvUsage } from '@dmabuf-lab/core/sync';
import { attachVgemFence, createDumbBuffer, openDrm, primeHandleToFd, signalVgemFence } from '@dmabuf-lab/uapi';
import test from 'ava';
import { fileOf, runInProcess } from './run-in-process.js';

const MS = 1_000_000;

test('VGEM_FENCE_ATTACH, waits for whoever has the reservation locked', (t) => {
  runInProcess(function* (process, kernel) {
    const vgem = openDrm(process, '/dev/dri/card0');
    const { handle } = yield* createDumbBuffer(process, vgem, 64, 16);
    const buffer = yield* primeHandleToFd(process, vgem, handle);
    const { reservation } = fileOf(process, buffer);
    const mover = new DmaBufCaller('a mover');
    kernel.spawn(
      'a mover',
      mover.locked(reservation, function* () {
        yield* sleepUntil(5 * MS, 'a move');
      }),
    );
    const fence = yield* attachVgemFence(process, vgem, handle, 'write');
    t.is(kernel.now(), 5 * MS);
    t.is(reservation.testSignalled(ResvUsage.Write), false);
    yield* signalVgemFence(process, vgem, fence);
    t.is(reservation.testSignalled(ResvUsage.Write), true);
  });
});
