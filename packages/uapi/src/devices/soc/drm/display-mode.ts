/** Modes of a display whose only given is how often it refreshes. */
import type { Rate } from '@dmabuf-lab/core/base';
import type { Mode } from '../../drm/kms/mode.js';

/** DRM_MODE_TYPE_PREFERRED with DRIVER. */
const PREFERRED = 0x48;
/** DRM_MODE_FLAG_PHSYNC with NVSYNC. */
const REDUCED_BLANKING = 0x9;
/** Pixels from the end of a row: to its sync, to the end of that, to the next row. */
const ACROSS = [48, 80, 160] as const;
/** Rows, likewise. */
const DOWN = [3, 9, 30] as const;

/**
 * The mode of a size: reduced blanking, and the pixel clock that gives the rate.
 *
 * Source: drm_cvt_mode with reduced blanking, drivers/gpu/drm/drm_modes.c, v6.12. Differs: blanking is the same for all
 * sizes, and the clock is in steps of 1 kHz, so that the rate is met.
 */
export function displayMode(widthPixels: number, heightPixels: number, refresh: Rate): Mode {
  const [hsync_start, hsync_end, htotal] = ACROSS.map((pixels) => widthPixels + pixels);
  const [vsync_start, vsync_end, vtotal] = DOWN.map((rows) => heightPixels + rows);
  return {
    clock: Math.round((htotal * vtotal * refresh.num) / refresh.den / 1000),
    hdisplay: widthPixels,
    hsync_start,
    hsync_end,
    htotal,
    hskew: 0,
    vdisplay: heightPixels,
    vsync_start,
    vsync_end,
    vtotal,
    vscan: 0,
    vrefresh: Math.round(refresh.num / refresh.den),
    flags: REDUCED_BLANKING,
    type: PREFERRED,
    name: `${widthPixels}x${heightPixels}`,
  };
}

/** Whether a mode refreshes as often as a display does, to the whole hertz. Source: drm_mode_vrefresh. */
export function hasRefresh({ clock, htotal, vtotal }: Mode, refresh: Rate): boolean {
  return Math.round((clock * 1000) / (htotal * vtotal)) === Math.round(refresh.num / refresh.den);
}
