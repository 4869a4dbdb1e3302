/** The suite on real threads: good drivers pass there too, and bad ones are caught. One after the other: each has four workers. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AnyDriver } from '@dmabuf-lab/core/driver';
import { type ConformOptions, type ConformResult, conformDriver, type RuleName } from '@dmabuf-lab/core/testing';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { loadDriver } from '@dmabuf-lab/lab';
import test from 'ava';
import { run, scratch } from '../unit/lab/cli/command-line.js';

const EXAMPLES = fileURLToPath(new URL('../../../examples/drivers/', import.meta.url));
const badUrl = (name: string): URL => new URL(`../unit/testing/bad-drivers/${name}.js`, import.meta.url);

/** Plenty of time where nothing is to hang, since the machine may be busy. */
const PATIENCE_MS = 120_000;
/** Little where something hangs, whatever the machine does. */
const HANG_MS = 2_000;

async function onThreads(module: URL, options: ConformOptions): Promise<ConformResult> {
  const { default: driver } = (await import(module.href)) as { readonly default: AnyDriver };
  return await conformDriver(driver, { runtime: 'threads', module, limitMs: PATIENCE_MS, ...options });
}

test.serial('check-driver --runtime threads: of a good driver with memory of its own, ends with 0', async (t) => {
  const args = ['check-driver', join(EXAMPLES, 'exporter.ts'), '--runtime', 'threads', '--limit', '120s'];
  const { code, stdout, stderr } = await run(await scratch(t), args);
  t.is(code, 0, stdout + stderr);
  t.regex(stdout, /^pass {2}restart$/m);
  t.notRegex(stdout, /determinism/);
  t.regex(stdout, /conforms on threads: 22 pass, 0 FAIL \(\d+ runs, seed 1\)\n$/);
});

for (const [name, runsFor] of [
  ['gpu', ['stop']],
  ['camera', ['restart']],
] as const) {
  test.serial(`conformDriver on threads › of the built-in ${name} in runs for ${runsFor}, finds nothing`, async (t) => {
    const { driver, module } = builtInDrivers[name];
    const { ok, text, runs, runtime } = await conformDriver(driver, {
      ...{ runtime: 'threads', module, limitMs: PATIENCE_MS, runsFor },
      parameters: name === 'camera' ? { width: 64, height: 48, rate: 100 } : {},
    });
    t.true(ok, text);
    t.deepEqual([runtime, runs > 1], ['threads', true]);
  });
}

test.serial('conformDriver on threads › of an example in TypeScript while buffers move, finds nothing', async (t) => {
  const { driver, moduleUrl } = await loadDriver('./dynamic-importer.ts', EXAMPLES);
  const { ok, text } = await conformDriver(driver, {
    ...{ runtime: 'threads', module: moduleUrl('tested'), limitMs: PATIENCE_MS, runsFor: ['moves'] },
  });
  t.true(ok, text);
});

/** The rules that each breaks, and the run in which it shows. */
const BAD: Readonly<Record<string, readonly [rules: readonly RuleName[], run: string]>> = {
  frames: [['frames'], 'plain stream'],
  fences: [['fences'], 'plain stream'],
  memory: [['memory'], 'guarded pages'],
  enomem: [['enomem'], 'no memory at begin 2'],
  'late-attach': [['late-attach'], 'attached at 32.77 ms, asked to leave'],
};

for (const [name, [broken, seenIn]] of Object.entries(BAD)) {
  test.serial(
    `conformDriver on threads › of the bad driver ${name}, finds what is wrong and nothing else`,
    async (t) => {
      const { rules, text } = await onThreads(badUrl(name), { runsFor: broken });
      const failed = rules.filter(({ verdict }) => verdict === 'fail');
      t.deepEqual(
        failed.map(({ rule }) => rule),
        broken,
        text,
      );
      t.is(failed[0].findings[0].run, seenIn);
      t.regex(failed[0].findings[0].where ?? '', new RegExp(`bad-drivers/${name}\\.[jt]s:\\d+$`));
    },
  );
}

test.serial('conformDriver on threads › of a driver that waits for ever, names its last call', async (t) => {
  const { rules, text } = await onThreads(badUrl('end-of-stream'), { runsFor: ['run'], limitMs: HANG_MS });
  const failed = rules.filter(({ verdict }) => verdict === 'fail');
  t.deepEqual(
    failed.map(({ rule }) => rule),
    ['end-of-stream'],
    text,
  );
  t.regex(
    failed[0].findings[0].what,
    /does not end.*the last that the driver called was (ctx\.sleepUntil|in\.tryTakeReady) at .*:\d+$/,
  );
});

test.serial('check-driver --runtime threads: of a driver that ends its thread, says after which call', async (t) => {
  const dir = await scratch(t);
  await writeFile(
    join(dir, 'mine.mjs'),
    `import { parameters, plan, ports } from ${JSON.stringify(fileURLToPath(badUrl('filter')))};
export default {
  name: 'mine', parameters, ports, plan,
  *run(ctx) {
    yield* ctx.ports.in.take();
    process.exit(3);
  },
};`,
  );
  const args = ['check-driver', 'mine.mjs', '--runtime', 'threads', '--rule', 'run', '--rule', 'moves'];
  const { code, stdout } = await run(dir, args);
  t.is(code, 1, stdout);
  t.regex(
    stdout,
    /FAIL {2}run: tested failed: its worker exited with code 3; .* called was in\.take at .*mine\.mjs:5\n/,
  );
  t.regex(stdout, /^skip {2}moves\n {6}skipped, since the run "plain stream" does not pass: run: /m);
});

test.serial('check-driver --runtime threads: of a step that never ends, tells what was found before it', async (t) => {
  const dir = await scratch(t);
  await writeFile(
    join(dir, 'mine.mjs'),
    `import { parameters, plan, ports } from ${JSON.stringify(fileURLToPath(badUrl('filter')))};
export default {
  name: 'mine', parameters, ports, plan,
  *run(ctx) {
    yield* ctx.ports.in.take();
    Math.random();
    for (;;) {}
  },
};`,
  );
  const args = ['check-driver', 'mine.mjs', '--runtime', 'threads', '--limit', '3s'];
  const { code, stdout } = await run(dir, args);
  t.is(code, 1, stdout);
  t.regex(
    stdout,
    /FAIL {2}end-of-stream: the run does not end: .*the last that the driver called was in\.take at .*mine\.mjs:5/,
  );
  t.regex(stdout, /FAIL {2}ports-only: the driver uses Math\.random\n {6}at mine\.mjs:6/);
  t.regex(stdout, /does not conform on threads/);
});

test.serial(
  'conformDriver on threads › without a module, or with a rule of virtual time alone, is refused',
  async (t) => {
    const { driver } = builtInDrivers.gpu;
    const refused = (options: ConformOptions, message: RegExp) =>
      t.throwsAsync(conformDriver(driver, { runtime: 'threads', ...options }), { name: 'ConformInputError', message });
    await refused({}, /on threads: workers import it, so `module` has to be the URL/);
    await refused(
      { module: 'file:///none.js', rules: ['determinism'] },
      /determinism: runs on threads do not tell of it/,
    );
  },
);
