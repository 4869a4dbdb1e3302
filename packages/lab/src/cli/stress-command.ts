/** `dmabuf-lab stress`: drivers do random things with shared buffers, die and hang, and a checker follows every buffer. */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { AgeChoices, PlanChoices, StressResult, TrialsOptions } from '../stress/index.js';
import { describeError, EXIT, InputError } from './errors.js';
import { catchInterrupt } from './interrupt.js';
import { modulePath, userPath } from './paths.js';

const HELP = `
Rates are events a second of model time, of all drivers together: 2/s, 0.5/s. On threads model time is real time.

Exit codes:
  0    no violation, and nothing is left; fences and mappings that lasted too long are only told
  1    a rule was broken, somebody waited without an end, or something leaked: the report says what led to it
  2    an option is not right; nothing was run
  130  interrupted by Ctrl-C: faults stop, everybody lets go, and the report is made; a second Ctrl-C ends at once

Examples:
  dmabuf-lab stress --drivers 8 --buffers 64 --kill-rate 2/s --duration 60s --runtime threads
  dmabuf-lab stress --trials 100 --operations 10000 --draw --kill-rate 500/s --hang-rate 50/s --heap-pressure 0.9
  dmabuf-lab stress --seed 17 --kill-rate 100/s --json > stress.json
  dmabuf-lab stress --driver my-driver.ts --parameters '{ "gain": 2 }' --kill-rate 10/s`;

/** A module that nobody kills is not under stress; some ten kills in the usual second. */
const OWN_KILL_RATE = '10/s';
const USUAL_AGE = '500ms, on threads 30s';

interface StressFlags {
  readonly drivers: string;
  readonly buffers: string;
  readonly duration: string;
  readonly operations?: string;
  readonly killRate?: string;
  readonly hangRate: string;
  readonly exporterKillRate: string;
  readonly heapPressure: string;
  readonly siteRate: string;
  readonly fenceAge?: string;
  readonly mappingAge?: string;
  readonly heldMappingAge?: string;
  readonly seed: string;
  readonly runtime: 'threads' | 'virtual';
  readonly trials: string;
  readonly draw?: boolean;
  readonly driver?: readonly string[];
  readonly parameters?: readonly string[];
  readonly json?: boolean;
}

export function addStressCommand(program: Command): void {
  program
    .command('stress')
    .summary('share buffers at random under faults, with all checkers on')
    .description(
      'Drivers attach, map, write, read, unmap, detach, create and destroy at random, and are killed and hang, while a ' +
        'checker follows every buffer. Afterwards everything has to come back.',
    )
    .option('--drivers <count>', 'how many drivers, 1 to 64', '4')
    .option('--buffers <count>', 'how many buffers there are at once, 1 to 512', '16')
    .option('--duration <time>', 'how long faults and work go on, in model time, e.g. 60s, 500ms', '1s')
    .option('--operations <count>', 'end after so many operations, if that is before the time is over')
    .option(
      '--kill-rate <rate>',
      `how often a driver is killed, e.g. 2/s (default: 0/s, with --driver ${OWN_KILL_RATE})`,
    )
    .option('--hang-rate <rate>', 'how often a driver hangs, e.g. 0.5/s', '0/s')
    .option('--exporter-kill-rate <rate>', 'how often the exporter is killed, which then comes back, e.g. 1/s', '0/s')
    .option('--heap-pressure <share>', 'how much of each heap somebody else takes at times, 0 to 1', '0')
    .option(
      '--site-rate <share>',
      'at which share of its visits each fault site fires, 0 to 1; see docs/stress.md',
      '0',
    )
    .option('--fence-age <time>', `tell of fences that are pending for longer, or off (default: ${USUAL_AGE})`)
    .option('--mapping-age <time>', `tell of mappings that are open for longer, or off (default: ${USUAL_AGE})`)
    .option('--held-mapping-age <time>', 'the same of mappings that a device holds from job to job (default: off)')
    .option('--seed <number>', 'seed of everything random, a whole number', '1')
    .addOption(
      new Option('--runtime <kind>', 'threads: one thread a driver; virtual: one thread, a virtual clock')
        .choices(['threads', 'virtual'])
        .default('virtual'),
    )
    .option('--trials <count>', 'independent trials with seeds that follow each other; side by side if virtual', '1')
    .option('--draw', 'draw what each trial does from its seed: numbers of drivers and buffers, rates, policies')
    .option(
      '--driver <module...>',
      'put drivers of your own behind a camera, under the same faults, in place of sharing',
    )
    .option(
      '--parameters <mapping...>',
      'parameters of the drivers of --driver, one for each in their order: a file in YAML or JSON, or JSON itself',
    )
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', HELP)
    .action(async (flags: StressFlags, command: Command) => {
      const given = (option: string): boolean => command.getOptionValueSource(option) === 'cli';
      process.exitCode = await stress(flags, given);
    });
}

