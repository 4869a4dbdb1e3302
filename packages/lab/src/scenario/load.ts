/** Reads scenario files. Everything that is wrong with a file is found at once, with its position. */
import { readFile } from 'node:fs/promises';
import { type Document, isMap, LineCounter, parseDocument, type YAMLError } from 'yaml';
import { checkScenario } from './check.js';
import { ScenarioDocument } from './document.js';
import { showValue } from './issues.js';
import { ScenarioError, type ScenarioProblem } from './problem.js';
import { type Scenario, scenarioSchema } from './schema.js';

/** A scenario that is in order, with the file it came from. */
export interface LoadedScenario {
  readonly scenario: Scenario;
  readonly document: ScenarioDocument;
}

/** A scenario of the largest pipeline takes a few dozen KiB. */
const MAX_FILE_BYTES = 2 ** 20;
/** A flood of syntax errors after the first few says nothing new. */
const MAX_SYNTAX_PROBLEMS = 20;

/**
 * Reads and checks a scenario file.
 *
 * @throws ScenarioError when the file cannot be read, is no YAML, or is no scenario that can run
 */
export async function loadScenario(path: string): Promise<LoadedScenario> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fileError(path, readFailure(error));
  }
  if (bytes.length > MAX_FILE_BYTES) throw fileError(path, `too large for a scenario, got ${bytes.length} bytes`);
  return parseScenario(decode(bytes, path), path);
}

/**
 * Checks the text of a scenario.
 *
 * @param fileName for messages
 * @throws ScenarioError with every problem found
 */
export function parseScenario(text: string, fileName: string): LoadedScenario {
  const { yaml, lines } = parseYaml(text, fileName);
  const value = plainValue(yaml, fileName);
  const document = new ScenarioDocument(fileName, yaml, lines);
  if (value === null || value === undefined) throw fileError(fileName, 'the file is empty, expected a scenario');
  if (!isMap(yaml.contents)) {
    throw new ScenarioError([document.problemAt([], `expected a mapping of keys to values, got ${showValue(value)}`)]);
  }
  const parsed = document.validateWith(scenarioSchema, value, []);
  const problems = 'problems' in parsed ? parsed.problems : checkScenario(parsed.value, document);
  if ('problems' in parsed || problems.length > 0) throw new ScenarioError(inFileOrder(problems));
  return { scenario: parsed.value, document };
}

function parseYaml(text: string, file: string): { yaml: Document; lines: LineCounter } {
  const lines = new LineCounter();
  let yaml: Document.Parsed;
  try {
    yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  } catch (error) {
    // The parser recurses: brackets by the thousand end its stack.
    if (error instanceof RangeError) throw fileError(file, 'nested too deeply for a scenario');
    throw error;
  }
  // An unknown tag is only a warning to the parser; here nothing may be left without a meaning.
  const faults = [...yaml.errors, ...yaml.warnings].sort((a, b) => a.pos[0] - b.pos[0]).slice(0, MAX_SYNTAX_PROBLEMS);
  if (faults.length === 0) return { yaml, lines };
  throw new ScenarioError(
    faults.map((fault): ScenarioProblem => {
      const { line, col } = lines.linePos(fault.pos[0]);
      return { file, line, column: col, path: '', message: syntaxMessage(fault, text) };
    }),
  );
}

function syntaxMessage({ code, message, pos }: YAMLError, text: string): string {
  const [start] = pos;
  switch (code) {
    case 'DUPLICATE_KEY':
      return `duplicate key "${/^[^\s:,}]+/.exec(text.slice(start))?.[0] ?? ''}", it stands above already`;
    case 'MULTIPLE_DOCS':
      return 'a second document starts here, expected one scenario in a file';
    case 'TAB_AS_INDENT':
      return 'indented by a tab, expected spaces';
    default:
      return `not valid YAML: ${message.split('\n')[0]}`;
  }
}

function plainValue(yaml: Document, file: string): unknown {
  try {
    return yaml.toJS({ maxAliasCount: 100 });
  } catch (error) {
    if (error instanceof RangeError) throw fileError(file, 'nested too deeply for a scenario');
    const message = error instanceof Error ? error.message : String(error);
    if (/alias count/i.test(message)) throw fileError(file, 'too many aliases (*name), refused as an alias bomb');
    throw fileError(file, `not valid YAML: ${message.split('\n')[0]}`);
  }
}

function decode(bytes: Buffer, file: string): string {
  try {
    if (bytes.includes(0)) throw new TypeError('holds zero bytes');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw fileError(file, 'not a text file, expected YAML in UTF-8');
  }
}

function readFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EISDIR':
      return 'is a directory, expected a scenario file';
    case 'EACCES':
      return 'may not be read: permission denied';
    default:
      return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function fileError(file: string, message: string): ScenarioError {
  return new ScenarioError([{ file, path: '', message }]);
}

function inFileOrder(problems: readonly ScenarioProblem[]): ScenarioProblem[] {
  return [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
