/**
 * What one participant asks of the layout of an image: plain data, the input of everything in this folder.
 *
 * Conventions: bytes unless the name says otherwise; the stride of a tiled format is the stride it would have if it were
 * linear (Linux, Documentation/userspace-api/dma-buf-alloc-exchange.rst, v6.12). Alignments merge by least common
 * multiple (PipeWire and GStreamer use the maximum of powers of two), limits by the stricter, slack at the end by the
 * larger. An absent field constrains nothing.
 *
 * A rule on strides or offsets holds for every plane; `planes` speaks of one. The strides of further planes derive from
 * the first plane's, so a rule met by half a stride doubles it: 64 for each plane of YUV420 makes the first a multiple of
 * 128. A driver that rounds the luma stride alone says so with `planes: [{ strideAlignmentBytes: 64 }]`.
 *
 * Modifiers are all explicit or all implicit, never mixed. Who takes part without modifiers speaks of its implicit layout
 * only, unless it says that this is linear. Implicit layouts are shared within one implicitDomain; who states none may
 * share, and the result names the hazard. Who does not care (absent formats, or ANY_MODIFIER) goes along with either.
 */

/** Matches any modifier that the others support. */
export const ANY_MODIFIER = '*';
/** The layout that only the driver knows. Source: DRM_FORMAT_MOD_INVALID, include/uapi/drm/drm_fourcc.h, v6.12. */
export const IMPLICIT_MODIFIER = 'INVALID';
/** Row after row. Source: DRM_FORMAT_MOD_LINEAR. */
export const LINEAR_MODIFIER = 'LINEAR';

/** Width and height, in pixels. */
export type PixelSize = readonly [width: number, height: number];

/** Rules that may differ from plane to plane. */
export interface PlaneRules {
  readonly strideAlignmentBytes?: number;
  /** Rows set aside are a multiple of this. */
  readonly rowAlignment?: number;
  /** Of the plane's first byte in the buffer. */
  readonly offsetAlignmentBytes?: number;
  /** Bytes added behind the plane. */
  readonly extraBytes?: number;
}

/** Rules of the memory layout; all that may be said for one format or modifier alone. */
export interface LayoutRules {
  /** Strides are multiples of it; any whole number from 1. */
  readonly strideAlignmentBytes?: number;
  /** Strides are a multiple of so many pixels: a device that counts in pixels. */
  readonly strideAlignmentPixels?: number;
  readonly minStrideBytes?: number;
  readonly maxStrideBytes?: number;
  /** The stride is the width, with no padding but what the format itself needs. */
  readonly strideExact?: boolean;
  /** The stride of the first plane is 1, 2, 4, … */
  readonly stridePowerOfTwo?: boolean;
  /** All planes have the same stride, in bytes; rules out formats whose planes differ, such as YUV420. */
  readonly equalPlaneStride?: boolean;
  /** Rows set aside for the first plane are a multiple of it; subsampled planes follow. */
  readonly heightAlignment?: number;
  /** Of each plane's first byte. */
  readonly offsetAlignmentBytes?: number;
  /** The image is padded to whole blocks of so many pixels. */
  readonly block?: PixelSize;
  /** Bytes that must follow the last row: over-read, over-write. Either fixed, or the larger of the stride and a number. */
  readonly trailingBytes?: number | { readonly atLeastStrideOr: number };
  /** The size is rounded up to a multiple of it, after all else. */
  readonly sizeAlignmentBytes?: number;
  readonly minSize?: PixelSize;
  readonly maxSize?: PixelSize;
  /** Width and height are multiples of these. */
  readonly sizeStep?: PixelSize;
  readonly maxPixels?: number;
  /** The only sizes there are. */
  readonly sizes?: readonly PixelSize[];
  /** By plane, 0 first. */
  readonly planes?: readonly PlaneRules[];
}

/** A format a participant supports, with the modifiers it takes it in. */
export interface FormatSupport {
  /** fourcc, as drm_fourcc.h writes it without the prefix: `NV12`, `XRGB8888`. */
  readonly format: string;
  /** Absent = the participant does not speak of modifiers and means its implicit layout: INVALID, see implicitIsLinear. */
  readonly modifiers?: readonly string[];
  /** Rules in addition, for this format. */
  readonly rules?: LayoutRules;
  /** Rules in addition, for one modifier of it. */
  readonly rulesByModifier?: Readonly<Record<string, LayoutRules>>;
  /** How unwelcome it is to this participant; 0 when absent. The cheapest sum wins. */
  readonly cost?: number;
  /** In addition, by modifier: such as 0.5 for LINEAR where a tiled one is faster. */
  readonly costByModifier?: Readonly<Record<string, number>>;
}

/** How many buffers a participant needs. Source: BufferMemory constraints of Fuchsia's sysmem. */
export interface BufferCounts {
  /** Held at once, by it alone, while it works (min_buffer_count_for_camping). Summed over all. */
  readonly held?: number;
  /** Slack of its own; summed. */
  readonly dedicatedSlack?: number;
  /** Slack it is ready to share; the largest counts. */
  readonly sharedSlack?: number;
  /** Fewest in the pool. */
  readonly min?: number;
  /** Most in the pool (VIDEO_MAX_FRAME and the like). */
  readonly max?: number;
}

/** What a participant would rather have, and what going without costs. */
export interface LayoutPreferences {
  /** For every plane, such as the burst length of its bus. */
  readonly strideAlignmentBytes?: number;
  /** Cost of each preference not met; 0.1 when absent. */
  readonly cost?: number;
}

/** One way in which a participant can take part; with several, any one will do. */
export interface LayoutOption {
  /** Such as `selfpath`, for the explanation. */
  readonly name?: string;
  /** Absent = any format and modifier (do not care). */
  readonly formats?: readonly FormatSupport[];
  readonly rules?: LayoutRules;
  readonly counts?: BufferCounts;
  readonly prefers?: LayoutPreferences;
  /** How unwelcome this option is; 0 when absent. */
  readonly cost?: number;
  /** The GPU or display whose implicit layouts it shares; two participants of different ones never share INVALID. */
  readonly implicitDomain?: string;
  /** Its formats without modifiers are row after row, as those of V4L2 are: LINEAR may be assumed. */
  readonly implicitIsLinear?: boolean;
  /** Fields it does not check: a buffer that breaks them is accepted and the picture is wrong. */
  readonly silent?: readonly (keyof LayoutRules)[];
}

/** The layout constraints of one participant. */
export interface LayoutConstraints {
  /** The participant's name, for explanations. */
  readonly device: string;
  /** Left out when it cannot be satisfied together with those that are not optional. */
  readonly optional?: boolean;
  /** Announced, and has not said yet what it needs: the negotiation waits for it. */
  readonly missing?: boolean;
  /** At least one, unless missing. */
  readonly options: readonly LayoutOption[];
  /** Further ways, such as another port, which are not taken but offered where nothing else works. */
  readonly alternatives?: readonly LayoutOption[];
  /** Through which interface it would import a buffer; foretells how Linux would refuse. `drm` when absent. */
  readonly api?: ImportApi;
  /** The driver as its messages name it, such as `panfrost`. */
  readonly driver?: string;
}

/** V4L2 queue, DRM framebuffer, EGL image. */
export type ImportApi = 'v4l2' | 'drm' | 'egl';

/** The image that is asked for. */
export interface ImageRequest {
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** Formats in order of preference; absent = whatever the participants agree on. */
  readonly formats?: readonly string[];
  /** The only modifiers to consider; absent = all that participants name, LINEAR, and INVALID if somebody means it. */
  readonly modifiers?: readonly string[];
}
