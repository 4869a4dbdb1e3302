/** A program: a picture of the camera in a buffer that moves for the encoder. */
import { assert, type Task } from '@dmabuf-lab/core/base';
import {
  createConstrained,
  dequeueVideoBuffer,
  getVideoFormat,
  openCenalloc,
  openVideo,
  type Process,
  placementOf,
  queueVideoBuffer,
  requestBuffers,
  setVideoFormat,
  startStreaming,
  stopStreaming,
} from '@dmabuf-lab/uapi';

const PICTURE_BYTES = 460_800;

export interface RecordedFrame {
  /** Of the buffer of the picture. */
  readonly moves: number;
}

export function* main(process: Process): Task<RecordedFrame> {
  const { capture } = yield* openVideo(process, '/dev/by-name/camera');
  assert(capture !== undefined, 'a camera has a queue');
  const format = yield* getVideoFormat(process, capture);
  yield* requestBuffers(process, capture, 'dmabuf', 1);
  const buffer = yield* createConstrained(process, openCenalloc(process), PICTURE_BYTES);
  yield* queueVideoBuffer(process, capture, { index: 0, memory: 'dmabuf', dmaBufs: [buffer] });
  yield* startStreaming(process, capture);
  yield* dequeueVideoBuffer(process, capture, 'dmabuf');
  yield* stopStreaming(process, capture);
  yield* requestBuffers(process, capture, 'dmabuf', 0);

  const { output, capture: coded } = yield* openVideo(process, '/dev/by-name/encoder');
  assert(output !== undefined && coded !== undefined, 'an encoder has two queues');
  yield* setVideoFormat(process, output, format);
  yield* requestBuffers(process, output, 'dmabuf', 1);
  yield* requestBuffers(process, coded, 'mmap', 1);
  yield* queueVideoBuffer(process, coded, { index: 0, memory: 'mmap' });
  yield* startStreaming(process, output);
  yield* startStreaming(process, coded);
  yield* queueVideoBuffer(process, output, {
    index: 0,
    memory: 'dmabuf',
    dmaBufs: [buffer],
    usedBytes: [PICTURE_BYTES],
  });
  yield* dequeueVideoBuffer(process, coded, 'mmap');
  return { moves: placementOf(process, buffer).moves };
}
