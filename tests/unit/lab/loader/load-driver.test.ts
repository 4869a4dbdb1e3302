import { execFile } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type LoadedDriver, loadDriver } from '@dmabuf-lab/lab';
import test from 'ava';
import { driverFolder, sink } from './driver-folder.js';

const load = (folder: string, specifier = './own.ts'): Promise<LoadedDriver> =>
  loadDriver(specifier, folder, { cacheFolder: join(folder, 'cache') });

const importing = (url: string): Promise<{ readonly [name: string]: () => unknown }> => import(url);

test.serial(
  'loadDriver: a driver in TypeScript uses the running copy of the lab, its files, and zod of the lab',
  async (t) => {
    const folder = driverFolder(t, {
      'own.ts': sink(
        "import { where, type Unused } from './parts/where.js';\nimport { ErrnoError } from '@dmabuf-lab/core/base';\n" +
          "export const told = () => [where(), import.meta.url, ErrnoError];\nenum Mode { Low = 'low' }\nexport const mode = () => Mode.Low;",
      ),
      'parts/where.ts':
        'export interface Unused { a: number }\nexport const where = (): string => import.meta.dirname;',
    });
    const loaded = await load(folder);
    t.is(loaded.driver.name, 'sink');
    t.deepEqual(loaded.driver.parameters.parse({}), { gain: 1 });
    t.deepEqual(loaded.sources, [join(folder, 'own.ts'), join(folder, 'parts/where.ts')]);
    const copy = await importing(loaded.moduleUrl('own'));
    const { ErrnoError } = await import('@dmabuf-lab/core/base');
    t.deepEqual(copy.told(), [join(folder, 'parts'), pathToFileURL(join(folder, 'own.ts')).href, ErrnoError]);
    t.is(copy.mode(), 'low');
  },
);

test.serial(
  'loadDriver: two copies of a module share no state, in JavaScript neither, nor in the files that it imports',
  async (t) => {
    const folder = driverFolder(t, {
      'own.js': `${sink("import { next } from './state.js';\nexport { next };")}`,
      'state.js': 'let count = 0;\nexport const next = () => ++count;',
    });
    const loaded = await load(folder, './own.js');
    const [one, other] = [await importing(loaded.moduleUrl('a')), await importing(loaded.moduleUrl('a'))];
    t.deepEqual([one.next(), one.next(), other.next()], [1, 2, 1]);
  },
);

test.serial('loadDriver: a stack names the line of the source', async (t) => {
  const thrown = "export interface Empty {}\nexport const fail = (): never => {\n  throw new Error('x');\n};";
  const folder = driverFolder(t, { 'own.ts': sink("export { fail } from './fail.js';"), 'fail.ts': thrown });
  const copy = await importing((await load(folder)).moduleUrl('own'));
  const { stack } = t.throws(() => copy.fail());
  t.true(stack?.includes(`${join(folder, 'fail.ts')}:3:9`), stack);
});

test.serial(
  'loadDriver: a package is found from the folder, by its import condition, and its own packages from its folder',
  async (t) => {
    const folder = driverFolder(t, {
      'node_modules/@me/isp/package.json': JSON.stringify({
        name: '@me/isp',
        type: 'module',
        exports: { '.': { module: './wrong.js', require: './wrong.cjs', import: './lib/isp.js' } },
      }),
      'node_modules/@me/isp/lib/isp.js': sink("export { depth } from 'depth';"),
      'node_modules/@me/isp/node_modules/depth/package.json': '{ "name": "depth", "main": "main.cjs" }',
      'node_modules/@me/isp/node_modules/depth/main.cjs': 'exports.depth = () => __filename;',
      'sub/x.yaml': '',
    });
    const loaded = await loadDriver('@me/isp', join(folder, 'sub'));
    t.deepEqual(loaded.sources, [join(folder, 'node_modules/@me/isp/lib/isp.js')]);
    const copy = await importing(loaded.moduleUrl('isp'));
    t.is(copy.depth(), join(folder, 'node_modules/@me/isp/node_modules/depth/main.cjs'), 'packages stay what they are');
    const kept = readdirSync(join(folder, 'node_modules/.cache/dmabuf-lab'));
    t.is(kept.length, 2, 'the cache is where other tools have theirs');
  },
);

test.serial('loadDriver: a CommonJS module may require the lab and packages', async (t) => {
  const folder = driverFolder(t, {
    'own.cjs': sink("exports.name = () => require('depth').depth;")
      .replace(/import (\{.*\}) from (.*);/g, 'const $1 = require($2);')
      .replace('export default', 'module.exports ='),
    'node_modules/depth/index.js': 'exports.depth = 3;',
  });
  t.is((await load(folder, './own.cjs')).driver.name, 'sink');
});

