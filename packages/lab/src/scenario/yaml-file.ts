/** Reads a YAML file into plain values, with every fault at its place. What it says is the same for every kind of file. */

import { showValue } from '@dmabuf-lab/core/base';
import { type Document, isMap, LineCounter, parseDocument, visit, type YAMLError } from 'yaml';
import { ScenarioDocument } from './document.js';
import { nestsDeeperThan } from './nesting.js';
import { ScenarioError, type ScenarioProblem } from './problem.js';

/** A file of the largest pipeline takes a few dozen KiB. */
const MAX_FILE_BYTES = 2 ** 20;
/** A flood of syntax errors after the first few says nothing new. */
const MAX_SYNTAX_PROBLEMS = 20;
/** Of collections in one another; a scenario needs seven. */
const MAX_DEPTH_OF_NESTING = 64;
/** Each is looked up on its own, which takes the longer the more there are. */
const MAX_ALIASES = 1000;
const TOO_MANY_ALIASES = 'too many aliases (*name), refused as an alias bomb';

/** A file that is a mapping, not checked any further. */
export interface YamlFile {
  readonly value: unknown;
  readonly document: ScenarioDocument;
}

/**
 * Reads the text of a file.
 *
 * @param file its name in messages
 * @param noun what it should hold, such as `scenario`
 * @throws ScenarioError when it is no YAML, or no mapping
 */
export function readYaml(text: string, file: string, noun: string): YamlFile {
  const { yaml, lines } = parseYaml(text, file, noun);
  const document = new ScenarioDocument(file, yaml, lines);
  const value = plainValue(yaml, document);
  if (value === null || value === undefined) throw fileError(file, `the file is empty, expected a ${noun}`);
  if (!isMap(yaml.contents)) {
    throw new ScenarioError([document.problemAt([], `expected a mapping of keys to values, got ${showValue(value)}`)]);
  }
  return { value, document };
}

/**
 * The text in the bytes of a file.
 *
 * @throws ScenarioError when they are too many, or no UTF-8
 */
export function textOf(bytes: Buffer, file: string, noun: string): string {
  if (bytes.length > MAX_FILE_BYTES) throw fileError(file, `too large for a ${noun}, got ${bytes.length} bytes`);
  try {
    if (bytes.includes(0)) throw new TypeError('holds zero bytes');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fileError(file, 'not a text file, expected YAML in UTF-8');
  }
}

/** Why a file or a directory cannot be read, as an error about it. */
export function readError(error: unknown, file: string, noun: string): ScenarioError {
  return fileError(file, readFailure(error, noun));
}

/** An error about a file as a whole. */
export function fileError(file: string, message: string): ScenarioError {
  return new ScenarioError([{ file, path: '', message }]);
}

function parseYaml(text: string, file: string, noun: string): { yaml: Document; lines: LineCounter } {
  if (nestsDeeperThan(MAX_DEPTH_OF_NESTING, text)) throw fileError(file, `nested too deeply for a ${noun}`);
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  // An unknown tag is only a warning to the parser; here nothing may be left without a meaning.
  const faults = [...yaml.errors, ...yaml.warnings].sort((a, b) => a.pos[0] - b.pos[0]).slice(0, MAX_SYNTAX_PROBLEMS);
  if (faults.length === 0) return { yaml, lines };
  const document = new ScenarioDocument(file, yaml, lines);
  throw new ScenarioError(
    faults.map((fault) => document.problemAtOffset(fault.pos[0], syntaxMessage(fault, text, noun))),
  );
}

function syntaxMessage({ code, message, pos }: YAMLError, text: string, noun: string): string {
  const [start] = pos;
  switch (code) {
    case 'DUPLICATE_KEY':
      return `duplicate key "${keyAt(text, start)}", it stands above already`;
    case 'MULTIPLE_DOCS':
      return `a second document starts here, expected one ${noun} in a file`;
    case 'TAB_AS_INDENT':
      return 'indented by a tab, expected spaces';
    case 'BAD_SCALAR_START':
      return `not valid YAML: ${message.split('\n')[0]}; put it in quotes: "${plainAt(text, start)}"`;
    default:
      return `not valid YAML: ${message.split('\n')[0]}`;
  }
}

/** What stands at an offset, without quotes, up to where a value ends. */
const plainAt = (text: string, start: number): string => /^[^\s,}\]]*/.exec(text.slice(start, start + 200))?.[0] ?? '';

/** The key that starts at an offset, without its quotes. */
function keyAt(text: string, start: number): string {
  const match = /^(?:"([^"]*)"|'([^']*)'|([^:,}\n]+))/.exec(text.slice(start, start + 200));
  return (match?.[1] ?? match?.[2] ?? match?.[3] ?? '').trim();
}

/** Aliases that lead nowhere, or back into what they stand in. */
function reportAliases(yaml: Document, document: ScenarioDocument): void {
  const problems: ScenarioProblem[] = [];
  let aliases = 0;
  visit(yaml, {
    Alias(_, alias, ancestors) {
      aliases += 1;
      if (aliases > MAX_ALIASES) throw fileError(document.file, TOO_MANY_ALIASES);
      const target = alias.resolve(yaml);
      const offset = alias.range?.[0] ?? 0;
      if (target === undefined) problems.push(document.problemAtOffset(offset, `nothing is named &${alias.source}`));
      else if (ancestors.includes(target)) {
        problems.push(document.problemAtOffset(offset, `*${alias.source} stands inside of &${alias.source}`));
      }
    },
  });
  if (problems.length > 0) throw new ScenarioError(problems);
}

function plainValue(yaml: Document, document: ScenarioDocument): unknown {
  const { file } = document;
  try {
    reportAliases(yaml, document);
    return yaml.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (error instanceof ScenarioError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if (/alias count/i.test(message)) throw fileError(file, TOO_MANY_ALIASES);
    throw fileError(file, `not valid YAML: ${message.split('\n')[0]}`);
  }
}

function readFailure(error: unknown, noun: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EISDIR':
      return `is a directory, expected a ${noun} file`;
    case 'EACCES':
      return 'may not be read: permission denied';
    default:
      return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}
