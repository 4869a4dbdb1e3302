/** `dmabuf-lab program`: runs a program of user space against simulated device nodes. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { describeError, EXIT, InputError } from './errors.js';
import { checkOutputDirectory, userPath } from './paths.js';
import { addRulesOptions, type RulesFlags, rulesOf } from './rules-options.js';

const HELP = `
The file is a JavaScript module that exports a generator function main(process, kernel); see docs/uapi.md.

What it did that Linux lets pass, and where Linux waits for too little or too much, is printed at the end: findings.

With --scenario the devices of a scenario stand behind nodes as well, and work on the buffers that the program hands in:
/dev/by-name/NAME of each.

Exit codes: 0 it ended; 1 it failed; 2 the file is no program, the scenario or an option is not right.

Examples:
  dmabuf-lab program examples/programs/share-a-buffer.mjs
  dmabuf-lab program examples/programs/record-a-preview.mjs --scenario examples/late-encoder.yaml --out out/`;

export function addProgramCommand(program: Command): void {
  const command = program
    .command('program')
    .summary('run a program of user space against simulated device nodes')
    .description('Runs a program on a simulated machine, with the calls and the errno of Linux.')
    .argument('<file>', 'a JavaScript module')
    .addHelpText('after', HELP);
  command
    .option(
      '--non-coherent',
      'devices do not snoop the cache of the CPU: a missing SYNC gives stale data, and is reported',
    )
    .addOption(
      new Option(
        '--runtime <kind>',
        'virtual: on a virtual clock (default); threads: at real pace, in a thread',
      ).choices(['virtual', 'threads']),
    )
    .option('--limit <time>', 'stop the program after so much model time', '60s')
    .option('--scenario <file>', 'put the devices of a scenario behind nodes')
    .option('--out <dir>', 'write the videos and pictures of its devices there')
    .option('--json', 'print result, time and findings as JSON');
  addRulesOptions(command).action(async (file: string, flags: ProgramFlags) => {
    process.exitCode = await run(file, flags);
  });
}

interface ProgramFlags extends RulesFlags {
  readonly json?: boolean;
  readonly nonCoherent?: boolean;
  readonly runtime?: 'threads' | 'virtual';
  readonly scenario?: string;
  readonly out?: string;
  readonly limit: string;
}

async function run(file: string, flags: ProgramFlags): Promise<number> {
  let isPreparing = true;
  try {
    const { nonCoherent = false, json = false, runtime = 'virtual' } = flags;
    const { jsonText, programText, runProgramWith } = await import('../program/index.js');
    const out = flags.out === undefined ? undefined : userPath(flags.out);
    if (out !== undefined) await checkOutputDirectory(out, flags.out ?? '');
    const { loadScenario } = await import('../scenario/index.js');
    const { parseDuration } = await import('../scenario/index.js');
    const limitNs = parseDuration(flags.limit);
    if (limitNs === undefined || limitNs <= 0) {
      throw new InputError(`Cannot use --limit ${flags.limit}: expected a time greater than zero, e.g. 10s or 500ms`);
    }
    const { scenario } = flags;
    const loaded = scenario === undefined ? undefined : await loadScenario(userPath(scenario), scenario);
    isPreparing = false;
    const { report, artefacts } = await runProgramWith(
      userPath(file),
      { ...rulesOf(flags), nonCoherent, runtime, limitNs },
      loaded,
    );
    process.stdout.write(json ? `${jsonText(report)}\n` : programText(report));
    if (out === undefined) return EXIT.ok;
    const { writeArtefacts } = await import('../report/index.js');
    const written = await writeArtefacts(out, artefacts);
    if (!json) for (const { file: name } of written) process.stdout.write(`wrote ${join(flags.out ?? '', name)}\n`);
    return EXIT.ok;
  } catch (error) {
    const { text, exitCode } = describeError(error, isPreparing);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}
