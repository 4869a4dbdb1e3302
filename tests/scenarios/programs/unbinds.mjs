/** Unbinds the camera by its file in /sys while another process is blocked in DQBUF, binds it again, and goes on. */
import {
  bindDevice,
  dequeueVideoBuffer,
  openVideo,
  Process,
  queueVideoBuffer,
  requestBuffers,
  startStreaming,
  unbindDevice,
} from '@dmabuf-lab/uapi';

const PATH = '/dev/by-name/camera';

function* stream(process, count) {
  const { capture } = yield* openVideo(process, PATH);
  yield* requestBuffers(process, capture, 'mmap', count);
  for (let index = 0; index < count; index += 1) yield* queueVideoBuffer(process, capture, { index, memory: 'mmap' });
  yield* startStreaming(process, capture);
  return capture;
}

function* errnoOf(call) {
  try {
    yield* call;
  } catch (error) {
    return error.code;
  }
  return 'none';
}

export function* main(process, kernel) {
  const errors = {};
  const other = new Process(kernel);
  let frames = 0;
  kernel.spawn('another program', reader());
  function* reader() {
    const queue = yield* stream(other, 2);
    for (;;) {
      errors.blocked = yield* errnoOf(dequeueVideoBuffer(other, queue, 'mmap'));
      if (errors.blocked === 'none') {
        frames += 1;
        kernel.changed();
        continue;
      }
      errors.later = yield* errnoOf(dequeueVideoBuffer(other, queue, 'mmap'));
      kernel.changed();
      return;
    }
  }
  // It gives none of its two buffers back: after them it is blocked.
  yield* kernel.wait(() => frames === 2 || undefined, Number.POSITIVE_INFINITY, 'frames');
  errors.wrong = yield* errnoOf(unbindDevice(process, 'camera', 'gpu'));
  errors.bound = yield* errnoOf(bindDevice(process, 'camera', 'camera'));
  errors.unbind = yield* errnoOf(unbindDevice(process, 'camera', 'camera'));
  errors.twice = yield* errnoOf(unbindDevice(process, 'camera', 'camera'));
  errors.open = yield* errnoOf(openVideo(process, PATH));
  yield* kernel.wait(() => errors.later, Number.POSITIVE_INFINITY, 'the other program');
  errors.bind = yield* errnoOf(bindDevice(process, 'camera', 'camera'));
  const queue = yield* stream(process, 2);
  const { sequence } = yield* dequeueVideoBuffer(process, queue, 'mmap');
  return { errors, sequence };
}
