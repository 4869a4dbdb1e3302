// Buffers that are allocated by the constraints of devices: nothing is allocated until the first map, and the devices that
// have attached by then decide where the storage lies. A device that comes late moves it, or is refused.
//
//   dmabuf-lab program examples/programs/place-a-buffer.mjs

import {
  attachVgemFence,
  createConstrained,
  mapDmaBuf,
  O,
  openCenalloc,
  openDrm,
  placementOf,
  primeFdToHandle,
  signalVgemFence,
  V4L2_BUF_TYPE,
  V4L2_MEMORY,
  VIDIOC_QBUF,
  VIDIOC_REQBUFS,
} from '../../packages/uapi/dist/index.js';

const MS = 1_000_000;
/** 320x180 YUYV. */
const FRAME_BYTES = 115_200;
const CAPTURE = { type: V4L2_BUF_TYPE.VIDEO_CAPTURE, memory: V4L2_MEMORY.DMABUF };

/** @param {import('@dmabuf-lab/uapi').Process} process @param {import('@dmabuf-lab/uapi').SimulatedKernel} kernel */
export function* main(process, kernel) {
  const cenalloc = openCenalloc(process);
  const gpu = openDrm(process, '/dev/dri/card0'); // vgem: takes any pages
  const vmalloc = yield* openCamera(process, '/dev/video0'); // writes by the processor: takes any pages
  const contiguous = yield* openCamera(process, '/dev/video4'); // needs memory in one piece, below 4 GiB

  // Two devices attach before the first map: the storage is where both reach it.
  const early = yield* createConstrained(process, cenalloc, FRAME_BYTES);
  const created = placementOf(process, early);
  yield* primeFdToHandle(process, gpu, early); // attaches
  const attached = placementOf(process, early);
  yield* queue(process, contiguous, 0, early); // attaches and maps
  const mapped = placementOf(process, early);

  // The GPU alone maps first, and so the least scarce heap will do. The CPU writes there.
  const late = yield* createConstrained(process, cenalloc, FRAME_BYTES);
  const handle = yield* primeFdToHandle(process, gpu, late);
  const fence = yield* attachVgemFence(process, gpu, handle, 'read'); // the GPU begins a job: maps
  const address = mapDmaBuf(process, late);
  process.memory.write(address + 5000, Uint8Array.of(1, 2, 3));
  const before = placementOf(process, late);

  // The camera comes late. The move waits for the GPU's job, which ends 8 ms from now, and copies.
  kernel.at(kernel.now() + 8 * MS, 'the GPU', () => kernel.spawn('the GPU', signalVgemFence(process, gpu, fence)));
  yield* queue(process, contiguous, 1, late);
  const after = placementOf(process, late);
  const movedAtMs = kernel.now() / MS;
  const kept = [...process.memory.read(address + 5000, 3)];

  // A buffer that somebody holds in the wrong place cannot move: the late camera is refused, and nothing has changed.
  const held = yield* createConstrained(process, cenalloc, FRAME_BYTES);
  yield* queue(process, vmalloc, 0, held);
  let refusal;
  try {
    yield* queue(process, contiguous, 2, held);
  } catch (error) {
    refusal = `${error.code}: ${error.message}`;
  }
  return { created, attached, mapped, before, movedAtMs, after, kept, refusal, held: placementOf(process, held) };
}

/** Opens a video node, with room for three imported buffers. */
function* openCamera(process, path) {
  const video = process.open(path, O.RDWR | O.CLOEXEC);
  yield* process.command(video, VIDIOC_REQBUFS, { ...CAPTURE, count: 3 });
  return video;
}

/** Queues a dma-buf at an index. */
function* queue(process, video, index, buffer) {
  yield* process.command(video, VIDIOC_QBUF, { ...CAPTURE, index, m: BigInt(buffer) });
}
