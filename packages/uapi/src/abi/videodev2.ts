/** V4L2: structures and ioctls of video nodes. Source: include/uapi/linux/videodev2.h, v6.12, x86-64. */
import { ior, iow, iowr } from './ioctl.js';
import { array, chars, raw, s32, s64, struct, u8, u16, u32, u64 } from './struct.js';

/** enum v4l2_buf_type. */
export const V4L2_BUF_TYPE = {
  VIDEO_CAPTURE: 1,
  VIDEO_OUTPUT: 2,
  VIDEO_OVERLAY: 3,
  VBI_CAPTURE: 4,
  VIDEO_OUTPUT_OVERLAY: 8,
  VIDEO_CAPTURE_MPLANE: 9,
  VIDEO_OUTPUT_MPLANE: 10,
  META_CAPTURE: 13,
} as const;

/** enum v4l2_memory. */
export const V4L2_MEMORY = { MMAP: 1, USERPTR: 2, OVERLAY: 3, DMABUF: 4 } as const;

/** enum v4l2_field. */
export const V4L2_FIELD = {
  ANY: 0,
  NONE: 1,
  TOP: 2,
  BOTTOM: 3,
  INTERLACED: 4,
  SEQ_TB: 5,
  SEQ_BT: 6,
  ALTERNATE: 7,
  INTERLACED_TB: 8,
  INTERLACED_BT: 9,
} as const;

/** V4L2_BUF_CAP_SUPPORTS_*. */
export const V4L2_BUF_CAP = {
  MMAP: 0x1,
  USERPTR: 0x2,
  DMABUF: 0x4,
  REQUESTS: 0x8,
  ORPHANED_BUFS: 0x10,
  M2M_HOLD: 0x20,
  MMAP_CACHE_HINTS: 0x40,
  MAX_NUM_BUFFERS: 0x80,
  REMOVE_BUFS: 0x100,
} as const;

/** V4L2_BUF_FLAG_*. */
export const V4L2_BUF_FLAG = {
  MAPPED: 0x1,
  QUEUED: 0x2,
  DONE: 0x4,
  KEYFRAME: 0x8,
  PFRAME: 0x10,
  BFRAME: 0x20,
  ERROR: 0x40,
  IN_REQUEST: 0x80,
  TIMECODE: 0x100,
  M2M_HOLD_CAPTURE_BUF: 0x200,
  PREPARED: 0x400,
  NO_CACHE_INVALIDATE: 0x800,
  NO_CACHE_CLEAN: 0x1000,
  TIMESTAMP_MONOTONIC: 0x2000,
  TIMESTAMP_COPY: 0x4000,
  TSTAMP_SRC_SOE: 0x10000,
  LAST: 0x100000,
  REQUEST_FD: 0x800000,
} as const;

/** The bits that say what a time stamp is, and where in a frame it was taken. */
export const V4L2_BUF_FLAG_TIMESTAMP_MASK = 0xe000;
export const V4L2_BUF_FLAG_TSTAMP_SRC_MASK = 0x70000;

/** V4L2_CAP_*: what a node can do. */
export const V4L2_CAP = {
  VIDEO_CAPTURE: 0x1,
  VIDEO_OUTPUT: 0x2,
  VIDEO_CAPTURE_MPLANE: 0x1000,
  VIDEO_OUTPUT_MPLANE: 0x2000,
  VIDEO_M2M_MPLANE: 0x4000,
  VIDEO_M2M: 0x8000,
  READWRITE: 0x0100_0000,
  STREAMING: 0x0400_0000,
  EXT_PIX_FORMAT: 0x0020_0000,
  DEVICE_CAPS: 0x8000_0000,
} as const;

/** V4L2_ENC_CMD_*: STOP encodes what has been queued and then stops; START goes on. */
export const V4L2_ENC_CMD = { START: 0, STOP: 1, PAUSE: 2, RESUME: 3 } as const;
/** A format is a bitstream. */
export const V4L2_FMT_FLAG_COMPRESSED = 1;
/** The frame interval can be set. */
export const V4L2_CAP_TIMEPERFRAME = 0x1000;
export const V4L2_MEMORY_FLAG_NON_COHERENT = 1;
/** The fields of v4l2_pix_format behind `priv` are valid. */
export const V4L2_PIX_FMT_PRIV_MAGIC = 0xfeed_cafe;
/** Most planes of a buffer. */
export const VIDEO_MAX_PLANES = 8;

