import {
  allocateFromHeap,
  beginCpuAccess,
  dequeueVideoBuffer,
  endCpuAccess,
  exportVideoBuffer,
  getFrameInterval,
  getVideoFormat,
  listControls,
  listVideoFormats,
  mapDmaBuf,
  mapVideoBuffer,
  openHeap,
  openVideo,
  type Process,
  queueVideoBuffer,
  requestBuffers,
  setControl,
  setFrameInterval,
  setVideoFormat,
  startStreaming,
  stopStreaming,
  tryVideoFormat,
  type VideoQueue,
  waitVideoBuffer,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { errnoOf } from './errno-of.js';
import { runInProcess } from './run-in-process.js';

const MS = 1_000_000;

/** The queue of a node that goes one way. */
const queueOf = ({ capture, output }: { capture?: VideoQueue; output?: VideoQueue }): VideoQueue => {
  const queue = capture ?? output;
  if (queue === undefined) throw new Error('the node has no queue');
  return queue;
};

function* queueAll(process: Process, queue: VideoQueue, count: number) {
  for (let index = 0; index < count; index += 1) yield* queueVideoBuffer(process, queue, { index, memory: 'mmap' });
}

test('a program captures into buffers of the queue, at the interval it has set', (t) => {
  runInProcess(function* (process) {
    const video = yield* openVideo(process, '/dev/video0');
    t.is(video.driver, 'vivid');
    t.is(video.output, undefined);
    const queue = queueOf(video);
    const formats = yield* listVideoFormats(process, queue);
    t.true(formats.some(({ fourcc }) => fourcc === 'NV12'));
    const wanted = { fourcc: 'NV12', widthPixels: 320, heightPixels: 180 };
    const tried = yield* tryVideoFormat(process, queue, wanted);
    const set = yield* setVideoFormat(process, queue, wanted);
    t.deepEqual(tried, set);
    t.deepEqual(set, yield* getVideoFormat(process, queue));
    t.is(set.planes[0].sizeBytes, (320 * 180 * 3) / 2);
    const interval = yield* setFrameInterval(process, queue, { numerator: 1, denominator: 25 });
    t.deepEqual(interval, yield* getFrameInterval(process, queue));

    const count = yield* requestBuffers(process, queue, 'mmap', 3);
    t.is(count, 3);
    t.is(yield* errnoOf(setVideoFormat(process, queue, { ...wanted, widthPixels: 640 })), 'EBUSY');
    const addresses = yield* mapVideoBuffer(process, queue, 0);
    yield* queueAll(process, queue, count);
    yield* startStreaming(process, queue);
    t.true(yield* waitVideoBuffer(process, queue, 1000));
    const first = yield* dequeueVideoBuffer(process, queue, 'mmap');
    const second = yield* dequeueVideoBuffer(process, queue, 'mmap');
    t.is(first.index, 0);
    t.deepEqual(first.usedBytes, [set.planes[0].sizeBytes]);
    t.is(second.sequence, first.sequence + 1);
    t.is(second.timestampNs - first.timestampNs, (1000 / 25) * MS);
    t.false(first.hasError || first.isLast || first.isKeyFrame);
    t.true(process.memory.read(addresses[0], 4096).some((byte) => byte !== 0));
    yield* stopStreaming(process, queue);
    t.is(yield* errnoOf(dequeueVideoBuffer(process, queue, 'mmap')), 'EINVAL');
  });
});

test('a program captures into dma-bufs of a heap, and exports what the queue has allocated', (t) => {
  runInProcess(function* (process) {
    const queue = queueOf(yield* openVideo(process, '/dev/video0'));
    const { planes } = yield* getVideoFormat(process, queue);
    t.is(yield* requestBuffers(process, queue, 'dmabuf', 2), 2);
    const heap = openHeap(process, 'system');
    const buffers: number[] = [];
    for (let index = 0; index < 2; index += 1) {
      const buffer = yield* allocateFromHeap(process, heap, planes[0].sizeBytes);
      buffers.push(buffer);
      yield* queueVideoBuffer(process, queue, { index, memory: 'dmabuf', dmaBufs: [buffer] });
    }
    yield* startStreaming(process, queue);
    const done = yield* dequeueVideoBuffer(process, queue, 'dmabuf');
    yield* stopStreaming(process, queue);
    const buffer = buffers[done.index];
    yield* beginCpuAccess(process, buffer, 'read');
    t.true(process.memory.read(mapDmaBuf(process, buffer), 4096).some((byte) => byte !== 0));
    yield* endCpuAccess(process, buffer, 'read');

    yield* requestBuffers(process, queue, 'mmap', 1);
    const exported = yield* exportVideoBuffer(process, queue, 0);
    t.is(process.fds.file(exported, 'fdinfo').fdinfo().exp_name, 'videobuf2_vmalloc');
    t.is(yield* errnoOf(exportVideoBuffer(process, queue, 0, 1)), 'EINVAL');
  });
});

test('each plane of a multi-planar queue is memory of its own', (t) => {
  runInProcess(function* (process) {
    const queue = queueOf(yield* openVideo(process, '/dev/video2'));
    t.true(queue.isMultiplanar);
    const set = yield* setVideoFormat(process, queue, { fourcc: 'NM12', widthPixels: 320, heightPixels: 180 });
    t.is(set.fourcc, 'NM12');
    const sizes = set.planes.map(({ sizeBytes }) => sizeBytes);
    t.deepEqual(sizes, [320 * 180, (320 * 180) / 2]);
    const count = yield* requestBuffers(process, queue, 'mmap', 2);
    t.is((yield* mapVideoBuffer(process, queue, 1)).length, 2);
    yield* queueAll(process, queue, count);
    yield* startStreaming(process, queue);
    t.deepEqual((yield* dequeueVideoBuffer(process, queue, 'mmap')).usedBytes, sizes);
  });
});

test('an output takes pictures with their time', (t) => {
  runInProcess(function* (process) {
    const video = yield* openVideo(process, '/dev/video1');
    t.is(video.capture, undefined);
    const queue = queueOf(video);
    const { planes } = yield* getVideoFormat(process, queue);
    const count = yield* requestBuffers(process, queue, 'mmap', 2);
    for (let index = 0; index < count; index += 1) {
      const usedBytes = [planes[0].sizeBytes];
      yield* queueVideoBuffer(process, queue, { index, memory: 'mmap', usedBytes });
    }
    yield* startStreaming(process, queue);
    t.true(yield* waitVideoBuffer(process, queue, -1));
    t.is((yield* dequeueVideoBuffer(process, queue, 'mmap')).index, 0);
  });
});

test('vivid injects errors by the names of its controls', (t) => {
  runInProcess(function* (process) {
    const queue = queueOf(yield* openVideo(process, '/dev/video0'));
    const { fd } = queue;
    const controls = yield* listControls(process, fd);
    t.is(controls.get('Percentage of Dropped Buffers'), 0);
    t.true(controls.has('Disconnect'));
    t.is(controls.get('Disconnect'), undefined);
    t.is(yield* errnoOf(setControl(process, fd, 'No such control')), 'EINVAL');

    yield* setControl(process, fd, 'Inject VIDIOC_REQBUFS Error');
    t.is(yield* errnoOf(requestBuffers(process, queue, 'mmap', 4)), 'EINVAL');
    const count = yield* requestBuffers(process, queue, 'mmap', 4);

    t.is(yield* setControl(process, fd, 'Percentage of Dropped Buffers', 50), 50);
    yield* queueAll(process, queue, count);
    yield* startStreaming(process, queue);
    const sequences: number[] = [];
    for (let i = 0; i < 40; i += 1) {
      const { index, sequence } = yield* dequeueVideoBuffer(process, queue, 'mmap');
      sequences.push(sequence);
      yield* queueVideoBuffer(process, queue, { index, memory: 'mmap' });
    }
    t.true((sequences.at(-1) ?? 0) > 45, `40 frames of which half are lost end with ${sequences.at(-1)}`);

    yield* setControl(process, fd, 'Disconnect');
    t.is(yield* errnoOf(dequeueVideoBuffer(process, queue, 'mmap')), 'ENODEV');
  });
});
