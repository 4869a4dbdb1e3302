/** Display modes. Source: drivers/gpu/drm/drm_modes.c and the EDID of QEMU's displays, v6.12. */
import { DRM_MODE_FLAG_PIC_AR_MASK, drmModeModeinfo } from '../../../abi/drm-mode.js';

/** A mode as user space has it. */
export type Mode = Readonly<ReturnType<typeof drmModeModeinfo.decode>>;

/** Kinds of modes: DRM_MODE_TYPE_PREFERRED with DRIVER, and DRIVER. */
const PREFERRED = 0x48;
const DRIVER = 0x40;

type Row = readonly [
  name: string,
  clock: number,
  h: readonly number[],
  v: readonly number[],
  Hz: number,
  flags: number,
];

const mode = ([name, clock, h, v, vrefresh, flags]: Row, type: number): Mode => ({
  clock,
  hdisplay: h[0],
  hsync_start: h[1],
  hsync_end: h[2],
  htotal: h[3],
  hskew: 0,
  vdisplay: v[0],
  vsync_start: v[1],
  vsync_end: v[2],
  vtotal: v[3],
  vscan: 0,
  vrefresh,
  flags,
  type,
  name,
});

const FIRST: Row = ['1280x800', 107300, [1280, 1600, 1638, 1728], [800, 804, 808, 828], 75, 0xa];

/** Modes that only a display with room for them lists. */
const LARGE: readonly Row[] = [
  ['5120x2160', 742500, [5120, 6216, 6304, 6600], [2160, 2168, 2178, 2250], 50, 0x180005],
  ['4096x2160', 594000, [4096, 5064, 5152, 5280], [2160, 2168, 2178, 2250], 50, 0x200005],
  ['3840x2160', 594000, [3840, 4016, 4104, 4400], [2160, 2168, 2178, 2250], 60, 0x100005],
  ['3840x2160', 593407, [3840, 4016, 4104, 4400], [2160, 2168, 2178, 2250], 60, 0x100005],
  ['3840x2160', 594000, [3840, 4896, 4984, 5280], [2160, 2168, 2178, 2250], 50, 0x100005],
  ['1920x1440', 234000, [1920, 2048, 2256, 2600], [1440, 1441, 1444, 1500], 60, 0x6],
  ['2560x1080', 185625, [2560, 3108, 3152, 3300], [1080, 1084, 1089, 1125], 50, 0x180005],
  ['1856x1392', 218250, [1856, 1952, 2176, 2528], [1392, 1393, 1396, 1439], 60, 0x6],
  ['1792x1344', 204750, [1792, 1920, 2120, 2448], [1344, 1345, 1348, 1394], 60, 0x6],
  ['2048x1152', 162000, [2048, 2074, 2154, 2250], [1152, 1153, 1156, 1200], 60, 0x5],
  ['1920x1200', 193250, [1920, 2056, 2256, 2592], [1200, 1203, 1209, 1245], 60, 0x6],
];
const COMMON: readonly Row[] = [
  ['1920x1080', 148500, [1920, 2008, 2052, 2200], [1080, 1084, 1089, 1125], 60, 0xa],
  ['1920x1080', 148500, [1920, 2448, 2492, 2640], [1080, 1084, 1089, 1125], 50, 0x100005],
  ['1600x1200', 162000, [1600, 1664, 1856, 2160], [1200, 1201, 1204, 1250], 60, 0x5],
  ['1680x1050', 146250, [1680, 1784, 1960, 2240], [1050, 1053, 1059, 1089], 60, 0x6],
  ['1400x1050', 121750, [1400, 1488, 1632, 1864], [1050, 1053, 1057, 1089], 60, 0x6],
  ['1280x1024', 108000, [1280, 1328, 1440, 1688], [1024, 1025, 1028, 1066], 60, 0x5],
  ['1440x900', 106500, [1440, 1520, 1672, 1904], [900, 903, 909, 934], 60, 0x6],
  ['1280x960', 108000, [1280, 1376, 1488, 1800], [960, 961, 964, 1000], 60, 0x5],
  ['1360x768', 85500, [1360, 1424, 1536, 1792], [768, 771, 777, 795], 60, 0x5],
  ['1280x768', 79500, [1280, 1344, 1472, 1664], [768, 771, 778, 798], 60, 0x6],
  ['1024x768', 65000, [1024, 1048, 1184, 1344], [768, 771, 777, 806], 60, 0xa],
  ['800x600', 40000, [800, 840, 968, 1056], [600, 601, 605, 628], 60, 0x5],
  ['640x480', 25200, [640, 656, 752, 800], [480, 490, 492, 525], 60, 0x8000a],
  ['640x480', 25175, [640, 656, 752, 800], [480, 490, 492, 525], 60, 0xa],
];

