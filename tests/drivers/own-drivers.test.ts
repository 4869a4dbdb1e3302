import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadScenario, prepareRun, ScenarioError } from '@dmabuf-lab/lab';
import test from 'ava';
import { runFile } from '../scenarios/run-file.js';
import { ended, run } from '../unit/lab/cli/command-line.js';
import { driverFolder, sink } from '../unit/lab/loader/driver-folder.js';

interface Device {
  readonly driver: string;
  readonly parameters?: object;
  readonly memoryLimit?: string;
}

/** A camera and a display, and devices that take frames of the camera, which never waits for them. */
const scenario = (devices: Readonly<Record<string, Device>>, more = ''): string => `name: own
duration: 400ms
payload: stamp
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { driver: camera, parameters: { width: 64, height: 48, rate: 60 } }
  gpu: { driver: gpu, parameters: { service: 1ms } }
  display: { driver: display, parameters: { refresh: 60, pictures: 0 } }
${Object.entries(devices)
  .map(([name, device]) => `  ${name}: ${JSON.stringify(device)}\n`)
  .join('')}links:
  - { from: camera.out, to: gpu.in, policy: drop-oldest }
  - { from: gpu.out, to: display.in, policy: drop-oldest }
${Object.keys(devices)
  .map((name) => `  - { from: camera.out, to: ${name}.in, policy: drop-oldest, depth: 1 }\n`)
  .join('')}${more}`;

for (const runtime of ['virtual', 'threads'] as const) {
  test.serial(
    `a driver in TypeScript runs on ${runtime} with its parameters, and two devices share nothing of its module`,
    async (t) => {
      const state = 'let seen = 0;';
      const own = sink(
        state,
        "seen += 1; ctx.count('seen', seen === 1 ? 1 : 0); ctx.count('gain', ctx.parameters.gain);",
      );
      const devices = { one: { driver: './own.ts', parameters: { gain: 2 } }, two: { driver: './own.ts' } };
      const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': scenario(devices) });
      const { result } = await runFile(join(folder, 'own.yaml'), { overrides: { runtime } });
      const { one, two } = result.devices;
      t.true(one.framesIn > 1 && two.framesIn > 1);
      t.deepEqual([one.counters.seen, two.counters.seen], [1, 1]);
      t.is(one.counters.gain, 2 * one.framesIn);
      t.is(two.counters.gain, two.framesIn);
      t.is(one.driver, './own.ts');
      t.true(result.ledger.empty);
    },
  );
}

test.serial('a driver that is started again in virtual time begins with a new copy of its module', async (t) => {
  const own = sink('let lives = 0;', "ctx.count('lives', (lives += 1) === 1 ? 1 : 0);");
  const more = 'timeline: [{ at: 200ms, kill: one }]\nsupervision: { restart: one-for-one }\n';
  const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': scenario({ one: { driver: './own.ts' } }, more) });
  const { result } = await runFile(join(folder, 'own.yaml'), { overrides: { runtime: 'virtual' } });
  t.is(result.devices.one.counters.lives, 1, 'the counters are those of its second life');
});

async function complaints(folder: string): Promise<string[]> {
  try {
    await prepareRun(await loadScenario(join(folder, 'own.yaml'), 'own.yaml'));
  } catch (error) {
    if (error instanceof ScenarioError) return error.message.split('\n');
    throw error;
  }
  return [];
}

