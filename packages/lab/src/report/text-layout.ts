/** Plain text in a terminal: wrapped paragraphs and tables. */

export const TEXT_WIDTH = 100;

/** Blanks where a line may end: not between a number and its unit. */
const BREAKS = /(?<!\d) | (?!(?:[nµm]?s|[KMG]iB|bytes?)(?![\w-]))/;

/** Breaks a text between words; the first line starts with `first`, the others with `rest`. */
export function wrap(text: string, first: string, rest: string = first): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(BREAKS)) {
    if (!isEmpty && line.length + 1 + word.length > TEXT_WIDTH) {
      lines.push(line);
      line = rest;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}

/** Columns as wide as they need to be, two blanks between them; `align` has one letter a column, l or r. */
export function table(rows: readonly (readonly string[])[], align: string, indent = '  '): string[] {
  const widths = [...align].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => {
    const cells = row.map((cell, i) => (align[i] === 'r' ? cell.padStart(widths[i]) : cell.padEnd(widths[i])));
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}
