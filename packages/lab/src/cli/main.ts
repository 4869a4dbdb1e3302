#!/usr/bin/env node
/** The command line of dmabuf-lab. Modules that take time to load are loaded by the command that needs them. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addCheckDriverCommand } from './check-driver-command.js';
import { addCompareCommand } from './compare-command.js';
import { addConformCommand } from './conform-command.js';
import { EXIT } from './errors.js';
import { addExplainCommand } from './explain-command.js';
import { addBoardsCommand, addProfilesCommand } from './library-commands.js';
import { addNewDriverCommand } from './new-driver-command.js';
import { addCheckCommand, addSchemaCommand } from './other-commands.js';
import { addProgramCommand } from './program-command.js';
import { addRunCommand } from './run-command.js';
import { addStressCommand } from './stress-command.js';

const HELP = `
Examples:
  dmabuf-lab run examples/late-encoder.yaml --out out/
  dmabuf-lab explain examples/late-encoder.yaml --late encoder
  dmabuf-lab compare examples/who-chooses-the-heap.yaml
  dmabuf-lab check my-board.yaml
  dmabuf-lab schema scenario
  dmabuf-lab help run`;

// Who reads our output may have read enough, e.g. head: that is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
}

const program = new Command('dmabuf-lab')
  .description('Simulates how the drivers of a system-on-chip share buffers under the rules of Linux DMA-BUF.')
  .version(version())
  .addHelpText('after', HELP)
  .showSuggestionAfterError()
  .exitOverride();
addRunCommand(program);
addConformCommand(program);
addExplainCommand(program);
addProgramCommand(program);
addCompareCommand(program);
addStressCommand(program);
addNewDriverCommand(program);
addCheckDriverCommand(program);
addCheckCommand(program);
addSchemaCommand(program);
addProfilesCommand(program);
addBoardsCommand(program);
for (const command of program.commands) {
  command.copyInheritedSettings(program);
  for (const nested of command.commands) nested.copyInheritedSettings(command);
}

// A promise of a driver's own may never come: then nothing is left to do, and the command has not ended.
process.on('beforeExit', function onEmpty() {
  if (process.listenerCount('beforeExit') > 1) return; // a run that waits for one says whose it is
  process.off('beforeExit', onEmpty);
  const what =
    'a promise never came, such as that of the prepare of a driver, or one that it has given to ctx.external';
  process.stderr.write(`The command cannot go on: ${what}\n`);
  process.exitCode = EXIT.failed;
});

void main();

/** Without an await at the top level, which Node would end for by a code of its own. */
async function main(): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // It has said what is wrong; help and version that were asked for come by here too.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.badInput;
  }
  // What a driver has left behind, such as a timer of its module, keeps nobody here.
  process.stdout.write('', () => process.stderr.write('', () => process.exit()));
}

function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
