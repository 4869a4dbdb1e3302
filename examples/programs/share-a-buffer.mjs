// A buffer of the system heap, shared with a DRM device: the device writes, and the program waits for it in three ways.
//
//   dmabuf-lab program examples/programs/share-a-buffer.mjs

import {
  allocateFromHeap,
  attachVgemFence,
  beginCpuAccess,
  endCpuAccess,
  exportSyncFile,
  mapDmaBuf,
  nameDmaBuf,
  openDrm,
  openHeap,
  primeFdToHandle,
  readSyncFile,
  signalVgemFence,
  waitSyncFile,
} from '../../packages/uapi/dist/index.js';

const MS = 1_000_000;

/** @param {import('@dmabuf-lab/uapi').Process} process @param {import('@dmabuf-lab/uapi').SimulatedKernel} kernel */
export function* main(process, kernel) {
  const buffer = yield* allocateFromHeap(process, openHeap(process, 'system'), 8192);
  yield* nameDmaBuf(process, buffer, 'frame');

  // The CPU writes, between the calls that look after caches and fences.
  const address = mapDmaBuf(process, buffer);
  yield* beginCpuAccess(process, buffer, 'write');
  process.memory.write(address, Uint8Array.of(0xca, 0xfe));
  yield* endCpuAccess(process, buffer, 'write');

  // A device takes it over: its fence is on the buffer until it has done its work, 16 ms from now.
  const drm = openDrm(process, '/dev/dri/card0');
  const handle = yield* primeFdToHandle(process, drm, buffer);
  const fence = yield* attachVgemFence(process, drm, handle, 'write');
  kernel.at(kernel.now() + 16 * MS, 'the device', () =>
    kernel.spawn('the device', signalVgemFence(process, drm, fence)),
  );

  // Explicitly: a sync file is a snapshot of the fences on the buffer.
  const syncFile = yield* exportSyncFile(process, buffer, 'read');
  const early = yield* waitSyncFile(process, syncFile, 10);
  // Implicitly: reading waits for the writer.
  yield* beginCpuAccess(process, buffer, 'read');
  const readAtMs = kernel.now() / MS;
  const [first] = process.memory.read(address, 1);
  yield* endCpuAccess(process, buffer, 'read');

  const { name, status } = yield* readSyncFile(process, syncFile);
  return { early, readAtMs, first, syncFile: { name, status }, fdinfo: process.fds.file(buffer, 'fdinfo').fdinfo() };
}
