/** Picture formats as drivers see them, and as the two kinds of structures in user space. Source: fmt_sp2mp, v6.12. */
import {
  isMultiplanarType,
  V4L2_PIX_FMT_PRIV_MAGIC,
  VIDEO_MAX_PLANES,
  type v4l2Format,
  v4l2PixFormat,
  v4l2PixFormatMplane,
} from '../../abi/videodev2.js';

/** The layout of one plane of memory. */
export interface PlaneFormat {
  bytesperline: number;
  sizeimage: number;
}

/** A format. Source: struct v4l2_pix_format_mplane. */
export interface VideoFormat {
  width: number;
  height: number;
  pixelformat: number;
  field: number;
  colorspace: number;
  /** As many as there are; up to 8 as given by user space. */
  planes: PlaneFormat[];
  /** As given: may be none, or more than there can be. */
  planeCount: number;
}

type FormatStruct = ReturnType<typeof v4l2Format.decode>;

/** @returns what user space gives: of a multi-planar format, the planes that it counts */
export function decodeFormat({ type, fmt }: FormatStruct): VideoFormat {
  if (!isMultiplanarType(type)) {
    const { bytesperline, sizeimage, ...rest } = v4l2PixFormat.decode(fmt);
    return { ...rest, planes: [{ bytesperline, sizeimage }], planeCount: 1 };
  }
  const { plane_fmt, num_planes, ...rest } = v4l2PixFormatMplane.decode(fmt);
  const planes = plane_fmt.slice(0, num_planes).map(({ bytesperline, sizeimage }) => ({ bytesperline, sizeimage }));
  return { ...rest, planes, planeCount: num_planes };
}

/** As `decodeFormat`, but with all planes that the structure has room for: a driver decides how many count. */
export function decodeWholeFormat(given: FormatStruct): VideoFormat {
  if (!isMultiplanarType(given.type)) return decodeFormat(given);
  const { plane_fmt } = v4l2PixFormatMplane.decode(given.fmt);
  const planes = plane_fmt.map(({ bytesperline, sizeimage }) => ({ bytesperline, sizeimage }));
  return { ...decodeFormat(given), planes, planeCount: VIDEO_MAX_PLANES };
}

/** @param type decides which structure it becomes */
export function encodeFormat(type: number, format: VideoFormat): FormatStruct {
  const { width, height, pixelformat, field, colorspace, planes } = format;
  const common = { width, height, pixelformat, field, colorspace };
  if (isMultiplanarType(type)) {
    const plane_fmt = planes.map((plane) => ({ ...plane, reserved: [] }));
    return { type, fmt: v4l2PixFormatMplane.encode({ ...common, plane_fmt, num_planes: planes.length }) };
  }
  return { type, fmt: v4l2PixFormat.encode({ ...common, ...planes[0], priv: V4L2_PIX_FMT_PRIV_MAGIC }) };
}