test.serial('what a driver of a scenario cannot do is told with file and line, all at once', async (t) => {
  const bad = {
    parameter: { driver: './own.ts', parameters: { gain: 3 } },
    unknown: { driver: './own.ts', parameters: { gian: 1 } },
    typed: { driver: './own.ts', parameters: { gain: 'high' } },
    broken: { driver: './broken.ts' },
    planless: { driver: './planless.ts' },
    rateless: { driver: './rateless.ts' },
  };
  const more = '  - { from: back.in, to: side.side }\n';
  const good = { back: { driver: './own.ts' }, side: { driver: './own.ts' } };
  const text = scenario({ ...bad, ...good }, more);
  const planless = sink().replace(
    'plan: () => ({ outputs: {}, problems: [] })',
    "plan: () => { throw new Error('none'); }",
  );
  const format = "{ fourcc: 'NV12', widthPixels: 64, heightPixels: 64, strideBytes: 64, sizeBytes: 6144 }";
  const rateless = sink()
    .replace('defineDriver, input', 'defineDriver, input, output')
    .replace('ports: { in: input() }', 'ports: { in: input(), out: output() }')
    .replace('outputs: {}', `outputs: { out: ${format} as never }`);
  const folder = driverFolder(t, {
    'own.ts': sink(),
    'broken.ts': 'const a = ;',
    'planless.ts': planless,
    'rateless.ts': rateless,
    'own.yaml': text,
  });
  const line = (name: string): number => text.split('\n').findIndex((one) => one.startsWith(`  ${name}:`)) + 1;
  const link = text.trimEnd().split('\n').length;
  const told = (await complaints(folder)).sort();
  const expected = [
    `own.yaml:${line('parameter')}:49: devices.parameter.parameters.gain: expected at most 2, got 3`,
    `own.yaml:${line('typed')}:45: devices.typed.parameters.gain: expected a number, got "high"`,
    `own.yaml:${line('unknown')}:47: devices.unknown.parameters.gian: unknown key "gian", did you mean "gain"?`,
    `own.yaml:${line('broken')}:12: devices.broken.driver: cannot use ./broken.ts: ${folder}/broken.ts:1:11: Unexpected ";"`,
    `own.yaml:${line('planless')}:14: devices.planless.driver: cannot use ./planless.ts: ${folder}/planless.ts:8:23: its plan throws: none`,
    `own.yaml:${line('rateless')}:14: devices.rateless.driver: cannot use ./rateless.ts: ${folder}/rateless.ts:4:1: its plan gives the output "out" no whole format; frameFormat() makes one`,
    `own.yaml:${link}:7: links.10.from: back.in is an input (driver sink), expected an output; back has no outputs`,
    `own.yaml:${link}:22: links.10.to: side (driver sink) has no input "side"; it has the input in`,
  ].sort();
  t.deepEqual(told, expected);
});

test.serial('a parameter without a default has to be there', async (t) => {
  const own = sink().replace('.default(1)', '');
  const text = scenario({ one: { driver: './own.ts' } });
  const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': text });
  t.deepEqual(await complaints(folder), ['own.yaml:10:3: devices.one.parameters.gain: missing, expected a number']);
});

test.serial('what drivers throw under supervision is told with its place, also from a task of their own', async (t) => {
  const own = sink('', "ctx.count('taken'); throw new Error('out of luck');");
  const parts = sink()
    .replace('*run(ctx) {', '*run(ctx) {\n    yield* ctx.parallel([fails()]);')
    .concat(`
function* fails(): Generator<never, void> {
  throw new Error('one part');
}
`);
  const devices = { one: { driver: './own.ts' }, two: { driver: './parts.ts' } };
  const never = scenario(devices, 'supervision: { restart: never }\n');
  const again = scenario({ one: devices.one }, 'supervision: { restart: one-for-one, restarts: 1, within: 10s }\n');
  const folder = driverFolder(t, { 'own.ts': own, 'parts.ts': parts, 'own.yaml': never, 'again.yaml': again });
  const { result } = await runFile(join(folder, 'own.yaml'), { overrides: { runtime: 'virtual' } });
  const died = result.incidents.filter(({ kind }) => kind === 'died').map(({ device, why }) => `${device}: ${why}`);
  t.deepEqual(died.sort(), ['one: out of luck (own.ts:12:33)', 'two: one part (parts.ts:20:9)']);
  await t.throwsAsync(runFile(join(folder, 'again.yaml'), { overrides: { runtime: 'virtual' } }), {
    message: /one has died, and 2 restarts within 10 s are more than 1; the last time: out of luck \(own\.ts:12:33\)/,
  });
});

