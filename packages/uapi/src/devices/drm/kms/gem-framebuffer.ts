/** The buffers of framebuffers whose driver leaves that to GEM. Source: drm_gem_framebuffer_helper.c, v6.12. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import type { DrmFile } from '../drm-file.js';
import type { GemObject } from '../gem-object.js';
import { type FormatInfo, formatInfo, leastStride } from './format-info.js';
import type { FramebufferCommand } from './framebuffers.js';

/**
 * The buffer of a framebuffer of one plane, linear.
 *
 * @param formats those that the device shows
 * @returns held
 * @throws ErrnoError EINVAL, ENOENT
 * Source: drm_gem_fb_init_with_funcs.
 */
export function gemBuffersOf(
  file: DrmFile,
  command: FramebufferCommand,
  formats: readonly number[],
  op: string,
): GemObject[] {
  const info = formatInfo(command.pixel_format);
  if (info === undefined || !formats.includes(info.fourcc) || command.modifier[0] !== 0n) {
    throw new ErrnoError('EINVAL', op, 'Cannot make a framebuffer: the device cannot show its format and modifier');
  }
  const buffer = file.needObject(command.handles[0], op);
  const least = endOf(command, info);
  if (buffer.sizeBytes < least) {
    throw new ErrnoError('EINVAL', op, `Cannot make a framebuffer: it needs ${least} bytes, got ${buffer.sizeBytes}`);
  }
  return [buffer.hold()];
}

/** Bytes up to the end of the last row of a format with one plane. */
const endOf = ({ width, height, pitches: strides, offsets }: FramebufferCommand, info: FormatInfo): number =>
  (height - 1) * strides[0] + leastStride(info, 0, width) + offsets[0];
