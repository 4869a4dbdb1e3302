/**
 * Says which line of a program has made a call into the kernel: for lists of what was left open. Only where it is asked for, since
 * to find out costs more than most calls.
 *
 * A system call is a generator that the program delegates to, so that the frames of the program are on the stack whenever
 * the call is stepped, also after it has waited. Kernel threads run beside the program: what they make has no line.
 */

/** Where this package lies, with the others: what is there is the simulated machine. */
const MACHINE = `${import.meta.url.split('/').slice(0, -4).join('/')}/`;
const MACHINE_PATH = decodeURIComponent(new URL(MACHINE).pathname);
/** More frames than any call goes through. */
const DEPTH = 100;
/** `at name (place:line:column)` or `at place:line:column`. */
const FRAME = /^\s*at (?:.*\()?(.+):(\d+):\d+\)?$/;

export class CallSites {
  readonly #prefixes: readonly string[];

  /** @param base URL of the folder that files are named from; absent = by their whole path */
  constructor(base?: string) {
    this.#prefixes = base === undefined ? [] : [base, decodeURIComponent(new URL(base).pathname)];
  }

  /** The innermost line that is not the machine's, as `file:line`; undefined when there is none. */
  here(): string | undefined {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = DEPTH;
    const { stack = '' } = new Error();
    Error.stackTraceLimit = limit;
    for (const line of stack.split('\n')) {
      const frame = FRAME.exec(line);
      if (frame === null) continue;
      const [, file, number] = frame;
      if (!isMachine(file)) return `${this.#named(file)}:${number}`;
    }
    return undefined;
  }

  #named(file: string): string {
    const prefix = this.#prefixes.find((one) => file.startsWith(one));
    if (prefix !== undefined) return file.slice(prefix.length);
    return file.startsWith('file:') ? decodeURIComponent(new URL(file).pathname) : file;
  }
}

const isMachine = (file: string): boolean =>
  file.startsWith('node:') || file.startsWith(MACHINE) || file.startsWith(MACHINE_PATH);