test.serial('on threads a driver that throws, exits, loops or takes too much memory harms itself alone', async (t) => {
  const nth = (what: string): string => sink('let count = 0;', `count += 1; if (count === 3) ${what}`);
  const files = {
    'throws.ts': nth("throw new Error('the third');"),
    'exits.ts': nth('process.exit(7);'),
    'loops.ts': nth('for (;;) {}'),
    'takes.ts': sink(
      'const all: number[][] = [];',
      'for (let i = 0; i < 10; i += 1) all.push(new Array(2e5).fill(i));',
    ),
  };
  const devices = {
    throws: { driver: './throws.ts' },
    exits: { driver: './exits.ts' },
    loops: { driver: './loops.ts' },
    takes: { driver: './takes.ts', memoryLimit: '64MiB' },
  };
  const more = 'supervision: { restart: never, hung: 5s }\nduration: 2s\n';
  const text = scenario(devices, more).replace('duration: 400ms\n', '');
  const folder = driverFolder(t, { ...files, 'own.yaml': text });
  const { result } = await runFile(join(folder, 'own.yaml'), { overrides: { runtime: 'threads' } });
  const whyOf = (device: string): string => {
    const died = result.incidents.find((one) => one.kind === 'died' && one.device === device);
    return `${died?.cause}: ${died?.why ?? ''}`;
  };
  t.is(whyOf('throws'), 'failed: the third (throws.ts:12:42)');
  t.is(whyOf('exits'), 'failed: its worker exited with code 7');
  t.is(whyOf('loops'), 'hung: ');
  t.regex(whyOf('takes'), /^failed: Worker terminated due to reaching memory limit/);
  t.true(result.devices.display.counters.shown > 10);
  t.true(result.ledger.empty);
});

for (const runtime of ['virtual', 'threads'] as const) {
  test.serial(`on ${runtime} what a driver prints is labelled, and its failure names it and its line`, async (t) => {
    const own = sink(
      "console.log('loaded');",
      "console.log('a\\nb', ctx.parameters.gain);\n      throw new Error('boom');",
    );
    const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': scenario({ isp: { driver: './own.ts' } }) });
    const { code, stdout, stderr } = await run(folder, ['run', 'own.yaml', '--runtime', runtime, '--json']);
    t.is(code, 1);
    t.is(stdout, '');
    t.regex(stderr, /\[\.\/own\.ts\] loaded\n\[isp\] loaded\n\[isp\] a\n\[isp\] b 1\n/);
    t.regex(stderr, /The run failed: isp \(\.\/own\.ts\): boom\n +at .*own\.ts:13:13/);
  });
}

test.serial('in virtual time process.exit of a driver ends the run with its name, and not the process', async (t) => {
  const folder = driverFolder(t, {
    'own.ts': sink('', 'process.exit(0);'),
    'own.yaml': scenario({ isp: { driver: './own.ts' } }),
  });
  const error = await t.throwsAsync(runFile(join(folder, 'own.yaml'), { overrides: { runtime: 'virtual' } }));
  t.regex(String(error?.message), /^isp failed: isp called process\.exit\(0\)/);
});

const withMembers = (members: string): string =>
  sink('const data: { promise: Promise<never> } = { promise: new Promise(() => {}) };').replace(
    '  ports:',
    `  ${members}\n  ports:`,
  );

test.serial('a driver whose prepare never ends, is told of, and the command ends with 1', async (t) => {
  const own = withMembers('prepare: () => data.promise,');
  const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': scenario({ one: { driver: './own.ts' } }) });
  const { code, stderr } = await run(folder, ['check', 'own.yaml']);
  t.is(code, 1, stderr);
  t.regex(stderr, /a promise never came, such as that of the prepare of a driver/);
});

test.serial('a driver that leaves a timer at its top level, does not keep the command from ending', async (t) => {
  const own = sink('setInterval(() => {}, 1000);');
  const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': scenario({ one: { driver: './own.ts' } }) });
  const checked = await run(folder, ['check', 'own.yaml']);
  t.is(checked.code, 0, checked.stderr);
  const ran = await run(folder, ['run', 'own.yaml', '--runtime', 'virtual', '--json']);
  t.is(ran.code, 0, ran.stderr);
  t.notThrows(() => JSON.parse(ran.stdout), 'nothing of it is cut off');
});

