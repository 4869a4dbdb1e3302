// A camera and a GPU share a buffer. V4L2 neither waits for the fences on it nor puts any there, so a program that hands the
// buffer back to the camera too early, or takes it too early, gets torn pictures on a real machine. Nothing fails: Linux goes
// on, and so does this program. The findings at its end name who went ahead of whom, when, and the remedy.
//
//   dmabuf-lab program examples/programs/camera-without-fences.mjs

import {
  allocateFromHeap,
  attachVgemFence,
  beginCpuAccess,
  endCpuAccess,
  exportSyncFile,
  O,
  openDrm,
  openHeap,
  primeFdToHandle,
  signalVgemFence,
  V4L2_BUF_TYPE,
  V4L2_MEMORY,
  VIDIOC_DQBUF,
  VIDIOC_QBUF,
  VIDIOC_REQBUFS,
  VIDIOC_STREAMON,
  waitSyncFile,
} from '../../packages/uapi/dist/index.js';

const MS = 1_000_000;
const CAPTURE = { type: V4L2_BUF_TYPE.VIDEO_CAPTURE, memory: V4L2_MEMORY.DMABUF };

/** @param {import('@dmabuf-lab/uapi').Process} process @param {import('@dmabuf-lab/uapi').SimulatedKernel} kernel */
export function* main(process, kernel) {
  const buffer = yield* allocateFromHeap(process, openHeap(process, 'system'), 115_200);
  const gpu = openDrm(process, '/dev/dri/card0');
  const handle = yield* primeFdToHandle(process, gpu, buffer);
  const camera = process.open('/dev/video0', O.RDWR | O.CLOEXEC);
  yield* process.command(camera, VIDIOC_REQBUFS, { ...CAPTURE, count: 2 });
  yield* process.command(camera, VIDIOC_STREAMON, { value: CAPTURE.type });
  const queue = () => process.command(camera, VIDIOC_QBUF, { ...CAPTURE, m: BigInt(buffer) });
  const dequeue = () => process.command(camera, VIDIOC_DQBUF, CAPTURE);
  // The GPU reads the picture for 8 ms.
  const startGpu = function* () {
    const fence = yield* attachVgemFence(process, gpu, handle, 'read');
    kernel.at(kernel.now() + 8 * MS, 'the GPU', () => kernel.spawn('the GPU', signalVgemFence(process, gpu, fence)));
  };

  // As it has to be: the GPU gets what has been dequeued, and the camera what the fences of the GPU have let go.
  yield* queue();
  yield* dequeue();
  yield* startGpu();
  yield* waitSyncFile(process, yield* exportSyncFile(process, buffer, 'write'), -1);
  const carefulUntilMs = kernel.now() / MS;

  // Too early twice: the CPU reads what the camera is writing, and the camera writes what the GPU is reading.
  yield* queue();
  yield* beginCpuAccess(process, buffer, 'read'); // returns at once: no fence tells of the camera
  yield* endCpuAccess(process, buffer, 'read');
  yield* dequeue();
  yield* startGpu();
  yield* queue(); // neither waits nor fails

  // A wait for nothing: the GPU only reads, and so does the CPU, but says that it is going to write.
  yield* dequeue();
  yield* waitSyncFile(process, yield* exportSyncFile(process, buffer, 'write'), -1);
  yield* startGpu();
  yield* beginCpuAccess(process, buffer, 'read-write');
  yield* endCpuAccess(process, buffer, 'read-write');
  return { carefulUntilMs };
}
