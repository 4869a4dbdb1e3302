/** `dmabuf-lab explain`: where buffers go, why, who forced it, and what would have to change. */
import type { Command } from 'commander';
import { describeError, EXIT } from './errors.js';
import { libraryDirectories, libraryOption } from './library-commands.js';
import { userPath } from './paths.js';

const HELP = `
The file is a scenario, or a constraint file: devices, an image and a board, without a pipeline (docs/explain.md).

Exit codes: 0 everything has a layout and a place; 1 something has not, and the reasons are told; 2 the file or an option is not right.

Examples:
  dmabuf-lab explain examples/late-encoder.yaml
  dmabuf-lab explain examples/late-encoder.yaml --late encoder
  dmabuf-lab explain examples/late-encoder.yaml --what-if 'encoder.iommu=true' --json`;

interface ExplainFlags {
  readonly late?: string;
  readonly whatIf?: readonly string[];
  readonly library?: readonly string[];
  readonly json?: boolean;
}

export function addExplainCommand(program: Command): void {
  program
    .command('explain')
    .summary('explain where buffers go, and why')
    .description('Explains layout and place of every pool, without running anything.')
    .argument('<file>', 'a scenario or a constraint file, in YAML')
    .option('--late <device>', 'forecast what happens when this device attaches late, and when it leaves again')
    .option(
      '--what-if <change>',
      "change a value first, e.g. 'encoder.iommu=true' or 'heaps.cma.size=32MiB'; may stand several times",
      (change: string, before: readonly string[] | undefined) => [...(before ?? []), change],
    )
    .addOption(libraryOption())
    .option('--json', 'print the explanation as JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: ExplainFlags) => {
      process.exitCode = await explain(file, flags);
    });
}

async function explain(file: string, { late, whatIf, library, json }: ExplainFlags): Promise<number> {
  try {
    const { explainFile, explanationText, isInOrder } = await import('../explain/index.js');
    const libraries = libraryDirectories(library);
    const explanation = await explainFile(userPath(file), file, { late, whatIf, libraries });
    process.stdout.write(json ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation));
    return isInOrder(explanation) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    const { text, exitCode } = describeError(error, true);
    process.stderr.write(`${text}\n`);
    return exitCode;
  }
}
