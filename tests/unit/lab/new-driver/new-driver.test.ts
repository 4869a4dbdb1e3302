import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DRIVER_KINDS, loadDriver, newDriver, parseScenario, prepareRun } from '@dmabuf-lab/lab';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';

const ROOT = new URL('../../../../../', import.meta.url);

async function folderFor(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'dmabuf-lab-new-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Without the tarballs: packing has a test of its own (npm run test:packages). */
const packages = async (): Promise<Record<string, string>> => ({ '@dmabuf-lab/lab': '^0.1.0' });

for (const kind of DRIVER_KINDS) {
  for (const language of ['ts', 'js'] as const) {
    test(`newDriver, ${kind} in ${language}, its driver loads and its scenario is in order`, async (t) => {
      const folder = join(await folderFor(t), 'my-own');
      const files = await newDriver({ name: 'my-own', kind, language, folder, packages });
      t.true(files.includes(`src/my-own.${language}`) && files.includes('scenario.yaml'), files.join(', '));
      for (const file of files) {
        t.false(/DRIVER_[A-Z]/.test(await readFile(join(folder, file), 'utf8')), `${file} has a word left to fill in`);
      }
      const { driver } = await loadDriver(`./src/my-own.${language}`, folder);
      t.is(driver.name, 'my-own');
      const text = await readFile(join(folder, 'scenario.yaml'), 'utf8');
      await t.notThrowsAsync(prepareRun(parseScenario(text, 'scenario.yaml', { directory: folder })));
    });
  }
}

test('newDriver, of a name that will not do, or a folder that is not empty, refuses and leaves nothing', async (t) => {
  const place = await folderFor(t);
  const make = (name: string) =>
    newDriver({ name, kind: 'filter', language: 'ts', folder: join(place, name), packages });
  for (const name of ['My_Isp', '1st', 'a--b', '', 'gpu', 'exporter', 'zod', 'x'.repeat(65)]) {
    await t.throwsAsync(make(name), { message: /^Cannot make a driver / }, name);
  }
  await t.throwsAsync(make('some/where/foo'), { message: /no path; .* new-driver foo --in some\/where$/ });
  await mkdir(join(place, 'taken'));
  await writeFile(join(place, 'taken', 'file'), 'mine');
  await t.throwsAsync(make('taken'), { message: /it is there and not empty/ });
  await writeFile(join(place, 'a-file'), 'mine');
  await t.throwsAsync(make('a-file'), { message: /a file is in the way/ });
  t.deepEqual((await readdir(place)).sort(), ['a-file', 'taken']);
});

test('newDriver, whose packages cannot be packed, leaves nothing behind', async (t) => {
  const place = await folderFor(t);
  const fails = async (): Promise<never> => {
    throw new Error('no room');
  };
  const made = newDriver({
    name: 'my-own',
    kind: 'filter',
    language: 'ts',
    folder: join(place, 'my-own'),
    packages: fails,
  });
  await t.throwsAsync(made, { message: 'no room' });
  t.deepEqual(await readdir(place), []);
});

test('the versions that a new driver depends on, are those that this project is built with', async (t) => {
  const versions = JSON.parse(await readFile(new URL('packages/lab/templates/driver/versions.json', ROOT), 'utf8'));
  const { catalog } = parse(await readFile(new URL('pnpm-workspace.yaml', ROOT), 'utf8'));
  for (const [name, version] of Object.entries(versions)) t.is(version, catalog[name], name);
});
