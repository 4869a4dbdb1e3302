/** The built-in 5x7 bitmap font of the test pattern and the overlay. */

export const GLYPH_COLUMNS = 5;
export const GLYPH_ROWS = 7;
/** Columns from one character to the next: the glyph and a blank column. */
export const GLYPH_ADVANCE_COLUMNS = GLYPH_COLUMNS + 1;

/**
 * Seven rows a glyph, top to bottom; each is one base-32 digit (0-9, a-v) of five pixels, the leftmost the highest bit.
 * The digits' shapes are chosen to differ from each other in many pixels, for `readNumber`.
 */
const GLYPHS: Readonly<Record<string, string>> = {
  ' ': '0000000',
  '0': 'ehjlphe',
  '1': '4c4444e',
  '2': 'eh1248v',
  '3': 'v2421he',
  '4': '26aiv22',
  '5': 'vgu11he',
  '6': '68guhhe',
  '7': 'v124888',
  '8': 'ehhehhe',
  '9': 'ehhf12c',
  A: 'ehhvhhh',
  B: 'uhhuhhu',
  C: 'ehggghe',
  D: 'sihhhis',
  E: 'vgguggv',
  F: 'vgguggg',
  G: 'ehgnhhf',
  H: 'hhhvhhh',
  I: 'e44444e',
  J: '72222ic',
  K: 'hikokih',
  L: 'ggggggv',
  M: 'hrllhhh',
  N: 'hhpljhh',
  O: 'ehhhhhe',
  P: 'uhhuggg',
  Q: 'ehhhlid',
  R: 'uhhukih',
  S: 'fgge11u',
  T: 'v444444',
  U: 'hhhhhhe',
  V: 'hhhhha4',
  W: 'hhhllla',
  X: 'hha4ahh',
  Y: 'hhha444',
  Z: 'v1248gv',
  '-': '000v000',
  '.': '00000cc',
  ':': '0cc0cc0',
  '/': '01248g0',
  '#': 'aavavaa',
};

const UNKNOWN = 'vhhhhhv';

/**
 * Whether a pixel of a character is set.
 *
 * @param character one character; lower case is drawn as upper case, and a character outside the font as a box
 * @param column 0 to 4 from the left
 * @param row 0 to 6 from the top
 */
export function glyphPixel(character: string, column: number, row: number): boolean {
  const bits = Number.parseInt((GLYPHS[character.toUpperCase()] ?? UNKNOWN)[row], 32);
  return ((bits >> (GLYPH_COLUMNS - 1 - column)) & 1) === 1;
}

/**
 * The runs of set pixels in one row of a text, for drawing with fills.
 *
 * @param row 0 to 6 from the top
 * @returns pairs start, end (exclusive), in glyph columns from the left of the text
 */
export function textRuns(text: string, row: number): readonly (readonly [start: number, end: number])[] {
  const runs: [number, number][] = [];
  for (let i = 0; i < text.length; i++) {
    for (let column = 0; column < GLYPH_COLUMNS; column++) {
      if (!glyphPixel(text[i], column, row)) continue;
      const at = i * GLYPH_ADVANCE_COLUMNS + column;
      const last = runs.at(-1);
      if (last && last[1] === at) last[1] = at + 1;
      else runs.push([at, at + 1]);
    }
  }
  return runs;
}
