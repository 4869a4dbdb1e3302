/** What operations on V4L2 nodes take and answer, and what they remember of a node between steps. */
import type { Task } from '@dmabuf-lab/core/base';
import {
  type IoctlCommand,
  isMultiplanarType,
  type Process,
  V4L2_BUF_FLAG,
  V4L2_BUF_TYPE,
  V4L2_FIELD,
  V4L2_MEMORY,
  VIDEO_MAX_PLANES,
  type v4l2Buffer,
  type v4l2Format,
  v4l2Fourcc,
  v4l2FourccText,
  v4l2PixFormat,
  v4l2PixFormatMplane,
  v4l2Plane,
} from '@dmabuf-lab/uapi';
import { z } from 'zod';
import type { CaseContext } from '../case-context.js';
import type { Answer } from '../operation.js';
import { count, enumeration, flags, integer, low32, namesOf, type Reference, reference } from '../values.js';

type BufferStruct = ReturnType<typeof v4l2Buffer.decode>;
type PlaneStruct = ReturnType<typeof v4l2Plane.decode>;

export const bufferType = enumeration(V4L2_BUF_TYPE).optional();
export const memoryType = enumeration(V4L2_MEMORY).default(V4L2_MEMORY.MMAP);
const field = enumeration(V4L2_FIELD);
const zero = integer.default(0n);

/** What is known of a descriptor that v4l2.open has made; a duplicate is not known. */
interface OpenedNode {
  readonly type: number;
  lastSequence?: number;
}

function nodesOf(context: CaseContext): Map<number, OpenedNode> {
  const known = context.notes.get('v4l2') as Map<number, OpenedNode> | undefined;
  const nodes = known ?? new Map<number, OpenedNode>();
  if (known === undefined) context.notes.set('v4l2', nodes);
  return nodes;
}

/** The next descriptor is of a node with this type of buffers. */
export function rememberNode(context: CaseContext, type: number): void {
  nodesOf(context).set(context.nextFd, { type });
}

/** A call on a node: the descriptor, and the type of buffers that it is about. */
export interface VideoCall {
  readonly process: Process;
  readonly fd: number;
  readonly type: number;
  readonly node: OpenedNode | undefined;
}

export function videoCall(
  context: CaseContext,
  given: { readonly video?: Reference; readonly type?: number },
): VideoCall {
  const fd = context.fd(given.video);
  const node = nodesOf(context).get(fd);
  return { process: context.process, fd, node, type: given.type ?? node?.type ?? V4L2_BUF_TYPE.VIDEO_CAPTURE };
}

// --- formats ---------------------------------------------------------------------------------------------------------

export const formatArguments = {
  width: zero,
  height: zero,
  pixelformat: z.union([z.string(), z.int()]).default('YUYV'),
  field: field.default(V4L2_FIELD.ANY),
  bytesperline: zero,
  sizeimage: zero,
  numPlanes: zero,
  planes: z.array(z.looseObject({ bytesperline: zero, sizeimage: zero })).default([]),
};
const formatSchema = z.looseObject(formatArguments);
export type GivenFormat = z.output<typeof formatSchema>;

/** The structure that a step describes. */
export function formatFrom(type: number, given: GivenFormat): ReturnType<typeof v4l2Format.decode> {
  const common = {
    width: low32(given.width),
    height: low32(given.height),
    pixelformat: codeOf(given.pixelformat),
    field: given.field,
  };
  const sizes = (one: { readonly bytesperline: bigint; readonly sizeimage: bigint }) => ({
    bytesperline: low32(one.bytesperline),
    sizeimage: low32(one.sizeimage),
  });
  if (!isMultiplanarType(type)) return { type, fmt: v4l2PixFormat.encode({ ...common, ...sizes(given) }) };
  const plane_fmt = given.planes.slice(0, VIDEO_MAX_PLANES).map((plane) => ({ ...sizes(plane), reserved: [] }));
  const num_planes = Number(given.numPlanes % 256n);
  return { type, fmt: v4l2PixFormatMplane.encode({ ...common, plane_fmt, num_planes }) };
}

function codeOf(given: string | number): number {
  if (typeof given === 'number') return low32(BigInt(given));
  return given.startsWith('0x') ? Number(given) : v4l2Fourcc(given.slice(0, 4));
}

/** A format with another size of its image, where it has one. */
export function withImageSize(
  format: ReturnType<typeof v4l2Format.decode>,
  sizeimage: bigint | undefined,
): ReturnType<typeof v4l2Format.decode> {
  if (sizeimage === undefined || isMultiplanarType(format.type) || format.fmt.length === 0) return format;
  const picture = v4l2PixFormat.decode(format.fmt);
  return { ...format, fmt: v4l2PixFormat.encode({ ...picture, sizeimage: low32(sizeimage) }) };
}

export function formatAnswer({ type, fmt }: ReturnType<typeof v4l2Format.decode>): Answer {
  const common = ({ width, height, pixelformat, field: value }: ReturnType<typeof v4l2PixFormat.decode>): Answer => ({
    width,
    height,
    pixelformat: v4l2FourccText(pixelformat),
    field: nameOf(value, V4L2_FIELD),
  });
  if (!isMultiplanarType(type)) {
    const picture = v4l2PixFormat.decode(fmt);
    return { ...common(picture), bytesperline: picture.bytesperline, sizeimage: picture.sizeimage };
  }
  const { plane_fmt, num_planes } = v4l2PixFormatMplane.decode(fmt);
  const planes = plane_fmt.slice(0, num_planes);
  return {
    ...common(v4l2PixFormat.decode(fmt)),
    planes: planes.map(({ bytesperline, sizeimage }) => ({ bytesperline, sizeimage })),
  };
}