async function stress(flags: StressFlags, given: (option: string) => boolean): Promise<number> {
  try {
    const choices = await readChoices(flags);
    await checkFaults(choices, flags);
    if (flags.driver === undefined) await checkWorkers(choices, choices.drivers + 1); // the exporter has one too
    const ownDrivers = await checkDrivers(choices, flags, given);
    const trials = wholeNumber('--trials', flags.trials, 1, 1_000_000);
    const result = await watched(flags, choices, { trials, draw: flags.draw === true, ownDrivers });
    const { stressText } = await import('../stress/index.js');
    process.stdout.write(flags.json === true ? `${JSON.stringify(result, null, 2)}\n` : stressText(result));
    if (result.endedBy === 'violation') return EXIT.failed;
    return result.endedBy === 'interrupted' ? EXIT.interrupted : EXIT.ok;
  } catch (error) {
    const { text, exitCode } = describeError(error, true);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}

async function watched(
  flags: StressFlags,
  choices: PlanChoices,
  request: Pick<TrialsOptions, 'trials' | 'draw' | 'ownDrivers'>,
): Promise<StressResult> {
  const { LiveLine, runTrials, stressResult } = await import('../stress/index.js');
  const line = new LiveLine(process.stderr, request.trials);
  using interrupt = catchInterrupt(() => {
    line.say('Stopping: faults stop, everybody lets go. Ctrl-C again ends at once.');
  });
  const startMs = performance.now();
  try {
    const onProgress: TrialsOptions['onProgress'] = (...progress) => line.update(...progress);
    const watch = { signal: interrupt.signal, ...(flags.json !== true && { onProgress }) };
    const done = await runTrials(choices, { ...request, ...watch });
    const { trials, draw } = request;
    const own = { ownDrivers: flags.driver, ownParameters: flags.parameters };
    return stressResult({ choices, trials, draw, ...own }, done, (performance.now() - startMs) * 1e6);
  } finally {
    line.clear();
  }
}

/** @throws InputError that says what is not right */
async function readChoices(flags: StressFlags): Promise<PlanChoices> {
  const { operations } = flags;
  return {
    runtime: flags.runtime,
    drivers: wholeNumber('--drivers', flags.drivers, 1, 64),
    buffers: wholeNumber('--buffers', flags.buffers, 1, 512),
    durationNs: await positiveDuration(flags.duration),
    ...(operations !== undefined && { operations: wholeNumber('--operations', operations, 1, 1_000_000_000) }),
    killsPerSecond: rate('--kill-rate', flags.killRate ?? (flags.driver === undefined ? '0/s' : OWN_KILL_RATE)),
    hangsPerSecond: rate('--hang-rate', flags.hangRate),
    exporterKillsPerSecond: rate('--exporter-kill-rate', flags.exporterKillRate),
    heapPressure: share('--heap-pressure', flags.heapPressure),
    siteRate: share('--site-rate', flags.siteRate),
    ages: await readAges(flags),
    seed: wholeNumber('--seed', flags.seed, 0, Number.MAX_SAFE_INTEGER - 1_000_000),
  };
}

/** @throws ErrnoError ENOMEM when the host has too little memory for the workers of a trial */
async function checkWorkers({ runtime }: PlanChoices, workers: number): Promise<void> {
  if (runtime !== 'threads') return;
  const { checkRoomForWorkers, HOST_THREADS } = await import('@dmabuf-lab/core/runtime');
  checkRoomForWorkers(workers, HOST_THREADS);
}

/** Faults are laid out before the run. */
const MAX_FAULTS = 50_000;

async function checkFaults(
  { killsPerSecond, hangsPerSecond, exporterKillsPerSecond = 0, durationNs }: PlanChoices,
  { driver }: StressFlags,
): Promise<void> {
  const { MAX_PIPELINE_FAULTS } = await import('../stress/index.js');
  const most = driver === undefined ? MAX_FAULTS : MAX_PIPELINE_FAULTS / 2;
  const faults = Math.round((killsPerSecond + hangsPerSecond + exporterKillsPerSecond) * (durationNs / 1e9));
  if (faults <= most) return;
  throw new InputError(`Cannot cause ${faults} faults in one run: expected rates and a duration for at most ${most}`);
}

/** Options of random sharing, which a pipeline does not have. */
const SHARING = {
  drivers: '--drivers',
  buffers: '--buffers',
  operations: '--operations',
  heapPressure: '--heap-pressure',
  siteRate: '--site-rate',
};

/** Loads the modules once, to say what is wrong with them before anything runs. */
async function checkDrivers(
  choices: PlanChoices,
  { driver, parameters = [] }: StressFlags,
  given: (option: string) => boolean,
): Promise<TrialsOptions['ownDrivers'] | undefined> {
  if (parameters.length > (driver?.length ?? 0)) {
    const many = driver === undefined ? 'without --driver' : `${parameters.length} times for ${driver.length} --driver`;
    throw new InputError(`Cannot use --parameters ${many}: expected at most one for each module, in their order`);
  }
  if (driver === undefined) return undefined;
  for (const [option, name] of Object.entries(SHARING)) {
    if (given(option))
      throw new InputError(`Cannot use ${name} with --driver: a pipeline of modules shares no random buffers`);
  }
  const { checkOwnParameters, fixedPlan, loadOwnDrivers, preparePipeline, readOwnParameters } = await import(
    '../stress/index.js'
  );
  const folder = userPath('.');
  const placeOf = (i: number): number | undefined => (parameters.length > 1 ? i + 1 : undefined);
  const files = await Promise.all(parameters.map((one, i) => readOwnParameters(one, userPath, placeOf(i))));
  const modules = driver.map((given, i) => {
    const values = files[i]?.value as Readonly<Record<string, unknown>> | undefined;
    return { path: modulePath(given), given, ...(values && { parameters: values }) };
  });
  const loaded = await loadOwnDrivers({ folder, modules });
  for (const [i, file] of files.entries()) checkOwnParameters(loaded[i].driver, file);
  const { actors } = await preparePipeline(fixedPlan(choices), loaded, folder);
  await checkWorkers(choices, actors.length);
  return { folder, modules };
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new InputError(`Cannot use ${option} ${text}: expected a whole number from ${least} to ${most}`);
}

const MOST_PER_SECOND = 10_000;

function rate(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\/s$/.exec(text);
  const value = Number(match?.[1]);
  if (match !== null && value <= MOST_PER_SECOND) return value;
  throw new InputError(
    `Cannot use ${option} ${text}: expected events a second up to ${MOST_PER_SECOND}, such as 2/s or 0.5/s`,
  );
}

function share(option: string, text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value <= 1) return value;
  throw new InputError(`Cannot use ${option} ${text}: expected a share from 0 to 1, such as 0.5`);
}

