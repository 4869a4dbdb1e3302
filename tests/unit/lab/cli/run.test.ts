import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunResult, runResultSchema } from '@dmabuf-lab/lab';
import test from 'ava';
import { ended, run, scratch, start } from './command-line.js';

/** What is told beside the progress, of which a slow machine shows some. */
const withoutProgress = (stderr: string): string => stderr.replaceAll(/^.* of model time \(\d+ %\)\n/gm, '');

test('run: says what happened, writes nothing and ends with 0', async (t) => {
  const dir = await scratch(t);
  const { code, stdout, stderr } = await run(dir, ['run', 'small.yaml']);
  t.is(code, 0, stderr);
  t.is(withoutProgress(stderr), '');
  t.regex(stdout, /^small: 500 ms of model time on a virtual clock/);
  t.regex(stdout, /Ledger: empty/);
  t.deepEqual(await readdir(dir), ['small.yaml']);
});

test('run --json: prints the result and nothing else, the same bytes each time', async (t) => {
  const dir = await scratch(t);
  const [first, second] = await Promise.all([1, 2].map(() => run(dir, ['run', 'small.yaml', '--json'])));
  t.is(first.code, 0);
  t.is(withoutProgress(first.stderr), '');
  t.is(first.stdout, second.stdout);
  const result = runResultSchema.parse(JSON.parse(first.stdout));
  t.is(result.devices.camera.framesOut, 15, '30 a second for half a second');
  t.deepEqual(result.artefacts, []);
});

test('run: options take precedence over the file', async (t) => {
  const dir = await scratch(t);
  const options = ['--duration', '1s', '--seed', '7', '--ties', 'seed', '--payload', 'stamp', '--pace', 'max'];
  const { stdout } = await run(dir, ['run', 'small.yaml', '--json', ...options]);
  const result = JSON.parse(stdout) as RunResult;
  t.is(result.durationNs, 1_000_000_000);
  t.is(result.seed, 7);
  t.is(result.ties, 'seed');
  t.is(result.payload, 'stamp');
  t.is(result.pace, 'max');
  const threads = await run(dir, ['run', 'small.yaml', '--json', '--runtime', 'threads', '--pace', 'max']);
  t.is((JSON.parse(threads.stdout) as RunResult).runtime, 'threads');
});

test('run --out: leaves pictures, a trace and the result that --json prints', async (t) => {
  const dir = await scratch(t);
  const { code, stdout } = await run(dir, ['run', 'small.yaml', '--payload', 'pixels', '--out', 'a/b', '--json']);
  t.is(code, 0);
  const { artefacts } = JSON.parse(stdout) as RunResult;
  t.deepEqual(artefacts.map(({ file }) => file).sort(), (await readdir(join(dir, 'a', 'b'))).sort());
  t.is(artefacts.filter(({ kind }) => kind === 'picture').length, 2);
  t.is(await readFile(join(dir, 'a', 'b', 'result.json'), 'utf8'), stdout);
});

test('run: an expectation that does not hold ends with 1 and is told', async (t) => {
  const dir = await scratch(t, 'expect: { moves: 3, ledger.empty: true }');
  const told = await run(dir, ['run', 'small.yaml']);
  t.is(told.code, 1);
  t.regex(told.stdout, /1 of 2 FAILED:\n {4}moves: expected 3, got 0\n/);
  const json = await run(dir, ['run', 'small.yaml', '--json']);
  t.is(json.code, 1);
  t.is(withoutProgress(json.stderr), 'Failed: moves: expected 3, got 0\n');
  t.is((JSON.parse(json.stdout) as RunResult).expectations[0].ok, false);
});