test.serial(
  'loadDriver: an unchanged driver is not bundled again; a change of any file of it, or of its bundle, is seen',
  async (t) => {
    const folder = driverFolder(t, {
      'own.ts': sink("import { text } from './text.js';\nexport const said = () => text;"),
      'text.ts': "export const text = 'one';",
    });
    const cache = join(folder, 'cache');
    const said = async (): Promise<unknown> => (await importing((await load(folder)).moduleUrl('own'))).said();
    const manifest = (): string => join(cache, readdirSync(cache).find((name) => name.endsWith('.json')) ?? '');
    t.is(await said(), 'one');
    const { ino } = statSync(manifest()); // each write is a new file
    t.is(await said(), 'one');
    t.is(statSync(manifest()).ino, ino, 'taken from the cache');
    writeFileSync(join(folder, 'text.ts'), "export const text = 'two';");
    t.is(await said(), 'two');
    const bundle = join(cache, `${(JSON.parse(readFileSync(manifest(), 'utf8')) as { output: string }).output}.mjs`);
    const good = readFileSync(bundle, 'utf8');
    writeFileSync(bundle, 'damaged');
    t.is(await said(), 'two');
    t.is(readFileSync(bundle, 'utf8'), good);
  },
);

test.serial('loadDriver: a package that is linked to another folder, or found in a nearer one, is seen', async (t) => {
  const depth = (value: string): Record<string, string> => ({
    'package.json': '{ "name": "depth", "main": "main.cjs" }',
    'main.cjs': `exports.depth = '${value}';`,
  });
  const files = Object.entries({
    'store/1': depth('one'),
    'store/2': depth('two'),
    'near/node_modules/depth': depth('near'),
  });
  const folder = driverFolder(t, {
    'near/own.ts': sink("import found from 'depth';\nexport const said = () => found.depth;"),
    ...Object.fromEntries(
      files.flatMap(([place, made]) => Object.entries(made).map(([name, text]) => [`${place}/${name}`, text])),
    ),
  });
  const near = join(folder, 'near');
  renameSync(join(near, 'node_modules'), join(near, 'hidden'));
  const link = join(folder, 'node_modules', 'depth');
  mkdirSync(dirname(link));
  symlinkSync(join(folder, 'store/1'), link);
  const said = async (): Promise<unknown> => {
    const loaded = await loadDriver('./own.ts', near, { cacheFolder: join(folder, 'cache') });
    return (await importing(loaded.moduleUrl('own'))).said();
  };
  t.is(await said(), 'one');
  rmSync(link);
  symlinkSync(join(folder, 'store/2'), link);
  t.is(await said(), 'two', 'of the same name and version');
  renameSync(join(near, 'hidden'), join(near, 'node_modules'));
  t.is(await said(), 'near');
});

test.serial(
  'loadDriver: processes that load one driver at once write one bundle, and leave nothing else',
  async (t) => {
    const folder = driverFolder(t, { 'own.ts': sink() });
    const lab = import.meta.resolve('@dmabuf-lab/lab');
    const options = JSON.stringify({ cacheFolder: join(folder, 'cache') });
    const script = `const { loadDriver } = await import('${lab}');
    const all = [1, 2, 3].map(() => loadDriver('./own.ts', '${folder}', ${options}));
    for (const { driver, moduleUrl } of await Promise.all(all)) console.log(driver.name, new URL(moduleUrl('a')).pathname);`;
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
    const told = await Promise.all([run(), run()]);
    const lines = new Set(told.flatMap(({ stdout }) => stdout.trim().split('\n')));
    t.is(lines.size, 1);
    const names = readdirSync(join(folder, 'cache')).sort();
    t.deepEqual(names.map((name) => name.replace(/^[0-9a-f]{64}/, '')).sort(), ['.json', '.mjs']);
    t.true([...lines][0].startsWith('sink ') && fileURLToPath(`file://${[...lines][0].slice(5)}`).startsWith(folder));
  },
);

test.serial('loadDriver: a package whose module was not built is refused by the file that it names', async (t) => {
  const manifest = (more: object): string => JSON.stringify({ name: 'my-isp', type: 'module', ...more });
  const folder = driverFolder(t, {
    'a/node_modules/my-isp/package.json': manifest({ exports: './dist/isp.js', scripts: { build: 'tsc' } }),
    'b/node_modules/my-isp/package.json': manifest({ exports: { '.': { types: './x.d.ts', import: './dist/b.js' } } }),
    'c/node_modules/my-isp/package.json': manifest({ main: 'lib/c.js' }),
  });
  const told = async (name: string): Promise<string | undefined> =>
    (await t.throwsAsync(load(join(folder, name), 'my-isp')))?.message;
  const begins = 'Cannot use the driver my-isp: the package my-isp names';
  const isp = join(folder, 'a/node_modules/my-isp');
  const ends = 'of its package.json, and there is no such file; build it first';
  t.is(await told('a'), `${begins} ./dist/isp.js in "exports" ${ends}: npm run build in ${isp}`);
  t.is(await told('b'), `${begins} ./dist/b.js in "exports" ${ends}`);
  t.is(await told('c'), `${begins} lib/c.js in "main" ${ends}`);
});
