/** `dmabuf-lab run`: loads a scenario, runs it, says what happened. */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { RunOutcome, RunResult } from '../result/index.js';
import type { PreparedRun } from '../run/index.js';
import type { Scenario } from '../scenario/index.js';
import { describeError, EXIT, InputError } from './errors.js';
import { catchInterrupt } from './interrupt.js';
import { libraryDirectories, libraryOption } from './library-commands.js';
import { checkOutputDirectory, userPath } from './paths.js';

const HELP = `
Exit codes:
  0    the run ended and all is as it should be
  1    the run failed, an expectation of the scenario does not hold, a frame's contents were wrong, devices waited for
       each other, something leaked or was written to after it was freed, or somebody broke the rules of sharing
  2    the scenario, a file or an option is not right; nothing was run and nothing written
  130  interrupted by Ctrl-C: the sources stop, the frames on their way go through, and the report is still made;
       a second Ctrl-C ends at once
  143  a driver looped for a minute without a wait, on the virtual clock

Examples:
  dmabuf-lab run examples/late-encoder.yaml
  dmabuf-lab run examples/late-encoder.yaml --camera clip.mp4 --runtime threads --out out/
  dmabuf-lab run examples/late-encoder.yaml --runtime virtual --payload timing --duration 1h --json > result.json`;

interface RunFlags {
  readonly runtime?: 'threads' | 'virtual';
  readonly pace?: 'real' | 'max';
  readonly seed?: string;
  readonly ties?: 'fifo' | 'seed';
  readonly duration?: string;
  readonly payload?: 'pixels' | 'stamp' | 'timing';
  readonly camera?: string;
  readonly sanitize?: boolean;
  readonly checkHistory?: boolean;
  readonly out?: string;
  readonly json?: boolean;
  readonly library?: readonly string[];
}

export function addRunCommand(program: Command): void {
  program
    .command('run')
    .summary('run a scenario and say what happened')
    .description('Runs a scenario and says what happened. Options take precedence over the scenario file.')
    .argument('<file>', 'the scenario, a YAML file')
    .addOption(
      new Option('--runtime <kind>', 'threads: one thread a driver; virtual: one thread, a virtual clock').choices([
        'threads',
        'virtual',
      ]),
    )
    .addOption(
      new Option('--pace <pace>', 'on threads: keep to real time, or go as fast as possible').choices(['real', 'max']),
    )
    .option('--seed <number>', 'seed of everything random, a whole number')
    .addOption(
      new Option(
        '--ties <order>',
        'on the virtual clock: what happens at the same moment happens in this order',
      ).choices(['fifo', 'seed']),
    )
    .option('--duration <time>', 'how long the sources run in model time, e.g. 10s, 1500ms, 1h')
    .addOption(
      new Option('--payload <kind>', 'pixels: real pictures; stamp: checksummed marks; timing: no contents').choices([
        'pixels',
        'stamp',
        'timing',
      ]),
    )
    .option('--camera <file>', 'play this file (mp4, webm, y4m) instead of the test pattern')
    .option('--sanitize', 'look for devices that write to pages they no longer have (the DMA sanitizer)')
    .option('--check-history', 'follow each buffer, and fail when somebody breaks the rules of sharing')
    .addOption(libraryOption())
    .option('--out <dir>', 'write result.json, a trace for ui.perfetto.dev, the video and the pictures there')
    .option('--json', 'print the result as JSON and nothing else (see: dmabuf-lab schema result)')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: RunFlags) => {
      process.exitCode = await run(file, flags);
    });
}

