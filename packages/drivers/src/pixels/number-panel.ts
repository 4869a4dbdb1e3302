/** A frame number in the picture: a black panel with white digits, drawn large, and read back by matching the digits. */
import { GLYPH_ADVANCE_COLUMNS, GLYPH_COLUMNS, GLYPH_ROWS, glyphPixel, textRuns } from './glyphs.js';
import type { Nv12Image } from './image-layout.js';
import type { PlaneRows } from './plane-rows.js';

/** Digits of a frame number; higher numbers show their last six digits. */
export const NUMBER_DIGITS = 6;
/** One more than the highest number that is shown in full. */
export const NUMBER_LIMIT = 10 ** NUMBER_DIGITS;

const LUMA_BLACK = 16;
const LUMA_WHITE = 235;
const CHROMA_NEUTRAL = 128;
/** A blank glyph pixel on every side. */
const MARGIN = 1;
const TEXT_COLUMNS = NUMBER_DIGITS * GLYPH_ADVANCE_COLUMNS - 1;
const PANEL_COLUMNS = TEXT_COLUMNS + 2 * MARGIN;
const PANEL_ROWS = GLYPH_ROWS + 2 * MARGIN;

/** Where a number panel lies in a picture, in pixels. All are even, so that the panel covers whole chroma samples. */
export interface NumberPlacement {
  readonly xPixels: number;
  readonly yPixels: number;
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** Pixels of the picture to one pixel of a glyph. */
  readonly scale: number;
}

/**
 * Where the frame number stands in a picture of this size: centred, in the upper half.
 *
 * From 96x64 up a glyph pixel is at least 2x2 pixels, which survives H.264; larger pictures give the panel 40 % of the width.
 *
 * @returns undefined when the picture is too small (under 40x12) for even the smallest digits
 */
export function frameNumberPlacement(widthPixels: number, heightPixels: number): NumberPlacement | undefined {
  const fitting = Math.min(Math.floor((widthPixels - 2) / PANEL_COLUMNS), Math.floor((heightPixels - 2) / PANEL_ROWS));
  if (fitting < 1) return undefined;
  const scale = Math.min(fitting, Math.max(2, Math.floor((widthPixels * 0.4) / PANEL_COLUMNS)));
  const panelWidth = roundUpToEven(PANEL_COLUMNS * scale);
  const panelHeight = roundUpToEven(PANEL_ROWS * scale);
  const xPixels = Math.floor((widthPixels - panelWidth) / 4) * 2;
  const yPixels = Math.max(0, Math.floor((heightPixels / 3 - panelHeight / 2) / 2) * 2);
  return { xPixels, yPixels, widthPixels: panelWidth, heightPixels: panelHeight, scale };
}

/**
 * Draws a number into an NV12 image, on a black panel.
 *
 * A picture too small for a panel is left as it is.
 *
 * @param value whole and not negative; its last six digits are drawn, with leading zeros
 * @param placement by default where `readFrameNumber` looks
 * @throws RangeError when the value is not such a number, or the placement reaches out of the picture
 */
export function drawNumberNv12(
  image: Nv12Image,
  value: number,
  placement: NumberPlacement | undefined = frameNumberPlacement(image.widthPixels, image.heightPixels),
): void {
  const text = numberText(value);
  if (!placement) return;
  const { xPixels, yPixels, widthPixels, heightPixels, scale } = placement;
  const blank = new Uint8Array(widthPixels).fill(LUMA_BLACK);
  let line: Uint8Array = blank;
  for (let y = 0; y < heightPixels; y++) {
    if (y % scale === 0) {
      const glyphRow = y / scale - MARGIN;
      line = glyphRow >= 0 && glyphRow < GLYPH_ROWS ? lumaLine(text, glyphRow, scale, widthPixels) : blank;
    }
    image.luma.writeRow(yPixels + y, line, xPixels);
  }
  const neutral = new Uint8Array(widthPixels).fill(CHROMA_NEUTRAL);
  for (let y = 0; y < heightPixels / 2; y++) image.chroma.writeRow(yPixels / 2 + y, neutral, xPixels);
}

/**
 * Reads the number that `drawNumberNv12` drew, from the luma plane alone.
 *
 * @param image an NV12 image, or just its size and luma
 * @returns the number, 0 to 999999, or undefined when no six digits can be told there
 */
export function readFrameNumber(image: Omit<Nv12Image, 'chroma'>): number | undefined {
  const placement = frameNumberPlacement(image.widthPixels, image.heightPixels);
  if (!placement) return undefined;
  const { xPixels, yPixels, scale } = placement;
  return readNumber(image.luma, {
    xPixels: xPixels + MARGIN * scale,
    yPixels: yPixels + MARGIN * scale,
    scale,
    pixelBytes: 1,
  });
}

