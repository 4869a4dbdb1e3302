/** Programs that encode with an encoder of a scenario. */
import { sleepUntil, type Task } from '@dmabuf-lab/core/base';
import camera from '@dmabuf-lab/drivers/camera';
import encoder from '@dmabuf-lab/drivers/encoder';
import {
  addCaptureNode,
  addEncoderNode,
  allocateFromHeap,
  type DmaBufFile,
  dequeueVideoBuffer,
  drainEncoder,
  exportVideoBuffer,
  getVideoFormat,
  listVideoFormats,
  mapVideoBuffer,
  openHeap,
  openVideo,
  POLL,
  type Process,
  queueVideoBuffer,
  requestBuffers,
  resumeEncoder,
  type SocHost,
  type SocVideoDevice,
  setFrameInterval,
  setVideoFormat,
  startStreaming,
  stopStreaming,
  V4L2_BUF_TYPE,
  V4L2_ENC_CMD,
  VIDIOC_ENCODER_CMD,
  VIDIOC_ENUM_FMT,
  VIDIOC_G_INPUT,
  VIDIOC_G_PARM,
  VIDIOC_TRY_ENCODER_CMD,
  type VideoBufferDone,
  type VideoQueue,
} from '@dmabuf-lab/uapi';
import { errnoOf } from '../errno-of.js';
import type { SocMachine } from './soc-actor.js';

const CAMERA = '/dev/video10';
const ENCODER = '/dev/video11';
const MS = 1_000_000;
const SIZE = { width: 160, height: 96 };
const PICTURE = { fourcc: 'NV12', widthPixels: SIZE.width, heightPixels: SIZE.height };
export const FRAMES = 9;

function addCamera(soc: SocHost): SocVideoDevice {
  const parameters = camera.parameters.parse({ ...SIZE, rate: 50 });
  return addCaptureNode(soc, { path: CAMERA, name: 'camera', driver: camera, parameters });
}

function addEncoder(soc: SocHost, more: object = {}): SocVideoDevice {
  const parameters = encoder.parameters.parse({ service: '5ms', ...more });
  return addEncoderNode(soc, { path: ENCODER, name: 'encoder', driver: encoder, parameters });
}

interface Coder {
  readonly fd: number;
  readonly pictures: VideoQueue;
  readonly stream: VideoQueue;
}

/** Opens the encoder for pictures of the test's size. */
function* openCoder(process: Process, options: { nonblocking?: boolean } = {}): Task<Coder> {
  const { fd, output, capture } = yield* openVideo(process, ENCODER, options);
  if (output === undefined || capture === undefined) throw new Error('the node goes one way only');
  yield* setVideoFormat(process, output, PICTURE);
  return { fd, pictures: output, stream: capture };
}

const command = (process: Process, { fd }: Coder, cmd: number): Task<unknown> =>
  process.command(fd, VIDIOC_ENCODER_CMD, { cmd });

/** Buffers of the encoder's own for the bitstream, queued. @returns where they are mapped */
function* queueStream(process: Process, { stream }: Coder, count: number): Task<number[]> {
  yield* requestBuffers(process, stream, 'mmap', count);
  const places: number[] = [];
  for (let index = 0; index < count; index += 1) {
    places.push((yield* mapVideoBuffer(process, stream, index))[0]);
    yield* queueVideoBuffer(process, stream, { index, memory: 'mmap' });
  }
  return places;
}

/** Pictures of the encoder's own memory, queued with times. */
function* queuePictures(process: Process, { pictures }: Coder, count: number): Task<void> {
  yield* requestBuffers(process, pictures, 'mmap', count);
  for (let index = 0; index < count; index += 1)
    yield* queueVideoBuffer(process, pictures, { index, memory: 'mmap', timestampNs: (index + 1) * MS });
}

interface Coded extends Omit<VideoBufferDone, 'index' | 'usedBytes'> {
  readonly bytes: Uint8Array;
}

/** Takes a frame of the bitstream, and gives its buffer back. */
function* takeCoded(process: Process, { stream }: Coder, places: readonly number[]): Task<Coded> {
  const { index, usedBytes, ...rest } = yield* dequeueVideoBuffer(process, stream, 'mmap');
  const bytes = process.memory.read(places[index], usedBytes[0]).slice();
  yield* queueVideoBuffer(process, stream, { index, memory: 'mmap' });
  return { ...rest, bytes };
}