async function readAges({ fenceAge, mappingAge, heldMappingAge }: StressFlags): Promise<AgeChoices> {
  return {
    ...(fenceAge !== undefined && { fenceNs: await ageLimit('--fence-age', fenceAge) }),
    ...(mappingAge !== undefined && { mappingNs: await ageLimit('--mapping-age', mappingAge) }),
    ...(heldMappingAge !== undefined && { heldMappingNs: await ageLimit('--held-mapping-age', heldMappingAge) }),
  };
}

async function ageLimit(option: string, text: string): Promise<number | 'off'> {
  if (text === 'off' || text === '0') return 'off';
  const { parseDuration } = await import('../scenario/units.js');
  const ns = parseDuration(text);
  if (ns === 0) return 'off';
  if (ns !== undefined && ns > 0 && ns <= MAX_DURATION_NS) return ns;
  throw new InputError(
    `Cannot use ${option} ${text}: expected a time with its unit and up to 24h, such as 2s or 500ms, or off`,
  );
}

const MAX_DURATION_NS = 86_400e9;

async function positiveDuration(text: string): Promise<number> {
  const { parseDuration } = await import('../scenario/units.js');
  const ns = parseDuration(text);
  if (ns !== undefined && ns > 0 && ns <= MAX_DURATION_NS) return ns;
  throw new InputError(
    `Cannot use --duration ${text}: expected a time greater than zero with its unit and up to 24h, e.g. 60s or 500ms`,
  );
}
