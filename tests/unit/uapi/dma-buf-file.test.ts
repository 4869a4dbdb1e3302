import { sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { DmaBufCaller, mapAttachmentUnlocked, unmapAttachmentUnlocked } from '@dmabuf-lab/core/dma-buf';
import {
  allocateFromHeap,
  attachVgemFence,
  beginCpuAccess,
  createDumbBuffer,
  DmaBufFile,
  endCpuAccess,
  exportSyncFile,
  importSyncFile,
  mapDmaBuf,
  openDrm,
  openHeap,
  type Process,
  primeHandleToFd,
  signalVgemFence,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { runInProcess, runInProcesses } from './run-in-process.js';

const VGEM = '/dev/dri/card0';
const MS = 1_000_000;

function fileOf(process: Process, fd: number): DmaBufFile {
  const file = process.fds.file(fd, 'test');
  if (!(file instanceof DmaBufFile)) throw new TypeError(`descriptor ${fd} is no dma-buf`);
  return file;
}

function* newBuffer(process: Process): Task<number> {
  return yield* allocateFromHeap(process, openHeap(process, 'system'), 8192);
}

test('DmaBufFile.attach and detach, are those of the buffer', (t) => {
  runInProcess(function* (process, kernel) {
    const file = fileOf(process, yield* newBuffer(process));
    const attachment = file.attach('gpu');
    t.is(attachment.device, 'gpu');
    t.deepEqual([...file.attachments], [attachment]);
    t.is(file.attachments, file.object.attachments);
    file.detach(attachment);
    t.is(file.attachments.size, 0);
    t.deepEqual(kernel.dmaBufRules.findings, []);
  });
});

test('DmaBufFile.object, mapped for a device, gives the bytes that a program mapped', (t) => {
  runInProcess(function* (process) {
    const fd = yield* newBuffer(process);
    const { object, attach } = fileOf(process, fd);
    const attachment = attach.call(fileOf(process, fd), 'gpu');
    const driver = new DmaBufCaller('gpu');
    const mapping = yield* mapAttachmentUnlocked(driver, attachment, 'from-device');
    mapping.touch('write')[1][5] = 77;
    t.is(process.memory.read(mapDmaBuf(process, fd) + 4096 + 5, 1)[0], 77);
    yield* unmapAttachmentUnlocked(driver, mapping);
    object.detach(driver, attachment);
  });
});

test('DmaBufFile, closed while a device is attached, leaves a finding and is released', (t) => {
  runInProcess(function* (process, kernel) {
    const fd = yield* newBuffer(process);
    fileOf(process, fd).attach('gpu');
    process.close(fd);
    t.deepEqual(
      kernel.dmaBufRules.findings.map(({ kind }) => kind),
      ['release-while-attached'],
    );
  });
});

test('DMA_BUF_IOCTL_SYNC, paired, has no findings; an end without a begin is one, and goes through', (t) => {
  runInProcess(function* (process, kernel) {
    const fd = yield* newBuffer(process);
    for (const direction of ['read', 'write', 'read-write'] as const) {
      yield* beginCpuAccess(process, fd, direction);
      yield* endCpuAccess(process, fd, direction);
    }
    t.deepEqual(kernel.dmaBufRules.findings, []);
    yield* endCpuAccess(process, fd, 'write');
    t.deepEqual(
      kernel.dmaBufRules.findings.map(({ kind, who }) => [kind, who]),
      [['cpu-access-unbalanced', 'user space']],
    );
  });
});

test('DMA_BUF_IOCTL_IMPORT_SYNC_FILE, while a driver holds the reservation, waits for it', (t) => {
  const order: string[] = [];
  runInProcesses<void>(function* (process, kernel) {
    const card = openDrm(process, VGEM);
    const { handle } = yield* createDumbBuffer(process, card, 64, 16);
    const source = yield* primeHandleToFd(process, card, handle);
    const fence = yield* attachVgemFence(process, card, handle, 'write');
    const sync = yield* exportSyncFile(process, source, 'read');
    const fd = yield* newBuffer(process);
    const { reservation } = fileOf(process, fd);
    const driver = new DmaBufCaller('gpu');
    yield* driver.lock(reservation);
    kernel.spawn(
      'driver',
      (function* (): Task<void> {
        yield* sleepUntil(MS, 'the driver');
        order.push('driver lets go');
        driver.unlock(reservation);
      })(),
    );
    yield* importSyncFile(process, fd, sync, 'write');
    order.push('imported');
    t.is(reservation.count, 1);
    yield* signalVgemFence(process, card, fence);
  });
  t.deepEqual(order, ['driver lets go', 'imported']);
});