/** The camera's pictures go to the encoder by descriptors. @param buffers that both use */
function* pipeline(process: Process, source: VideoQueue, coder: Coder, buffers: readonly number[], own: boolean) {
  const memory = own ? 'mmap' : 'dmabuf';
  const give = (index: number): Task<void> =>
    queueVideoBuffer(process, source, { index, memory, ...(!own && { dmaBufs: [buffers[index]] }) });
  const places = yield* queueStream(process, coder, 3);
  yield* requestBuffers(process, coder.pictures, 'dmabuf', buffers.length);
  for (const index of buffers.keys()) yield* give(index);
  yield* startStreaming(process, coder.pictures);
  yield* startStreaming(process, coder.stream);
  yield* startStreaming(process, source);
  const captured: number[] = [];
  const coded: Coded[] = [];
  for (let i = 0; i < FRAMES; i += 1) {
    const { index, timestampNs } = yield* dequeueVideoBuffer(process, source, memory);
    captured.push(timestampNs);
    const dmaBufs = [buffers[index]];
    yield* queueVideoBuffer(process, coder.pictures, { index, memory: 'dmabuf', dmaBufs, timestampNs });
    coded.push(yield* takeCoded(process, coder, places));
    yield* dequeueVideoBuffer(process, coder.pictures, 'dmabuf');
    yield* give(index);
  }
  yield* drainEncoder(process, coder.fd);
  const last = yield* dequeueVideoBuffer(process, coder.stream, 'mmap');
  const after = yield* errnoOf(dequeueVideoBuffer(process, coder.stream, 'mmap'));
  for (const queue of [source, coder.pictures, coder.stream]) yield* stopStreaming(process, queue);
  return { captured, coded, last, after };
}

/** Buffers of the camera, exported to the encoder. */
export function* exported({ process, soc }: SocMachine) {
  addCamera(soc);
  const device = addEncoder(soc);
  const { capture: source } = yield* openVideo(process, CAMERA);
  if (source === undefined) throw new Error('the camera captures');
  const coder = yield* openCoder(process);
  yield* setFrameInterval(process, coder.pictures, { numerator: 1, denominator: 50 });
  const count = yield* requestBuffers(process, source, 'mmap', 3);
  const buffers: number[] = [];
  for (let i = 0; i < count; i += 1) buffers.push(yield* exportVideoBuffer(process, source, i));
  const found = yield* pipeline(process, source, coder, buffers, true);
  yield* sleepUntil(soc.kernel.now() + 2000 * MS, 'the end of the video');
  const { counters, artefacts } = device.statistics;
  const { encoded, checksPassed, checksFailed } = Object.fromEntries(counters);
  const videos = artefacts.map(({ name, frames }) => [name, frames]);
  return { ...found, counters: { encoded, checksPassed, checksFailed }, videos };
}

/** Buffers of a heap, imported by both. */
export function* imported({ process, soc }: SocMachine) {
  addCamera(soc);
  addEncoder(soc);
  const { capture: source } = yield* openVideo(process, CAMERA);
  if (source === undefined) throw new Error('the camera captures');
  const coder = yield* openCoder(process);
  const { planes } = yield* getVideoFormat(process, source);
  const heap = openHeap(process, 'system');
  const buffers: number[] = [];
  for (let i = 0; i < 2; i += 1) buffers.push(yield* allocateFromHeap(process, heap, planes[0].sizeBytes));
  yield* requestBuffers(process, source, 'dmabuf', 2);
  const { coded } = yield* pipeline(process, source, coder, buffers, false);
  const [file] = buffers.map((fd) => process.fds.file(fd, 'test') as DmaBufFile);
  const attached = [...file.attachments].map(({ device }) => device).sort();
  process.memory.unmapAll(); // a mapping holds the file that it is of
  for (const { fd } of [source, coder.pictures]) process.close(fd);
  return { frames: coded.length, attached, left: file.attachments.size, references: file.references };
}

