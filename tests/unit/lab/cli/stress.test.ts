import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stressResultSchema } from '@dmabuf-lab/lab';
import test from 'ava';
import { ended, run, scratch, start } from './command-line.js';

const SMALL = ['stress', '--operations', '400', '--kill-rate', '200/s', '--heap-pressure', '0.5'];

test('stress: reports operations, faults, moves and the ledger, and ends with 0', async (t) => {
  const { code, stdout, stderr } = await run(await scratch(t), SMALL);
  t.is(code, 0, stderr);
  t.regex(stdout, /^4\d\d operations on the virtual clock, 1 trial \(seed 1\)/);
  t.regex(stdout, /operation +ended well +median/);
  t.regex(stdout, /Faults: \d+ killed, 0 hung/);
  t.regex(stdout, /Ledger: nothing is left/);
  t.regex(stdout, /Ages: fences for 500 ms and mappings for 500 ms at most; nothing lasted longer\./);
  t.regex(stdout, /\nNo violation\.\n$/);
});

test('stress --json: prints the result and nothing else, with the same fingerprint each time', async (t) => {
  const dir = await scratch(t);
  const [a, b] = await Promise.all([1, 2].map(() => run(dir, [...SMALL, '--json', '--seed', '5'])));
  t.is(a.stderr.replaceAll(/^.* operations.*\n/gm, ''), '', 'but how far it has come, where it takes long');
  const [first, second] = [a, b].map(({ stdout }) => stressResultSchema.parse(JSON.parse(stdout)));
  t.is(first.fingerprint, second.fingerprint);
  t.deepEqual(first.operations.byKind, second.operations.byKind);
  t.is(first.endedBy, 'plan');
});

test('stress --mapping-age, --fence-age: narrow limits are told and leave the exit code; off and 0 watch nothing', async (t) => {
  const dir = await scratch(t);
  const narrow = await run(dir, [...SMALL, '--mapping-age', '100us', '--fence-age', 'off']);
  t.is(narrow.code, 0, narrow.stderr);
  t.regex(narrow.stdout, /Ages: mappings for 100 µs at most; longer lasted \d+:\n {2}0\.\d+ s: driver\d has slot/);
  const off = await run(dir, [...SMALL, '--mapping-age', '0', '--fence-age', 'off', '--json']);
  const { ages } = stressResultSchema.parse(JSON.parse(off.stdout));
  t.deepEqual([ages.fenceNs, ages.mappingNs, ages.heldMappingNs, ages.overdueCount], [null, null, null, 0]);
});

test('stress --trials: runs them side by side, one in twenty of them twice', async (t) => {
  const { code, stdout } = await run(await scratch(t), [...SMALL, '--trials', '3', '--seed', '19', '--draw', '--json']);
  t.is(code, 0);
  const { trials, violationCount } = stressResultSchema.parse(JSON.parse(stdout));
  t.deepEqual(trials, { asked: 3, done: 3, drawn: true, twice: 1, firstSeed: 19 });
  t.is(violationCount, 0);
});

test('stress --seed 20: one trial alone whose seed is among those is executed twice too, and another once', async (t) => {
  const dir = await scratch(t);
  const { code, stdout } = await run(dir, [...SMALL, '--seed', '20']);
  t.is(code, 0);
  t.regex(stdout, /1 trial executed twice, with the same order of events each time\./);
  const other = await run(dir, [...SMALL, '--seed', '21', '--json']);
  t.is(stressResultSchema.parse(JSON.parse(other.stdout)).trials.twice, 0);
});

