// Two recordings, one after the other, of pictures that the CPU draws: each leaves a video.
import {
  allocateFromHeap,
  dequeueVideoBuffer,
  mapDmaBuf,
  openHeap,
  openVideo,
  queueVideoBuffer,
  requestBuffers,
  startStreaming,
} from '../../../packages/uapi/dist/index.js';

export function* main(process) {
  const buffer = yield* allocateFromHeap(process, openHeap(process, 'reserved'), 460_800);
  const address = mapDmaBuf(process, buffer);
  const sizes = [];
  for (const frames of [3, 2]) {
    const { fd, output, capture } = yield* openVideo(process, '/dev/by-name/encoder');
    yield* requestBuffers(process, output, 'dmabuf', 1);
    yield* requestBuffers(process, capture, 'mmap', 1);
    yield* startStreaming(process, output);
    yield* startStreaming(process, capture);
    for (let i = 0; i < frames; i += 1) {
      process.memory.write(
        address,
        Uint8Array.from({ length: 65_536 }, (_, k) => (k * 7919 * (i + 1)) >> 3),
      ); // no SYNC
      yield* queueVideoBuffer(process, capture, { index: 0, memory: 'mmap' });
      const usedBytes = [460_800];
      yield* queueVideoBuffer(process, output, { index: 0, memory: 'dmabuf', dmaBufs: [buffer], usedBytes });
      sizes.push((yield* dequeueVideoBuffer(process, capture, 'mmap')).usedBytes[0]);
      yield* dequeueVideoBuffer(process, output, 'dmabuf');
    }
    process.close(fd);
  }
  return sizes;
}