/** enum v4l2_ctrl_type. */
export const V4L2_CTRL_TYPE = { INTEGER: 1, BOOLEAN: 2, MENU: 3, BUTTON: 4 } as const;
/** V4L2_CTRL_FLAG_*. */
export const V4L2_CTRL_FLAG = { WRITE_ONLY: 0x40, EXECUTE_ON_WRITE: 0x200, NEXT_CTRL: 0x8000_0000 } as const;

export const v4l2Capability = struct('v4l2_capability', {
  driver: chars(16),
  card: chars(32),
  bus_info: chars(32),
  version: u32,
  capabilities: u32,
  device_caps: u32,
  reserved: array(u32, 3),
});
export const v4l2Fmtdesc = struct('v4l2_fmtdesc', {
  index: u32,
  type: u32,
  flags: u32,
  description: chars(32),
  pixelformat: u32,
  mbus_code: u32,
  reserved: array(u32, 3),
});
export const v4l2PixFormat = struct('v4l2_pix_format', {
  width: u32,
  height: u32,
  pixelformat: u32,
  field: u32,
  bytesperline: u32,
  sizeimage: u32,
  colorspace: u32,
  priv: u32,
  flags: u32,
  ycbcr_enc: u32,
  quantization: u32,
  xfer_func: u32,
});
export const v4l2PlanePixFormat = struct('v4l2_plane_pix_format', {
  sizeimage: u32,
  bytesperline: u32,
  reserved: array(u16, 6),
});
export const v4l2PixFormatMplane = struct('v4l2_pix_format_mplane', {
  width: u32,
  height: u32,
  pixelformat: u32,
  field: u32,
  colorspace: u32,
  plane_fmt: array(v4l2PlanePixFormat, VIDEO_MAX_PLANES),
  num_planes: u8,
  flags: u8,
  ycbcr_enc: u8,
  quantization: u8,
  xfer_func: u8,
  reserved: raw(7),
});
/** `fmt` is a union: v4l2_pix_format, v4l2_pix_format_mplane and others, by type. */
export const v4l2Format = struct('v4l2_format', { type: u32, fmt: raw(200, 8) });
export const v4l2Requestbuffers = struct('v4l2_requestbuffers', {
  count: u32,
  type: u32,
  memory: u32,
  capabilities: u32,
  flags: u8,
  reserved: raw(3),
});
export const v4l2CreateBuffers = struct('v4l2_create_buffers', {
  index: u32,
  count: u32,
  memory: u32,
  format: v4l2Format,
  capabilities: u32,
  flags: u32,
  max_num_buffers: u32,
  reserved: array(u32, 5),
});
export const v4l2RemoveBuffers = struct('v4l2_remove_buffers', {
  index: u32,
  count: u32,
  type: u32,
  reserved: array(u32, 13),
});
/** `m` is a union: offset, userptr or fd, by memory. */
export const v4l2Plane = struct('v4l2_plane', {
  bytesused: u32,
  length: u32,
  m: u64,
  data_offset: u32,
  reserved: array(u32, 11),
});
export const v4l2Timecode = struct('v4l2_timecode', {
  type: u32,
  flags: u32,
  frames: u8,
  seconds: u8,
  minutes: u8,
  hours: u8,
  userbits: raw(4),
});
/** `m` is a union: offset, userptr, address of the planes, or fd. */
export const v4l2Buffer = struct('v4l2_buffer', {
  index: u32,
  type: u32,
  bytesused: u32,
  flags: u32,
  field: u32,
  tv_sec: s64,
  tv_usec: s64,
  timecode: v4l2Timecode,
  sequence: u32,
  memory: u32,
  m: u64,
  length: u32,
  reserved2: u32,
  request_fd: s32,
});
export const v4l2Exportbuffer = struct('v4l2_exportbuffer', {
  type: u32,
  index: u32,
  plane: u32,
  flags: u32,
  fd: s32,
  reserved: array(u32, 11),
});
/** The arms of the union for capture and output are laid out alike. */
export const v4l2Streamparm = struct('v4l2_streamparm', {
  type: u32,
  capability: u32,
  mode: u32,
  numerator: u32,
  denominator: u32,
  extendedmode: u32,
  buffers: u32,
  reserved: raw(176),
});
export const v4l2Control = struct('v4l2_control', { id: u32, value: s32 });
export const v4l2Queryctrl = struct('v4l2_queryctrl', {
  id: u32,
  type: u32,
  name: chars(32),
  minimum: s32,
  maximum: s32,
  step: s32,
  default_value: s32,
  flags: u32,
  reserved: array(u32, 2),
});
export const v4l2EncoderCmd = struct('v4l2_encoder_cmd', { cmd: u32, flags: u32, data: array(u32, 8) });
/** An ioctl whose argument is one int. */
export const v4l2Int = struct('int', { value: u32 });

