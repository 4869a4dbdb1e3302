/** The pages for driver authors: writes their files, runs their commands, and compares what is printed. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ROOT } from '../scenarios/run-file.js';
import { run } from '../unit/lab/cli/command-line.js';

const pageOf = (name: string): string => readFileSync(`${ROOT}docs/${name}.md`, 'utf8');
/** A file with its name, or commands with what they print. */
const BLOCK = /^(?:## (\d+\..*)|```(ts|yaml|console)(?: (\S+))?\n([\s\S]*?)^```)$/gm;

/** What a command ended with stands behind it: `$ dmabuf-lab check wrong.yaml # ends with 2`. */
const COMMAND = /^\$ dmabuf-lab (.*?)(?: +# ends with (\d+))?$/;

/** What a run says of its progress when it takes long. */
const PROGRESS = /^[\d.]+ s of .* of model time \(\d+ %\)\n/gm;

interface Command {
  readonly words: readonly string[];
  readonly code: number;
  readonly shown: string[];
}

function commandsOf(block: string): Command[] {
  const commands: Command[] = [];
  for (const line of block.trimEnd().split('\n')) {
    const found = COMMAND.exec(line);
    if (found !== null) commands.push({ words: found[1].split(' '), code: Number(found[2] ?? 0), shown: [] });
    else commands.at(-1)?.shown.push(line);
  }
  return commands;
}

/** Whether text is as shown: a line `...` stands for any lines, `...` in a line for any text. */
function isAsShown(text: string, shown: readonly string[]): boolean {
  const pattern = shown
    .map((line) => {
      if (line === '...') return '(?:.*\n)*?';
      return `${line.split('...').map(escaped).join('.*')}\n`;
    })
    .join('');
  return new RegExp(`^${pattern}$`).test(text);
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** @returns how many commands there were */
async function runPage(t: ExecutionContext, page: string, folder: string): Promise<number> {
  let step = '';
  let commands = 0;
  for (const [, heading, kind, name, content] of pageOf(page).matchAll(BLOCK)) {
    if (heading !== undefined) step = heading;
    else if (name !== undefined) await writeFile(join(folder, name), content);
    else if (kind === 'console') {
      for (const { words, code, shown } of commandsOf(content)) {
        const ended = await run(folder, words);
        const text = ended.stdout + ended.stderr.replace(PROGRESS, '');
        const what = `${page}, ${step}: dmabuf-lab ${words.join(' ')}`;
        t.is(ended.code, code, `${what}\n${text}`);
        t.true(isAsShown(text, shown), `${what} printed\n${text}\nthe page shows\n${shown.join('\n')}`);
        commands += 1;
      }
    }
  }
  return commands;
}

test('docs/writing-a-driver.md, each step in order in an empty folder, does what the page says', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'dmabuf-lab-guide-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  t.true((await runPage(t, 'writing-a-driver', folder)) >= 9);
});

test('docs/finding-a-deadlock.md, in the repository, does what the page says', async (t) => {
  t.is(await runPage(t, 'finding-a-deadlock', ROOT), 3);
});
