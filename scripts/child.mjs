/**
 * Runs one child process to its end and takes it along when this process is told to stop.
 *
 * The child leads a process group of its own, so that its helpers (test workers, a package manager's children) end with
 * it: a SIGINT, SIGTERM or SIGHUP of ours is passed to the group, a second one kills it, and so does five seconds of
 * patience. Whatever of the group is left when the child has ended is killed too.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const PATIENCE_MS = 5_000;
const hasGroups = process.platform !== 'win32';

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, stdio: import('node:child_process').StdioOptions,
 *   onStdout?: (text: string) => void }} options  `onStdout` takes what the child writes when its stdout is a pipe
 * @returns {Promise<{ exitCode: number, interrupted: boolean, error?: Error }>} `exitCode` is 128 + n for a signal n,
 *   and 127 with `error` when the child could not be started; `interrupted`: this process was told to stop meanwhile.
 */
export function runChild(command, args, { cwd, env, stdio, onStdout }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio, detached: hasGroups, shell: false });
    let interrupted = false;
    let killTimer;

    const kill = (signal) => {
      try {
        if (hasGroups && child.pid !== undefined) process.kill(-child.pid, signal);
        else child.kill(signal);
      } catch {
        // The group has already ended.
      }
    };
    const stop = (signal) => {
      kill(interrupted ? 'SIGKILL' : signal);
      interrupted = true;
      killTimer ??= setTimeout(() => kill('SIGKILL'), PATIENCE_MS);
    };
    const finish = (exitCode, error) => {
      clearTimeout(killTimer);
      for (const signal of SIGNALS) process.off(signal, stop);
      kill('SIGKILL');
      resolve({ exitCode, interrupted, error });
    };

    for (const signal of SIGNALS) process.on(signal, stop);
    if (child.stdout && onStdout) child.stdout.setEncoding('utf8').on('data', onStdout);
    child.on('error', (error) => finish(127, error));
    child.on('close', (code, signal) => finish(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
