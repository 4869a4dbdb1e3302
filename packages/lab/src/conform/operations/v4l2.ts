/** V4L2 nodes and media requests. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import * as uapi from '@dmabuf-lab/uapi';
import { z } from 'zod';
import type { CaseContext } from '../case-context.js';
import { answered, newFd, type Operation, type Outcome, operation, returnedFd } from '../operation.js';
import { count, flags, integer, low32, namesOf, reference } from '../values.js';
import { descriptor, descriptorIn, mapFlags, openFlags, protection, RDWR_CLOEXEC } from './arguments.js';
import * as v4l2 from './v4l2-arguments.js';

const { O, POLL, PROT, MAP, V4L2_BUF_TYPE, V4L2_BUF_FLAG, V4L2_BUF_CAP, V4L2_CAP } = uapi;

const NODES = [
  { name: 'cap', path: '/dev/video0', type: V4L2_BUF_TYPE.VIDEO_CAPTURE },
  { name: 'out', path: '/dev/video1', type: V4L2_BUF_TYPE.VIDEO_OUTPUT },
  { name: 'cap-mp', path: '/dev/video2', type: V4L2_BUF_TYPE.VIDEO_CAPTURE_MPLANE },
  { name: 'out-mp', path: '/dev/video3', type: V4L2_BUF_TYPE.VIDEO_OUTPUT_MPLANE },
];

const number = integer.default(0n);
const typed = z.looseObject({ video: reference.optional(), type: v4l2.bufferType });
const withBuffer = typed.extend(v4l2.bufferArguments);
const withFormat = typed.extend(v4l2.formatArguments);
const allocation = typed.extend({
  count: number,
  memory: v4l2.memoryType,
  flags: flags({ NON_COHERENT: uapi.V4L2_MEMORY_FLAG_NON_COHERENT }).default(0n),
});

const ok = (more: Record<string, unknown> = {}): Outcome => answered({ ret: 0, ...more });

const noSuchNode = (name: string): ErrnoError =>
  new ErrnoError('ENOENT', 'open', `Cannot open node ${name}: there is none`);

/** Cases look for a node among those that can be opened, and then open it as they want: one that cannot be is not there. */
function openNode(process: uapi.Process, { name, path }: (typeof NODES)[number], how: number): number {
  try {
    process.close(process.open(path, O.RDWR | O.CLOEXEC));
  } catch (error) {
    throw error instanceof ErrnoError ? noSuchNode(name) : error;
  }
  return process.open(path, how);
}

/** G_FMT, S_FMT or TRY_FMT. */
const formatOperation = (command: typeof uapi.VIDIOC_G_FMT): Operation =>
  operation(withFormat, function* (context, given) {
    const { process, fd, type } = v4l2.videoCall(context, given);
    const wanted = command === uapi.VIDIOC_G_FMT ? { type } : v4l2.formatFrom(type, given);
    return ok(v4l2.formatAnswer(yield* process.command(fd, command, wanted)));
  });

/** QBUF or PREPARE_BUF. */
const bufferOperation = (command: typeof uapi.VIDIOC_QBUF): Operation =>
  operation(withBuffer, function* (context, given) {
    const call = v4l2.videoCall(context, given);
    const { buffer } = yield* v4l2.bufferIoctl(call, command, v4l2.userBuffer(context, call.type, given));
    return ok({ flags: namesOf(buffer.flags, V4L2_BUF_FLAG) });
  });

const requestOperation = (command: typeof uapi.MEDIA_REQUEST_IOC_QUEUE): Operation =>
  operation(z.looseObject(descriptor), function* (context, given) {
    return answered({ ret: yield* context.process.ioctl(context.fd(descriptorIn(given)), command.number, 0n) });
  });