test.serial('what a driver says of memory and importer, is looked at before the run', async (t) => {
  for (const [members, reason] of [
    ["importer: 'dynamc' as never,", /its importer: expected static or dynamic, got "dynamc"/],
    ['memory: { bytes: 4096 } as never,', /its memory: expected \{ sizeBytes\(\), openHeap\(\) \}/],
    ['moveNotify: 3 as never,', /its moveNotify: expected a function, got 3/],
    [
      "memory: { sizeBytes: () => { throw new Error('oh'); }, openHeap: () => undefined as never },",
      /sizeBytes .* throws: oh/,
    ],
    ['prepare: async () => ({ gain: 1, table: () => 1 }) as never,', /its parameters have to be plain data/],
  ] as const) {
    const folder = driverFolder(t, {
      'own.ts': withMembers(members),
      'own.yaml': scenario({ one: { driver: './own.ts' } }),
    });
    const { code, stderr } = await run(folder, ['check', 'own.yaml']);
    t.is(code, 2, `${members}\n${stderr}`);
    t.regex(stderr, reason);
    t.regex(stderr, /own\.yaml:\d+:\d+: /);
  }
});

test.serial(
  'on threads a promise that does not come for long, is told of with the device that waits for it',
  async (t) => {
    const slow = 'new Promise((resolve) => setTimeout(resolve, 1500))';
    const own = sink(
      'let first = true;',
      `if (first) yield* ctx.external(${slow}, 'the weights of its network'); first = false;`,
    );
    const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': scenario({ isp: { driver: './own.ts' } }) });
    const lines: string[] = [];
    const onOutput = (device: string, line: string): unknown => lines.push(`[${device}] ${line}`);
    // Both are timers of one thread: the shorter fires first, however busy the machine is.
    const { result } = await runFile(join(folder, 'own.yaml'), {
      overrides: { runtime: 'threads' },
      longWaitMs: 500,
      onOutput,
    });
    t.deepEqual(lines, ['[isp] has waited for 0.5 s for a promise that has not come: the weights of its network']);
    t.true(result.devices.isp.framesIn > 0);
  },
);

/** A run in a process of its own that tells of a stall after two seconds. */
const watchedRun = (folder: string): ChildProcess =>
  spawn(process.execPath, [fileURLToPath(new URL('./programs/watched-run.js', import.meta.url)), 'own.yaml', '2000'], {
    cwd: folder,
  });

test.serial(
  'in virtual time a driver that loops without a wait, is named, although nothing else gets a turn',
  async (t) => {
    const folder = driverFolder(t, {
      'own.ts': sink('', 'for (;;);'),
      'own.yaml': scenario({ isp: { driver: './own.ts' } }),
    });
    const child = watchedRun(folder);
    const end = ended(child);
    child.stderr?.on('data', (text: string) => {
      if (/stands still/.test(text)) child.kill('SIGTERM');
    });
    const { stderr } = await end;
    t.regex(stderr, /^The run stands still for 2 s in a step of isp: does it loop without a yield\* that waits\?/m);
  },
);

test.serial(
  'in virtual time a promise that nothing is left to settle, ends the run at once, with the device that waits for it',
  async (t) => {
    const own = sink('', "yield* ctx.external(new Promise(() => {}), 'a service that never answers');");
    const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': scenario({ isp: { driver: './own.ts' } }) });
    const { code, stderr } = await run(folder, ['run', 'own.yaml']);
    t.is(code, 1);
    t.regex(stderr, /nothing is left that could settle .*\(isp for a service that never answers\)/);
    t.notRegex(stderr, /such as that of the prepare/);
  },
);

test.serial('in virtual time an external promise that is slow, is not told as a loop', async (t) => {
  const slow = 'new Promise((resolve) => setTimeout(resolve, 4000))';
  const own = sink('let first = true;', `if (first) yield* ctx.external(${slow}, 'its weights'); first = false;`);
  const folder = driverFolder(t, { 'own.ts': own, 'own.yaml': scenario({ isp: { driver: './own.ts' } }) });
  const { code, stdout, stderr } = await ended(watchedRun(folder));
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: 'duration\n', stderr: '' });
});
