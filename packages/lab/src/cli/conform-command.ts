/** `dmabuf-lab conform`: runs recorded operation sequences and compares with what a real kernel answered. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { describeError, EXIT, InputError } from './errors.js';
import { userPath } from './paths.js';
import { addRulesOptions, type RulesFlags, rulesOf } from './rules-options.js';

const HELP = `
Each file holds cases: steps, and what a real Linux answered to each of them. A case that needs a device which the simulator does
not have is reported as not supported, one without any answer as not recorded.

Exit codes: 0 every case that could run passed; 1 an answer differs; 2 a file or an option is not right.

Examples:
  dmabuf-lab conform tests/conformance/linux/*.json
  dmabuf-lab conform heap.json buf.json --area buf --json`;

interface ConformFlags extends RulesFlags {
  readonly area?: readonly string[];
  readonly json?: boolean;
}

export function addConformCommand(program: Command): void {
  const command = program
    .command('conform')
    .summary('compare with the recorded answers of a real kernel')
    .description('Runs operation sequences on the simulator, and compares each answer with that of a real Linux.')
    .argument('<file...>', 'case files, in JSON')
    .option('--area <name>', 'only cases of this area; may stand several times', (name: string, before?: string[]) => [
      ...(before ?? []),
      name,
    ])
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', HELP);
  addRulesOptions(command).action(async (files: string[], flags: ConformFlags) => {
    process.exitCode = await runConform(files, flags);
  });
}

async function runConform(files: readonly string[], flags: ConformFlags): Promise<number> {
  const { area, json } = flags;
  try {
    const { conform, conformanceText } = await import('../conform/index.js');
    const texts = await Promise.all(files.map(async (file) => ({ file, text: await textOf(file) })));
    const report = await conform(texts, { ...(area && { areas: area }), rules: rulesOf(flags) });
    if (area !== undefined && report.cases.length === 0)
      throw new InputError(`There is no case of area ${area.join(', ')}`);
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : conformanceText(report));
    return report.differing > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    const { text, exitCode } = describeError(error, true);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(userPath(file), 'utf8');
  } catch (error) {
    // The error of reading a directory does not say which.
    if ((error as { code?: unknown }).code !== 'EISDIR') throw error;
    throw new InputError(`Cannot read ${file}: it is a directory (EISDIR)`);
  }
}
