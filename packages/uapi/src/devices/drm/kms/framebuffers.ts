/**
 * Framebuffers: how a picture lies in buffers.
 *
 * Source: struct drm_framebuffer, drivers/gpu/drm/drm_framebuffer.c, v6.12.
 */
import { ErrnoError } from '@dmabuf-lab/core/base';
import {
  DRM_FORMAT_MAX_PLANES,
  DRM_FORMAT_MOD_LINEAR,
  DRM_MODE_FB,
  DRM_MODE_OBJECT,
  type drmModeFbCmd2,
} from '../../../abi/drm-mode.js';
import type { GemObject } from '../gem-object.js';
import type { DisplayDriver } from './display-driver.js';
import { type FormatInfo, formatInfo, leastStride, planeHeight, planeWidth } from './format-info.js';
import type { ModeObjects } from './mode-objects.js';
import type { Rectangle } from './pipe-state.js';

/** What ADDFB2 is given. */
export type FramebufferCommand = Readonly<ReturnType<typeof drmModeFbCmd2.decode>>;

const U32_MAX = 0xffff_ffff;
/** Fixed point of source rectangles. */
const FIXED = 0x10000;

export class Framebuffer {
  readonly id: number;
  #references = 1;
  /** Buffers that have a handle as long as the framebuffer is there. Source: drm_framebuffer_init of v6.12.39 and later. */
  readonly #handles: readonly GemObject[];

  /** Takes over the references to the buffers. */
  constructor(
    private readonly ids: ModeObjects,
    readonly command: FramebufferCommand,
    readonly buffers: readonly GemObject[],
  ) {
    this.id = ids.add(DRM_MODE_OBJECT.FB, this);
    this.#handles = buffers.filter((buffer) => buffer.takeAnotherHandle());
  }

  get format(): number {
    return this.command.pixel_format;
  }

  get modifier(): bigint {
    return this.command.modifier[0];
  }

  get references(): number {
    return this.#references;
  }

  hold(): this {
    this.#references += 1;
    return this;
  }

  /** Source: drm_framebuffer_put, drm_framebuffer_free. */
  drop(): void {
    this.#references -= 1;
    if (this.#references > 0) return;
    this.ids.remove(this.id);
    for (const buffer of this.#handles) buffer.giveHandle();
    for (const buffer of this.buffers) buffer.drop();
  }

  /** Source: drm_framebuffer_check_src_coords. @param source in 16.16 @throws ErrnoError ENOSPC */
  checkSource({ x, y, width, height }: Rectangle, op: string): void {
    const across = this.command.width * FIXED;
    const down = this.command.height * FIXED;
    if (width > across || x > across - width || height > down || y > down - height) {
      const size = `${this.command.width}x${this.command.height}`;
      throw new ErrnoError('ENOSPC', op, `Cannot show it: the source is not inside the framebuffer of ${size}`);
    }
  }
}

/**
 * Checks what ADDFB2 is given, as far as no buffer is needed.
 *
 * Source: drm_internal_framebuffer_create, framebuffer_check.
 *
 * @throws ErrnoError EINVAL, ERANGE
 */
export function checkFramebufferCommand(command: FramebufferCommand, display: DisplayDriver, op: string): void {
  const { width, height, flags } = command;
  if ((flags & ~(DRM_MODE_FB.INTERLACED | DRM_MODE_FB.MODIFIERS)) !== 0) throw bad(`flags 0x${flags.toString(16)}`, op);
  const isSize = (pixels: number): boolean => pixels >= display.leastPixels && pixels <= display.mostPixels;
  if (!isSize(width) || !isSize(height)) throw bad(`its size is ${width}x${height}`, op);
  if ((flags & DRM_MODE_FB.MODIFIERS) !== 0 && !display.takesModifiers) throw bad('modifiers are not supported', op);
  const info = formatInfo(command.pixel_format);
  if (info === undefined) throw bad(`format 0x${command.pixel_format.toString(16)} is not known`, op);
  if (width === 0 || height === 0) throw bad(`its size is ${width}x${height}`, op);
  const planes = info.blockBytes.length;
  for (let plane = 0; plane < planes; plane += 1) checkPlane(command, info, plane, op);
  for (let plane = planes; plane < DRM_FORMAT_MAX_PLANES; plane += 1) checkUnusedPlane(command, plane, op);
}

function checkPlane(command: FramebufferCommand, info: FormatInfo, plane: number, op: string): void {
  const { flags, handles, pitches: strides, offsets, modifier: modifiers } = command;
  const modifier = modifiers[plane];
  const blockBytes = info.blockBytes[plane];
  const least = leastStride(info, plane, planeWidth(info, command.width, plane));
  if (blockBytes === 0 && modifier === DRM_FORMAT_MOD_LINEAR) throw bad('the format needs a modifier', op);
  if (handles[plane] === 0) throw bad(`plane ${plane} has no buffer`, op);
  const end = planeHeight(info, command.height, plane) * strides[plane] + offsets[plane];
  if (least > U32_MAX || end > U32_MAX) {
    throw new ErrnoError('ERANGE', op, `Cannot make a framebuffer: plane ${plane} ends at ${end}`);
  }
  if (blockBytes > 0 && strides[plane] < least) throw bad(`stride ${strides[plane]} is less than ${least}`, op);
  const hasModifiers = (flags & DRM_MODE_FB.MODIFIERS) !== 0;
  if (modifier !== 0n && !hasModifiers) throw bad('there is a modifier without the flag', op);
  if (hasModifiers && modifier !== modifiers[0]) throw bad('its planes have different modifiers', op);
}

function checkUnusedPlane(command: FramebufferCommand, plane: number, op: string): void {
  const { flags, handles, pitches: strides, offsets, modifier } = command;
  if (modifier[plane] !== 0n) throw bad(`plane ${plane} has a modifier and is not used`, op);
  if ((flags & DRM_MODE_FB.MODIFIERS) === 0) return;
  if (handles[plane] !== 0 || strides[plane] !== 0 || offsets[plane] !== 0) {
    throw bad(`plane ${plane} is given and is not used`, op);
  }
}

const bad = (why: string, op: string): ErrnoError => new ErrnoError('EINVAL', op, `Cannot make a framebuffer: ${why}`);