/** Where six digits stand in a plane, for `readNumber`. */
export interface DigitsPlace {
  /** Left edge of the first digit. */
  readonly xPixels: number;
  /** Top edge of the digits. */
  readonly yPixels: number;
  readonly scale: number;
  /** Bytes from a pixel to the next: 1 for luma, 4 for RGBA, of which the green byte is read. */
  readonly pixelBytes: 1 | 4;
}

/** Standard deviation that a digit's 35 glyph pixels must have, of 255 brightness steps; drawn clean it is about 105. */
const LEAST_DEVIATION = 20;
/** Correlation of a digit with its glyph, and how far it must be ahead of the next best glyph. */
const LEAST_CORRELATION = 0.65;
const LEAST_LEAD = 0.05;

/**
 * Reads six digits by averaging the pixels under each glyph pixel and taking, digit by digit, the glyph of the highest
 * correlation, which neither brightness nor contrast affect.
 *
 * @returns undefined when contrast or match is too weak to be sure
 */
export function readNumber(rows: PlaneRows, place: DigitsPlace): number | undefined {
  const cells = averageCells(rows, place);
  let value = 0;
  for (let i = 0; i < NUMBER_DIGITS; i++) {
    const seen = digitCells((row, column) => cells[row * TEXT_COLUMNS + i * GLYPH_ADVANCE_COLUMNS + column]);
    if (seen.deviation < LEAST_DEVIATION) return undefined;
    const scores = DIGITS.map((digit) => correlation(digit, seen));
    const best = Math.max(...scores);
    const digit = scores.indexOf(best);
    const second = Math.max(...scores.filter((_, other) => other !== digit));
    if (best < LEAST_CORRELATION || best - second < LEAST_LEAD) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

/** The 35 glyph pixels of a digit as differences from their mean. */
interface DigitCells {
  readonly differences: readonly number[];
  readonly deviation: number;
}

function digitCells(cell: (row: number, column: number) => number): DigitCells {
  const values: number[] = [];
  for (let row = 0; row < GLYPH_ROWS; row++) {
    for (let column = 0; column < GLYPH_COLUMNS; column++) values.push(cell(row, column));
  }
  const mean = values.reduce((sum, value) => sum + value) / values.length;
  const differences = values.map((value) => value - mean);
  const deviation = Math.sqrt(differences.reduce((sum, value) => sum + value * value, 0) / values.length);
  return { differences, deviation };
}

/** Correlation of two digits, -1 to 1. */
function correlation(a: DigitCells, b: DigitCells): number {
  const product = a.differences.reduce((sum, value, i) => sum + value * b.differences[i], 0);
  return product / (a.differences.length * a.deviation * b.deviation);
}

const DIGITS = [...'0123456789'].map((digit) => digitCells((row, column) => (glyphPixel(digit, column, row) ? 1 : 0)));

/** Mean brightness under every glyph pixel of the text, row by row, the outer fifth of large ones left out. */
function averageCells(rows: PlaneRows, { xPixels, yPixels, scale, pixelBytes }: DigitsPlace): Float64Array {
  const inset = Math.floor(scale / 5);
  const channel = pixelBytes === 4 ? 1 : 0;
  const sums = new Float64Array(GLYPH_ROWS * TEXT_COLUMNS);
  for (let glyphRow = 0; glyphRow < GLYPH_ROWS; glyphRow++) {
    for (let y = inset; y < scale - inset; y++) {
      const row = rows.row(yPixels + glyphRow * scale + y);
      for (let column = 0; column < TEXT_COLUMNS; column++) {
        const left = xPixels + column * scale;
        for (let x = left + inset; x < left + scale - inset; x++) {
          sums[glyphRow * TEXT_COLUMNS + column] += row[x * pixelBytes + channel];
        }
      }
    }
  }
  const pixels = (scale - 2 * inset) ** 2;
  return sums.map((sum) => sum / pixels);
}

/**
 * The digits as drawn: the last six, with leading zeros.
 *
 * @throws RangeError when the value is negative or not whole
 */
export function numberText(value: number): string {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`Cannot draw a number: it must be whole and not negative, got ${value}`);
  }
  return String(value % NUMBER_LIMIT).padStart(NUMBER_DIGITS, '0');
}

function lumaLine(text: string, glyphRow: number, scale: number, widthPixels: number): Uint8Array {
  const line = new Uint8Array(widthPixels).fill(LUMA_BLACK);
  for (const [start, end] of textRuns(text, glyphRow)) {
    line.fill(LUMA_WHITE, (MARGIN + start) * scale, (MARGIN + end) * scale);
  }
  return line;
}

function roundUpToEven(value: number): number {
  return value + (value % 2);
}