const WRONG: readonly (readonly [args: string[], said: RegExp])[] = [
  [['--drivers', '0'], /Cannot use --drivers 0: expected a whole number from 1 to 64/],
  [['--drivers', '65'], /--drivers 65/],
  [['--buffers', '513'], /--buffers 513: expected a whole number from 1 to 512/],
  [['--kill-rate', '2'], /Cannot use --kill-rate 2: expected events a second/],
  [['--hang-rate', '-1/s'], /--hang-rate -1\/s/],
  [['--heap-pressure', '1.5'], /expected a share from 0 to 1/],
  [['--duration', '5'], /expected a time greater than zero with its unit/],
  [['--seed', 'x'], /--seed x/],
  [
    ['--fence-age', '2'],
    /Cannot use --fence-age 2: expected a time with its unit and up to 24h, such as 2s or 500ms, or off/,
  ],
  [['--mapping-age', '-1s'], /Cannot use --mapping-age -1s: expected a time with its unit/],
  [['--held-mapping-age', '25h'], /--held-mapping-age 25h/],
  [['--trials', '0'], /--trials 0/],
  [['--operations', '1.5'], /--operations 1.5/],
  [['--kill-rate', '9999/s', '--duration', '1h'], /Cannot cause 35996400 faults in one run/],
  [['--runtime', 'x'], /Allowed choices are threads, virtual/],
];
for (const [args, said] of WRONG) {
  test(`stress ${args.join(' ')}: is refused with 2 before anything runs`, async (t) => {
    const { code, stdout, stderr } = await run(await scratch(t), ['stress', ...args]);
    t.is(code, 2);
    t.is(stdout, '');
    t.regex(stderr, said);
  });
}

for (const runtime of ['virtual', 'threads']) {
  test(`stress: after Ctrl-C on ${runtime} everybody lets go, the report is made, and it ends with 130`, async (t) => {
    const options = ['--duration', '2h', '--kill-rate', '1/s', '--runtime', runtime, '--drivers', '2'];
    const child = start(await scratch(t), ['stress', ...options]);
    const end = ended(child);
    await new Promise<void>((resolve) => {
      let said = '';
      child.stderr?.on('data', (text: string) => {
        said += text;
        if (/ [1-9]\d* operations/.test(said)) resolve();
      });
    });
    child.kill('SIGINT');
    const { code, stdout, stderr } = await end;
    t.is(code, 130, stderr);
    t.regex(stderr, /Stopping: faults stop/);
    t.regex(stdout, /Interrupted/);
    t.regex(stdout, /Ledger: nothing is left/);
  });
}

/** A driver that takes frames from a camera, and fails at the third one if it is told to. */
const takesFrames = (fails: boolean): string => `
import { z } from 'zod';
export default {
  name: 'takes-frames',
  parameters: z.strictObject({}),
  ports: { in: { direction: 'in' } },
  plan: () => ({ outputs: {}, problems: [] }),
  *run(ctx) {
    const lane = ctx.lane();
    for (let count = 1; ; count += 1) {
      const frame = yield* ctx.ports.in.take();
      if (frame === undefined) return;
      const job = yield* ctx.tryBegin(lane, [{ frame, write: false }]);
      if (job !== undefined) {
        ctx.verify(job, frame);
        job.end();
      }
      ctx.ports.in.release(frame);
      if (${fails} && count === 3) throw new Error('the third frame');
    }
  },
};
`;

test('stress --driver: a module takes frames under kills, and all comes back', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'mine.mjs'), takesFrames(false));
  const options = ['--driver', 'mine.mjs', '--duration', '500ms', '--kill-rate', '20/s', '--hang-rate', '2/s'];
  const { code, stdout, stderr } = await run(dir, ['stress', ...options]);
  t.is(code, 0, stderr + stdout);
  t.regex(stdout, /own1 +mine\.mjs +\d+ +0 +\d+ +0 +\d+/);
  t.regex(stdout, /Faults: [1-9]\d* killed/);
  const json = await run(dir, ['stress', ...options, '--json']);
  t.is(stressResultSchema.parse(JSON.parse(json.stdout)).devices?.length, 2);
  const usual = await run(dir, ['stress', '--driver', 'mine.mjs']);
  t.regex(usual.stdout, /Faults: [1-9]\d* killed/, 'killed without being asked for');
});

