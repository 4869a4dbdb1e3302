import { readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { run } from '../unit/lab/cli/command-line.js';
import { ROOT } from './run-file.js';

const PAGE = `${ROOT}docs/explain.md`;
const BLOCK = /```console\n\$ dmabuf-lab ([^\n]+)\n([^`]*)```/g;
const page = readFileSync(PAGE, 'utf8');
const blocks = [...page.matchAll(BLOCK)].map(([block, command, shown]) => ({ block, command, shown }));

/** The words of a command; quotes are not needed on this page. */
const wordsOf = (command: string): string[] => command.split(' ');

test('docs/explain.md, shows explanations of each kind', (t) => {
  t.true(blocks.length >= 10);
});

if (process.env.UPDATE_GOLDEN === '1') {
  test('docs/explain.md, written anew', async (t) => {
    let text = page;
    for (const { block, command } of blocks) {
      const { stdout } = await run(ROOT, wordsOf(command));
      text = text.replace(block, () => `\`\`\`console\n$ dmabuf-lab ${command}\n${stdout}\`\`\``);
    }
    writeFileSync(PAGE, text);
    t.pass();
  });
} else {
  for (const { command, shown } of blocks) {
    test(`docs/explain.md, dmabuf-lab ${command}, prints what the page says`, async (t) => {
      const { stdout, stderr } = await run(ROOT, wordsOf(command));
      t.is(stderr, '');
      t.is(stdout, shown);
    });
  }
}
