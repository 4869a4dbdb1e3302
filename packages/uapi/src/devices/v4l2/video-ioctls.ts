/** The ioctls of a video node. Source: v4l2_ioctls, drivers/media/v4l2-core/v4l2-ioctl.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import type { IoctlCommand } from '../../abi/ioctl.js';
import type { Struct } from '../../abi/struct.js';
import * as abi from '../../abi/videodev2.js';
import type { Process } from '../../kernel/process.js';
import { vb2Error } from './vb2-buffer.js';
import * as vb2 from './vb2-ioctls.js';
import type { Vb2Queue } from './vb2-queue.js';
import type { UserBuffer } from './vb2-user-buffer.js';
import type { VideoFile } from './video-file.js';
import { decodeWholeFormat, encodeFormat, type VideoFormat } from './video-format.js';
import { queueOfType, queuesOf, type VideoNode } from './video-node.js';

const { V4L2_BUF_TYPE } = abi;
/** LINUX_VERSION_CODE of 6.12. */
const VERSION = 6 * 65_536 + 12 * 256;

/** A call with its argument copied in, where user space has written one. */
interface VideoCall {
  readonly file: VideoFile;
  readonly node: VideoNode;
  readonly process: Process;
  readonly bytes: Uint8Array | undefined;
}

interface VideoIoctl {
  readonly name: string;
  /** @returns the argument to be copied out */
  run(call: VideoCall): Task<Uint8Array>;
}

/** An entry of the table; the handler changes the decoded structure in place. */
function entry<T>(
  command: IoctlCommand<T> & { readonly struct: Struct<T> },
  handle: (call: VideoCall, data: T) => Task<void> | void,
): [number, VideoIoctl] {
  const { name, number, struct } = command;
  function* run(call: VideoCall): Task<Uint8Array> {
    const data = struct.decode(call.bytes ?? new Uint8Array(struct.size));
    const started = handle(call, data);
    if (typeof started === 'object') yield* started;
    return struct.encode(data);
  }
  return [number, { name, run }];
}

const queueCall = ({ file, node, process }: VideoCall, type: number): vb2.QueueCall => ({
  queue: queueOfType(node, type),
  file,
  process,
  media: node.media,
});

/** An entry whose argument is a v4l2_buffer, with the planes that it points to. Source: check_array_args. */
function bufferEntry(
  command: IoctlCommand<ReturnType<typeof abi.v4l2Buffer.decode>> & { readonly struct: typeof abi.v4l2Buffer },
  handle: (call: vb2.QueueCall, given: UserBuffer) => Task<void> | void,
): [number, VideoIoctl] {
  function* run(call: VideoCall, data: UserBuffer): Task<void> {
    const { name } = command;
    const { process, node } = call;
    const address = data.m;
    readPlanes(process, data, name);
    checkType(node, data.type, name);
    const started = handle(queueCall(call, data.type), data);
    if (typeof started === 'object') yield* started;
    if (data.planes === undefined) return;
    data.m = address;
    for (const [i, plane] of data.planes.entries()) {
      process.user.writeStruct(address + BigInt(i * abi.v4l2Plane.size), abi.v4l2Plane, plane, name);
    }
  }
  return entry(command, run);
}

/** @throws ErrnoError EINVAL, EFAULT */
function readPlanes(process: Process, data: UserBuffer, op: string): void {
  if (!abi.isMultiplanarType(data.type)) return;
  if (data.length > abi.VIDEO_MAX_PLANES) throw vb2Error('EINVAL', op, `there are no ${data.length} planes`);
  if (data.m === 0n && data.length === 0) return;
  const bytes = process.user.read(data.m, data.length * abi.v4l2Plane.size, op);
  data.planes = Array.from({ length: data.length }, (_, i) =>
    abi.v4l2Plane.decode(bytes.subarray(i * abi.v4l2Plane.size)),
  );
}

/** The type goes with the direction of the node. Source: check_fmt. @throws ErrnoError EINVAL */
function checkType(node: VideoNode, type: number, op: string): void {
  if (!queuesOf(node).some(({ options }) => typesOf(options.isOutput).includes(type)))
    throw vb2Error('EINVAL', op, `the node has no buffers of type ${type}`);
}

