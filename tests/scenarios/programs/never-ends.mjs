// A camera whose buffers are never given back: it goes on without an end, and the program waits for it.
import {
  dequeueVideoBuffer,
  openVideo,
  queueVideoBuffer,
  requestBuffers,
  startStreaming,
} from '../../../packages/uapi/dist/index.js';

export function* main(process) {
  const { capture } = yield* openVideo(process, '/dev/by-name/camera');
  yield* requestBuffers(process, capture, 'mmap', 1);
  yield* queueVideoBuffer(process, capture, { index: 0, memory: 'mmap' });
  yield* startStreaming(process, capture);
  for (;;) yield* dequeueVideoBuffer(process, capture, 'mmap');
}