export const VIDIOC_QUERYCAP = ior('VIDIOC_QUERYCAP', 'V', 0, v4l2Capability);
export const VIDIOC_ENUM_FMT = iowr('VIDIOC_ENUM_FMT', 'V', 2, v4l2Fmtdesc);
export const VIDIOC_G_FMT = iowr('VIDIOC_G_FMT', 'V', 4, v4l2Format);
export const VIDIOC_S_FMT = iowr('VIDIOC_S_FMT', 'V', 5, v4l2Format);
export const VIDIOC_REQBUFS = iowr('VIDIOC_REQBUFS', 'V', 8, v4l2Requestbuffers);
export const VIDIOC_QUERYBUF = iowr('VIDIOC_QUERYBUF', 'V', 9, v4l2Buffer);
export const VIDIOC_QBUF = iowr('VIDIOC_QBUF', 'V', 15, v4l2Buffer);
export const VIDIOC_EXPBUF = iowr('VIDIOC_EXPBUF', 'V', 16, v4l2Exportbuffer);
export const VIDIOC_DQBUF = iowr('VIDIOC_DQBUF', 'V', 17, v4l2Buffer);
export const VIDIOC_STREAMON = iow('VIDIOC_STREAMON', 'V', 18, v4l2Int);
export const VIDIOC_STREAMOFF = iow('VIDIOC_STREAMOFF', 'V', 19, v4l2Int);
export const VIDIOC_G_PARM = iowr('VIDIOC_G_PARM', 'V', 21, v4l2Streamparm);
export const VIDIOC_S_PARM = iowr('VIDIOC_S_PARM', 'V', 22, v4l2Streamparm);
export const VIDIOC_G_CTRL = iowr('VIDIOC_G_CTRL', 'V', 27, v4l2Control);
export const VIDIOC_S_CTRL = iowr('VIDIOC_S_CTRL', 'V', 28, v4l2Control);
export const VIDIOC_QUERYCTRL = iowr('VIDIOC_QUERYCTRL', 'V', 36, v4l2Queryctrl);
export const VIDIOC_G_INPUT = ior('VIDIOC_G_INPUT', 'V', 38, v4l2Int);
export const VIDIOC_S_INPUT = iowr('VIDIOC_S_INPUT', 'V', 39, v4l2Int);
export const VIDIOC_G_OUTPUT = ior('VIDIOC_G_OUTPUT', 'V', 46, v4l2Int);
export const VIDIOC_S_OUTPUT = iowr('VIDIOC_S_OUTPUT', 'V', 47, v4l2Int);
export const VIDIOC_TRY_FMT = iowr('VIDIOC_TRY_FMT', 'V', 64, v4l2Format);
export const VIDIOC_ENCODER_CMD = iowr('VIDIOC_ENCODER_CMD', 'V', 77, v4l2EncoderCmd);
export const VIDIOC_TRY_ENCODER_CMD = iowr('VIDIOC_TRY_ENCODER_CMD', 'V', 78, v4l2EncoderCmd);
export const VIDIOC_CREATE_BUFS = iowr('VIDIOC_CREATE_BUFS', 'V', 92, v4l2CreateBuffers);
export const VIDIOC_PREPARE_BUF = iowr('VIDIOC_PREPARE_BUF', 'V', 93, v4l2Buffer);
export const VIDIOC_REMOVE_BUFS = iowr('VIDIOC_REMOVE_BUFS', 'V', 104, v4l2RemoveBuffers);

/** A pixel format code. @param text four characters @param bigEndian the bit that marks the other byte order */
export function v4l2Fourcc(text: string, bigEndian = false): number {
  const [a, b, c, d] = Array.from(text.padEnd(4), (character) => character.charCodeAt(0));
  return a + b * 2 ** 8 + c * 2 ** 16 + d * 2 ** 24 + (bigEndian ? 2 ** 31 : 0);
}

/** The four characters of a pixel format code, without its mark of byte order. */
export function v4l2FourccText(code: number): string {
  const byte = (shift: number): number => Math.floor(code / 2 ** shift) % 256;
  return String.fromCharCode(byte(0), byte(8), byte(16), byte(24) % 128);
}

/** Whether buffers of a type have planes of their own. Source: V4L2_TYPE_IS_MULTIPLANAR. */
export const isMultiplanarType = (type: number): boolean =>
  type === V4L2_BUF_TYPE.VIDEO_CAPTURE_MPLANE || type === V4L2_BUF_TYPE.VIDEO_OUTPUT_MPLANE;
