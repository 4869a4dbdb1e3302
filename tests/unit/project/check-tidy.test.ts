import { execFileSync } from 'node:child_process';
import test from 'ava';
import { type Findings, importScript, ScratchTree } from './scratch-tree.js';

const { checkTidy } = await importScript<{ checkTidy(root: string): Findings }>('check-tidy.mjs');

function problemsOf(files: Readonly<Record<string, string>>): readonly string[] {
  const tree = new ScratchTree(files);
  try {
    return checkTidy(tree.root).problems;
  } finally {
    tree.dispose();
  }
}

// Written in two parts, so that this file passes the check itself.
const tmp = '/tm' + 'p/';
const home = '/ho' + 'me/';
const only = '.on' + 'ly(';
const disable = 'eslint' + '-disable';
const ignore = '@ts' + '-ignore';

test('checkTidy, finds nothing, in a tidy tree', (t) => {
  const files = {
    'README.md': 'See [the guide](docs/guide.md#start), [docs](docs/), [site](https://example.org/tmp/x), [here](#a).',
    'docs/guide.md': '[up](../README.md) `[not a link](nowhere.md)`\n```\n[code](nowhere.md)\n```\n',
    'src/a.ts': '// as any reader knows\nconst url = "../work/tmp/x" + {}/tmp/x; t.not(only, x);\n',
  };
  t.deepEqual(problemsOf(files), []);
});

test('checkTidy, names file, line and remedy, of a path of one machine', (t) => {
  const [problem] = problemsOf({ 'src/a.ts': `\nconst path = '${tmp}frames';\n` });
  t.is(
    problem,
    `src/a.ts:2: names a path of one machine, '${tmp}frames'. Use a path relative to the repository, or os.tmpdir()`,
  );
  t.is(problemsOf({ 'docs/a.md': `Look into ${home}somebody/notes.\n` }).length, 1);
});

test('checkTidy, refuses, a test that shuts out the others', (t) => {
  t.regex(
    problemsOf({ 'tests/a.test.ts': `test${only}'x', () => {});` })[0],
    /tests\/a\.test\.ts:1: runs one test only/,
  );
});

test('checkTidy, refuses, a check that is switched off', (t) => {
  t.regex(problemsOf({ 'a.mjs': `// ${disable}` })[0], /switches a check off/);
  t.regex(problemsOf({ 'a.ts': `// ${ignore}` })[0], /switches a check off/);
});

test('checkTidy, refuses, a cast to any, in code and not in prose', (t) => {
  t.deepEqual(problemsOf({ 'a.ts': "// as any\nconst x = 'as any';\nconst y = x as any;" }), [
    'a.ts:3: casts to any. Name the type, or narrow from unknown',
  ]);
});

test('checkTidy, refuses, a link that leads nowhere', (t) => {
  t.regex(problemsOf({ 'docs/a.md': 'text\n[b](b.md)' })[0], /docs\/a\.md:2: links to 'b\.md', which does not exist/);
  t.is(problemsOf({ 'a.md': '[outside](../b.md)' }).length, 1);
  t.is(problemsOf({ 'a.md': '[ref]: missing.md' }).length, 1);
});

test('checkTidy, refuses, a link to what git ignores', (t) => {
  const tree = new ScratchTree({ '.gitignore': 'out/\n', 'out/a.md': '', 'a.md': '[result](out/a.md)' });
  t.teardown(() => tree.dispose());
  execFileSync('git', ['init', '--quiet'], { cwd: tree.root });
  t.regex(checkTidy(tree.root).problems[0], /is not part of the repository/);
});

test('checkTidy, asks for a mention in ARCHITECTURE.md, of every folder of core', (t) => {
  const folders = { 'packages/core/src/base/a.ts': '', 'packages/core/src/dma-buf/a.ts': '' };
  t.regex(problemsOf(folders)[0], /ARCHITECTURE\.md: absent/);
  t.deepEqual(problemsOf({ ...folders, 'ARCHITECTURE.md': '`base/` and core/dma-buf' }), []);
  const [problem, ...others] = problemsOf({ ...folders, 'ARCHITECTURE.md': 'core/base, core/dma-buf-extras' });
  t.regex(problem, /does not mention packages\/core\/src\/dma-buf\./);
  t.deepEqual(others, []);
});
