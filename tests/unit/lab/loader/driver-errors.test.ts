import { DriverLoadError, loadDriver } from '@dmabuf-lab/lab';
import test from 'ava';
import { driverFolder, sink } from './driver-folder.js';

/** A driver that cannot be used: what is said of it, and the line of it that is shown. */
function refuses(title: string, source: string, message: string | RegExp, line: number, limitMs?: number): void {
  test.serial(`loadDriver: ${title} is refused, at line ${line}`, async (t) => {
    const folder = driverFolder(t, { 'own.ts': source });
    const options = { limitMs, cacheFolder: `${folder}/cache` };
    const error = await t.throwsAsync<DriverLoadError>(loadDriver('./own.ts', folder, options), {
      instanceOf: DriverLoadError,
    });
    t.is(error.exitCode, 2);
    const [problem] = error.problems;
    if (typeof message === 'string') t.is(problem.message, message);
    else t.regex(problem.message, message);
    t.deepEqual({ file: problem.file, line: problem.line }, { file: `${folder}/own.ts`, line });
    t.true(error.message.includes(`Cannot use the driver ./own.ts: ${folder}/own.ts:${line}:`), error.message);
  });
}

const EXPECTED = 'expected what defineDriver returns';
refuses(
  'a module without a default export',
  sink().replace('export default', 'export const mine ='),
  `it has no default export, ${EXPECTED}; its export "mine" is one: export it as the default`,
  1,
);
refuses('a class', '\nexport default class Isp {}', `its default export is a function, ${EXPECTED}`, 2);
refuses('a number', 'export default 1', `its default export is 1, ${EXPECTED}`, 1);
refuses(
  'a run that is no generator',
  sink().replace('*run(', 'async run(').replaceAll('yield*', 'await'),
  'its run: expected a generator function (*run), got an async function',
  4,
);
refuses(
  'a port without a direction',
  sink().replace('{ in: input() }', "{ in: 'in' }"),
  'its port "in": expected input() or output(), got "in"',
  4,
);
refuses(
  'a port by a name that no link can have',
  sink().replace('{ in: input() }', '{ 0: input() }'),
  /^its port "0": expected a letter/,
  4,
);
refuses(
  'parameters without a schema',
  sink().replace(/z\.strictObject.*,/, '{ gain: 1 },'),
  'its parameters: expected a schema of zod 4, got a mapping',
  4,
);
refuses('a syntax error', sink('const a = = 1;'), 'Unexpected "="', 3);
refuses('an import of a file that is not there', sink("import './no.js';"), 'Could not resolve "./no.js"', 3);
refuses(
  'an import of a package that is not there',
  sink("import 'no-such-package';"),
  'there is no package "no-such-package" that can be imported from here; is it installed?',
  3,
);
refuses(
  'an import of what the lab does not export',
  sink("import { nothing } from '@dmabuf-lab/core/driver';\nconsole.log(nothing);"),
  '@dmabuf-lab/core/driver exports no "nothing"',
  3,
);
refuses(
  'an import of a part that the lab does not have',
  sink("import '@dmabuf-lab/core/nothing';"),
  '@dmabuf-lab/core exports no "./nothing"',
  3,
);
refuses(
  'a top level that throws',
  sink("const grain = (): never => {\n  throw new RangeError('no grain');\n};\ngrain();"),
  'it throws while it is loaded: RangeError: no grain',
  4,
);
refuses('a top level that ends the process', sink('process.exit(4);'), /^it ended its thread with code 4/, 1);
refuses('a top level that ends the process in order', sink('process.exit();'), /^it ended its thread with code 0/, 1);
refuses('a top level that waits for ever', sink('\nawait new Promise(() => {});'), /^it awaits what never comes/, 4);
refuses(
  'a top level that loops',
  sink('for (;;) {}'),
  /^it was not loaded within 1 s: does its top level loop/,
  1,
  1000,
);

test('loadDriver: what is no driver and no file is refused, with what may be meant', async (t) => {
  const folder = driverFolder(t, { 'isp.ts': sink(), 'lut.json': '{}' });
  const message = async (specifier: string): Promise<string> => {
    const error = await t.throwsAsync<DriverLoadError>(loadDriver(specifier, folder));
    return error.problems[0].message;
  };
  t.is(await message('./isp.js'), `there is no file ${folder}/isp.js, did you mean "isp.ts"?`);
  t.regex(await message('./sub/isp.ts'), /there is no directory .*sub$/);
  t.regex(await message('./lut.json'), /is no module, expected a file that ends in \.ts or \.js$/);
  t.regex(await message('.//'), /is a directory/);
  t.is(await message('isp.ts'), 'a name without a path is that of a package; did you mean "./isp.ts"?');
  t.is(await message('camra'), 'there is no driver and no package "camra", did you mean "camera"?');
  t.is(
    await message('some-vendor-isp'),
    'there is no driver and no package "some-vendor-isp"; built in are camera, gpu, display, encoder',
  );
  t.regex(await message('my isp'), /neither a path/);
});
