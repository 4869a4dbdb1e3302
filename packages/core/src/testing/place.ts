/** Where in the driver's source something was called, from the stack. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stackText } from '../base/index.js';

/** The package of this file: what lies in it is no driver's. */
const CORE = fileURLToPath(new URL('../../', import.meta.url));
/** The packages beside it, whose helpers drivers call: in a checkout, and installed. */
const BESIDE = ['drivers', 'heaps', 'uapi', 'lab'].flatMap((name) => [
  fileURLToPath(new URL(`../../../${name}/dist/`, import.meta.url)),
  fileURLToPath(new URL(`../../../${name}/src/`, import.meta.url)),
]);
const INSTALLED = '/node_modules/@dmabuf-lab/';

/** How positions inside Node begin. */
const NODE = 'node:';

/** A position in a source. */
interface Position {
  /** Absolute path. */
  readonly file: string;
  readonly line: number;
}

/** Deep enough for a driver that calls through helpers of its own. */
const DEPTH = 40;

/** Where a call was made. The stack is read when somebody asks: most are never asked for. */
export class Place {
  #found: Position | undefined | null = null;

  private constructor(
    private readonly error: Error,
    private readonly choose: (positions: readonly Position[]) => Position | undefined,
  ) {}

  /** The present call, or where an error was thrown: the innermost position of the driver's own code. */
  static ofDriver(error = captured()): Place {
    return new Place(error, driversOwn);
  }

  /** The present call: the innermost position outside this file and another of this folder, given by their names. */
  static outside(name: string): Place {
    const here = [name, 'place'].flatMap((one) => [`/testing/${one}.ts`, `/testing/${one}.js`]);
    const isHere = ({ file }: Position): boolean => file.startsWith(CORE) && here.some((end) => file.endsWith(end));
    return new Place(captured(), (positions) => positions.find((one) => !isHere(one)));
  }

  get file(): string | undefined {
    return this.#position?.file;
  }

  /** As messages name it, relative to the working directory where it lies below; undefined when the stack does not say. */
  get text(): string | undefined {
    const found = this.#position;
    if (found === undefined) return undefined;
    const path = relative(process.cwd(), found.file);
    return `${path.startsWith('..') ? found.file : path}:${found.line}`;
  }

  get #position(): Position | undefined {
    if (this.#found === null) {
      const lines = stackText(this.error).split('\n');
      this.#found = this.choose(lines.flatMap((line) => parse(line) ?? []));
    }
    return this.#found;
  }
}

/**
 * The innermost position outside the laboratory, so that a breach in a helper such as `nv12Of` is told where the driver calls
 * it. A driver of the laboratory's own has none before the suite that steps it: then the innermost outside this package.
 */
function driversOwn(positions: readonly Position[]): Position | undefined {
  let helper: Position | undefined;
  for (const position of positions) {
    const { file } = position;
    if (file.startsWith(CORE)) {
      if (helper !== undefined && file.includes('/testing/')) break;
    } else if (isBeside(file)) helper ??= position;
    else if (!file.startsWith(NODE)) return position;
  }
  return helper;
}

const isBeside = (file: string): boolean =>
  file.includes(INSTALLED) || BESIDE.some((folder) => file.startsWith(folder));

/** ` at src/my-isp.ts:12`, or nothing. */
export function at(place: Place | undefined): string {
  const text = place?.text;
  return text === undefined ? '' : ` at ${text}`;
}

/** Whether code is the driver's own, and not of this package, of Node or of a package that it uses. */
export function isDriversOwn(file: string | undefined, home: string | undefined): boolean {
  if (file === undefined || file.startsWith(CORE) || file.startsWith(NODE)) return false;
  if (isBeside(file)) return home !== undefined && isBeside(home);
  if (!file.includes(MODULES)) return true;
  return home?.includes(MODULES) === true && packageOf(file) === packageOf(home);
}

const MODULES = '/node_modules/';

/** `a` or `@a/b`. */
function packageOf(path: string): string {
  const parts = path.slice(path.lastIndexOf(MODULES) + MODULES.length).split('/');
  return parts.slice(0, parts[0].startsWith('@') ? 2 : 1).join('/');
}

function captured(): Error {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  const error = new Error();
  Error.stackTraceLimit = before;
  return error;
}

function parse(line: string): Position | undefined {
  const found = /^\s+at (?:.*\()?((?:file:\/\/\/|\/|node:)[^()]*?):(\d+):\d+\)?$/.exec(line);
  if (found === null) return undefined;
  const [, where, row] = found;
  const bare = where.replace(/[?#].*$/, '');
  return { file: bare.startsWith('file:') ? fileURLToPath(bare) : bare, line: Number(row) };
}
