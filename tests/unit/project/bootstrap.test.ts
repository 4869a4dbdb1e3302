import { existsSync, utimesSync } from 'node:fs';
import test from 'ava';
import { importScript, ScratchTree } from './scratch-tree.js';

interface Project {
  readonly buildInfo: string;
}
interface Bootstrap {
  nodeVersionProblem(version: string): string | undefined;
  installFingerprint(root: string): string;
  missingDependencies(root: string): readonly string[];
  buildFingerprint(root: string): string;
  compareOutputs(projects: readonly Project[]): {
    readonly stale: readonly string[];
    readonly incomplete: readonly string[];
  };
  readStamp(root: string): { readonly install?: string; readonly build?: string };
  writeStamp(root: string, stamp: { readonly install?: string; readonly build?: string }): void;
  neededSteps(root: string): { readonly install: boolean; readonly build: boolean };
  takeLock(root: string, say: (line: string) => void, patienceMs?: number): Promise<() => void>;
}

const bootstrap = await importScript<Bootstrap>('bootstrap.mjs');
const { typescriptProjects } = await importScript<{ typescriptProjects(root: string): readonly Project[] }>(
  'workspace.mjs',
);

const OPTIONS = '{ "compilerOptions": { "rootDir": "src", "outDir": "dist", "tsBuildInfoFile": "dist/.tsbuildinfo" } }';

/** A workspace of one package `a` with one source and one dependency, installed and built. */
function builtWorkspace(): ScratchTree {
  const tree = new ScratchTree({
    'package.json': '{ "name": "root", "devDependencies": { "tool": "1.0.0" } }',
    'pnpm-workspace.yaml': 'packages:\n  - packages/*\n\ncatalog:\n  x: 1.0.0\n',
    'pnpm-lock.yaml': 'lockfileVersion: 9\n',
    'tsconfig.json': '{ "references": [{ "path": "packages/a" }] }',
    'tsconfig.base.json': '{}',
    'node_modules/tool/package.json': '{}',
    'packages/a/package.json':
      '{ "name": "a", "dependencies": { "b": "1.0.0" }, "optionalDependencies": { "c": "1.0.0" } }',
    'packages/a/node_modules/b/package.json': '{}',
    'packages/a/tsconfig.json': OPTIONS,
    'packages/a/src/one.ts': 'export const one = 1;\n',
    'packages/a/dist/one.js': '',
    'packages/a/dist/.tsbuildinfo': '',
  });
  const { root } = tree;
  bootstrap.writeStamp(root, { install: bootstrap.installFingerprint(root), build: bootstrap.buildFingerprint(root) });
  return tree;
}

test('nodeVersionProblem, tells what is needed, below 20.19 only', (t) => {
  for (const version of ['16.20.2', '18.20.1', '20.18.9']) {
    t.regex(bootstrap.nodeVersionProblem(version) ?? '', new RegExp(`needs Node\\.js 20\\.19 .*got ${version}`));
  }
  for (const version of ['20.19.0', '20.20.2', '22.0.0', '26.10.0'])
    t.is(bootstrap.nodeVersionProblem(version), undefined);
});

test('neededSteps, none, when nothing changed', (t) => {
  const tree = builtWorkspace();
  t.teardown(() => tree.dispose());
  t.deepEqual(bootstrap.neededSteps(tree.root), { install: false, build: false });
});

const REINSTALL: Readonly<Record<string, (tree: ScratchTree) => void>> = {
  'the lock file changed': (tree) => tree.write('pnpm-lock.yaml', 'lockfileVersion: 9\n\n'),
  'a manifest changed': (tree) => tree.write('packages/a/package.json', '{ "name": "a" }'),
  'the workspace changed': (tree) => tree.write('pnpm-workspace.yaml', 'packages:\n  - packages/*\n'),
  'node_modules is gone': (tree) => tree.remove('node_modules'),
  'one dependency is gone': (tree) => tree.remove('packages/a/node_modules/b'),
  'the stamp is gone': (tree) => tree.remove('.bootstrap-stamp'),
  'the stamp is damaged': (tree) => tree.write('.bootstrap-stamp', '{ "install": "'),
  'an install was interrupted': (tree) => bootstrap.writeStamp(tree.root, {}),
};

