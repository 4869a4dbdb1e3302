/** Checks a driver in a process of its own, which is ended when the driver does not come back from a step. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import {
  brokenOff,
  type ConformResult,
  ENDLESS_REMEDY,
  NO_RUN,
  type RuleName,
  type ToldFinding,
} from '@dmabuf-lab/core/testing';
import { CHANNEL, type CheckMessage, type CheckRequest } from './protocol.js';

/** What cannot be checked; the command line ends with 2. */
export class CheckRefusedError extends Error {
  override readonly name = 'CheckRefusedError';
  readonly exitCode = 2;
}

export interface CheckOptions {
  /** Told of each run as it begins. */
  readonly onRun?: (name: string) => void;
}

/** How long the process may take to begin and to load the driver, which has a limit of its own there. */
const START_MS = 60_000;

type Run = Extract<CheckMessage, { readonly run: string }>;

const ENTRY = fileURLToPath(new URL('./check-process.js', import.meta.url));

/**
 * How long nothing may be heard. On threads a run is given up there, after the limit and as long again for it to end, so that here
 * only the process itself can hang.
 */
const silenceOf = ({ runtime, limitMs }: CheckRequest): number =>
  runtime === 'virtual' ? limitMs : START_MS + 3 * limitMs;

/** @throws CheckRefusedError when there is nothing to check; Error when the check itself fails */
export async function checkDriver(request: CheckRequest, options: CheckOptions = {}): Promise<ConformResult> {
  // What the driver prints, is the user's to read and not part of the result.
  const stdio: ('ignore' | 'inherit' | 'pipe' | number)[] = ['ignore', process.stderr.fd, 'pipe'];
  stdio[CHANNEL] = 'pipe';
  const child = spawn(process.execPath, [ENTRY, JSON.stringify(request)], { stdio });
  let run: Run = { run: 'loading', throwing: 'run', hanging: 'run' };
  let last = '';
  const known = { found: [] as ToldFinding[], notes: [] as string[], answered: [] as RuleName[], runs: 0 };
  let answer: ConformResult | undefined;
  let refused: string | undefined;
  let hangs = false;
  const end = (): void => {
    hangs = true;
    child.kill('SIGKILL');
  };
  let watchdog = setTimeout(end, START_MS);
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    process.stderr.write(chunk);
    said = (said + chunk.toString()).slice(-4096);
  });
  const lines = createInterface({ input: child.stdio[CHANNEL] as Readable });
  lines.on('line', (line) => {
    clearTimeout(watchdog);
    watchdog = setTimeout(end, silenceOf(request));
    const message = JSON.parse(line) as CheckMessage;
    if ('run' in message) {
      run = message;
      if (message.run !== NO_RUN) known.runs += 1;
      options.onRun?.(message.run);
    } else if ('found' in message) known.found.push(message.found);
    else if ('note' in message) known.notes.push(message.note);
    else if ('answered' in message) known.answered.push(...message.answered);
    else if ('call' in message) last = `${message.call}${message.place === undefined ? '' : ` at ${message.place}`}`;
    else if ('result' in message) answer = message.result;
    else refused = message.refused;
  });
  try {
    const code = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status, signal) => resolve(status ?? signal ?? 0));
    });
    if (answer !== undefined) return answer;
    if (refused !== undefined) throw new CheckRefusedError(refused);
    const { given: driver, seed, runtime, rules } = request;
    const since = last === '' ? 'since it was loaded' : `since it called ${last}`;
    const seconds = silenceOf(request) / 1000;
    const what = hangs
      ? `a step of the driver does not end: nothing for ${seconds} s ${since}`
      : `the driver has ended its process (${code}); the last that it called was ${last || 'nothing'}`;
    const where = / at (.+)$/.exec(last)?.[1];
    if (!hangs && said.includes('check-process')) throw new Error(`The check has failed (${code})`);
    const rule = hangs ? run.hanging : run.throwing;
    const more = { ...(where !== undefined && { where }), ...(hangs ? { remedy: ENDLESS_REMEDY } : {}) };
    const told: ToldFinding = { rule, run: run.run, what, ...more };
    return brokenOff({ driver, seed, runtime, rules }, known, told);
  } finally {
    clearTimeout(watchdog);
    child.kill('SIGKILL');
  }
}
