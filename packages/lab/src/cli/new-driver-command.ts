/** `dmabuf-lab new-driver`. */
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import type { DriverKind, DriverLanguage } from '../new-driver/index.js';
import { describeError, EXIT } from './errors.js';
import { catchInterrupt } from './interrupt.js';
import { userPath } from './paths.js';

interface Flags {
  readonly kind: DriverKind;
  readonly language: DriverLanguage;
  readonly in: string;
}

export function addNewDriverCommand(program: Command): void {
  program
    .command('new-driver')
    .summary("make the package of a driver of one's own")
    .description('Makes a package that builds, tests and runs at once: a driver, a scenario, a test and a README.')
    .argument('<name>', 'of the package and the driver, such as my-isp')
    .addOption(
      new Option('--kind <kind>', 'what it does; an exporter is a source with memory of its own')
        .choices(['filter', 'source', 'sink', 'exporter'])
        .default('filter'),
    )
    .addOption(new Option('--language <language>', 'of its source').choices(['ts', 'js']).default('ts'))
    .option('--in <folder>', 'where its folder is made', '.')
    .addHelpText(
      'after',
      '\nExit codes: 0 made; 2 the name will not do, or something is in the way; 130 interrupted.\n\nExample:\n' +
        '  dmabuf-lab new-driver my-isp && cd my-isp && npm install && npm test && npm start',
    )
    .action(async (name: string, flags: Flags) => {
      using interrupt = catchInterrupt(() => {});
      try {
        const { newDriver } = await import('../new-driver/index.js');
        const { kind, language } = flags;
        const onProgress = (what: string): boolean => process.stderr.write(`${what}\n`);
        const files = await newDriver({ name, kind, language, folder: userPath(join(flags.in, name)), onProgress });
        const folder = join(flags.in, name);
        process.stdout.write(
          `made ${folder} with ${files.join(', ')}\n\nNext:\n  cd ${folder}\n  npm install\n  npm test\n`,
        );
        process.exitCode = EXIT.ok;
      } catch (error) {
        if (interrupt.signal.aborted) {
          process.stderr.write(`interrupted: ${join(flags.in, name)} is not made\n`);
          process.exitCode = EXIT.interrupted;
          return;
        }
        const { text, exitCode } = describeError(error, true);
        process.stderr.write(`${text}\n`);
        process.exitCode = exitCode;
      }
    });
}
