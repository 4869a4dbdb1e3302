/**
 * Says which line of a program or a driver has made a call: for lists of what was left open. Only where it is asked for, since to
 * find out costs more than most calls.
 *
 * A call that can wait is a generator that its caller delegates to, so that the frames of the caller are on the stack whenever
 * the call is stepped, also after it has waited. What runs beside the caller has no line.
 */

/** More frames than any call goes through. */
const DEPTH = 100;
/** `at name (place:line:column)` or `at place:line:column`. */
const FRAME = /^\s*at (?:.*\()?(.+):(\d+):\d+\)?$/;

export class CallSites {
  readonly #machine: readonly string[];
  readonly #base: readonly string[];

  /**
   * @param machine URL of the folder whose files are never the caller; it ends with a slash
   * @param base URL of the folder that files are named from; absent = by their whole path
   */
  constructor(machine: string, base?: string) {
    this.#machine = ['node:', ...bothForms(machine)];
    this.#base = base === undefined ? [] : bothForms(base);
  }

  /** The innermost line that is not the machine's, as `file:line`; undefined when there is none. */
  here(): string | undefined {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = DEPTH;
    const error = new Error();
    Error.stackTraceLimit = limit;
    for (const line of stackText(error).split('\n')) {
      const frame = FRAME.exec(line);
      if (frame === null) continue;
      const [, file, number] = frame;
      if (!this.#machine.some((prefix) => file.startsWith(prefix))) return `${this.#named(file)}:${number}`;
    }
    return undefined;
  }

  #named(file: string): string {
    const prefix = this.#base.find((one) => file.startsWith(one));
    if (prefix !== undefined) return file.slice(prefix.length);
    return file.startsWith('file:') ? pathOf(file) : file;
  }
}

/**
 * The stack of an error as Node writes it, by source maps where they are on, whatever a program has made of
 * `Error.prepareStackTrace`. Empty when the stack was taken before in another form.
 */
export function stackText(error: Error): string {
  const { prepareStackTrace } = Error;
  Reflect.set(Error, 'prepareStackTrace', undefined);
  try {
    const stack: unknown = error.stack;
    return typeof stack === 'string' ? stack : '';
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
}

/** The folder that so many folders up holds a module: of a package, or of all packages of the machine. @param url of the module */
export const folderAbove = (url: string, levels: number): string =>
  `${url
    .split('/')
    .slice(0, -1 - levels)
    .join('/')}/`;

/** Stacks name files by their URL, and where there are source maps by their path. */
const bothForms = (url: string): string[] => [url, pathOf(url)];
const pathOf = (url: string): string => decodeURIComponent(new URL(url).pathname);
