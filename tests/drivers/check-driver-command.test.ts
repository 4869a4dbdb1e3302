import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConformResult } from '@dmabuf-lab/core/testing';
import test, { type ExecutionContext } from 'ava';
import { run, scratch } from '../unit/lab/cli/command-line.js';

const badDriver = (name: string): string =>
  fileURLToPath(new URL(`../unit/testing/bad-drivers/${name}.js`, import.meta.url));

/** A driver that does something to itself at its third frame. */
async function writeDriver(t: ExecutionContext, doing: string): Promise<string> {
  const dir = await scratch(t);
  const driver = `
import { parameters, plan, ports } from ${JSON.stringify(badDriver('filter'))};
export default {
  name: 'mine', parameters, ports, plan,
  *run(ctx) {
    const source = ctx.ports.in;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      if (frame.sequence === 2) { ${doing} }
      source.release(frame);
    }
  },
};`;
  await writeFile(join(dir, 'mine.mjs'), driver);
  return dir;
}

test('check-driver: of a good driver, ends with 0', async (t) => {
  const { code, stdout, stderr } = await run(await scratch(t), [
    'check-driver',
    badDriver('good'),
    '--rule',
    'plan',
    '--rule',
    'run',
  ]);
  t.is(code, 0, stderr);
  t.regex(stdout, /^pass {2}plan\npass {2}run\n/);
  t.regex(stdout, /driver good conforms: \d+ pass, 0 FAIL \(\d+ runs, seed 1\)\n$/);
});

test('check-driver: of a bad driver, ends with 1 and names rule, place and remedy', async (t) => {
  const args = ['check-driver', badDriver('enomem'), '--rule', 'enomem', '--rule', 'errors'];
  const { code, stdout } = await run(await scratch(t), args);
  t.is(code, 1);
  t.regex(stdout, /^FAIL {2}enomem: the driver has thrown: .*no memory.*\n {6}at .*enomem\.ts:\d+\n/m);
  t.regex(stdout, /^ {6}remedy: use ctx\.tryBegin/m);
  t.regex(stdout, /does not conform: 1 pass, 1 FAIL/);
});

test('check-driver --json: prints the result and nothing else, whatever the driver prints', async (t) => {
  const dir = await writeDriver(t, 'console.log("chatter");');
  const { code, stdout, stderr } = await run(dir, [
    'check-driver',
    'mine.mjs',
    '--json',
    '--rule',
    'run',
    '--seed',
    '7',
  ]);
  t.is(code, 0, stderr);
  const { driver, ok, seed, rules } = JSON.parse(stdout) as ConformResult;
  t.deepEqual([driver, ok, seed, rules.length], ['mine', true, 7, 1]);
  t.regex(stderr, /chatter/);
});

test('check-driver: of a step that never ends, says after which call, and ends', async (t) => {
  const dir = await writeDriver(t, 'for (;;) {}');
  const { code, stdout } = await run(dir, ['check-driver', 'mine.mjs', '--limit', '3s']);
  t.is(code, 1);
  t.regex(
    stdout,
    /FAIL {2}end-of-stream: a step of the driver does not end: nothing for 3 s since it called in\.take at .*mine\.mjs:\d+/,
  );
  t.regex(stdout, /^ {6}remedy: see the loop after that call: it has to end, or to wait in each turn by yield\*$/m);
  t.notRegex(stdout, /leave the loop when take/);
  t.regex(stdout, /skip {2}frames/);
  t.regex(stdout, /does not conform: 0 pass, 1 FAIL, \d+ skipped \(1 runs, seed 1\)\n$/);
});

test('check-driver: of a step that never ends late in the suite, tells what was found and asked before', async (t) => {
  const dir = await writeDriver(t, "Math.random(); if (ctx.payload === 'timing') for (;;) {}");
  const { code, stdout } = await run(dir, ['check-driver', 'mine.mjs', '--limit', '3s']);
  t.is(code, 1);
  t.regex(
    stdout,
    /FAIL {2}ports-only: the driver uses Math\.random\n {6}at mine\.mjs:\d+\n {6}in the run "plain stream"/,
  );
  t.regex(
    stdout,
    /FAIL {2}stop: a step of the driver does not end: .*\n {6}at .*mine\.mjs:\d+\n {6}in the run "asked to leave/,
  );
  t.regex(stdout, /^pass {2}enomem$/m);
  t.regex(stdout, /^skip {2}restart$/m);
  t.regex(stdout, /skipped, since the run "asked to leave at .* ms" does not pass: stop: a step/);
});

test('check-driver: of a driver that ends its process, says so', async (t) => {
  const { code, stdout } = await run(await writeDriver(t, 'process.exit(3);'), ['check-driver', 'mine.mjs']);
  t.is(code, 1);
  t.regex(stdout, /FAIL {2}run: the driver has ended its process \(3\)/);
});

const WRONG: readonly (readonly [args: string[], said: RegExp])[] = [
  [['no-such.mjs'], /Cannot use the driver no-such\.mjs: there is no file/],
  [[badDriver('filter')], /Cannot use the driver .*filter\.js:1:1: it has no default export/],
  [[badDriver('good'), '--rule', 'no-such'], /Cannot use --rule no-such: expected one of parameters, plan/],
  [[badDriver('good'), '--seed', '-1'], /Cannot use --seed -1/],
  [[badDriver('good'), '--limit', '1'], /Cannot use --limit 1: expected a time/],
  [[badDriver('good'), '--parameters', '{'], /Cannot use --parameters \{: /],
  [[badDriver('good'), '--parameters', 'no-such.json'], /no-such\.json/],
  [[badDriver('needy')], /parameters amount: .* undefined; give them, e\.g\. --parameters '\{"amount":1\}'/],
  [[badDriver('good'), '--parameters', '{"service": -1}'], /Cannot check driver good: parameters service: /],
];

for (const [args, said] of WRONG) {
  test(`check-driver ${args.slice(1).join(' ') || args[0].split('/').pop()}: is refused with 2`, async (t) => {
    const { code, stdout, stderr } = await run(await scratch(t), ['check-driver', ...args]);
    t.is(code, 2, stderr);
    t.is(stdout, '');
    t.regex(stderr, said);
  });
}
