/** `dmabuf-lab compare`: one scenario under four ways of choosing heaps. */
import type { Command } from 'commander';
import { describeError, EXIT, InputError } from './errors.js';
import { catchInterrupt } from './interrupt.js';
import { libraryDirectories, libraryOption } from './library-commands.js';
import { userPath } from './paths.js';

const HELP = `
The four ways:
  constraint-directed   nothing is allocated until the devices are known, and they decide; buffers move for late ones
  heap-directed         a heap by name, as /dev/dma_heap has them; --heap says which, the first of the scenario when absent
  mask and priority     ION: the first heap with room, the least scarce first, whatever the devices need
  one device allocates  the display, or the owner of the pool, allocates for itself, and the others import

Exit codes: 0 all four ran (refusals are results); 1 one of them failed; 2 the scenario or an option is not right.

Example:
  dmabuf-lab compare examples/who-chooses-the-heap.yaml`;

interface CompareFlags {
  readonly heap?: string;
  readonly device?: string;
  readonly json?: boolean;
  readonly library?: readonly string[];
}

export function addCompareCommand(program: Command): void {
  program
    .command('compare')
    .summary('run a scenario under four ways of choosing heaps')
    .description('Runs a scenario once for each way in which systems choose the heap of a buffer, and compares.')
    .argument('<file>', 'the scenario, a YAML file')
    .option('--heap <name>', 'the heap that heap-directed allocation names')
    .option('--device <name>', 'the device that allocates for all')
    .addOption(libraryOption())
    .option('--json', 'print the comparison as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: CompareFlags) => {
      process.exitCode = await compare(file, flags);
    });
}

async function compare(file: string, flags: CompareFlags): Promise<number> {
  let isPreparing = true;
  try {
    const { loadScenario } = await import('../scenario/index.js');
    const { comparePolicies, comparisonText } = await import('../compare/index.js');
    const { prepareRun } = await import('../run/index.js');
    const loaded = await loadScenario(userPath(file), file, { libraries: libraryDirectories(flags.library) });
    const { heaps, devices } = loaded.scenario;
    checkName(
      '--heap',
      flags.heap,
      heaps.map(({ name }) => name),
    );
    checkName('--device', flags.device, Object.keys(devices));
    await prepareRun(loaded);
    isPreparing = false;
    using interrupt = catchInterrupt(() =>
      process.stderr.write('Stopping after this run. Ctrl-C again ends at once.\n'),
    );
    const comparison = await comparePolicies(loaded, flags, interrupt.signal);
    process.stdout.write(flags.json ? `${JSON.stringify(comparison, null, 2)}\n` : comparisonText(comparison));
    if (interrupt.signal.aborted) return EXIT.interrupted;
    // That a policy finds no place is what is compared.
    return comparison.policies.every(({ error }) => error !== undefined) ? EXIT.failed : EXIT.ok;
  } catch (error) {
    const { text, exitCode } = describeError(error, isPreparing);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}

function checkName(option: string, name: string | undefined, known: readonly string[]): void {
  if (name === undefined || known.includes(name)) return;
  throw new InputError(`Cannot use ${option} ${name}: the scenario has ${known.join(', ')}`);
}
