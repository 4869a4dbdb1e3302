/** The GPU's overlay: a translucent panel with a border, a label and a frame number, composed over an RGBA image. */
import { GLYPH_ADVANCE_COLUMNS, GLYPH_ROWS, textRuns } from './glyphs.js';
import type { RgbaImage } from './image-layout.js';
import { NUMBER_DIGITS, numberText, readNumber } from './number-panel.js';

/** Red, green, blue and alpha, 0 to 255 each; not premultiplied. */
export type Rgba = readonly [red: number, green: number, blue: number, alpha: number];

/** What to compose. Positions are of the panel's outer edge; what lies outside the image is cut off. */
export interface Overlay {
  readonly xPixels: number;
  readonly yPixels: number;
  /** Pixels of the image to one pixel of a glyph, at least 1. */
  readonly scale: number;
  /** Drawn in capitals: letters, digits, and `- . : / #`. */
  readonly label: string;
  /** Shown under the label, its last six digits; whole and not negative. */
  readonly number: number;
  /** By default a dark blue at 80 %: dark enough that the number is legible over any picture. */
  readonly panel?: Rgba;
  /** Border and text; by default opaque white. */
  readonly ink?: Rgba;
}

const PANEL: Rgba = [16, 24, 48, 204];
const INK: Rgba = [255, 255, 255, 255];

/** Glyph pixels: a border of one, a margin of one, the label, a blank row, the number, a margin, a border. */
const FRAME = 2;
const NUMBER_ROW = FRAME + GLYPH_ROWS + 1;
const PANEL_ROWS = NUMBER_ROW + GLYPH_ROWS + FRAME;

/**
 * The panel for an image of this size: bottom left, up to a quarter of width and height, clear of the camera's number.
 *
 * @param label as in `Overlay`; a longer label gives a wider panel
 */
export function defaultOverlay(widthPixels: number, heightPixels: number, label: string, number: number): Overlay {
  const scale = Math.max(1, Math.floor(Math.min(widthPixels / 4 / panelColumns(label), heightPixels / 4 / PANEL_ROWS)));
  return { xPixels: scale, yPixels: heightPixels - (PANEL_ROWS + 1) * scale, scale, label, number };
}

/**
 * Composes the overlay onto the image, source over destination: out = (src a + dst (255 - a)) / 255, rounded, alpha
 * likewise. Touches nothing outside the panel's rectangle.
 *
 * @throws RangeError when the number is negative or not whole, or the scale not a whole number from 1
 */
export function composeOverlay(dst: RgbaImage, overlay: Overlay): void {
  const { xPixels, yPixels, scale, label, panel = PANEL, ink = INK } = overlay;
  if (!Number.isSafeInteger(scale) || scale < 1) {
    throw new RangeError(`Cannot compose an overlay: scale must be a whole number from 1, got ${scale}`);
  }
  const columns = panelColumns(label);
  const number = numberText(overlay.number);
  const left = Math.max(0, xPixels);
  const right = Math.min(dst.widthPixels, xPixels + columns * scale);
  if (left >= right) return;
  const top = Math.max(0, yPixels);
  const bottom = Math.min(dst.heightPixels, yPixels + PANEL_ROWS * scale);
  let glyphRow = -1;
  let inked: Uint8Array = new Uint8Array(0);
  for (let y = top; y < bottom; y++) {
    if (Math.floor((y - yPixels) / scale) !== glyphRow) {
      glyphRow = Math.floor((y - yPixels) / scale);
      inked = inkedColumns(glyphRow, columns, label, number);
    }
    const row = dst.pixels.beginRow(y, 'edit');
    for (let x = left; x < right; x++) blend(row, 4 * x, inked[Math.floor((x - xPixels) / scale)] ? ink : panel);
    dst.pixels.endRow(y);
  }
}

/** Width and height that the overlay's panel covers, in pixels. */
export function overlaySize(overlay: Overlay): { readonly widthPixels: number; readonly heightPixels: number } {
  return { widthPixels: panelColumns(overlay.label) * overlay.scale, heightPixels: PANEL_ROWS * overlay.scale };
}

/**
 * Reads the number of a composed overlay.
 *
 * @param overlay where it was composed; its number is not looked at
 * @returns 0 to 999999, or undefined when no six digits can be told there
 */
export function readOverlayNumber(image: RgbaImage, overlay: Omit<Overlay, 'number'>): number | undefined {
  const { scale } = overlay;
  const xPixels = overlay.xPixels + FRAME * scale;
  const yPixels = overlay.yPixels + NUMBER_ROW * scale;
  const endX = xPixels + (NUMBER_DIGITS * GLYPH_ADVANCE_COLUMNS - 1) * scale;
  const endY = yPixels + GLYPH_ROWS * scale;
  if (xPixels < 0 || yPixels < 0 || endX > image.widthPixels || endY > image.heightPixels) return undefined;
  return readNumber(image.pixels, { xPixels, yPixels, scale, pixelBytes: 4 });
}

function panelColumns(label: string): number {
  return Math.max(label.length, NUMBER_DIGITS) * GLYPH_ADVANCE_COLUMNS - 1 + 2 * FRAME;
}

/** Which glyph columns of a glyph row of the panel are border or text. */
function inkedColumns(glyphRow: number, columns: number, label: string, number: string): Uint8Array {
  const inked = new Uint8Array(columns);
  if (glyphRow === 0 || glyphRow === PANEL_ROWS - 1) return inked.fill(1);
  inked[0] = 1;
  inked[columns - 1] = 1;
  const text = glyphRow < NUMBER_ROW ? label : number;
  const textRow = glyphRow - (glyphRow < NUMBER_ROW ? FRAME : NUMBER_ROW);
  if (textRow < 0 || textRow >= GLYPH_ROWS) return inked;
  for (const [start, end] of textRuns(text, textRow)) inked.fill(1, FRAME + start, FRAME + end);
  return inked;
}

function blend(row: Uint8Array, at: number, [red, green, blue, alpha]: Rgba): void {
  const rest = 255 - alpha;
  row[at] = divide255(red * alpha + row[at] * rest);
  row[at + 1] = divide255(green * alpha + row[at + 1] * rest);
  row[at + 2] = divide255(blue * alpha + row[at + 2] * rest);
  row[at + 3] = divide255(255 * alpha + row[at + 3] * rest);
}

/** Divides 0 to 65025 by 255, rounded to the nearest; exact. */
function divide255(value: number): number {
  const biased = value + 128;
  return (biased + (biased >> 8)) >> 8;
}
