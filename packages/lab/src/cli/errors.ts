/** What the command line says when something goes wrong, and with which code it ends. */

export const EXIT = { ok: 0, failed: 1, badInput: 2, interrupted: 130 } as const;

/** The user asked for something that cannot be: told in one message, without a stack, before anything started. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly exitCode = EXIT.badInput;
}

/** By the operation that failed: what a user causes, and no program error; with the code to end with. */
const EXPECTED: ReadonlyMap<string, number> = new Map([
  ['device_add', EXIT.badInput], // a device of a scenario is called like one of the machine
  ['program', EXIT.failed], // stopped at its limit
]);

/** What is known of a thrown value without relying on its class, which may come from another module or thread. */
interface Thrown {
  readonly message?: unknown;
  readonly stack?: unknown;
  readonly exitCode?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly path?: unknown;
  readonly actor?: unknown;
  /** Of the actor, when it is one of the user's. */
  readonly driver?: unknown;
  readonly cause?: unknown;
  readonly op?: unknown;
  /** What the history checker had found by then: lines. */
  readonly history?: unknown;
  /** Which control words had been overwritten by then: lines. */
  readonly damages?: unknown;
}

/** What `describeText` says, and what was found by then. See there. */
export function describeError(thrown: unknown, isPreparing: boolean): { text: string; exitCode: number } {
  const { text, exitCode } = describeText(thrown, isPreparing);
  const { damages, history }: Thrown = typeof thrown === 'object' && thrown !== null ? thrown : {};
  const found = [damages, history].filter((lines) => typeof lines === 'string');
  return { text: [text, ...found].join('\n'), exitCode };
}

/**
 * @param isPreparing nothing has started yet, so that a file that cannot be read is bad input
 * @returns what to print, and the exit code
 */
function describeText(thrown: unknown, isPreparing: boolean): { text: string; exitCode: number } {
  const error: Thrown = typeof thrown === 'object' && thrown !== null ? thrown : { message: String(thrown) };
  const message = String(error.message);
  if (error.exitCode === EXIT.badInput || error.code === 'EMEDIA') return { text: message, exitCode: EXIT.badInput };
  if (typeof error.syscall === 'string') {
    const exitCode = isPreparing ? EXIT.badInput : EXIT.failed;
    return { text: systemText(error, message), exitCode };
  }
  if (typeof error.actor === 'string') {
    const cause: Thrown = typeof error.cause === 'object' && error.cause !== null ? error.cause : error;
    const stack = typeof cause.stack === 'string' ? cause.stack : '';
    const reason = String(cause.message);
    const who = typeof error.driver === 'string' ? `${error.actor} (${error.driver})` : error.actor;
    if (cause.op === 'dma_buf_attach') {
      const hint = '`dmabuf-lab explain` tells every conflict of its file, and what would help.';
      return { text: `The run failed: ${who}: ${reason}\n${hint}`, exitCode: EXIT.failed };
    }
    const exitCode = EXPECTED.get(String(cause.op));
    if (exitCode !== undefined) return { text: `The run failed: ${who}: ${reason}`, exitCode };
    // The stack of an error begins with its message, which is said already.
    const first = stack.search(/^[ \t]+at /m);
    const frames = first < 0 ? '' : stack.slice(first);
    const isErrno = typeof cause.code === 'string' && typeof cause.op === 'string';
    const errno = isErrno ? ` (${String(cause.code)} from ${String(cause.op)})` : '';
    return {
      text: `The run failed: ${who}: ${reason}${errno}\n${frames}`.trimEnd(),
      exitCode: EXIT.failed,
    };
  }
  // Nothing has started: there are too many devices for this host.
  if (error.op === 'clone' && error.code === 'ENOMEM') return { text: message, exitCode: EXIT.badInput };
  if (typeof error.code === 'string') return { text: `The run failed: ${message}`, exitCode: EXIT.failed };
  return { text: typeof error.stack === 'string' ? error.stack : message, exitCode: EXIT.failed };
}

function systemText({ code, syscall, path }: Thrown, message: string): string {
  const what = typeof path === 'string' ? `${String(syscall)} ${path}` : String(syscall);
  const reasons: Record<string, string> = {
    ENOENT: 'there is no such file',
    EISDIR: 'it is a directory',
    ENOTDIR: 'a part of the path is a file',
    EACCES: 'permission denied',
    ENOSPC: 'no space is left on the device',
  };
  const reason = typeof code === 'string' ? reasons[code] : undefined;
  return reason === undefined ? message : `Cannot ${what}: ${reason} (${String(code)})`;
}
