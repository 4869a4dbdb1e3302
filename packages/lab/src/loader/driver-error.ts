/** What is wrong with a driver's module, and where in it. */
import { isAbsolute, relative } from 'node:path';

/** One thing that is wrong. */
export interface DriverProblem {
  readonly message: string;
  /** Absolute; absent when no file of the driver is at fault. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
}

/** The problem in one line: `my-isp.ts:3:7: Expected ";" but found "x"`. */
export function formatDriverProblem({ message, file, line, column }: DriverProblem): string {
  if (file === undefined) return message;
  const shown = shownPath(file);
  return line === undefined ? `${shown}: ${message}` : `${shown}:${line}:${column ?? 1}: ${message}`;
}

/** A file as messages name it: from the working directory where it lies below, else in full. */
export function shownPath(file: string): string {
  const path = relative(process.cwd(), file);
  return path.startsWith('..') || isAbsolute(path) ? file : path;
}

/** A driver that cannot be used. The command line ends with 2. */
export class DriverLoadError extends Error {
  override readonly name = 'DriverLoadError';
  readonly exitCode = 2;

  constructor(
    /** As it was given: a path or the name of a package. */
    readonly specifier: string,
    readonly problems: readonly DriverProblem[],
  ) {
    super(problems.map((problem) => `Cannot use the driver ${specifier}: ${formatDriverProblem(problem)}`).join('\n'));
  }
}
