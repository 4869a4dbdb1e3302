/** Pictures in GEM objects, as jobs work on them. */
import { ErrnoError, type Rate } from '@dmabuf-lab/core/base';
import type { FrameFormat } from '@dmabuf-lab/core/driver';
import { PAGE_BYTES } from '../../../abi/fcntl.js';
import { pagesFor } from '../../../kernel/pages.js';
import type { GemObject } from '../../drm/gem-object.js';
import { fourcc } from '../../drm/kms/format-info.js';

/** A picture in an object. */
export interface Surface {
  readonly object: GemObject;
  readonly format: FrameFormat;
  readonly offsetBytes: number;
  /** A job of this submission writes it. */
  readonly write: boolean;
}

/** Where the planes of a picture lie; chroma only where the format has it. */
export interface SurfaceLayout {
  readonly pixelFormat: number;
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly strideBytes: number;
  readonly offsetBytes: number;
  readonly chromaOffsetBytes: number;
}

/** Programs promise no rate. */
const NO_RATE: Rate = { num: 1, den: 1 };
const NV12 = fourcc('NV12');
const AB24 = fourcc('AB24');

/** The pages of a picture: it begins at one. */
export function pagesOfSurface({ object, format, offsetBytes, write }: Surface): readonly Uint8Array[] {
  const first = offsetBytes / PAGE_BYTES;
  return object.devicePages(write ? 'write' : 'read').slice(first, first + pagesFor(format.sizeBytes));
}

/**
 * The format of a picture that a job reads.
 *
 * @throws ErrnoError EINVAL when it is no picture: its format is not known, planes overlap, rows are too short
 */
export function formatOf(layout: SurfaceLayout, op: string): FrameFormat {
  const { widthPixels, heightPixels, pixelFormat } = layout;
  if (widthPixels === 0 || heightPixels === 0) throw refusal(`its size is ${widthPixels}x${heightPixels}`, op);
  if (pixelFormat === NV12) return nv12Format(layout, op);
  if (pixelFormat !== AB24) throw refusal(`format 0x${pixelFormat.toString(16)} is not known`, op);
  if (layout.chromaOffsetBytes !== 0) throw refusal('it has one plane', op);
  return rgbaFormat(layout, op);
}

function rgbaFormat({ widthPixels, heightPixels, strideBytes }: SurfaceLayout, op: string): FrameFormat {
  checkStride(strideBytes, widthPixels * 4, op);
  const sizeBytes = strideBytes * heightPixels;
  return { fourcc: 'AB24', widthPixels, heightPixels, strideBytes, sizeBytes, rate: NO_RATE };
}

/** Chroma begins a whole number of rows behind luma, with the same stride, as in a V4L2 buffer of one plane. */
function nv12Format(layout: SurfaceLayout, op: string): FrameFormat {
  const { widthPixels, heightPixels, strideBytes, offsetBytes, chromaOffsetBytes } = layout;
  if (widthPixels % 2 !== 0 || heightPixels % 2 !== 0) {
    throw refusal(`NV12 of ${widthPixels}x${heightPixels} has half a chroma sample`, op);
  }
  checkStride(strideBytes, widthPixels, op);
  const rows = (chromaOffsetBytes - offsetBytes) / strideBytes;
  if (!Number.isInteger(rows) || rows % 2 !== 0 || rows < heightPixels) {
    throw refusal(
      `chroma at ${chromaOffsetBytes} does not follow luma at ${offsetBytes} by an even number of rows`,
      op,
    );
  }
  const sizeBytes = strideBytes * (rows + heightPixels / 2);
  return { fourcc: 'NV12', widthPixels, heightPixels, strideBytes, rows, sizeBytes, rate: NO_RATE };
}

/** What a driver says that it writes, with the rows as far apart as user space wants them. @throws ErrnoError EINVAL */
export function withStride(format: FrameFormat, strideBytes: number, op: string): FrameFormat {
  const { widthPixels, heightPixels } = format;
  const common = { widthPixels, heightPixels, strideBytes, offsetBytes: 0 };
  if (format.fourcc === 'AB24') return formatOf({ ...common, pixelFormat: AB24, chromaOffsetBytes: 0 }, op);
  return formatOf({ ...common, pixelFormat: NV12, chromaOffsetBytes: strideBytes * heightPixels }, op);
}

/** @throws ErrnoError EINVAL when a picture does not begin at a page, or ends behind its object */
export function checkRoom({ object, format, offsetBytes }: Surface, op: string): void {
  if (offsetBytes % PAGE_BYTES !== 0) throw refusal(`its offset ${offsetBytes} is not whole pages`, op);
  const end = offsetBytes + format.sizeBytes;
  if (end > object.sizeBytes) throw refusal(`it ends at ${end}, and its object has ${object.sizeBytes} bytes`, op);
}

function checkStride(strideBytes: number, least: number, op: string): void {
  if (strideBytes < least) throw refusal(`stride ${strideBytes} is less than ${least}`, op);
}

const refusal = (why: string, op: string): ErrnoError => new ErrnoError('EINVAL', op, `Cannot use a picture: ${why}`);