test('stress --driver: a module that throws is a violation, with the command that repeats it', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'fails.mjs'), takesFrames(true));
  const { code, stdout } = await run(dir, ['stress', '--driver', 'fails.mjs', '--duration', '100ms']);
  t.is(code, 1);
  t.regex(stdout, /fails\.mjs failed: the third frame/);
  t.regex(stdout, /dmabuf-lab stress --runtime virtual --driver fails\.mjs --duration 100ms/);
});

test('stress --driver: what is no driver, or does not go with it, is refused with 2', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'none.mjs'), 'export default 1;');
  const none = await run(dir, ['stress', '--driver', 'none.mjs']);
  t.is(none.code, 2);
  t.regex(
    none.stderr,
    /Cannot use the driver none\.mjs: none\.mjs:1:1: its default export is 1, expected what defineDriver returns/,
  );
  const missing = await run(dir, ['stress', '--driver', 'missing.mjs']);
  t.is(missing.code, 2);
  t.regex(missing.stderr, /Cannot use the driver missing\.mjs: there is no file .*missing\.mjs/);
  const needs = takesFrames(false).replace('problems: []', "problems: ['it wants RGBA']");
  await writeFile(join(dir, 'needs.mjs'), needs);
  const unfit = await run(dir, ['stress', '--driver', 'needs.mjs']);
  t.is(unfit.code, 2);
  t.regex(unfit.stderr, /Cannot use the driver needs\.mjs behind a camera of NV12: it wants RGBA/);
  const open = takesFrames(false).replace('strictObject({})', 'strictObject({ gain: z.number() })');
  await writeFile(join(dir, 'open.mjs'), open);
  const unset = await run(dir, ['stress', '--driver', 'open.mjs']);
  t.is(unset.code, 2);
  t.regex(
    unset.stderr,
    /open\.mjs: parameters\.gain: missing, expected a number; give it with --parameters, or .*a default/,
  );
  const mixed = await run(dir, ['stress', '--driver', 'none.mjs', '--buffers', '4']);
  t.is(mixed.code, 2);
  t.regex(mixed.stderr, /Cannot use --buffers with --driver/);
});

/** A driver whose one parameter has no default; it fails at the frame of that number. */
const failsAt = takesFrames(true)
  .replace('strictObject({})', 'strictObject({ at: z.int().min(1) })')
  .replace('count === 3', 'count === ctx.parameters.at')
  .replace("'the third frame'", "'frame ' + count");

test('stress --parameters: each module gets its own, from a file or as JSON, and the command that repeats it says so', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'fails.mjs'), failsAt);
  await writeFile(join(dir, 'late.yaml'), 'at: 1000\n');
  const drivers = ['--driver', 'fails.mjs', '--driver', 'fails.mjs', '--duration', '100ms'];
  const { code, stdout, stderr } = await run(dir, [
    'stress',
    ...drivers,
    ...['--parameters', 'late.yaml', '--parameters', '{ "at": 2 }'],
  ]);
  t.is(code, 1, stderr);
  t.regex(stdout, /fails\.mjs failed: frame 2/);
  t.notRegex(stdout, /frame 1000/);
  t.regex(
    stdout,
    /--driver fails\.mjs --driver fails\.mjs --parameters late\.yaml --parameters '\{ "at": 2 \}' --duration/,
  );
});

test('stress --parameters: what a driver does not take, is refused with its place and what was expected', async (t) => {
  const dir = await scratch(t);
  await writeFile(join(dir, 'fails.mjs'), failsAt);
  await writeFile(join(dir, 'two.yaml'), 'at: 0\nta: 1\n');
  const wrong = await run(dir, ['stress', '--driver', 'fails.mjs', '--parameters', 'two.yaml']);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /^two\.yaml:1:1: at: expected at least 1, got 0\ntwo\.yaml:2:1: ta: unknown key "ta"/m);
  const twice = await run(dir, ['stress', '--driver', 'fails.mjs', '--parameters', '{"at":1}', '{"at":1}']);
  t.is(twice.code, 2);
  t.regex(twice.stderr, /^Cannot use --parameters 2 times for 1 --driver: expected at most one for each module/m);
});
