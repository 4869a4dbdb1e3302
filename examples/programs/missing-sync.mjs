// A camera writes a buffer that a program reads, and an output reads one that a program writes. With DMA_BUF_IOCTL_SYNC around
// each access of the CPU all is well on every board. Without it a coherent board does not mind, and one whose devices do not
// snoop the cache of the CPU works on old bytes: nothing fails there either.
//
//   dmabuf-lab program examples/programs/missing-sync.mjs
//   dmabuf-lab program examples/programs/missing-sync.mjs --non-coherent

import {
  allocateFromHeap,
  beginCpuAccess,
  endCpuAccess,
  mapDmaBuf,
  O,
  openHeap,
  V4L2_BUF_TYPE,
  V4L2_MEMORY,
  VIDIOC_DQBUF,
  VIDIOC_QBUF,
  VIDIOC_REQBUFS,
  VIDIOC_STREAMON,
} from '../../packages/uapi/dist/index.js';

const MEMORY = V4L2_MEMORY.DMABUF;
/** 320x180 YUYV. */
const FRAME_BYTES = 115_200;

/** @param {import('@dmabuf-lab/uapi').Process} process @param {import('@dmabuf-lab/uapi').SimulatedKernel} kernel */
export function* main(process, kernel) {
  const camera = yield* openVideo(process, '/dev/video0', V4L2_BUF_TYPE.VIDEO_CAPTURE);
  const output = yield* openVideo(process, '/dev/video1', V4L2_BUF_TYPE.VIDEO_OUTPUT);
  const heap = openHeap(process, 'system');
  const picture = yield* allocateFromHeap(process, heap, FRAME_BYTES);
  const address = mapDmaBuf(process, picture);

  /** What a program sees of a new frame. The frames differ. */
  function* frame(withSync) {
    yield* camera.queue(0, picture);
    yield* camera.dequeue();
    if (withSync) yield* beginCpuAccess(process, picture, 'read');
    const bytes = [...process.memory.read(address, 4)];
    if (withSync) yield* endCpuAccess(process, picture, 'read');
    return bytes;
  }
  const frames = [yield* frame(true), yield* frame(true)];
  const withoutSync = yield* frame(false);

  // Two buffers for the output, which gives one back when it shows the next.
  const shown = [];
  for (const withSync of [true, false]) {
    const buffer = yield* allocateFromHeap(process, heap, FRAME_BYTES);
    const target = mapDmaBuf(process, buffer);
    if (withSync) yield* beginCpuAccess(process, buffer, 'write');
    process.memory.write(target, Uint8Array.of(7, 7, 7, 7));
    if (withSync) yield* endCpuAccess(process, buffer, 'write');
    yield* output.queue(shown.length, buffer);
    shown.push(buffer);
  }
  yield* output.queue(2, picture);
  yield* output.dequeue();
  yield* output.dequeue();
  return { frames, withoutSync, isNew: String(withoutSync) !== String(frames[1]), endedAtMs: kernel.now() / 1e6 };
}

/** A video node that streams dma-bufs. */
function* openVideo(process, path, type) {
  const video = process.open(path, O.RDWR | O.CLOEXEC);
  yield* process.command(video, VIDIOC_REQBUFS, { type, memory: MEMORY, count: 3 });
  yield* process.command(video, VIDIOC_STREAMON, { value: type });
  return {
    queue: (index, buffer) =>
      process.command(video, VIDIOC_QBUF, { type, memory: MEMORY, index, m: BigInt(buffer), bytesused: FRAME_BYTES }),
    dequeue: () => process.command(video, VIDIOC_DQBUF, { type, memory: MEMORY }),
  };
}
