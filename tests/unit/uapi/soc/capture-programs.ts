/** Programs that capture from a camera of a scenario. */
import { crc32 } from 'node:zlib';
import { ErrnoError, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { type AnyDriver, defineDriver, frameFormat, output, serviceTimeSchema } from '@dmabuf-lab/core/driver';
import camera from '@dmabuf-lab/drivers/camera';
import {
  addCaptureNode,
  addHeapNode,
  allocateFromHeap,
  type DmaBufFile,
  dequeueVideoBuffer,
  exportVideoBuffer,
  getFrameInterval,
  getVideoFormat,
  listVideoFormats,
  mapDmaBuf,
  mapVideoBuffer,
  O,
  openHeap,
  openVideo,
  POLL,
  type Process,
  queueVideoBuffer,
  requestBuffers,
  type SocHost,
  type SocVideoDevice,
  setFrameInterval,
  setVideoFormat,
  startStreaming,
  stopStreaming,
  V4L2_BUF_FLAG,
  V4L2_BUF_TYPE,
  V4L2_MEMORY,
  VIDIOC_DQBUF,
  VIDIOC_QUERYCAP,
  VIDIOC_REQBUFS,
  VIDIOC_S_INPUT,
  type VideoQueue,
} from '@dmabuf-lab/uapi';
import { errnoOf } from '../errno-of.js';
import type { SocMachine } from './soc-actor.js';

const PATH = '/dev/video10';
const MS = 1_000_000;
export const SIZE = { width: 160, height: 96 };

/** A camera of 50 frames a second. */
function addCamera(soc: SocHost, more: object = {}): SocVideoDevice {
  const parameters = camera.parameters.parse({ ...SIZE, rate: 50, ...more });
  return addCaptureNode(soc, { path: PATH, name: 'camera', driver: camera, parameters });
}

function* openCapture(process: Process, options: { nonblocking?: boolean } = {}): Task<VideoQueue> {
  const { capture } = yield* openVideo(process, PATH, options);
  if (capture === undefined) throw new Error('the node has no capture queue');
  return capture;
}

function* queueAll(process: Process, queue: VideoQueue, count: number): Task<void> {
  for (let index = 0; index < count; index += 1) yield* queueVideoBuffer(process, queue, { index, memory: 'mmap' });
}

/** Takes pictures, and gives each buffer back at once. */
export function* capture({ process, soc }: SocMachine) {
  addCamera(soc);
  const queue = yield* openCapture(process);
  const { driver, card, bus_info, device_caps } = yield* process.command(queue.fd, VIDIOC_QUERYCAP, {});
  const format = yield* getVideoFormat(process, queue);
  const formats = yield* listVideoFormats(process, queue);
  const interval = yield* getFrameInterval(process, queue);
  const count = yield* requestBuffers(process, queue, 'mmap', 3);
  const places: number[] = [];
  for (let i = 0; i < count; i += 1) places.push((yield* mapVideoBuffer(process, queue, i))[0]);
  yield* queueAll(process, queue, count);
  yield* startStreaming(process, queue);
  const pictures: { sequence: number; timestampNs: number; nowNs: number; checksum: number }[] = [];
  for (let i = 0; i < 5; i += 1) {
    const { index, sequence, timestampNs, usedBytes } = yield* dequeueVideoBuffer(process, queue, 'mmap');
    const nowNs = soc.kernel.now();
    pictures.push({ sequence, timestampNs, nowNs, checksum: crc32(process.memory.read(places[index], usedBytes[0])) });
    yield* queueVideoBuffer(process, queue, { index, memory: 'mmap' });
  }
  yield* stopStreaming(process, queue);
  return { driver, card, bus_info, device_caps, format, formats, interval, count, pictures };
}

/** Leaves the camera without buffers for a while. */
export function* lose({ process, soc }: SocMachine) {
  const device = addCamera(soc);
  const queue = yield* openCapture(process);
  yield* requestBuffers(process, queue, 'mmap', 2);
  yield* queueAll(process, queue, 2);
  yield* startStreaming(process, queue);
  yield* sleepUntil(205 * MS, 'a program that does something else');
  const sequences: number[] = [];
  for (let i = 0; i < 4; i += 1) {
    const { index, sequence } = yield* dequeueVideoBuffer(process, queue, 'mmap');
    sequences.push(sequence);
    yield* queueVideoBuffer(process, queue, { index, memory: 'mmap' });
  }
  yield* stopStreaming(process, queue);
  return { sequences, dropped: device.statistics.dropped.ranges(), counted: device.statistics.counters.get('ticks') };
}

/** Captures into dma-bufs of a heap. */
export function* capturePassed({ process, soc }: SocMachine) {
  addCamera(soc);
  const queue = yield* openCapture(process);
  const { planes } = yield* getVideoFormat(process, queue);
  const heap = openHeap(process, 'system');
  const buffers: number[] = [];
  for (let i = 0; i < 2; i += 1) buffers.push(yield* allocateFromHeap(process, heap, planes[0].sizeBytes + 4096));
  const files = buffers.map((fd) => process.fds.file(fd, 'test') as DmaBufFile);
  const held: (readonly [attached: number, mapped: number, references: number])[][] = [];
  const look = (): void => {
    held.push(files.map((file) => [file.attachments.size, file.object.mappings.size, file.references] as const));
  };
  yield* requestBuffers(process, queue, 'dmabuf', 2);
  look();
  for (const [index, fd] of buffers.entries())
    yield* queueVideoBuffer(process, queue, { index, memory: 'dmabuf', dmaBufs: [fd] });
  look();
  yield* startStreaming(process, queue);
  const { index, usedBytes } = yield* dequeueVideoBuffer(process, queue, 'dmabuf');
  const checksum = crc32(process.memory.read(mapDmaBuf(process, buffers[index]), usedBytes[0]));
  look();
  const other = yield* errnoOf(queueVideoBuffer(process, queue, { index, memory: 'dmabuf', dmaBufs: [9999] }));
  look();
  yield* stopStreaming(process, queue);
  look();
  yield* requestBuffers(process, queue, 'dmabuf', 0);
  process.memory.unmapAll();
  look();
  return { index, usedBytes, checksum, held, other, device: files.map((file) => file.exporter.name) };
}

/** Stops the camera in the middle of a frame, and starts it again. */
export function* stopAndStart({ process, soc }: SocMachine) {
  addCamera(soc, { readout: '15ms' });
  const queue = yield* openCapture(process);
  yield* requestBuffers(process, queue, 'mmap', 2);
  yield* queueAll(process, queue, 2);
  yield* startStreaming(process, queue);
  yield* sleepUntil(5 * MS, 'a readout has begun');
  yield* stopStreaming(process, queue);
  const stoppedNs = soc.kernel.now();
  const after = yield* errnoOf(dequeueVideoBuffer(process, queue, 'mmap'));
  yield* queueAll(process, queue, 2);
  yield* startStreaming(process, queue);
  const first = yield* dequeueVideoBuffer(process, queue, 'mmap');
  const second = yield* dequeueVideoBuffer(process, queue, 'mmap');
  yield* stopStreaming(process, queue);
  return { stoppedNs, after, frames: [first, second].map(({ sequence, timestampNs }) => ({ sequence, timestampNs })) };
}

/** A source that writes long after it began, and goes on where it is told to stop. */
function lateWriter(log: string[]): AnyDriver {
  return defineDriver({
    name: 'late',
    parameters: serviceTimeSchema,
    ports: { out: output() },
    plan: () => ({ outputs: { out: frameFormat('NV12', 64, 32, { num: 10, den: 1 }) }, problems: [] }),
    *run(ctx) {
      const { out } = ctx.ports;
      if (out === undefined) return;
      const lane = ctx.lane();
      for (let sequence = 0; ; sequence += 1) {
        const frame = yield* out.acquire(lane);
        frame.describe(sequence, ctx.now());
        const job = yield* ctx.begin(lane, [{ frame, write: true }]);
        try {
          yield* ctx.sleepUntil(ctx.now() + 10 * MS);
          for (const segment of job.segments(frame)) segment.fill(0xaa);
        } catch (error) {
          log.push(`late: ${error instanceof ErrnoError ? error.code : error}`);
          out.cancel(frame);
          throw error;
        }
        job.end();
        yield* out.push(frame);
      }
    },
  });
}

/** A source that waits for buffers loses none; stopped, it touches none. */
export function* waitForBuffers({ process, soc }: SocMachine) {
  const log: string[] = [];
  addCaptureNode(soc, { path: PATH, name: 'late', driver: lateWriter(log), parameters: {} });
  const queue = yield* openCapture(process);
  yield* requestBuffers(process, queue, 'mmap', 1);
  const [place] = yield* mapVideoBuffer(process, queue, 0);
  yield* startStreaming(process, queue);
  yield* sleepUntil(35 * MS, 'a program that is late');
  yield* queueAll(process, queue, 1);
  const first = yield* dequeueVideoBuffer(process, queue, 'mmap');
  const written = process.memory.read(place, 1)[0];
  process.memory.write(place, Uint8Array.of(1));
  yield* queueAll(process, queue, 1);
  yield* sleepUntil(50 * MS, 'the next exposure');
  yield* stopStreaming(process, queue);
  // The next stream takes the same buffer while the old run has not heard of its end.
  yield* queueAll(process, queue, 1);
  yield* startStreaming(process, queue);
  yield* sleepUntil(57 * MS, 'the end of the old exposure');
  const untouched = process.memory.read(place, 1)[0];
  const { sequence, timestampNs } = yield* dequeueVideoBuffer(process, queue, 'mmap');
  yield* stopStreaming(process, queue);
  yield* sleepUntil(100 * MS, 'all has ended');
  return { first: [first.sequence, first.timestampNs], written, untouched, again: [sequence, timestampNs], log };
}

/** A source that fails after its first frame. */
const failing = defineDriver({
  name: 'failing',
  parameters: serviceTimeSchema,
  ports: { out: output() },
  plan: () => ({ outputs: { out: frameFormat('NV12', 64, 32, { num: 10, den: 1 }) }, problems: [] }),
  *run(ctx) {
    const { out } = ctx.ports;
    if (out === undefined) return;
    yield* out.push(yield* out.acquire(ctx.lane()));
    throw new Error('the sensor does not answer');
  },
});

export function* fail({ process, soc }: SocMachine) {
  const device = addCaptureNode(soc, { path: PATH, name: 'failing', driver: failing, parameters: {} });
  const queue = yield* openCapture(process);
  yield* requestBuffers(process, queue, 'mmap', 2);
  yield* queueAll(process, queue, 1);
  yield* startStreaming(process, queue);
  yield* sleepUntil(MS, 'the failure');
  const dequeued = yield* errnoOf(dequeueVideoBuffer(process, queue, 'mmap'));
  const queued = yield* errnoOf(queueVideoBuffer(process, queue, { index: 1, memory: 'mmap' }));
  const [polled] = yield* process.poll([{ fd: queue.fd, events: POLL.IN }], 0);
  yield* stopStreaming(process, queue);
  yield* queueAll(process, queue, 1);
  const again = yield* errnoOf(startStreaming(process, queue));
  yield* stopStreaming(process, queue);
  const failures = device.failures.map(({ timeNs, error }) => [timeNs, error.message]);
  return { dequeued, queued, isError: polled === POLL.ERR, again, failures };
}

/** What is refused, by name. */
export function* refusals({ process, soc }: SocMachine) {
  addCamera(soc);
  const { kernel } = soc;
  // Pages in falling order: none follows another.
  const apart = {
    allocate: (count: number) => {
      const run = kernel.pages.allocate(count);
      return { pages: [...run.pages].reverse(), free: () => run.free() };
    },
  };
  addHeapNode(kernel, { name: 'apart', scattered: true, allocate: apart.allocate });
  const parameters = camera.parameters.parse(SIZE);
  const driver = camera;
  const one = { path: '/dev/video11', name: 'one run', driver, parameters, isContiguous: true, pages: apart };
  addCaptureNode(soc, one);
  const queue = yield* openCapture(process, { nonblocking: true });
  const other = yield* openCapture(process);
  const { fd } = queue;
  const type = V4L2_BUF_TYPE.VIDEO_CAPTURE;
  const wanted = { fourcc: 'NV12', widthPixels: 640, heightPixels: 480 };
  const heap = openHeap(process, 'apart');
  const short = yield* allocateFromHeap(process, heap, 4096);
  const large = yield* allocateFromHeap(process, heap, 65_536);
  const found: Record<string, string | undefined> = {};
  found['poll without buffers'] = (yield* process.poll([{ fd, events: POLL.IN }], 0))[0] === POLL.ERR ? 'ERR' : 'none';
  found.read = yield* errnoOf(process.read(fd, 100));
  found['STREAMON without buffers'] = yield* errnoOf(startStreaming(process, queue));
  found['REQBUFS of user pointers'] = yield* errnoOf(
    process.command(fd, VIDIOC_REQBUFS, { type, memory: V4L2_MEMORY.USERPTR, count: 1 }),
  );
  found['S_INPUT 1'] = yield* errnoOf(process.command(fd, VIDIOC_S_INPUT, { value: 1 }));
  found.S_PARM = yield* errnoOf(setFrameInterval(process, queue, { numerator: 1, denominator: 5 }));
  const { widthPixels } = yield* setVideoFormat(process, queue, wanted);
  found['S_FMT of another size'] = `${widthPixels} pixels`;
  yield* requestBuffers(process, queue, 'mmap', 2);
  found['S_FMT with buffers'] = yield* errnoOf(setVideoFormat(process, queue, wanted));
  found['QBUF of another file'] = yield* errnoOf(queueVideoBuffer(process, other, { index: 0, memory: 'mmap' }));
  found['DQBUF before STREAMON'] = yield* errnoOf(dequeueVideoBuffer(process, queue, 'mmap'));
  yield* startStreaming(process, queue);
  found['DQBUF with nothing done'] = yield* errnoOf(dequeueVideoBuffer(process, queue, 'mmap'));
  found['REQBUFS while streaming'] = yield* errnoOf(requestBuffers(process, queue, 'mmap', 2));
  yield* stopStreaming(process, queue);
  yield* requestBuffers(process, queue, 'dmabuf', 1);
  const passed = (dmaBuf: number) => ({ index: 0, memory: 'dmabuf', dmaBufs: [dmaBuf] }) as const;
  found['QBUF of a short dma-buf'] = yield* errnoOf(queueVideoBuffer(process, queue, passed(short)));
  found['QBUF of a scattered dma-buf'] = yield* errnoOf(queueVideoBuffer(process, queue, passed(large)));
  const { capture: strict } = yield* openVideo(process, '/dev/video11');
  if (strict === undefined) throw new Error('it captures');
  found['REQBUFS in one run'] = yield* errnoOf(requestBuffers(process, strict, 'mmap', 1));
  yield* requestBuffers(process, strict, 'dmabuf', 1);
  found['QBUF in one run'] = yield* errnoOf(queueVideoBuffer(process, strict, passed(large)));
  const file = process.fds.file(large, 'test') as DmaBufFile;
  found['attachments after the refusal'] = [...file.attachments].map(({ device }) => device).join(', ');
  return found;
}

/** A camera that stops by itself. */
export function* end({ process, soc }: SocMachine) {
  addCamera(soc, { frames: 2 });
  const queue = yield* openCapture(process);
  const type = V4L2_BUF_TYPE.VIDEO_CAPTURE;
  yield* requestBuffers(process, queue, 'mmap', 4);
  yield* queueAll(process, queue, 4);
  yield* startStreaming(process, queue);
  const frames: (readonly [usedBytes: number, isLast: boolean])[] = [];
  for (let i = 0; i < 3; i += 1) {
    const { bytesused, flags } = yield* process.command(queue.fd, VIDIOC_DQBUF, { type });
    frames.push([bytesused, (flags & V4L2_BUF_FLAG.LAST) !== 0]);
  }
  const after = yield* errnoOf(dequeueVideoBuffer(process, queue, 'mmap'));
  const [polled] = yield* process.poll([{ fd: queue.fd, events: POLL.IN }], 0);
  yield* stopStreaming(process, queue);
  yield* queueAll(process, queue, 4);
  yield* startStreaming(process, queue);
  const { sequence } = yield* dequeueVideoBuffer(process, queue, 'mmap');
  return { frames, after, polled: (polled & POLL.IN) !== 0, again: sequence };
}

/** A buffer of the node, exported, lives on when the node has given it up. */
export function* exportBuffer({ process, soc }: SocMachine) {
  addCamera(soc);
  const queue = yield* openCapture(process);
  yield* requestBuffers(process, queue, 'mmap', 1);
  const buffer = yield* exportVideoBuffer(process, queue, 0);
  yield* queueAll(process, queue, 1);
  yield* startStreaming(process, queue);
  const { usedBytes } = yield* dequeueVideoBuffer(process, queue, 'mmap');
  process.close(queue.fd);
  const file = process.fds.file(buffer, 'test') as DmaBufFile;
  const mayWrite = (file.flags & O.ACCMODE) === O.RDWR;
  const checksum = crc32(process.memory.read(mapDmaBuf(process, buffer), usedBytes[0]));
  return { exporter: file.exporter.name, mayWrite, checksum };
}
