// A program on the devices of a scenario: the camera fills dma-bufs, the GPU draws them for the display, and after half a
// second an encoder records. No picture is copied: all four get the same buffers by their descriptors.
//
//   dmabuf-lab program examples/programs/record-a-preview.mjs --scenario examples/late-encoder.yaml --out out/

import {
  addFramebuffer,
  allocateFromHeap,
  createRenderBuffer,
  dequeueVideoBuffer,
  drainEncoder,
  getVideoFormat,
  mapVideoBuffer,
  openDisplay,
  openDrm,
  openHeap,
  openVideo,
  primeFdToHandle,
  primeHandleToFd,
  queueVideoBuffer,
  readFlip,
  requestBuffers,
  setVideoFormat,
  showFramebuffer,
  startStreaming,
  stopStreaming,
  submitRender,
  turnOnDisplay,
  waitSyncFile,
} from '../../packages/uapi/dist/index.js';

const FRAMES = 45;
const RECORD_FROM = 15;

/** @param {import('@dmabuf-lab/uapi').Process} process */
export function* main(process) {
  const camera = yield* openCamera(process, 4);
  const screen = yield* openScreen(process, camera.picture);
  let recorder;
  const shown = [];

  yield* startStreaming(process, camera.queue);
  for (let n = 0; n < FRAMES; n += 1) {
    const { index, timestampNs } = yield* dequeueVideoBuffer(process, camera.queue, 'dmabuf');

    // The GPU's fence is on the buffers: the display waits for it, and nobody else has to.
    const { outFence, framebuffer } = yield* screen.draw(camera.buffers[index]);
    yield* showFramebuffer(process, screen.display, framebuffer, { inFence: outFence, event: BigInt(n) });

    if (n === RECORD_FROM) recorder = yield* openRecorder(process, camera);
    if (recorder !== undefined) yield* recorder.encode(camera.buffers[index], timestampNs);

    // V4L2 waits for no fence: before the camera may write the buffer again, the program waits for the GPU.
    yield* waitSyncFile(process, outFence, -1);
    process.close(outFence);
    const { timeNs, sequence } = yield* readFlip(process, screen.display);
    shown.push({ capturedNs: timestampNs, shownNs: timeNs, vblank: sequence });
    yield* queueVideoBuffer(process, camera.queue, { index, memory: 'dmabuf', dmaBufs: [camera.buffers[index]] });
  }
  yield* stopStreaming(process, camera.queue);
  const recorded = yield* recorder.finish();
  return { picture: camera.picture, frames: shown.length, first: shown[0], last: shown.at(-1), recorded };
}

/** The camera and its buffers. The encoder to come needs memory in one piece, and a program has to know that: it picks the heap. */
function* openCamera(process, count) {
  const { capture: queue } = yield* openVideo(process, '/dev/by-name/camera');
  const picture = yield* getVideoFormat(process, queue);
  yield* requestBuffers(process, queue, 'dmabuf', count);
  const heap = openHeap(process, 'reserved');
  const buffers = [];
  for (let index = 0; index < count; index += 1) {
    const buffer = yield* allocateFromHeap(process, heap, picture.planes[0].sizeBytes);
    yield* queueVideoBuffer(process, queue, { index, memory: 'dmabuf', dmaBufs: [buffer] });
    buffers.push(buffer);
  }
  return { queue, picture, buffers };
}

/** The GPU and the display, with two targets that the one draws and the other shows. */
function* openScreen(process, { widthPixels, heightPixels, planes }) {
  const gpu = openDrm(process, '/dev/by-name/gpu');
  const display = yield* openDisplay(process, '/dev/by-name/display');
  const strideBytes = widthPixels * 4;
  const targets = [];
  for (let i = 0; i < 3; i += 1) {
    const { handle } = yield* createRenderBuffer(process, gpu, strideBytes * heightPixels);
    const shared = yield* primeFdToHandle(process, display.fd, yield* primeHandleToFd(process, gpu, handle));
    const layout = { handle: shared, widthPixels, heightPixels, strideBytes };
    targets.push({ handle, framebuffer: yield* addFramebuffer(process, display, layout) });
  }
  yield* turnOnDisplay(process, display, targets[2].framebuffer);
  let next = 0;
  function* draw(buffer) {
    const { handle, framebuffer } = targets[next];
    next = (next + 1) % targets.length;
    const source = {
      handle: yield* primeFdToHandle(process, gpu, buffer),
      format: 'NV12',
      widthPixels,
      heightPixels,
      strideBytes: planes[0].strideBytes,
    };
    const { outFence } = yield* submitRender(process, gpu, { source, target: { handle, strideBytes }, outFence: true });
    return { outFence, framebuffer };
  }
  return { display, draw };
}

/** The encoder: pictures go in by descriptor, their bitstream comes out into its own buffers. */
function* openRecorder(process, { picture, buffers }) {
  const { fd, output, capture } = yield* openVideo(process, '/dev/by-name/encoder');
  yield* setVideoFormat(process, output, picture);
  yield* requestBuffers(process, output, 'dmabuf', buffers.length);
  const coded = yield* requestBuffers(process, capture, 'mmap', 2);
  const addresses = [];
  for (let index = 0; index < coded; index += 1) {
    addresses.push(...(yield* mapVideoBuffer(process, capture, index)));
    yield* queueVideoBuffer(process, capture, { index, memory: 'mmap' });
  }
  yield* startStreaming(process, output);
  yield* startStreaming(process, capture);
  const frames = [];
  function* take() {
    const done = yield* dequeueVideoBuffer(process, capture, 'mmap');
    const [bytes] = done.usedBytes;
    if (bytes > 0)
      frames.push({ bytes, key: done.isKeyFrame, startCode: process.memory.read(addresses[done.index], 4) });
    if (!done.isLast) yield* queueVideoBuffer(process, capture, { index: done.index, memory: 'mmap' });
    return done.isLast;
  }
  function* encode(buffer, timestampNs) {
    const index = buffers.indexOf(buffer);
    const usedBytes = [picture.planes[0].sizeBytes];
    yield* queueVideoBuffer(process, output, { index, memory: 'dmabuf', dmaBufs: [buffer], usedBytes, timestampNs });
    yield* dequeueVideoBuffer(process, output, 'dmabuf');
    yield* take();
  }
  function* finish() {
    yield* drainEncoder(process, fd);
    while (!(yield* take()));
    const bytes = frames.reduce((sum, frame) => sum + frame.bytes, 0);
    const isAnnexB = frames.every(({ startCode }) => startCode.join() === '0,0,0,1');
    return { frames: frames.length, bytes, keyFrames: frames.filter(({ key }) => key).length, isAnnexB };
  }
  return { encode, finish };
}
