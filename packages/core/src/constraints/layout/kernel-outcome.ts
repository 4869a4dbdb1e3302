/**
 * How Linux would answer an import that breaks a rule: the call, the error and the message.
 *
 * The three interfaces differ in kind. V4L2 adjusts what it is asked for without an error, and refuses a buffer only when
 * it is shorter than the size it computed. DRM refuses with EINVAL and says why in its debug log. EGL reports an error of
 * its own, and the driver may print a line.
 *
 * Source: __prepare_dmabuf in drivers/media/common/videobuf2/videobuf2-core.c; framebuffer_check and
 * drm_internal_framebuffer_create in drivers/gpu/drm/drm_framebuffer.c; drm_gem_fb_init_with_funcs in
 * drivers/gpu/drm/drm_gem_framebuffer_helper.c; v6.12. Errors of EGL: EXT_image_dma_buf_import. Message of panfrost:
 * pan_image_layout_init in Mesa. Differs: formats and modifiers by name where the kernel prints codes; a rule that a driver
 * checks by itself is put in our words.
 */
import type { ImportApi } from './layout-constraints.js';
import type { LayoutField } from './layout-facts.js';

/** What a call would return. */
export interface KernelOutcome {
  readonly api: ImportApi;
  /** The participant that calls. */
  readonly device: string;
  readonly call: 'VIDIOC_S_FMT' | 'VIDIOC_REQBUFS' | 'VIDIOC_QBUF' | 'DRM_IOCTL_MODE_ADDFB2' | 'eglCreateImageKHR';
  /** Null where the call succeeds. For EGL the class of the error, see eglError. */
  readonly errno: 'EINVAL' | null;
  readonly eglError?: 'EGL_BAD_MATCH' | 'EGL_BAD_ACCESS';
  /** The message, or what happens instead of one. */
  readonly text: string;
}

/** What is wrong with a buffer, as far as the answer depends on it. */
export interface OutcomeCause {
  readonly device: string;
  readonly driver: string | undefined;
  readonly format: string;
  readonly modifier: string;
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly sizeBytes: number;
  /** What the participant would need, in bytes. */
  readonly minimumBytes: number;
  /** The first rule that is broken and checked; undefined when there is none. */
  readonly broken: BrokenRule | undefined;
  /** Whether a rule is broken that the participant does not check. */
  readonly corrupts: boolean;
}

/** A broken rule. */
export interface BrokenRule {
  readonly field: LayoutField | 'sizeBytes' | 'strideBytes';
  /** In our words. */
  readonly message: string;
  readonly plane: number;
  /** What was found, such as a stride. */
  readonly actual: number | string;
}

/** What the call of an interface would answer. */
export function outcomeOf(api: ImportApi, cause: OutcomeCause): KernelOutcome {
  switch (api) {
    case 'v4l2':
      return v4l2Outcome(cause);
    case 'drm':
      return drmOutcome(cause);
    case 'egl':
      return eglOutcome(cause);
  }
}

/** The pool is smaller than the pipeline needs: no call fails. */
export function poolOutcome(device: string, needed: number, most: number): KernelOutcome {
  const text = `at most ${most} buffers are given where ${needed} are needed; nothing fails, and the pipeline can stall`;
  return { api: 'v4l2', device, call: 'VIDIOC_REQBUFS', errno: null, text };
}

const ACCEPTED = 'accepted';
const CORRUPTED = 'accepted, and the picture is wrong';

function v4l2Outcome(cause: OutcomeCause): KernelOutcome {
  const { device, broken, sizeBytes, minimumBytes } = cause;
  const base = { api: 'v4l2', device } as const;
  if (broken !== undefined && isFormat(broken)) {
    const text = `no error: the driver puts another format in place of ${cause.format}`;
    return { ...base, call: 'VIDIOC_S_FMT', errno: null, text };
  }
  if (broken !== undefined && isImageSize(broken)) {
    const text = `no error: the driver puts another size in place of ${cause.widthPixels}x${cause.heightPixels}`;
    return { ...base, call: 'VIDIOC_S_FMT', errno: null, text };
  }
  if (sizeBytes < minimumBytes) {
    const text = `invalid dmabuf length ${sizeBytes} for plane 0, minimum length ${minimumBytes}`;
    return { ...base, call: 'VIDIOC_QBUF', errno: 'EINVAL', text };
  }
  if (broken !== undefined) {
    const text = `${CORRUPTED}: the driver uses a layout of its own (${broken.message})`;
    return { ...base, call: 'VIDIOC_QBUF', errno: null, text };
  }
  return { ...base, call: 'VIDIOC_QBUF', errno: null, text: cause.corrupts ? CORRUPTED : ACCEPTED };
}

function drmOutcome(cause: OutcomeCause): KernelOutcome {
  const { device, broken } = cause;
  const base = { api: 'drm', device, call: 'DRM_IOCTL_MODE_ADDFB2' } as const;
  if (broken === undefined) return { ...base, errno: null, text: cause.corrupts ? CORRUPTED : ACCEPTED };
  return { ...base, errno: 'EINVAL', text: drmText(cause, broken) };
}

function drmText(cause: OutcomeCause, broken: BrokenRule): string {
  const { field, plane, actual } = broken;
  if (isFormat(broken)) return `Unsupported pixel format ${cause.format} / modifier ${cause.modifier}`;
  if (field === 'strideBytes') return `bad pitch ${actual} for plane ${plane}`;
  if (field === 'strideExact' && cause.driver === 'mxsfb') return 'Invalid pitch: fb width must match pitch';
  if (cause.sizeBytes < cause.minimumBytes && !isStride(broken) && !isImageSize(broken)) {
    const { sizeBytes, minimumBytes } = cause;
    return `GEM object size (${sizeBytes}) smaller than minimum size (${minimumBytes}) for plane ${plane}`;
  }
  return broken.message;
}

function eglOutcome(cause: OutcomeCause): KernelOutcome {
  const { device, broken, driver } = cause;
  const base = { api: 'egl', device, call: 'eglCreateImageKHR' } as const;
  if (broken === undefined) return { ...base, errno: null, text: cause.corrupts ? CORRUPTED : ACCEPTED };
  if (isFormat(broken)) {
    const text = `image rejected: ${cause.format} with modifier ${cause.modifier} is not supported`;
    return { ...base, errno: 'EINVAL', eglError: 'EGL_BAD_MATCH', text };
  }
  const isPanfrost = driver === 'panfrost' && (isStride(broken) || broken.field === 'offsetAlignmentBytes');
  const text = isPanfrost
    ? 'panfrost: rejecting image due to unsupported offset or stride alignment.'
    : `image rejected: ${broken.message}`;
  return { ...base, errno: 'EINVAL', eglError: 'EGL_BAD_ACCESS', text };
}

function isFormat({ field }: BrokenRule): boolean {
  return field === 'formats' || field === 'modifiers' || field === 'implicitDomain';
}

function isImageSize({ field }: BrokenRule): boolean {
  return ['minSize', 'maxSize', 'sizeStep', 'maxPixels', 'sizes'].includes(field);
}

function isStride({ field }: BrokenRule): boolean {
  return /stride/i.test(field);
}
