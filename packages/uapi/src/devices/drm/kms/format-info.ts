/** What the kernel knows of each pixel format. Source: __drm_format_info, drivers/gpu/drm/drm_fourcc.c, v6.12. */

/** A format in memory. Source: struct drm_format_info. */
export interface FormatInfo {
  readonly fourcc: number;
  /** Bytes of a block of each plane; one entry a plane. 0 = the layout is known only with a modifier. */
  readonly blockBytes: readonly number[];
  /** Pixels of a block of each plane, its width times its height. */
  readonly blockPixels: readonly number[];
  readonly horizontalSubsampling: number;
  readonly verticalSubsampling: number;
}

/** The number of a four-character code. */
export const fourcc = (name: string): number =>
  [...name].reduce((word, character, i) => word + character.charCodeAt(0) * 256 ** i, 0);

export const DRM_FORMAT_XRGB8888 = fourcc('XR24');
export const DRM_FORMAT_ARGB8888 = fourcc('AR24');
export const DRM_FORMAT_BGRX8888 = fourcc('BX24');

/** Formats of one plane, by bytes of a pixel. */
const SINGLE: readonly (readonly [bytes: number, names: string])[] = [
  [1, 'C8  |D8  |R8  |RGB8|BGR8'],
  [2, 'R10 |R12 |XR12|XB12|RX12|BX12|AR12|AB12|RA12|BA12|XR15|XB15|RX15|BX15|AR15|AB15|RA15|BA15|RG16|BG16'],
  [3, 'RG24|BG24|VU24'],
  [4, 'XR24|XB24|RX24|BX24|AR24|AB24|RA24|BA24|XR30|XB30|RX30|BX30|AR30|AB30|RA30|BA30|XYUV|AYUV|Y410|XV30'],
  [8, 'XR4H|XB4H|AR4H|AB4H|AB10|XR48|XB48|AR48|AB48|Y412|Y416|XV36|XV48'],
];

/** Planes and subsampling of the others, as: bytes of a block, [subsampling across, down], [pixels of a block]. */
interface Shape {
  readonly names: string;
  readonly bytes: readonly number[];
  readonly across?: number;
  readonly down?: number;
  readonly pixels?: readonly number[];
}
const OTHERS: readonly Shape[] = [
  { names: 'C1  |D1  |R1  ', bytes: [1], pixels: [8] },
  { names: 'C2  |D2  |R2  ', bytes: [1], pixels: [4] },
  { names: 'C4  |D4  |R4  ', bytes: [1], pixels: [2] },
  { names: 'R5A8|B5A8', bytes: [2, 1] },
  { names: 'R8A8|B8A8', bytes: [3, 1] },
  { names: 'XRA8|XBA8|RXA8|BXA8', bytes: [4, 1] },
  { names: 'YUV9|YVU9', bytes: [1, 1, 1], across: 4, down: 4 },
  { names: 'YU11|YV11', bytes: [1, 1, 1], across: 4 },
  { names: 'YU12|YV12', bytes: [1, 1, 1], across: 2, down: 2 },
  { names: 'YU16|YV16', bytes: [1, 1, 1], across: 2 },
  { names: 'YU24|YV24', bytes: [1, 1, 1] },
  { names: 'NV12|NV21', bytes: [1, 2], across: 2, down: 2 },
  { names: 'NV16|NV61', bytes: [1, 2], across: 2 },
  { names: 'NV24|NV42', bytes: [1, 2] },
  { names: 'YUYV|YVYU|UYVY|VYUY', bytes: [2], across: 2 },
  { names: 'Y210|Y212|Y216', bytes: [4], across: 2 },
  { names: 'Y0L0|X0L0|Y0L2|X0L2', bytes: [8], across: 2, down: 2, pixels: [4] },
  { names: 'P010|P012|P016', bytes: [2, 4], across: 2, down: 2 },
  { names: 'P210', bytes: [2, 4], across: 2 },
  { names: 'VU30', bytes: [0] },
  { names: 'YU08|YU10', bytes: [0], across: 2, down: 2 },
  { names: 'NV15', bytes: [5, 5], across: 2, down: 2, pixels: [4, 2] },
  { names: 'NV20', bytes: [5, 5], across: 2, pixels: [4, 2] },
  { names: 'NV30', bytes: [5, 5], pixels: [4, 2] },
  { names: 'Q410|Q401', bytes: [2, 2, 2] },
  { names: 'P030', bytes: [4, 8], across: 2, down: 2, pixels: [3, 3] },
];

const FORMATS: ReadonlyMap<number, FormatInfo> = new Map(
  [...SINGLE.map(([bytes, names]): Shape => ({ names, bytes: [bytes] })), ...OTHERS].flatMap(formatsOf),
);

function formatsOf({ names, bytes, across = 1, down = 1, pixels }: Shape): [number, FormatInfo][] {
  return names.split('|').map((name) => [
    fourcc(name),
    {
      fourcc: fourcc(name),
      blockBytes: bytes,
      blockPixels: pixels ?? bytes.map(() => 1),
      horizontalSubsampling: across,
      verticalSubsampling: down,
    },
  ]);
}

/** @returns undefined for a format that the kernel does not know */
export const formatInfo = (code: number): FormatInfo | undefined => FORMATS.get(code);

/** Pixels across a plane. Source: drm_format_info_plane_width. */
export const planeWidth = (info: FormatInfo, width: number, plane: number): number =>
  plane === 0 ? width : Math.ceil(width / info.horizontalSubsampling);

/** Rows of a plane. Source: drm_format_info_plane_height. */
export const planeHeight = (info: FormatInfo, height: number, plane: number): number =>
  plane === 0 ? height : Math.ceil(height / info.verticalSubsampling);

/** Least bytes of a row. Source: drm_format_info_min_pitch. */
export const leastStride = (info: FormatInfo, plane: number, width: number): number =>
  Math.ceil((width * info.blockBytes[plane]) / info.blockPixels[plane]);

/** The format of a depth and bits of a pixel. Source: drm_mode_legacy_fb_format. @returns undefined when there is none */
export function legacyFormat(bitsPerPixel: number, depth: number): number | undefined {
  const name = LEGACY[`${bitsPerPixel}/${depth}`];
  return name === undefined ? undefined : fourcc(name);
}

const LEGACY: Readonly<Record<string, string>> = {
  '1/1': 'C1  ',
  '2/2': 'C2  ',
  '4/4': 'C4  ',
  '8/8': 'C8  ',
  '16/15': 'XR15',
  '16/16': 'RG16',
  '24/24': 'RG24',
  '32/24': 'XR24',
  '32/30': 'XR30',
  '32/32': 'AR24',
};

/** Bits of the colour of a format, those of alpha counted; of those that a device here shows. Source: drm_format_info.depth. */
export const depthOf = (code: number): number => (code === DRM_FORMAT_ARGB8888 ? 32 : 24);
