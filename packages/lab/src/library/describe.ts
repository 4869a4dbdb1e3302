/** Profiles and boards as text for the terminal: every value with its unit, and where it comes from. */
import { table, wrap } from '../report/text-layout.js';
import type { Board } from './board.js';
import { addressText, exactSize, fieldText } from './field-text.js';
import type { Note, Profile } from './profile.js';
import { leavesOf, type ProvenanceByPath, SOURCE_TREES } from './provenance.js';

/** All there is to know of a profile. */
export function profileText(profile: Profile): string {
  const { id, name, soc, kind, description, extends: base, constraints, layout, provenance, notes, file } = profile;
  const sources = new SourceList();
  const placement = fieldRows(constraints, ['constraints'], 1, provenance, sources);
  const options = Object.keys(layout.options);
  const others = options.filter((option) => layout.use !== undefined && !layout.use.includes(option));
  const layouts = fieldRows(layout.options, ['layout', 'options'], 2, provenance, sources);
  return lines([
    `${id}: ${name}`,
    `${soc}, ${kind}${base === undefined ? '' : `, extends ${base}`}; ${file}`,
    ...wrap(description, ''),
    '',
    'Where a buffer may lie',
    ...(placement.length === 0 ? ['  anywhere'] : table(placement, 'lll')),
    '',
    `How an image lies in it${others.length === 0 ? '' : ` (in use: ${layout.use?.join(', ')}; proposed: ${others.join(', ')})`}`,
    ...(layouts.length === 0 ? ['  any layout'] : table(layouts, 'lll')),
    ...noteLines(notes, sources),
    ...sources.lines(),
  ]);
}

/** All there is to know of a board. */
export function boardText(board: Board): string {
  const { id, name, description, memory, heaps, devices, provenance, notes, file } = board;
  const sources = new SourceList();
  const windows = memory.windows.map((window, i) => [
    window.name,
    `${addressText(window.base)}..${addressText(window.base + window.size - 1)}`,
    exactSize(window.size),
    sources.mark(provenance, `memory.windows.${i}.size`),
  ]);
  const heapRows = heaps.map((heap, i) => {
    const { name: heapName, kind, window, ...rest } = heap;
    const fields = leavesOf(rest, []).map(
      ({ path, value }) => `${path.join('.')} ${fieldText(path[path.length - 1], value)}`,
    );
    const stated = Object.keys(provenance).filter((path) => path.startsWith(`heaps.${i}.`));
    const mark = sources.mark(provenance, stated.find((path) => path.endsWith('.size')) ?? stated[0] ?? '');
    return [heapName, kind, `in ${[window].flat().join(', ')}`, fields.join(', '), mark];
  });
  return lines([
    `${id}: ${name}`,
    file,
    ...wrap(description, ''),
    '',
    'Memory',
    ...table(windows, 'llrl'),
    '',
    'Heaps',
    ...table(heapRows, 'lllll'),
    '',
    'Devices',
    ...table(Object.entries(devices), 'll'),
    ...noteLines(notes, sources),
    ...sources.lines(),
  ]);
}

function fieldRows(
  value: unknown,
  path: readonly string[],
  hidden: number,
  provenance: ProvenanceByPath,
  sources: SourceList,
): string[][] {
  return leavesOf(value, path).map((leaf) => [
    leaf.path.slice(hidden).join('.'),
    fieldText(leaf.path[leaf.path.length - 1], leaf.value),
    sources.mark(provenance, leaf.path.join('.')),
  ]);
}

function noteLines(notes: readonly Note[], sources: SourceList): string[] {
  if (notes.length === 0) return [];
  const marked = notes.map(({ text, source }) => (source === undefined ? text : `${text} ${sources.number(source)}`));
  return ['', 'Notes', ...marked.flatMap((text) => wrap(text, '  - ', '    '))];
}

/** Numbers the sources that values refer to, in order of their first use. */
class SourceList {
  readonly #sources: string[] = [];

  /** `[1]`, the number of a source. */
  number(source: string): string {
    if (!this.#sources.includes(source)) this.#sources.push(source);
    return `[${this.#sources.indexOf(source) + 1}]`;
  }

  /** Where the value at a path comes from: `[1]`, `[1], inferred`, `inferred`; nothing when it states nothing. */
  mark(provenance: ProvenanceByPath, path: string): string {
    const known = provenance[path];
    const marks = [
      ...(known?.source === undefined ? [] : [this.number(known.source)]),
      ...(known?.inferred ? ['inferred'] : []),
    ];
    return marks.join(', ');
  }

  lines(): string[] {
    if (this.#sources.length === 0) return [];
    const used = Object.entries(SOURCE_TREES).filter(([word]) =>
      this.#sources.some((source) => source.split('; ').some((one) => one.startsWith(`${word} `))),
    );
    return [
      '',
      `Sources (${used.map(([word, tree]) => `${word}: ${tree}`).join('; ')})`,
      ...this.#sources.flatMap((source, i) =>
        source.split('; ').map((one, line) => `${line === 0 ? `  [${i + 1}]` : '     '} ${one}`),
      ),
    ];
  }
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
