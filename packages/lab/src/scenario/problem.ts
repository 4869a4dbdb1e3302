/** What can be wrong with a scenario, and where in the file. */

/** One thing that is wrong. */
export interface ScenarioProblem {
  /** As the user named the file. */
  readonly file: string;
  /** From 1; absent when the file as a whole is at fault. */
  readonly line?: number;
  /** From 1. */
  readonly column?: number;
  /** Keys from the top with dots between them, e.g. `devices.camera.driver`; empty at the top. */
  readonly path: string;
  /** What is written there; absent when nothing is. */
  readonly value?: unknown;
  /** What is wrong with it and what was expected, without position and path. */
  readonly message: string;
}

/** The problem in one line: `examples/x.yaml:14:5: devices.camera.drivr: unknown key "drivr", did you mean "driver"?` */
export function formatProblem({ file, line, column, path, message }: ScenarioProblem): string {
  const position = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
  return path === '' ? `${position}: ${message}` : `${position}: ${path}: ${message}`;
}

/** A scenario that cannot run. Its message is one line a problem. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
  /** Of the command line: the user's input is wrong. */
  readonly exitCode = 2;

  constructor(readonly problems: readonly ScenarioProblem[]) {
    super(problems.map(formatProblem).join('\n'));
  }
}
