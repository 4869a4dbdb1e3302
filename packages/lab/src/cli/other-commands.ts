/** `dmabuf-lab check` and `dmabuf-lab schema`. */
import { Argument, type Command } from 'commander';
import { describeError, EXIT } from './errors.js';
import { libraryDirectories, libraryOption } from './library-commands.js';
import { userPath } from './paths.js';

export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .summary('check a scenario without running it')
    .description('Checks all of a scenario that can be checked without running it.')
    .argument('<file>', 'the scenario, a YAML file')
    .addOption(libraryOption())
    .addHelpText(
      'after',
      '\nExit codes: 0 it could run; 2 it is not right.\n\nExample:\n  dmabuf-lab check examples/late-encoder.yaml',
    )
    .action(async (file: string, flags: { readonly library?: readonly string[] }) => {
      try {
        const { loadScenario } = await import('../scenario/index.js');
        const { prepareRun } = await import('../run/index.js');
        const loaded = await loadScenario(userPath(file), file, { libraries: libraryDirectories(flags.library) });
        await prepareRun(loaded);
        const devices = Object.keys(loaded.scenario.devices);
        process.stdout.write(`${file} is in order: ${loaded.scenario.name}, with ${devices.join(', ')}\n`);
        process.exitCode = EXIT.ok;
      } catch (error) {
        const { text, exitCode } = describeError(error, true);
        process.stderr.write(`${text}\n`);
        process.exitCode = exitCode;
      }
    });
}

export function addSchemaCommand(program: Command): void {
  program
    .command('schema')
    .summary('print a JSON Schema')
    .description('Prints the JSON Schema (2020-12) of scenario files or of results.')
    .addArgument(new Argument('<kind>', 'of what').choices(['scenario', 'result']))
    .addHelpText(
      'after',
      '\nExamples:\n  dmabuf-lab schema scenario > scenario.schema.json\n  dmabuf-lab schema result > result.schema.json',
    )
    .action(async (kind: 'scenario' | 'result') => {
      const schema =
        kind === 'scenario'
          ? (await import('../scenario/index.js')).scenarioJsonSchema()
          : (await import('../result/index.js')).resultJsonSchema();
      process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
    });
}
