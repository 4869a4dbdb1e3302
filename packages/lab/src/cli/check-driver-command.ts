/** `dmabuf-lab check-driver`: runs a driver through the suite that any driver must pass. */
import { readFile } from 'node:fs/promises';
import type { RuleName } from '@dmabuf-lab/core/testing';
import type { Command } from 'commander';
import { describeError, EXIT, InputError } from './errors.js';
import { modulePath, userPath } from './paths.js';

const HELP = `
The driver runs in a real pipeline in virtual time, between sources and sinks of the suite, some forty times: to the end of its
stream, short of memory, killed, detached and attached again, while its buffers move, and so on. With --runtime threads each
device has a worker thread of its own, for the rules that do not depend on the speed of the machine. docs/check-driver.md lists
the rules.

Exit codes: 0 the driver conforms; 1 a rule is broken; 2 the module or an option is not right.

Examples:
  dmabuf-lab check-driver ./my-isp.ts
  dmabuf-lab check-driver ./my-isp.ts --parameters '{"gain": 2}' --rule frames --rule jobs
  dmabuf-lab check-driver ./my-isp.ts --parameters isp.json --seed 7 --json
  dmabuf-lab check-driver ./my-isp.ts --runtime threads`;

interface CheckDriverFlags {
  readonly parameters?: string;
  readonly rule?: readonly string[];
  readonly seed: string;
  readonly limit: string;
  readonly runtime: string;
  readonly json?: boolean;
}

export function addCheckDriverCommand(program: Command): void {
  program
    .command('check-driver')
    .summary('check that a driver of your own keeps the rules')
    .description('Runs a driver through the suite that any driver must pass, and says which rule it breaks, and where.')
    .argument('<module>', 'the driver: a file in TypeScript or JavaScript, or a package')
    .option('--parameters <json>', 'parameters of the driver: JSON, or a file with it', '{}')
    .option('--rule <name>', 'only this rule; may stand several times', (name: string, before?: string[]) => [
      ...(before ?? []),
      name,
    ])
    .option('--runtime <runtime>', 'where the driver runs: virtual or threads', 'virtual')
    .option('--seed <number>', 'seed of everything random, a whole number', '1')
    .option('--limit <time>', 'a step of the driver that takes longer in real time, hangs', '20s')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', HELP)
    .action(async (module: string, flags: CheckDriverFlags) => {
      process.exitCode = await check(module, flags);
    });
}

async function check(module: string, flags: CheckDriverFlags): Promise<number> {
  try {
    const { checkDriver } = await import('../check-driver/index.js');
    const request = {
      given: module,
      specifier: modulePath(module),
      fromFolder: userPath('.'),
      parameters: await parametersOf(flags.parameters ?? '{}'),
      seed: seedOf(flags.seed),
      runtime: runtimeOf(flags.runtime),
      limitMs: await limitOf(flags.limit),
      ...(flags.rule && { rules: await rulesOf(flags.rule) }),
    };
    const result = await checkDriver(request);
    process.stdout.write(flags.json === true ? `${JSON.stringify(result, null, 2)}\n` : result.text);
    return result.ok ? EXIT.ok : EXIT.failed;
  } catch (error) {
    const { text, exitCode } = describeError(error, true);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}

/** @throws InputError when it is neither JSON nor a file with JSON */
async function parametersOf(given: string): Promise<unknown> {
  const isInline = given.trimStart().startsWith('{');
  const text = isInline ? given : await readFile(userPath(given), 'utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new InputError(`Cannot use --parameters ${given}: ${(error as Error).message}`);
  }
}

async function rulesOf(given: readonly string[]): Promise<RuleName[]> {
  const { RULE_NAMES } = await import('@dmabuf-lab/core/testing');
  return given.map((name) => {
    const rule = RULE_NAMES.find((one) => one === name);
    if (rule === undefined) throw new InputError(`Cannot use --rule ${name}: expected one of ${RULE_NAMES.join(', ')}`);
    return rule;
  });
}

function runtimeOf(text: string): 'virtual' | 'threads' {
  if (text === 'virtual' || text === 'threads') return text;
  throw new InputError(`Cannot use --runtime ${text}: expected virtual or threads`);
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (Number.isSafeInteger(seed) && seed >= 0 && /^\d+$/.test(text)) return seed;
  throw new InputError(`Cannot use --seed ${text}: expected a whole number from 0 on`);
}

async function limitOf(text: string): Promise<number> {
  const { parseDuration } = await import('../scenario/units.js');
  const ns = parseDuration(text);
  if (ns !== undefined && ns >= 1e8 && ns <= 3600e9) return ns / 1e6;
  throw new InputError(`Cannot use --limit ${text}: expected a time from 100ms to 1h`);
}
