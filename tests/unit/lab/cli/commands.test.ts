import { readFile } from 'node:fs/promises';
import { resultJsonSchema, scenarioJsonSchema } from '@dmabuf-lab/lab';
import test from 'ava';
import { run, scratch } from './command-line.js';

test('--help: every command has help with an example, and ends with 0', async (t) => {
  const dir = await scratch(t);
  for (const command of [
    [],
    ['run'],
    ['check'],
    ['schema'],
    ['explain'],
    ['compare'],
    ['profiles', 'list'],
    ['boards', 'show'],
  ]) {
    const { code, stdout, stderr } = await run(dir, [...command, '--help']);
    t.is(code, 0, stderr);
    t.regex(stdout, /^Usage: dmabuf-lab/);
    t.regex(stdout, /Examples?:\n {2}dmabuf-lab /);
  }
});

test('--version: is that of the package', async (t) => {
  const dir = await scratch(t);
  const manifest = await readFile(new URL('../../../../../packages/lab/package.json', import.meta.url), 'utf8');
  const { code, stdout } = await run(dir, ['--version']);
  t.is(code, 0);
  t.is(stdout.trim(), JSON.parse(manifest).version);
});

test('without a command: shows the help as an error', async (t) => {
  const { code, stdout, stderr } = await run(await scratch(t), []);
  t.is(code, 2);
  t.is(stdout, '');
  t.regex(stderr, /^Usage:/);
});

test('check: a scenario that could run ends with 0, one that could not with 2', async (t) => {
  const good = await run(await scratch(t), ['check', 'small.yaml']);
  t.is(good.code, 0, good.stderr);
  t.is(good.stdout, 'small.yaml is in order: small, with camera, gpu, display\n');
  const bad = await run(await scratch(t, 'colour: red'), ['check', 'small.yaml']);
  t.is(bad.code, 2);
  t.is(bad.stdout, '');
  t.regex(bad.stderr, /colour/);
  t.notRegex(bad.stderr, /^\s+at /m);
});

test('schema: prints the schemas of scenarios and results', async (t) => {
  const dir = await scratch(t);
  const [ofScenario, ofResult] = await Promise.all(['scenario', 'result'].map((kind) => run(dir, ['schema', kind])));
  t.deepEqual(JSON.parse(ofScenario.stdout), JSON.parse(JSON.stringify(scenarioJsonSchema())));
  t.deepEqual(JSON.parse(ofResult.stdout), JSON.parse(JSON.stringify(resultJsonSchema())));
  t.is((await run(dir, ['schema', 'other'])).code, 2);
});