const listed = (rows: readonly Row[]): readonly Mode[] => [
  mode(FIRST, PREFERRED),
  ...rows.map((row) => mode(row, DRIVER)),
];

/** Of a display whose video memory has room for two pictures of each. */
export const COMMON_MODES: readonly Mode[] = listed(COMMON);
/** Of a display whose memory is no limit. */
export const ALL_MODES: readonly Mode[] = listed([...LARGE, ...COMMON]);

/** As a client sees it that has not asked for aspect ratios. */
export function withoutAspectRatio(given: Mode): Mode {
  return { ...given, flags: given.flags & ~DRM_MODE_FLAG_PIC_AR_MASK };
}

/**
 * The modes that a client sees: those that differ only in the aspect ratio once, unless it asked for that.
 *
 * Source: drm_mode_expose_to_userspace, v6.12.
 */
export function visibleModes(modes: readonly Mode[], withAspectRatio: boolean): readonly Mode[] {
  if (withAspectRatio) return modes;
  const seen = new Set<string>();
  return modes.flatMap((one) => {
    const plain = withoutAspectRatio(one);
    const key = timingKey(plain);
    if (seen.has(key)) return [];
    seen.add(key);
    return [plain];
  });
}

/** Whether two modes are the same picture at the same time; names and kinds do not count. Source: drm_mode_equal. */
export function isSameTiming(a: Mode | undefined, b: Mode | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return timingKey(a) === timingKey(b);
}

function timingKey({ clock, hdisplay, hsync_start, hsync_end, htotal, hskew, flags, ...v }: Mode): string {
  const { vdisplay, vsync_start, vsync_end, vtotal, vscan } = v;
  return [
    clock,
    hdisplay,
    hsync_start,
    hsync_end,
    htotal,
    hskew,
    vdisplay,
    vsync_start,
    vsync_end,
    vtotal,
    vscan,
    flags,
  ].join();
}

/** Limits of the flags of a mode. Source: DRM_MODE_FLAG_ALL, drm_mode_validate_basic. */
const FLAG_ALL = 0x7fffff;
const MOST_FLAG_3D = 8 << 14;

/** Source: drm_mode_convert_umode, drm_mode_validate_basic. */
export function isValidMode(given: Mode): boolean {
  const { clock, hdisplay, hsync_start, hsync_end, htotal, vdisplay, vsync_start, vsync_end, vtotal, flags } = given;
  if (clock > 0x7fffffff || (flags & ~FLAG_ALL) !== 0) return false;
  if ((flags & (0x1f << 14)) > MOST_FLAG_3D) return false;
  const across = hdisplay > 0 && hsync_start >= hdisplay && hsync_end >= hsync_start && htotal >= hsync_end;
  const down = vdisplay > 0 && vsync_start >= vdisplay && vsync_end >= vsync_start && vtotal >= vsync_end;
  return clock > 0 && across && down;
}

export const modeBytes = (value: Mode): Uint8Array => drmModeModeinfo.encode(value);
