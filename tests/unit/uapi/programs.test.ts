import { sleepUntil } from '@dmabuf-lab/core/base';
import {
  allocateFromHeap,
  attachVgemFence,
  beginCpuAccess,
  createDumbBuffer,
  dmaBufSize,
  endCpuAccess,
  exportSyncFile,
  importSyncFile,
  mapDmaBuf,
  mapDumbBuffer,
  mergeSyncFiles,
  nameDmaBuf,
  O,
  openDrm,
  openHeap,
  Process,
  primeFdToHandle,
  primeHandleToFd,
  readSyncFile,
  signalVgemFence,
  waitSyncFile,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { runInProcess } from './run-in-process.js';

const VGEM = '/dev/dri/card0';
const MS = 1_000_000;

test('a buffer of a heap, mapped twice and imported, shows the same bytes everywhere', (t) => {
  runInProcess(function* (process) {
    const heap = openHeap(process, 'system');
    const buffer = yield* allocateFromHeap(process, heap, 5000);
    t.is(dmaBufSize(process, buffer), 8192);
    yield* nameDmaBuf(process, buffer, 'frame');
    const one = mapDmaBuf(process, buffer);
    const other = mapDmaBuf(process, buffer);
    yield* beginCpuAccess(process, buffer, 'write');
    process.memory.write(one + 4090, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    yield* endCpuAccess(process, buffer, 'write');
    t.deepEqual([...process.memory.read(other + 4094, 3)], [5, 6, 7]);
    const vgem = openDrm(process, VGEM);
    const handle = yield* primeFdToHandle(process, vgem, buffer);
    const again = yield* primeHandleToFd(process, vgem, handle);
    t.is(process.fds.file(again, 'test'), process.fds.file(buffer, 'test'));
    t.like(process.fds.file(buffer, 'test').fdinfo(), { size: 8192, exp_name: 'system', name: 'frame' });
  });
});

test('CPU access, waits for the fence of a device, and a reader does not wait for readers', (t) => {
  runInProcess(function* (process, kernel) {
    const vgem = openDrm(process, VGEM);
    const dumb = yield* createDumbBuffer(process, vgem, 64, 16);
    const address = yield* mapDumbBuffer(process, vgem, dumb);
    process.memory.fill(address, dumb.sizeBytes, 7);
    const buffer = yield* primeHandleToFd(process, vgem, dumb.handle);
    const reading = yield* attachVgemFence(process, vgem, dumb.handle, 'read');
    yield* beginCpuAccess(process, buffer, 'read');
    t.is(kernel.now(), 0);
    kernel.at(30 * MS, 'the device ends', () => {
      kernel.spawn(
        'signal',
        (function* () {
          yield* signalVgemFence(process, vgem, reading);
        })(),
      );
    });
    yield* beginCpuAccess(process, buffer, 'write');
    t.is(kernel.now(), 30 * MS);
  });
});

test('sync files, exported, merged and imported, carry the fences of two buffers to a third', (t) => {
  runInProcess(function* (process, kernel) {
    const vgem = openDrm(process, VGEM);
    const fences: number[] = [];
    const files: number[] = [];
    for (let i = 0; i < 2; i += 1) {
      const { handle } = yield* createDumbBuffer(process, vgem, 64, 16);
      const buffer = yield* primeHandleToFd(process, vgem, handle);
      fences.push(yield* attachVgemFence(process, vgem, handle, 'write'));
      files.push(yield* exportSyncFile(process, buffer, 'read'));
    }
    const merged = yield* mergeSyncFiles(process, 'both', files[0], files[1]);
    const third = yield* allocateFromHeap(process, openHeap(process, 'system'), 4096);
    yield* importSyncFile(process, third, merged, 'write');
    t.like(yield* readSyncFile(process, merged), { name: 'both', status: 0 });
    t.false(yield* waitSyncFile(process, merged, 5));
    yield* signalVgemFence(process, vgem, fences[0]);
    t.false(yield* waitSyncFile(process, merged, 5));
    yield* signalVgemFence(process, vgem, fences[1]);
    t.true(yield* waitSyncFile(process, merged, 5));
    yield* beginCpuAccess(process, third, 'read');
    const info = yield* readSyncFile(process, merged);
    t.deepEqual(
      info.fences.map(({ driverName, status, timestampNs }) => [driverName, status, timestampNs]),
      [
        ['vgem', 1, 5 * MS],
        ['vgem', 1, 10 * MS],
      ],
    );
    yield* sleepUntil(20 * MS, 'a while');
    t.is(kernel.now(), 20 * MS);
  });
});

test('a descriptor passed to another process, keeps the buffer after the first has ended', (t) => {
  runInProcess(function* (process, kernel) {
    const other = new Process(kernel);
    const buffer = yield* allocateFromHeap(process, openHeap(process, 'system'), 4096);
    process.memory.write(mapDmaBuf(process, buffer), Uint8Array.of(42));
    const passed = process.pass(buffer, other);
    process.exit();
    t.deepEqual([...other.memory.read(mapDmaBuf(other, passed), 1)], [42]);
    t.is(other.fds.file(passed, 'test').references, 2);
    other.memory.unmapAll();
    t.is(other.fds.file(passed, 'test').references, 1);
  });
});

test('descriptors beyond the limit, are EMFILE, leave nothing behind, and the buffer is freed', (t) => {
  runInProcess(function* (_, kernel) {
    const process = new Process(kernel, { openFiles: 2 });
    const heap = openHeap(process, 'system');
    yield* allocateFromHeap(process, heap, 4096);
    const error = t.throws(() => [...allocateFromHeap(process, heap, 4096)]);
    t.like(error, { code: 'EMFILE' });
    t.like(
      t.throws(() => openHeap(process, 'system')),
      { code: 'EMFILE' },
    );
    t.like(
      t.throws(() => process.dup(heap)),
      { code: 'EMFILE' },
    );
    t.deepEqual(process.fds.numbers, [0, 1]);
  });
});

test('errors, carry errno, operation and reason', (t) => {
  runInProcess(function* (process) {
    t.like(
      t.throws(() => process.open('/dev/nothing', O.RDWR)),
      { code: 'ENOENT', op: 'open' },
    );
    t.like(
      t.throws(() => dmaBufSize(process, 99)),
      { code: 'EBADF' },
    );
    const heap = openHeap(process, 'system');
    const error = t.throws(() => [...allocateFromHeap(process, heap, 0)]);
    t.like(error, { code: 'EINVAL', op: 'DMA_HEAP_IOCTL_ALLOC' });
    t.regex(error?.message ?? '', /^Cannot allocate from heap system: the length 0 is no length$/);
    yield* sleepUntil(0, 'nothing');
  });
});
