// Leaves open what it has made, at the lines that are marked; `tidy` has it close everything.
import {
  allocateFromHeap,
  closeGemHandle,
  mapDmaBuf,
  O,
  openDrm,
  openHeap,
  Process,
  primeFdToHandle,
} from '../../../packages/uapi/dist/index.js';

const BYTES = 8192;

export function* main(process, kernel) {
  return yield* share(process, kernel, false);
}

export function* share(process, kernel, isTidy) {
  const heap = openHeap(process, 'system');
  const buffers = [];
  for (let i = 0; i < 2; i += 1) buffers.push(yield* allocateFromHeap(process, heap, BYTES)); // buffers
  process.close(heap);
  const [buffer] = buffers;
  const address = mapDmaBuf(process, buffer); // mapping
  const drm = openDrm(process, '/dev/dri/card0'); // drm
  const handle = yield* primeFdToHandle(process, drm, buffer); // attachment
  const other = new Process(kernel);
  const passed = process.pass(buffer, other); // passed
  // A call that has waited knows its line too.
  yield* kernel.spend(1000);
  const late = yield* waitAndOpen(process, kernel);
  if (!isTidy) return { buffers, address, passed };
  process.close(late);
  other.close(passed);
  yield* closeGemHandle(process, drm, handle);
  process.close(drm);
  process.memory.unmap(address, BYTES);
  for (const fd of buffers) process.close(fd);
  return { dmaBufs: kernel.dmaBufs.size };
}

function* waitAndOpen(process, kernel) {
  yield* kernel.spend(1000);
  return process.open('/dev/dma_heap/system', O.RDONLY); // late
}