/** Every step of a drain. */
export function* drain({ process, soc }: SocMachine) {
  addEncoder(soc);
  const coder = yield* openCoder(process);
  const { STOP, START, PAUSE } = V4L2_ENC_CMD;
  const found: Record<string, unknown> = {};
  found.PAUSE = yield* errnoOf(command(process, coder, PAUSE));
  found['TRY STOP'] = (yield* process.command(coder.fd, VIDIOC_TRY_ENCODER_CMD, { cmd: STOP, flags: 1 })).flags;
  found['STOP before streaming'] = yield* errnoOf(command(process, coder, STOP));
  yield* queueStream(process, coder, 3);
  yield* queuePictures(process, coder, 2);
  yield* startStreaming(process, coder.pictures);
  yield* startStreaming(process, coder.stream);
  yield* command(process, coder, STOP);
  found['STOP while draining'] = yield* errnoOf(command(process, coder, STOP));
  found['START while draining'] = yield* errnoOf(command(process, coder, START));
  // A picture that comes after STOP waits for START.
  const take = function* (): Task<(number | boolean)[]> {
    const { sequence, timestampNs, isLast, usedBytes } = yield* dequeueVideoBuffer(process, coder.stream, 'mmap');
    return [sequence, timestampNs / MS, isLast, usedBytes[0] > 0];
  };
  found.drained = [yield* take(), yield* take()];
  found.beyond = yield* errnoOf(dequeueVideoBuffer(process, coder.stream, 'mmap'));
  const [polled] = yield* process.poll([{ fd: coder.fd, events: POLL.IN }], 0);
  found.polled = (polled & POLL.IN) !== 0;
  for (let i = 0; i < 2; i += 1) yield* dequeueVideoBuffer(process, coder.pictures, 'mmap');
  yield* queueVideoBuffer(process, coder.pictures, { index: 0, memory: 'mmap', timestampNs: 7 * MS });
  yield* sleepUntil(soc.kernel.now() + 50 * MS, 'nothing happens');
  found['STOP when stopped'] = yield* errnoOf(command(process, coder, STOP));
  yield* resumeEncoder(process, coder.fd);
  found['after START'] = yield* take();
  // Nothing is queued, and no capture buffer is free: the next one that comes is the last.
  yield* command(process, coder, STOP);
  yield* queueVideoBuffer(process, coder.stream, { index: 0, memory: 'mmap' });
  found.empty = yield* take();
  found['beyond again'] = yield* errnoOf(dequeueVideoBuffer(process, coder.stream, 'mmap'));
  yield* stopStreaming(process, coder.stream);
  yield* queueVideoBuffer(process, coder.stream, { index: 0, memory: 'mmap' });
  yield* startStreaming(process, coder.stream);
  yield* dequeueVideoBuffer(process, coder.pictures, 'mmap');
  yield* queueVideoBuffer(process, coder.pictures, { index: 1, memory: 'mmap', timestampNs: 8 * MS });
  found['after STREAMOFF'] = yield* take();
  return found;
}

/** STREAMOFF of one side in the middle of a job. */
export function* stopInJob({ process, soc }: SocMachine) {
  const device = addEncoder(soc);
  const coder = yield* openCoder(process);
  const places = yield* queueStream(process, coder, 2);
  yield* queuePictures(process, coder, 2);
  yield* startStreaming(process, coder.pictures);
  yield* startStreaming(process, coder.stream);
  yield* sleepUntil(7 * MS, 'the second job');
  const first = yield* takeCoded(process, coder, places);
  yield* stopStreaming(process, coder.stream);
  const stoppedNs = soc.kernel.now();
  process.memory.fill(places[1], 4, 1);
  const source = yield* dequeueVideoBuffer(process, coder.pictures, 'mmap');
  for (let index = 0; index < 2; index += 1) yield* queueVideoBuffer(process, coder.stream, { index, memory: 'mmap' });
  yield* sleepUntil(20 * MS, 'the end of the job that was given up');
  const untouched = process.memory.read(places[1], 1)[0];
  // The picture of that job is still queued.
  yield* startStreaming(process, coder.stream);
  const again = yield* takeCoded(process, coder, places);
  const other = yield* dequeueVideoBuffer(process, coder.pictures, 'mmap');
  const brief = ({ sequence, timestampNs, isKeyFrame }: Coded) => [sequence, timestampNs / MS, isKeyFrame];
  const sources = [source.index, other.index];
  return { first: brief(first), stoppedNs, untouched, again: brief(again), sources, failures: device.failures.length };
}