export const v4l2Operations: Readonly<Record<string, Operation>> = {
  'v4l2.open': operation(
    z.looseObject({ node: z.string().default('cap'), flags: openFlags.default(RDWR_CLOEXEC) }),
    (context, given) => {
      const node = NODES.find(({ name }) => name === given.node);
      if (node === undefined) throw noSuchNode(given.node);
      const fd = openNode(context.process, node, low32(given.flags));
      v4l2.rememberNode(context, node.type);
      return returnedFd(fd);
    },
  ),
  'v4l2.queryCap': operation(typed, function* (context, given) {
    const { process, fd } = v4l2.videoCall(context, given);
    const { driver, device_caps } = yield* process.command(fd, uapi.VIDIOC_QUERYCAP, {});
    const has = (bits: number): boolean => (device_caps & bits) !== 0;
    return ok({
      driver,
      streaming: has(V4L2_CAP.STREAMING),
      readwrite: has(V4L2_CAP.READWRITE),
      capture: has(V4L2_CAP.VIDEO_CAPTURE),
      captureMplane: has(V4L2_CAP.VIDEO_CAPTURE_MPLANE),
      output: has(V4L2_CAP.VIDEO_OUTPUT),
      m2m: has(V4L2_CAP.VIDEO_M2M | V4L2_CAP.VIDEO_M2M_MPLANE),
    });
  }),
  'v4l2.enumFmt': operation(typed.extend({ index: number }), function* (context, given) {
    const { process, fd, type } = v4l2.videoCall(context, given);
    const asked = { type, index: low32(given.index) };
    const { pixelformat, description } = yield* process.command(fd, uapi.VIDIOC_ENUM_FMT, asked);
    return ok({ pixelformat: uapi.v4l2FourccText(pixelformat), description });
  }),
  'v4l2.gFmt': formatOperation(uapi.VIDIOC_G_FMT),
  'v4l2.sFmt': formatOperation(uapi.VIDIOC_S_FMT),
  'v4l2.tryFmt': formatOperation(uapi.VIDIOC_TRY_FMT),
  'v4l2.setInput': operation(typed.extend({ index: number }), function* (context, given) {
    const { process, fd } = v4l2.videoCall(context, given);
    yield* process.command(fd, uapi.VIDIOC_S_INPUT, { value: low32(given.index) });
    return ok();
  }),
  'v4l2.setInterval': operation(
    typed.extend({ numerator: integer.default(1n), denominator: integer.default(30n) }),
    function* (context, given) {
      const { process, fd, type } = v4l2.videoCall(context, given);
      const wanted = { type, numerator: low32(given.numerator), denominator: low32(given.denominator) };
      const { numerator, denominator } = yield* process.command(fd, uapi.VIDIOC_S_PARM, wanted);
      return ok({ numerator, denominator });
    },
  ),
  'v4l2.reqBufs': operation(allocation, function* (context, given) {
    const { process, fd, type } = v4l2.videoCall(context, given);
    const asked = { type, memory: given.memory, count: low32(given.count), flags: Number(given.flags % 256n) };
    const { count: made, capabilities } = yield* process.command(fd, uapi.VIDIOC_REQBUFS, asked);
    return ok({ count: made, capabilities: namesOf(capabilities, V4L2_BUF_CAP) });
  }),
  'v4l2.createBufs': operation(
    allocation.extend({ format: z.looseObject(v4l2.formatArguments).optional(), sizeimage: integer.optional() }),
    createBufs,
  ),
  'v4l2.removeBufs': operation(typed.extend({ index: number, count: number }), function* (context, given) {
    const { process, fd, type } = v4l2.videoCall(context, given);
    const asked = { type, index: low32(given.index), count: low32(given.count) };
    yield* process.command(fd, uapi.VIDIOC_REMOVE_BUFS, asked);
    return ok();
  }),
  'v4l2.queryBuf': operation(withBuffer, function* (context, given) {
    const call = v4l2.videoCall(context, given);
    const asked = v4l2.roomyBuffer(context, call.type, given);
    const { buffer, planes } = yield* v4l2.bufferIoctl(call, uapi.VIDIOC_QUERYBUF, asked);
    return ok(v4l2.bufferAnswer(buffer, planes));
  }),
  'v4l2.qBuf': bufferOperation(uapi.VIDIOC_QBUF),
  'v4l2.prepareBuf': bufferOperation(uapi.VIDIOC_PREPARE_BUF),
  'v4l2.dqBuf': operation(withBuffer.extend({ waitMs: z.number().optional() }), function* (context, given) {
    const call = v4l2.videoCall(context, given);
    if (given.waitMs !== undefined) yield* waitForFrame(call, given.waitMs);
    const asked = v4l2.roomyBuffer(context, call.type, { ...given, index: 0n, flags: 0n });
    const { buffer, planes } = yield* v4l2.bufferIoctl(call, uapi.VIDIOC_DQBUF, asked);
    return ok({ ...v4l2.bufferAnswer(buffer, planes), ...v4l2.dequeuedAnswer(buffer, call.node) });
  }),
  'v4l2.expBuf': operation(
    typed.extend({ index: number, plane: number, flags: openFlags.default(RDWR_CLOEXEC) }),
    function* (context, given) {
      const { process, fd, type } = v4l2.videoCall(context, given);
      const asked = { type, index: low32(given.index), plane: low32(given.plane), flags: low32(given.flags) };
      const exported = yield* process.command(fd, uapi.VIDIOC_EXPBUF, asked);
      return newFd(exported.fd);
    },
  ),
  'v4l2.mmap': operation(
    typed.extend({
      index: number,
      plane: count.default(0),
      len: integer.optional(),
      addOffset: number,
      prot: protection.default(BigInt(PROT.READ | PROT.WRITE)),
      flags: mapFlags.default(BigInt(MAP.SHARED)),
    }),
    mapPlane,
  ),
  'v4l2.streamOn': operation(typed, function* (context, given) {
    const { process, fd, type, node } = v4l2.videoCall(context, given);
    yield* process.command(fd, uapi.VIDIOC_STREAMON, { value: type });
    if (node !== undefined) node.lastSequence = undefined;
    return ok();
  }),
  'v4l2.streamOff': operation(typed, function* (context, given) {
    const { process, fd, type } = v4l2.videoCall(context, given);
    yield* process.command(fd, uapi.VIDIOC_STREAMOFF, { value: type });
    return ok();
  }),
  'media.requestAlloc': operation(z.looseObject({}), function* ({ process }) {
    const media = process.open('/dev/media0', O.RDWR | O.CLOEXEC);
    try {
      const { fd } = yield* process.command(media, uapi.MEDIA_IOC_REQUEST_ALLOC, {});
      return newFd(fd);
    } finally {
      process.close(media);
    }
  }),
  'media.requestQueue': requestOperation(uapi.MEDIA_REQUEST_IOC_QUEUE),
  'media.requestReinit': requestOperation(uapi.MEDIA_REQUEST_IOC_REINIT),
};