/** The name of a number, or the number in hexadecimal. */
function nameOf(value: number, names: Readonly<Record<string, number>>): string {
  return Object.keys(names).find((name) => names[name] === value) ?? `0x${value.toString(16)}`;
}

// --- buffers ---------------------------------------------------------------------------------------------------------

export const bufferArguments = {
  index: zero,
  memory: memoryType,
  buf: reference.optional(),
  length: zero,
  bytesused: zero,
  flags: flags(V4L2_BUF_FLAG).default(0n),
  field: field.optional(),
  requestFd: reference.optional(),
  numPlanes: count.optional(),
  planes: z
    .array(z.looseObject({ buf: reference.optional(), length: zero, bytesused: zero, dataOffset: zero }))
    .optional(),
};
const bufferSchema = z.looseObject(bufferArguments);
export type GivenBuffer = z.output<typeof bufferSchema>;

/** A buffer with the planes that it points to. */
export interface BufferWithPlanes {
  readonly buffer: Partial<BufferStruct>;
  readonly planes: readonly Partial<PlaneStruct>[];
}

const isOutputType = (type: number): boolean =>
  type === V4L2_BUF_TYPE.VIDEO_OUTPUT || type === V4L2_BUF_TYPE.VIDEO_OUTPUT_MPLANE;

/** The structures that a step describes. */
export function userBuffer(context: CaseContext, type: number, given: GivenBuffer): BufferWithPlanes {
  const descriptor = (one: Reference | undefined): bigint =>
    one === undefined ? 0n : BigInt.asUintN(32, BigInt(context.fd(one)));
  const isMultiplanar = isMultiplanarType(type);
  const planes = (given.planes ?? []).slice(0, VIDEO_MAX_PLANES).map((plane) => ({
    m: descriptor(plane.buf),
    length: low32(plane.length),
    bytesused: low32(plane.bytesused),
    data_offset: low32(plane.dataOffset),
  }));
  const buffer = {
    type,
    memory: given.memory,
    index: low32(given.index),
    flags: low32(given.flags),
    field: given.field ?? (isOutputType(type) ? V4L2_FIELD.NONE : V4L2_FIELD.ANY),
    request_fd: given.requestFd === undefined ? 0 : context.fd(given.requestFd),
    bytesused: isMultiplanar && !isOutputType(type) ? 0 : low32(given.bytesused),
    length: isMultiplanar ? (given.numPlanes ?? given.planes?.length ?? 1) : low32(given.length),
    m: isMultiplanar ? 0n : descriptor(given.buf),
  };
  return { buffer, planes };
}

/** As `userBuffer`, with room for all planes where the step does not say for how many. */
export function roomyBuffer(context: CaseContext, type: number, given: GivenBuffer): BufferWithPlanes {
  return userBuffer(context, type, { ...given, numPlanes: given.numPlanes ?? VIDEO_MAX_PLANES });
}

/** An ioctl on a buffer and its planes. @returns both as the kernel has left them */
export function* bufferIoctl(
  { process, fd, type }: VideoCall,
  command: IoctlCommand<BufferStruct>,
  { buffer, planes }: BufferWithPlanes,
): Task<{ readonly buffer: BufferStruct; readonly planes: readonly PlaneStruct[] }> {
  const { size } = v4l2Plane;
  const area = new Uint8Array(VIDEO_MAX_PLANES * size);
  for (const [i, plane] of planes.entries()) area.set(v4l2Plane.encode(plane), i * size);
  const address = process.user.put(area);
  try {
    const m = isMultiplanarType(type) ? address : buffer.m;
    const after = yield* process.command(fd, command, { ...buffer, m });
    const all = Array.from({ length: VIDEO_MAX_PLANES }, (_, i) => v4l2Plane.decode(area.subarray(i * size)));
    return { buffer: after, planes: all };
  } finally {
    process.user.drop(address);
  }
}

export function bufferAnswer(buffer: BufferStruct, planes: readonly PlaneStruct[]): Answer {
  const { index, memory, bytesused, length } = buffer;
  const listed = planes.slice(0, length);
  return {
    index,
    memory: nameOf(memory, V4L2_MEMORY),
    flags: namesOf(buffer.flags, V4L2_BUF_FLAG),
    ...(isMultiplanarType(buffer.type)
      ? { planes: listed.map((plane) => ({ bytesused: plane.bytesused, length: plane.length })) }
      : { bytesused, length }),
    field: nameOf(buffer.field, V4L2_FIELD),
  };
}

/** What only a dequeued buffer tells; sequence numbers are compared with the last of the same descriptor. */
export function dequeuedAnswer({ tv_sec, tv_usec, sequence }: BufferStruct, node: OpenedNode | undefined): Answer {
  const timestampSet = tv_sec !== 0n || tv_usec !== 0n;
  if (node === undefined) return { timestampSet };
  const last = node.lastSequence;
  node.lastSequence = sequence;
  return { timestampSet, seq: last === undefined ? 'first' : sequence >= last ? 'notLower' : 'lower' };
}
