/** Where in the driver's source something was called, from the stack. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The package of this file: what lies in it is no driver's. */
const CORE = fileURLToPath(new URL('../../', import.meta.url));

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
    private readonly isSkipped: (file: string) => boolean,
  ) {}

  /** The present call, or where an error was thrown: the innermost position outside this package. */
  static ofDriver(error = captured()): Place {
    return new Place(error, (file) => file.startsWith(CORE) || file.startsWith(NODE));
  }

  /** The present call: the innermost position outside this file and another of this folder, given by their names. */
  static outside(name: string): Place {
    const here = [name, 'place'].flatMap((one) => [`/testing/${one}.ts`, `/testing/${one}.js`]);
    return new Place(captured(), (file) => file.startsWith(CORE) && here.some((end) => file.endsWith(end)));
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
      const lines = (this.error.stack ?? '').split('\n');
      this.#found = undefined;
      for (const line of lines) {
        const position = parse(line);
        if (position === undefined || this.isSkipped(position.file)) continue;
        this.#found = position;
        break;
      }
    }
    return this.#found;
  }
}

/** ` at src/my-isp.ts:12`, or nothing. */
export function at(place: Place | undefined): string {
  const text = place?.text;
  return text === undefined ? '' : ` at ${text}`;
}

/** Whether code is the driver's own, and not of this package, of Node or of a package that it uses. */
export function isDriversOwn(file: string | undefined, home: string | undefined): boolean {
  if (file === undefined || file.startsWith(CORE) || file.startsWith(NODE)) return false;
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