interface GivenAllocation extends z.output<typeof allocation> {
  readonly format?: v4l2.GivenFormat;
  readonly sizeimage?: bigint;
}

/** Without a format, CREATE_BUFS gets the one that is set, perhaps with another size. */
function* createBufs(context: CaseContext, given: GivenAllocation): Task<Outcome> {
  const { process, fd, type } = v4l2.videoCall(context, given);
  const format =
    given.format === undefined
      ? v4l2.withImageSize(yield* currentFormat(process, fd, type), given.sizeimage)
      : v4l2.formatFrom(type, given.format);
  const made = yield* process.command(fd, uapi.VIDIOC_CREATE_BUFS, {
    format,
    memory: given.memory,
    count: low32(given.count),
    flags: low32(given.flags),
  });
  const capabilities = namesOf(made.capabilities, V4L2_BUF_CAP);
  return ok({ index: made.index, count: made.count, capabilities, maxNumBuffers: made.max_num_buffers });
}

function* currentFormat(
  process: uapi.Process,
  fd: number,
  type: number,
): Task<ReturnType<typeof uapi.v4l2Format.decode>> {
  try {
    return yield* process.command(fd, uapi.VIDIOC_G_FMT, { type });
  } catch (error) {
    if (error instanceof ErrnoError) return { type, fmt: new Uint8Array(0) };
    throw error;
  }
}

function* waitForFrame({ process, fd, type }: v4l2.VideoCall, timeoutMs: number): Task<void> {
  const isOutput = type === V4L2_BUF_TYPE.VIDEO_OUTPUT || type === V4L2_BUF_TYPE.VIDEO_OUTPUT_MPLANE;
  yield* process.poll([{ fd, events: isOutput ? POLL.OUT : POLL.IN }], timeoutMs);
}

interface GivenMapping {
  readonly video?: string | number;
  readonly type?: number;
  readonly index: bigint;
  readonly plane: number;
  readonly len?: bigint;
  readonly addOffset: bigint;
  readonly prot: bigint;
  readonly flags: bigint;
}

/** Asks for the offset of a plane, and maps it there. */
function* mapPlane(context: CaseContext, given: GivenMapping): Task<Outcome> {
  const call = v4l2.videoCall(context, given);
  const { process, fd, type } = call;
  const memory = uapi.V4L2_MEMORY.MMAP;
  const buffer = { type, memory, index: low32(given.index), length: uapi.VIDEO_MAX_PLANES };
  let plane: { readonly length: number; readonly m: bigint };
  try {
    const found = yield* v4l2.bufferIoctl(call, uapi.VIDIOC_QUERYBUF, { buffer, planes: [] });
    plane = uapi.isMultiplanarType(type) ? found.planes[given.plane] : found.buffer;
  } catch (error) {
    if (error instanceof ErrnoError) return answered({ queryErrno: error.code });
    throw error;
  }
  const length = given.len ?? BigInt(plane.length);
  const offset = BigInt.asUintN(32, plane.m) + given.addOffset;
  const address = process.mmap(fd, length, offset, low32(given.prot), low32(given.flags));
  return { answer: { ret: 'map' }, bind: { map: { address, lengthBytes: Number(length) } } };
}
