/** `dmabuf-lab program`: runs a program of user space against simulated device nodes. */
import type { Command } from 'commander';
import { describeError, EXIT } from './errors.js';
import { userPath } from './paths.js';
import { addRulesOptions, type RulesFlags, rulesOf } from './rules-options.js';

const HELP = `
The file is a JavaScript module that exports a generator function main(process, kernel); see docs/uapi.md.

What it did that Linux lets pass, and where Linux waits for too little or too much, is printed at the end: findings.

Exit codes: 0 it ended; 1 it failed; 2 the file is no program.

Examples:
  dmabuf-lab program examples/programs/share-a-buffer.mjs`;

export function addProgramCommand(program: Command): void {
  const command = program
    .command('program')
    .summary('run a program of user space against simulated device nodes')
    .description('Runs a program on a simulated machine, with the calls and the errno of Linux, on a virtual clock.')
    .argument('<file>', 'a JavaScript module')
    .addHelpText('after', HELP);
  command
    .option(
      '--non-coherent',
      'devices do not snoop the cache of the CPU: a missing SYNC gives stale data, and is reported',
    )
    .option('--json', 'print result, time and findings as JSON');
  addRulesOptions(command).action(async (file: string, flags: ProgramFlags) => {
    process.exitCode = await run(file, flags);
  });
}

interface ProgramFlags extends RulesFlags {
  readonly json?: boolean;
  readonly nonCoherent?: boolean;
}

async function run(file: string, flags: ProgramFlags): Promise<number> {
  try {
    const { nonCoherent = false, json = false } = flags;
    const { programText, runProgram } = await import('../program/index.js');
    const report = await runProgram(userPath(file), { ...rulesOf(flags), nonCoherent });
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : programText(report));
    return EXIT.ok;
  } catch (error) {
    const { text, exitCode } = describeError(error, false);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}