function typesOf(isOutput: boolean): readonly number[] {
  return isOutput
    ? [V4L2_BUF_TYPE.VIDEO_OUTPUT, V4L2_BUF_TYPE.VIDEO_OUTPUT_MPLANE, V4L2_BUF_TYPE.VIDEO_OUTPUT_OVERLAY]
    : [V4L2_BUF_TYPE.VIDEO_CAPTURE, V4L2_BUF_TYPE.VIDEO_CAPTURE_MPLANE];
}

type FormatData = ReturnType<typeof abi.v4l2Format.decode>;

function formatEntry(
  command: typeof abi.VIDIOC_G_FMT,
  handle: (node: VideoNode, wanted: VideoFormat, queue: Vb2Queue) => VideoFormat,
): [number, VideoIoctl] {
  return entry(command, ({ node }, data: FormatData) => {
    checkType(node, data.type, command.name);
    if (data.type === V4L2_BUF_TYPE.VIDEO_OUTPUT_OVERLAY)
      throw vb2Error('EINVAL', command.name, 'the node has no framebuffer to overlay');
    const queue = queueOfType(node, data.type);
    if (data.type !== queue.options.type)
      throw new ErrnoError('ENOTTY', command.name, 'Cannot tell a format: planes are the other kind');
    Object.assign(data, encodeFormat(data.type, handle(node, decodeWholeFormat(data), queue)));
  });
}

/** Selecting an input is there on captures only, selecting an output on outputs only. */
function connectorEntry(command: typeof abi.VIDIOC_S_INPUT, isOutput: boolean, sets: boolean): [number, VideoIoctl] {
  return entry(command, ({ node }, data) => {
    const { queue, connector } = node;
    if (queue.options.isOutput !== isOutput || connector === undefined) throw notThere(command.name);
    if (sets) node.selectConnector(data.value);
    data.value = node.connector ?? 0;
  });
}

function notThere(op: string): ErrnoError {
  return new ErrnoError('ENOTTY', op, `Cannot do ${op}: the node does not have it`);
}

function queryCapability({ node }: VideoCall, data: ReturnType<typeof abi.v4l2Capability.decode>): void {
  const { driver, card, busInfo: bus_info } = node;
  const always = abi.V4L2_CAP.EXT_PIX_FORMAT;
  const device_caps = (node.deviceCapabilities | always) >>> 0;
  const capabilities = (node.capabilities | always | abi.V4L2_CAP.DEVICE_CAPS) >>> 0;
  Object.assign(data, { driver, card, bus_info, version: VERSION, device_caps, capabilities });
}

function enumerateFormat({ node }: VideoCall, data: ReturnType<typeof abi.v4l2Fmtdesc.decode>): void {
  const op = abi.VIDIOC_ENUM_FMT.name;
  checkType(node, data.type, op);
  const queue = queueOfType(node, data.type);
  const format = data.type === queue.options.type ? node.formatsOf(queue)[data.index] : undefined;
  if (format === undefined) throw vb2Error('EINVAL', op, `there is no format ${data.index} of type ${data.type}`);
  const { description, fourcc: pixelformat, isCompressed } = format;
  const flags = isCompressed === true ? abi.V4L2_FMT_FLAG_COMPRESSED : 0;
  Object.assign(data, { description, pixelformat, flags, mbus_code: 0 });
}

function parameters({ node }: VideoCall, data: ReturnType<typeof abi.v4l2Streamparm.decode>, sets: boolean): void {
  const op = sets ? abi.VIDIOC_S_PARM.name : abi.VIDIOC_G_PARM.name;
  checkType(node, data.type, op);
  if (sets && node.setInterval === undefined) throw notThere(op);
  // A mem2mem device is told the interval of what comes in.
  const timed = node.sourceQueue ?? node.queue;
  if (data.type !== timed.options.type) throw vb2Error('EINVAL', op, 'the interval is that of other buffers');
  const { numerator, denominator } = (sets ? node.setInterval?.(data) : undefined) ?? node.interval;
  Object.assign(data, { capability: abi.V4L2_CAP_TIMEPERFRAME, numerator, denominator, buffers: 1 });
}

