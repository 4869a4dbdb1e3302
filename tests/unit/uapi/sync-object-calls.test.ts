import {
  allocateFromHeap,
  attachVgemFence,
  createDumbBuffer,
  createEventFd,
  createMemfd,
  createSyncObject,
  createUdmabuf,
  destroySyncObject,
  dmaBufSize,
  exportSyncFile,
  exportSyncObject,
  importSyncObject,
  mapDmaBuf,
  notifySyncPoint,
  openDrm,
  openHeap,
  openUdmabuf,
  primeFdToHandle,
  querySyncObjects,
  resetSyncObjects,
  sealMemfd,
  signalSyncObjects,
  signalVgemFence,
  syncFileToSyncObject,
  syncObjectToSyncFile,
  transferSyncPoint,
  waitSyncFile,
  waitSyncObjects,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { errnoOf } from './errno-of.js';
import { runInProcess, runInProcesses } from './run-in-process.js';

const MS = 1_000_000;
const GPU = '/dev/dri/card2';

test('a binary sync object is waited for, reset, shared and destroyed', (t) => {
  runInProcess(function* (process, kernel) {
    const drm = openDrm(process, GPU);
    const signalled = yield* createSyncObject(process, drm, { signalled: true });
    const empty = yield* createSyncObject(process, drm);
    t.is(yield* waitSyncObjects(process, drm, [{ handle: empty }, { handle: signalled }], { forSubmit: true }), 1);
    t.is(yield* errnoOf(waitSyncObjects(process, drm, [{ handle: empty }])), 'EINVAL');
    const untilNs = kernel.now() + 3 * MS;
    t.is(yield* waitSyncObjects(process, drm, [{ handle: empty }], { forSubmit: true, untilNs }), undefined);
    t.is(kernel.now(), untilNs);

    yield* resetSyncObjects(process, drm, [signalled]);
    t.is(yield* errnoOf(syncObjectToSyncFile(process, drm, signalled)), 'EINVAL');
    const shared = yield* importSyncObject(process, drm, yield* exportSyncObject(process, drm, signalled));
    yield* signalSyncObjects(process, drm, [{ handle: shared }]);
    t.is(yield* waitSyncObjects(process, drm, [{ handle: signalled }], { all: true }), 0);
    yield* destroySyncObject(process, drm, shared);
    t.is(yield* errnoOf(destroySyncObject(process, drm, shared)), 'EINVAL');
  });
});

test('points of a timeline are signalled, queried, transferred and told to an eventfd', (t) => {
  runInProcess(function* (process) {
    const drm = openDrm(process, GPU);
    const timeline = yield* createSyncObject(process, drm);
    const other = yield* createSyncObject(process, drm);
    const event = createEventFd(process);
    yield* notifySyncPoint(process, drm, { handle: timeline, point: 5n }, event);
    yield* signalSyncObjects(process, drm, [{ handle: timeline, point: 3n }]);
    t.deepEqual(yield* querySyncObjects(process, drm, [timeline, other]), [3n, 0n]);
    t.is(yield* errnoOf(process.read(event, 8)), 'EAGAIN');
    yield* signalSyncObjects(process, drm, [{ handle: timeline, point: 2n ** 40n }]);
    t.deepEqual([...(yield* process.read(event, 8))], [1, 0, 0, 0, 0, 0, 0, 0]);
    yield* transferSyncPoint(process, drm, { handle: timeline, point: 4n }, { handle: other, point: 7n });
    t.deepEqual(yield* querySyncObjects(process, drm, [other], 'submitted'), [7n]);
    t.is(yield* waitSyncObjects(process, drm, [{ handle: other, point: 7n }], { all: true }), 0);
  });
});

test('a waiter sees a point that another process signals, and a sync object carries the fence of a device', (t) => {
  const [woken] = runInProcesses<number>(
    function* (process, kernel) {
      const drm = openDrm(process, GPU);
      const handle = yield* createSyncObject(process, drm);
      const vgem = openDrm(process, '/dev/dri/card0');
      const buffer = yield* allocateFromHeap(process, openHeap(process, 'system'), 4096);
      const fence = yield* attachVgemFence(process, vgem, yield* primeFdToHandle(process, vgem, buffer), 'write');
      yield* syncFileToSyncObject(process, drm, handle, yield* exportSyncFile(process, buffer, 'read'));
      kernel.at(kernel.now() + 8 * MS, 'the device', () =>
        kernel.spawn('the device', signalVgemFence(process, vgem, fence)),
      );
      t.is(yield* waitSyncObjects(process, drm, [{ handle }], { available: true }), 0);
      t.is(kernel.now(), 0);
      const syncFile = yield* syncObjectToSyncFile(process, drm, handle);
      t.is(yield* waitSyncObjects(process, drm, [{ handle }]), 0);
      t.true(yield* waitSyncFile(process, syncFile, 0));
      return kernel.now();
    },
    function* (process) {
      const drm = openDrm(process, GPU);
      yield* createDumbBuffer(process, drm, 64, 64);
      return 0;
    },
  );
  t.is(woken, 8 * MS);
});

test('pages of a sealed memfd are a dma-buf', (t) => {
  runInProcess(function* (process) {
    const memfd = createMemfd(process, 'pool', 16_384);
    const node = openUdmabuf(process);
    t.is(yield* errnoOf(createUdmabuf(process, node, memfd, 0, 4096)), 'EINVAL');
    sealMemfd(process, memfd, 'shrink');
    const buffer = yield* createUdmabuf(process, node, memfd, 4096, 8192);
    t.is(dmaBufSize(process, buffer), 8192);
    yield* process.write(memfd, Uint8Array.of(0xab), 4096n);
    t.is(process.memory.read(mapDmaBuf(process, buffer), 1)[0], 0xab);
    const half = createUdmabuf(process, node, memfd, 100, 4096);
    t.is(yield* errnoOf(half), 'EINVAL');
  });
});