async function run(file: string, flags: RunFlags): Promise<number> {
  let isPreparing = true;
  try {
    const { applyOverrides, loadScenario } = await import('../scenario/index.js');
    const overrides = await readOverrides(flags);
    const { prepareRun } = await import('../run/index.js');
    const { writeOutputs } = await import('../report/index.js');
    const out = flags.out === undefined ? undefined : userPath(flags.out);
    const cameraFile = flags.camera === undefined ? undefined : userPath(flags.camera);
    if (out !== undefined) await checkOutputDirectory(out, flags.out ?? '');
    const loaded = await loadScenario(userPath(file), file, { libraries: libraryDirectories(flags.library) });
    const scenario = applyOverrides(loaded.scenario, overrides);
    const prepared = await prepareRun({ ...loaded, scenario }, { cameraFile });
    isPreparing = false;
    const outcome = await execute(prepared, flags);
    const result = out === undefined ? outcome.result : await writeOutputs(out, outcome, { trace: true });
    await printResult(result, flags);
    return exitCodeOf(result, scenario);
  } catch (error) {
    const { text, exitCode } = describeError(error, isPreparing);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}

async function execute(prepared: PreparedRun, flags: RunFlags): Promise<RunOutcome> {
  const { executeRun } = await import('../run/index.js');
  const { stallWatchOf } = await import('./stall-watch.js');
  using stalls = stallWatchOf(prepared);
  const collectTrace = flags.out !== undefined;
  return await watched(flags.json === true, (watch) =>
    executeRun(prepared, { collectTrace, ...watch, ...(stalls && { onStep: stalls.onStep }) }),
  );
}

/** Only what the user gave. */
async function readOverrides({ runtime, pace, seed, ties, duration, payload, sanitize, checkHistory }: RunFlags) {
  return {
    ...(runtime !== undefined && { runtime }),
    ...(pace !== undefined && { pace }),
    ...(seed !== undefined && { seed: parseSeed(seed) }),
    ...(ties !== undefined && { ties }),
    ...(duration !== undefined && { duration: await parsePositiveDuration(duration) }),
    ...(payload !== undefined && { payload }),
    ...(sanitize === true && { sanitizer: true }),
    ...(checkHistory === true && { history: true }),
  };
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
  throw new InputError(`Cannot use --seed ${text}: expected a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
}

async function parsePositiveDuration(text: string): Promise<number> {
  const { MAX_DURATION_NS, parseDuration } = await import('../scenario/index.js');
  const ns = parseDuration(text);
  if (ns !== undefined && ns > MAX_DURATION_NS) {
    throw new InputError(`Cannot use --duration ${text}: expected at most ${MAX_DURATION_NS / 3_600_000_000_000}h`);
  }
  if (ns !== undefined && ns > 0) return ns;
  throw new InputError(
    `Cannot use --duration ${text}: expected a time greater than zero with its unit, e.g. 10s or 500ms`,
  );
}

interface Watch {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { nowNs: number; durationNs: number }) => void;
  readonly isBreakDue: () => boolean;
}

/** How often a run on the virtual clock looks whether Ctrl-C was pressed, in milliseconds of real time. */
const BREAK_MS = 100;

function everyMs(periodMs: number): () => boolean {
  let dueMs = performance.now() + periodMs;
  return () => {
    const nowMs = performance.now();
    if (nowMs < dueMs) return false;
    dueMs = nowMs + periodMs;
    return true;
  };
}

/** Shows progress while something runs, and hands on Ctrl-C. */
async function watched(isQuiet: boolean, work: (watch: Watch) => Promise<RunOutcome>): Promise<RunOutcome> {
  const { ProgressLine } = await import('../report/index.js');
  const progress = new ProgressLine(process.stderr);
  using interrupt = catchInterrupt(() => {
    progress.say('Stopping: the sources stop, the frames on their way go through. Ctrl-C again ends at once.');
  });
  try {
    const onProgress: Watch['onProgress'] = (step) => progress.update(step);
    return await work({ signal: interrupt.signal, isBreakDue: everyMs(BREAK_MS), ...(!isQuiet && { onProgress }) });
  } finally {
    progress.clear();
  }
}

async function printResult(result: RunResult, flags: RunFlags): Promise<void> {
  const { summarize } = await import('../report/index.js');
  const { toCanonicalJson } = await import('../result/index.js');
  if (flags.json !== true) {
    process.stdout.write(summarize(result, { dir: flags.out }));
    return;
  }
  process.stdout.write(toCanonicalJson(result));
  for (const { path, expected, actual, ok } of result.expectations) {
    if (!ok)
      process.stderr.write(`Failed: ${path}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}\n`);
  }
}

function exitCodeOf(result: RunResult, scenario: Scenario): number {
  const { endedBy, expectations, ledger, devices, sanitizer, corruptions, history, incidents } = result;
  if (endedBy === 'interrupted') return EXIT.interrupted;
  const isWrong = Object.values(devices).some(({ counters }) => (counters.checksFailed ?? 0) > 0);
  const isDamaged =
    isWrong || (sanitizer?.damaged ?? 0) > 0 || corruptions !== undefined || (history?.violationCount ?? 0) > 0;
  const isDeadlocked = incidents.some(({ kind }) => kind === 'deadlock' || kind === 'lock-order');
  const isBad = isDamaged || isDeadlocked || isLost(result, scenario) || !ledger.empty;
  return isBad || expectations.some(({ ok }) => !ok) ? EXIT.failed : EXIT.ok;
}

/** Whether a device has failed or hung, which no event made it do, and has not come back; or did not end by itself. */
function isLost({ incidents }: RunResult, { timeline }: Scenario): boolean {
  return incidents.some(({ kind, cause, device }, i) => {
    if (kind === 'died' && cause === 'overdue') return true;
    if (kind !== 'died' || (cause !== 'failed' && cause !== 'hung')) return false;
    const isMeant = timeline.some(
      (event) => ('hang' in event ? event.hang : 'pause' in event && event.pause) === device,
    );
    const isBack = incidents.slice(i).some((later) => later.kind === 'restarted' && later.device === device);
    return !isBack && !(cause === 'hung' && isMeant);
  });
}