/** Source: v4l2_m2m_ioctl_try_encoder_cmd. */
function encoderCommand({ node }: VideoCall, data: ReturnType<typeof abi.v4l2EncoderCmd.decode>, tries: boolean): void {
  const op = tries ? abi.VIDIOC_TRY_ENCODER_CMD.name : abi.VIDIOC_ENCODER_CMD.name;
  if (node.encoderCommand === undefined) throw notThere(op);
  const { START, STOP } = abi.V4L2_ENC_CMD;
  if (data.cmd !== START && data.cmd !== STOP) throw vb2Error('EINVAL', op, `there is no command ${data.cmd}`);
  data.flags = 0;
  if (!tries) node.encoderCommand(data.cmd);
}

function queryControl({ node }: VideoCall, data: ReturnType<typeof abi.v4l2Queryctrl.decode>): void {
  const next = abi.V4L2_CTRL_FLAG.NEXT_CTRL;
  const { list } = node.controls;
  const found = data.id >= next ? list.find(({ id }) => id > data.id - next) : list.find(({ id }) => id === data.id);
  if (found === undefined) throw vb2Error('EINVAL', abi.VIDIOC_QUERYCTRL.name, `there is no control ${data.id}`);
  const isButton = found.type === abi.V4L2_CTRL_TYPE.BUTTON;
  Object.assign(data, { ...found, minimum: 0, step: isButton ? 0 : 1, default_value: 0 });
}

export const VIDEO_IOCTLS: ReadonlyMap<number, VideoIoctl> = new Map([
  entry(abi.VIDIOC_QUERYCAP, queryCapability),
  entry(abi.VIDIOC_ENUM_FMT, enumerateFormat),
  formatEntry(abi.VIDIOC_G_FMT, (node, _wanted, queue) => node.getFormat(queue)),
  formatEntry(abi.VIDIOC_TRY_FMT, (node, wanted, queue) => node.tryFormat(wanted, queue)),
  formatEntry(abi.VIDIOC_S_FMT, (node, wanted, queue) => node.setFormat(wanted, queue)),
  entry(abi.VIDIOC_G_PARM, (call, data) => parameters(call, data, false)),
  entry(abi.VIDIOC_S_PARM, (call, data) => parameters(call, data, true)),
  connectorEntry(abi.VIDIOC_G_INPUT, false, false),
  connectorEntry(abi.VIDIOC_S_INPUT, false, true),
  connectorEntry(abi.VIDIOC_G_OUTPUT, true, false),
  connectorEntry(abi.VIDIOC_S_OUTPUT, true, true),
  entry(abi.VIDIOC_ENCODER_CMD, (call, data) => encoderCommand(call, data, false)),
  entry(abi.VIDIOC_TRY_ENCODER_CMD, (call, data) => encoderCommand(call, data, true)),
  entry(abi.VIDIOC_QUERYCTRL, queryControl),
  entry(abi.VIDIOC_G_CTRL, ({ node }, data) => {
    data.value = node.controls.get(data.id);
  }),
  entry(abi.VIDIOC_S_CTRL, ({ node }, data) => {
    data.value = node.controls.set(data.id, data.value);
  }),
  entry(abi.VIDIOC_REQBUFS, (call, data) => {
    checkType(call.node, data.type, abi.VIDIOC_REQBUFS.name);
    vb2.reqbufs(queueCall(call, data.type), data);
  }),
  entry(abi.VIDIOC_CREATE_BUFS, (call, data) => {
    checkType(call.node, data.format.type, abi.VIDIOC_CREATE_BUFS.name);
    vb2.createBufs(queueCall(call, data.format.type), data);
  }),
  entry(abi.VIDIOC_REMOVE_BUFS, (call, data) => vb2.removeBufs(queueCall(call, data.type), data)),
  bufferEntry(abi.VIDIOC_QUERYBUF, vb2.querybuf),
  bufferEntry(abi.VIDIOC_PREPARE_BUF, vb2.prepareBuf),
  bufferEntry(abi.VIDIOC_QBUF, vb2.qbuf),
  bufferEntry(abi.VIDIOC_DQBUF, vb2.dqbuf),
  entry(abi.VIDIOC_EXPBUF, (call, data) => vb2.expbuf(queueCall(call, data.type), data)),
  entry(abi.VIDIOC_STREAMON, (call, data) => vb2.stream(queueCall(call, data.value), data.value, true)),
  entry(abi.VIDIOC_STREAMOFF, (call, data) => vb2.stream(queueCall(call, data.value), data.value, false)),
]);