const badInputs: [string, string[], RegExp][] = [
  ['a scenario that is not there', ['run', 'other.yaml', '--out', 'out'], /other\.yaml/],
  ['a scenario that is a directory', ['run', '.', '--out', 'out'], /./],
  ['a scenario that is broken', ['run', './broken.yaml', '--out', 'out'], /^\.\/broken\.yaml:1:/],
  ['a camera file that is not there', ['run', 'small.yaml', '--out', 'out', '--camera', 'no.y4m'], /no\.y4m/],
  ['an unknown option', ['run', 'small.yaml', '--out', 'out', '--sed', '1'], /--seed/],
  ['an unknown runtime', ['run', 'small.yaml', '--out', 'out', '--runtime', 'fibres'], /threads, virtual/],
  ['a negative seed', ['run', 'small.yaml', '--out', 'out', '--seed', '-1'], /--seed -1: expected a whole number/],
  [
    'a negative duration',
    ['run', 'small.yaml', '--out', 'out', '--duration', '-5s'],
    /--duration -5s: expected a time/,
  ],
  ['a duration without a unit', ['run', 'small.yaml', '--out', 'out', '--duration', '5'], /expected a time/],
  ['a duration beyond a day', ['run', 'small.yaml', '--out', 'out', '--duration', '25h'], /at most 24h/],
  ['no scenario', ['run', '--out', 'out'], /missing required argument 'file'/],
  ['no such command', ['rum', 'small.yaml'], /Did you mean run/],
  ['a file as --out', ['run', 'small.yaml', '--out', 'small.yaml'], /--out small\.yaml: .* is a file/],
  ['an empty --out', ['run', 'small.yaml', '--out', ''], /--out: expected the name of a directory/],
  ['a directory that cannot be made as --out', ['run', 'small.yaml', '--out', '/proc/none'], /--out \/proc\/none: /],
  ['a directory within a file as --out', ['run', 'small.yaml', '--out', 'small.yaml/x'], /is a file, not a directory/],
];

for (const [what, args, message] of badInputs) {
  test(`run: ${what} ends with 2, one message, no stack, and leaves nothing behind`, async (t) => {
    const dir = await scratch(t);
    await writeFile(join(dir, 'broken.yaml'), 'name: [unclosed');
    const { code, stdout, stderr } = await run(dir, args);
    t.is(code, 2, stderr);
    t.is(stdout, '');
    t.regex(stderr, message);
    t.notRegex(stderr, /^\s+at /m);
    t.deepEqual((await readdir(dir)).sort(), ['broken.yaml', 'small.yaml']);
  });
}

test('run: relative paths are those of the directory where npm was called', async (t) => {
  const dir = await scratch(t);
  await mkdir(join(dir, 'package'));
  const env = { INIT_CWD: dir, npm_lifecycle_event: 'lab' };
  const { code, stderr } = await run(join(dir, 'package'), ['run', 'small.yaml', '--out', 'out'], env);
  t.is(code, 0, stderr);
  t.deepEqual((await readdir(dir)).sort(), ['out', 'package', 'small.yaml']);
});

test('run: under npm start paths are those of the package', async (t) => {
  const dir = await scratch(t);
  await mkdir(join(dir, 'elsewhere'));
  const env = { INIT_CWD: join(dir, 'elsewhere'), npm_lifecycle_event: 'start' };
  const { code, stderr } = await run(dir, ['run', 'small.yaml', '--out', 'out'], env);
  t.is(code, 0, stderr);
  t.deepEqual((await readdir(dir)).sort(), ['elsewhere', 'out', 'small.yaml']);
});

test('run: when nobody reads on, it ends without a word', async (t) => {
  const dir = await scratch(t);
  const child = start(dir, ['run', 'small.yaml', '--json']);
  child.stdout?.destroy();
  const { stderr } = await ended(child);
  t.is(withoutProgress(stderr), '');
});

/** Resolves when a run has begun, which its first line of progress shows. */
const hasBegun = (child: ReturnType<typeof start>): Promise<void> =>
  new Promise((resolve) => child.stderr?.once('data', () => resolve()));

for (const runtime of ['virtual', 'threads']) {
  test(`run: after Ctrl-C on ${runtime} the report is made all the same, and it ends with 130`, async (t) => {
    const dir = await scratch(t);
    const child = start(dir, ['run', 'small.yaml', '--duration', '24h', '--runtime', runtime, '--out', 'out']);
    const end = ended(child);
    await hasBegun(child);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await end;
    t.is(code, 130, stderr);
    t.regex(stderr, /of 86400 s of model time[\s\S]*Stopping/);
    t.regex(stdout, /Interrupted at/);
    t.regex(stdout, /Ledger: empty/);
    const result = runResultSchema.parse(JSON.parse(await readFile(join(dir, 'out', 'result.json'), 'utf8')));
    t.is(result.endedBy, 'interrupted');
    t.deepEqual(result.artefacts.map(({ file }) => file).sort(), (await readdir(join(dir, 'out'))).sort());
  });
}

test('run: a second Ctrl-C ends at once', async (t) => {
  const dir = await scratch(t);
  const child = start(dir, ['run', 'small.yaml', '--duration', '24h', '--runtime', 'threads', '--out', 'out']);
  const end = ended(child);
  await hasBegun(child);
  child.stderr?.on('data', (text: string) => {
    if (text.includes('Stopping')) child.kill('SIGINT');
  });
  child.kill('SIGINT');
  const { code } = await end;
  t.is(code, 130);
});
