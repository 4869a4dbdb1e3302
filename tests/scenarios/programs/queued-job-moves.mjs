// Two jobs of a GPU on one movable source: the second is still in the queue when a late device makes the source move.
import {
  createConstrained,
  createRenderBuffer,
  openCenalloc,
  openDrm,
  openVideo,
  placementOf,
  primeFdToHandle,
  queueVideoBuffer,
  requestBuffers,
  submitRender,
  waitRender,
} from '../../../packages/uapi/dist/index.js';

export function* main(process, kernel) {
  const buffer = yield* createConstrained(process, openCenalloc(process), 460_800);
  const gpu = openDrm(process, '/dev/by-name/gpu');
  const handle = yield* primeFdToHandle(process, gpu, buffer);
  const source = { handle, format: 'NV12', widthPixels: 640, heightPixels: 480, strideBytes: 640 };
  let last = 0;
  for (let i = 0; i < 2; i += 1) {
    const target = yield* createRenderBuffer(process, gpu, 640 * 480 * 4);
    last = (yield* submitRender(process, gpu, { source, target: { handle: target.handle, strideBytes: 2560 } })).number;
  }
  const { capture } = yield* openVideo(process, '/dev/video4');
  yield* requestBuffers(process, capture, 'dmabuf', 1);
  yield* queueVideoBuffer(process, capture, { index: 0, memory: 'dmabuf', dmaBufs: [buffer] });
  yield* waitRender(process, gpu, last);
  return { movedAtNs: kernel.now(), ...placementOf(process, buffer) };
}