/** Two open files: the device does a job of each in turn. */
export function* share({ process, soc }: SocMachine) {
  addEncoder(soc);
  const coders = [yield* openCoder(process), yield* openCoder(process)];
  for (const coder of coders) {
    yield* queueStream(process, coder, 3);
    yield* queuePictures(process, coder, 3);
  }
  for (const { pictures, stream } of coders) {
    yield* startStreaming(process, pictures);
    yield* startStreaming(process, stream);
  }
  const ends: number[][] = [];
  for (const { stream } of coders) {
    const own: number[] = [];
    for (let i = 0; i < 3; i += 1) {
      yield* process.poll([{ fd: stream.fd, events: POLL.IN }], -1);
      yield* dequeueVideoBuffer(process, stream, 'mmap');
      own.push(soc.kernel.now() / MS);
    }
    ends.push(own);
  }
  return ends;
}

/** Formats and what is refused. */
export function* refusals({ process, soc }: SocMachine) {
  addEncoder(soc, { sizeStep: 16, maxWidth: 640, maxHeight: 480 });
  const { fd, output, capture } = yield* openVideo(process, ENCODER, { nonblocking: true });
  if (output === undefined || capture === undefined) throw new Error('the node goes one way only');
  const found: Record<string, unknown> = {};
  found.pictures = yield* listVideoFormats(process, output);
  found.streams = yield* listVideoFormats(process, capture);
  const type = V4L2_BUF_TYPE.VIDEO_CAPTURE;
  found.flags = (yield* process.command(fd, VIDIOC_ENUM_FMT, { type })).flags;
  const set = function* (widthPixels: number, heightPixels: number): Task<number[]> {
    const done = yield* setVideoFormat(process, output, { fourcc: 'NV12', widthPixels, heightPixels });
    return [done.widthPixels, done.heightPixels];
  };
  found['100x60'] = yield* set(100, 60);
  found['1920x1080'] = yield* set(1920, 1080);
  found['0x0'] = yield* set(0, 0);
  found['320x240'] = yield* set(320, 240);
  const { fourcc, widthPixels, heightPixels, planes } = yield* getVideoFormat(process, capture);
  found['its stream'] = [fourcc, widthPixels, heightPixels, planes[0].strideBytes];
  found.fits = planes[0].sizeBytes >= 400 * 20 * 15;
  found.interval = yield* setFrameInterval(process, output, { numerator: 0, denominator: 0 });
  found['interval of the stream'] = yield* errnoOf(process.command(fd, VIDIOC_G_PARM, { type }));
  found.G_INPUT = yield* errnoOf(process.command(fd, VIDIOC_G_INPUT, {}));
  const poll = function* (): Task<number> {
    return (yield* process.poll([{ fd, events: POLL.IN | POLL.OUT }], 0))[0];
  };
  found['poll without buffers'] = (yield* poll()) === POLL.ERR;
  yield* requestBuffers(process, output, 'mmap', 1);
  yield* requestBuffers(process, capture, 'mmap', 1);
  found['S_FMT with buffers'] = yield* errnoOf(set(160, 160));
  yield* queueVideoBuffer(process, output, { index: 0, memory: 'mmap' });
  found['QBUF twice'] = yield* errnoOf(queueVideoBuffer(process, output, { index: 0, memory: 'mmap' }));
  yield* queueVideoBuffer(process, capture, { index: 0, memory: 'mmap' });
  yield* startStreaming(process, output);
  yield* startStreaming(process, capture);
  found['poll while it works'] = yield* poll();
  found['DQBUF while it works'] = yield* errnoOf(dequeueVideoBuffer(process, capture, 'mmap'));
  const events = POLL.IN | POLL.OUT;
  found.poll = (yield* process.poll([{ fd, events }], -1))[0] === events;
  found.DQBUF = yield* errnoOf(dequeueVideoBuffer(process, capture, 'mmap'));
  // A context of its own: other formats, and no buffers.
  const other = yield* openVideo(process, ENCODER);
  found['another file'] = (yield* getVideoFormat(process, other.output ?? output)).widthPixels;
  return found;
}

/** Without pictures a frame is a header. */
export function* header({ process, soc }: SocMachine) {
  addEncoder(soc);
  const coder = yield* openCoder(process);
  const places = yield* queueStream(process, coder, 2);
  yield* queuePictures(process, coder, 2);
  yield* startStreaming(process, coder.pictures);
  yield* startStreaming(process, coder.stream);
  const frames = [yield* takeCoded(process, coder, places), yield* takeCoded(process, coder, places)];
  return frames.map(({ bytes }) => [...new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)]);
}