for (const [what, change] of Object.entries(REINSTALL)) {
  test(`neededSteps, installs and builds, when ${what}`, (t) => {
    const tree = builtWorkspace();
    t.teardown(() => tree.dispose());
    change(tree);
    t.deepEqual(bootstrap.neededSteps(tree.root), { install: true, build: true });
  });
}

const REBUILD: Readonly<Record<string, (tree: ScratchTree) => void>> = {
  'a source changed its size': (tree) => tree.write('packages/a/src/one.ts', 'export const one = 11;\n'),
  'a source was touched': (tree) => utimesSync(tree.path('packages/a/src/one.ts'), 1, 1),
  'a source is new': (tree) => tree.write('packages/a/src/deep/two.ts', ''),
  'a source is gone': (tree) => tree.remove('packages/a/src/one.ts'),
  'compiler options changed': (tree) => tree.write('tsconfig.base.json', '{ }'),
  'an output is gone': (tree) => tree.remove('packages/a/dist/one.js'),
  'an output has lost its source': (tree) => tree.write('packages/a/dist/old.test.js', ''),
  'a build was interrupted': (tree) =>
    bootstrap.writeStamp(tree.root, { install: bootstrap.readStamp(tree.root).install }),
};

for (const [what, change] of Object.entries(REBUILD)) {
  test(`neededSteps, builds only, when ${what}`, (t) => {
    const tree = builtWorkspace();
    t.teardown(() => tree.dispose());
    change(tree);
    t.deepEqual(bootstrap.neededSteps(tree.root), { install: false, build: true });
  });
}

test('missingDependencies, names package and dependency, and leaves optional ones out', (t) => {
  const tree = builtWorkspace();
  t.teardown(() => tree.dispose());
  tree.remove('packages/a/node_modules');
  t.deepEqual(bootstrap.missingDependencies(tree.root), ['a: b']);
});

test('compareOutputs, finds what the compiler would leave behind, and nothing else', (t) => {
  const tree = builtWorkspace();
  t.teardown(() => tree.dispose());
  for (const name of ['gone.js', 'gone.js.map', 'gone.d.ts', 'gone.d.ts.map', 'kernel.wasm', 'one.d.ts']) {
    tree.write(`packages/a/dist/${name}`, '');
  }
  const { stale, incomplete } = bootstrap.compareOutputs(typescriptProjects(tree.root));
  t.deepEqual(
    [...stale].sort(),
    ['gone.d.ts', 'gone.d.ts.map', 'gone.js', 'gone.js.map'].map((name) => tree.path(`packages/a/dist/${name}`)),
  );
  t.deepEqual(incomplete, []);
});

test('compareOutputs, makes the compiler start over, where an output is missing', (t) => {
  const tree = builtWorkspace();
  t.teardown(() => tree.dispose());
  tree.remove('packages/a/dist/one.js');
  const { incomplete } = bootstrap.compareOutputs(typescriptProjects(tree.root));
  t.deepEqual(incomplete, [tree.path('packages/a/dist/.tsbuildinfo')]);
});

test('takeLock, waits for a living holder, until it gives the lock back', async (t) => {
  const tree = new ScratchTree({});
  t.teardown(() => tree.dispose());
  const said: string[] = [];
  const say = (line: string): void => {
    said.push(line);
  };
  const unlock = await bootstrap.takeLock(tree.root, say);
  let second = false;
  const waiting = bootstrap.takeLock(tree.root, say).then((unlockSecond) => {
    second = true;
    unlockSecond();
  });
  await bootstrap
    .takeLock(tree.root, () => {}, 0)
    .then(
      () => t.fail('two holders'),
      (error: Error) => t.regex(error.message, new RegExp(`held for too long by process ${process.pid}`)),
    );
  t.false(second);
  unlock();
  await waiting;
  t.deepEqual(said, [`waiting for another bootstrap (process ${process.pid}) to finish`]);
  t.false(existsSync(tree.path('.bootstrap-stamp.lock')));
});

test('takeLock, takes over, from a process that has ended', async (t) => {
  // No process has this number: the largest that Linux gives is 2^22.
  const tree = new ScratchTree({ '.bootstrap-stamp.lock': '1999999999' });
  t.teardown(() => tree.dispose());
  const unlock = await bootstrap.takeLock(tree.root, (line) => t.fail(line));
  unlock();
  t.pass();
});
