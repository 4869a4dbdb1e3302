import type { Task } from '@dmabuf-lab/core/base';
import { type AnyDriver, type DriverContext, type FrameFormat, frameFormat } from '@dmabuf-lab/core/driver';
import { conformDriver, RULE_NAMES, type RuleName } from '@dmabuf-lab/core/testing';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import test from 'ava';

/** The rules that each bad driver breaks: the one that it is for, and what cannot be broken without. */
const BAD: Readonly<Record<string, readonly RuleName[]>> = {
  parameters: ['parameters'],
  plan: ['plan'],
  'plan-throws': ['plan'],
  run: ['run'],
  'ports-only': ['ports-only'],
  turn: ['turn'],
  'yield-star-serve': ['yield-star'],
  'yield-star-push': ['yield-star'],
  'yield-star-yield': ['yield-star'],
  'yield-star-using': ['yield-star'],
  frames: ['frames'],
  'frames-twice': ['frames'],
  jobs: ['jobs', 'fences'], // who gives back the frame of a job that never ends, gives it back too early
  'never-ended': ['jobs'],
  memory: ['memory'],
  'memory-writes': ['memory'],
  'memory-helper': ['memory'],
  'memory-method': ['memory'],
  'memory-unguarded': ['memory'],
  'read-only': ['read-only'],
  seal: ['seal'],
  'seal-never': ['seal'],
  fences: ['fences'],
  'pending-read': ['pending-read'],
  'no-wait': ['no-wait'],
  errors: ['errors'],
  'end-of-stream': ['end-of-stream'],
  'end-too-early': ['end-of-stream'],
  stop: ['stop'],
  enomem: ['enomem'],
  'enomem-masked': ['enomem'],
  'slow-consumer': ['slow-consumer'],
  'late-attach': ['late-attach'],
  'first-tick': ['first-tick'],
  'first-capture': ['first-tick'],
  moves: ['moves'],
  formats: ['formats'],
  'optional-ports': ['optional-ports'],
  restart: ['restart'],
  determinism: ['determinism'],
  instances: ['instances'],
  ledger: ['ledger'],
};

const NV12 = frameFormat('NV12', 64, 48, { num: 100, den: 1 });

async function badDriver(name: string): Promise<AnyDriver> {
  const module = (await import(`./bad-drivers/${name}.js`)) as { readonly default: AnyDriver };
  return module.default;
}

for (const [name, broken] of Object.entries(BAD)) {
  test(`conformDriver › of the bad driver ${name}, finds what is wrong and nothing else`, async (t) => {
    const { ok, rules, text } = await conformDriver(await badDriver(name), { runsFor: broken });
    const failed = rules.filter(({ verdict }) => verdict === 'fail').map(({ rule }) => rule);
    t.deepEqual(failed, broken, text);
    t.false(ok);
  });
}

test('conformDriver › of state that is sized by the first format, finds the stay after a change', async (t) => {
  let copies = 0;
  const fresh = async (): Promise<AnyDriver> => {
    copies += 1;
    const url = new URL(`./bad-drivers/format-change.js?copy=${copies}`, import.meta.url);
    return ((await import(url.href)) as { readonly default: AnyDriver }).default;
  };
  const { rules, text } = await conformDriver(fresh, { runsFor: ['formats'] });
  const failed = rules.filter(({ verdict }) => verdict === 'fail');
  t.deepEqual(
    failed.map(({ rule }) => rule),
    ['formats'],
    text,
  );
  t.is(failed[0].findings[0].run, 'its stream ends, then NV12 96x64');
});

test('conformDriver › of a driver that takes one size alone, says that no change was tried', async (t) => {
  const { driver } = builtInDrivers.gpu;
  const plan: AnyDriver['plan'] = (parameters, inputs) => {
    const [{ strideBytes, heightPixels }] = Object.values(inputs as Record<string, FrameFormat>);
    const answer = driver.plan(parameters as never, inputs as never);
    if (strideBytes === 64 && heightPixels === 48) return answer;
    return { ...answer, problems: ['it takes 48 rows of 64 bytes alone'] };
  };
  const { ok, notes, text } = await conformDriver({ ...driver, plan } as AnyDriver, { runsFor: ['formats'] });
  t.true(ok, text);
  t.regex(notes.join(), /no change of format between two stays was tried/);
});

test('conformDriver › of a driver that keeps its frame when acquire finds no memory, says so', async (t) => {
  const { rules, text } = await conformDriver(await badDriver('enomem-acquire'), { runsFor: ['enomem'] });
  const failed = rules.filter(({ verdict }) => verdict === 'fail');
  t.deepEqual(
    failed.map(({ rule, findings }) => [rule, findings.map(({ run }) => run)]),
    [['frames', ['no memory at acquire 2']]],
    text,
  );
  t.regex(failed[0].findings[0].what, /frame 1 \(in\.take at .*enomem-acquire\.[jt]s:\d+\) is never given back/);
});

for (const [name, said] of [
  ['yield-star-serve', /^ctx\.serve at \S+yield-star-serve\.ts:\d+ was called without yield\*$/],
  ['yield-star-push', /^out\.push at \S+yield-star-push\.ts:\d+ was called without yield\*$/],
  ['yield-star-yield', /^in\.take at \S+yield-star-yield\.ts:\d+ was called with yield where yield\* was meant$/],
  ['yield-star-using', /^in\.take at \S+yield-star-using\.ts:\d+ was called without yield\*$/],
] as const) {
  test(`conformDriver › of ${name}, names the call and asks the rules no more that it keeps from an answer`, async (t) => {
    const { rules, text } = await conformDriver(await badDriver(name), { runsFor: ['yield-star'] });
    const of = (rule: RuleName) => rules.find((one) => one.rule === rule);
    const findings = of('yield-star')?.findings ?? [];
    t.is(findings.length, 1, text);
    t.regex(findings[0].what, said);
    t.true(findings[0].what.includes(findings[0].where ?? 'nowhere'));
    t.deepEqual([of('run')?.verdict, of('end-of-stream')?.verdict, of('frames')?.verdict], Array(3).fill('skipped'));
    t.regex(text, /remedy: write yield\* before it/);
  });
}

test('conformDriver › of a generator of the driver that is yielded without the star, says so', async (t) => {
  const driver = await badDriver('good');
  function* run(context: never, state: never): Task<void> {
    yield driver.run(context, state) as never;
  }
  const { rules, text } = await conformDriver({ ...driver, run }, { runsFor: ['yield-star'] });
  const failed = rules.filter(({ verdict }) => verdict === 'fail');
  t.deepEqual(
    failed.map(({ rule, findings }) => [rule, findings.map(({ what }) => what)]),
    [['yield-star', ['the driver has yielded a generator of its own: yield where yield* was meant']]],
    text,
  );
});

test('conformDriver › of calls that are made first and waited in later, finds nothing', async (t) => {
  const driver = await badDriver('good');
  function* run(context: DriverContext, state: never): Task<void> {
    const later = context.sleepUntil(context.now() + 3);
    yield* context.parallel([context.sleepUntil(context.now() + 1), context.sleepUntil(context.now() + 2)]);
    yield* later;
    yield* driver.run(context as never, state);
  }
  const { ok, text } = await conformDriver({ ...driver, run: run as never }, { runsFor: ['yield-star', 'stop'] });
  t.true(ok, text);
});

test('conformDriver › of a job that is left to `using` when its work is done, says what that means', async (t) => {
  const { rules, text } = await conformDriver(await badDriver('never-ended'), { runsFor: ['jobs'] });
  const findings = rules.flatMap((one) => one.findings);
  t.is(findings.length, 1, text);
  t.regex(
    findings[0].what,
    /^the job begun at \S+never-ended\.ts:19 was never ended: its content counts as cancelled$/,
  );
  t.is(findings[0].remedy, 'call job.end()');
  t.regex(text, /remedy: call job\.end\(\)\n/);
});

test('conformDriver › of several things that are used in one line, names each', async (t) => {
  const driver = await badDriver('good');
  function* run(context: never, state: never): Task<void> {
    if (Date.now() + Math.random() > 0) yield* driver.run(context, state);
  }
  const { rules } = await conformDriver({ ...driver, run }, { runsFor: ['ports-only'] });
  const uses = rules.flatMap(({ findings }) => findings.map(({ what }) => what));
  t.deepEqual(uses, ['the driver uses Date.now', 'the driver uses Math.random']);
});

test('conformDriver › every rule is broken by a bad driver', (t) => {
  const broken = new Set(Object.values(BAD).flat());
  t.deepEqual(
    RULE_NAMES.filter((rule) => !broken.has(rule)),
    [],
  );
});

test('conformDriver › of a good driver, finds nothing', async (t) => {
  const { ok, rules, text } = await conformDriver(await badDriver('good'));
  t.true(ok, text);
  t.true(rules.every(({ verdict }) => verdict === 'pass'));
});

test('conformDriver › of an exporter that lets two devices in and no third, finds nothing', async (t) => {
  const { ok, text } = await conformDriver(await badDriver('good-exporter'), { runsFor: ['moves', 'restart'] });
  t.true(ok, text);
});

for (const [driver, parameters] of [
  ['camera', { width: 64, height: 48, rate: 100 }],
  ['gpu', {}],
  ['gpu', { mode: 'in-place', servers: 2 }],
  ['display', {}],
  ['encoder', {}],
] as const) {
  test(`conformDriver › of the built-in ${driver} with ${JSON.stringify(parameters)}, finds nothing`, async (t) => {
    const { ok, text } = await conformDriver(builtInDrivers[driver].driver, { parameters });
    t.true(ok, text);
  });
}

test('conformDriver › of a breach, names the place in the driver, the run and the remedy', async (t) => {
  const { rules, text } = await conformDriver(await badDriver('frames'), { runsFor: ['frames'] });
  const finding = rules.find(({ rule }) => rule === 'frames')?.findings[0];
  t.regex(finding?.where ?? '', /bad-drivers\/frames\.[jt]s:\d+$/);
  t.is(finding?.run, 'plain stream');
  t.regex(
    text,
    /FAIL {2}frames: frame 2 \(in\.take at .*\) is never given back\n {6}at .*\n {6}in the run "plain stream"/,
  );
  t.regex(text, /remedy: give each frame back on every path/);
});

test('conformDriver › of a breach inside a helper of the laboratory, names the line of the driver', async (t) => {
  const { rules } = await conformDriver(await badDriver('memory-helper'), { runsFor: ['memory'] });
  const places = rules.flatMap(({ findings }) => findings.map(({ where }) => where ?? ''));
  t.true(places.length > 0);
  for (const where of places) t.regex(where, /bad-drivers\/memory-helper\.[jt]s:\d+$/);
});

test.serial('conformDriver › of a program with stacks of its own form, names the place all the same', async (t) => {
  const before = Error.prepareStackTrace;
  t.teardown(() => {
    Error.prepareStackTrace = before;
  });
  Error.prepareStackTrace = (_, sites) => sites;
  const { rules } = await conformDriver(await badDriver('frames'), { runsFor: ['frames'] });
  const [finding] = rules.flatMap(({ findings }) => findings);
  t.regex(finding.where ?? '', /bad-drivers\/frames\.[jt]s:\d+$/);
});

test('conformDriver › of a move that waits in vain, names the job that was open', async (t) => {
  const { rules } = await conformDriver(await badDriver('moves'), { runsFor: ['moves'] });
  const [finding] = rules.flatMap(({ findings }) => findings);
  t.regex(finding.where ?? '', /bad-drivers\/moves\.[jt]s:\d+$/);
  t.regex(
    finding.what,
    /a move of source-tested-in\.out\[0\] has waited .* it is mapped by tested; a job of it was open for 5\d\d ms/,
  );
});

test('conformDriver › asked twice, gives the same result, which is plain data', async (t) => {
  const driver = await badDriver('enomem');
  const check = () => conformDriver(driver, { runsFor: ['enomem'] });
  const [first, second] = [await check(), await check()];
  t.deepEqual(first, second);
  t.deepEqual(JSON.parse(JSON.stringify(first)), first);
});

test('conformDriver › with one rule, tells of no other', async (t) => {
  const { rules, ok, runs } = await conformDriver(await badDriver('enomem'), { rules: ['errors'] });
  t.true(runs < 5);
  t.deepEqual(
    rules.map(({ rule }) => rule),
    ['errors'],
  );
  t.true(ok);
});

test('conformDriver › of a rule that is skipped, says why', async (t) => {
  const { rules, text } = await conformDriver(await badDriver('run'), { rules: ['moves'] });
  t.deepEqual(
    rules.map(({ rule, verdict }) => [rule, verdict]),
    [['moves', 'skipped']],
  );
  t.regex(
    text,
    /^skip {2}moves\n {6}skipped, since the run "plain stream" does not pass: run: the driver has thrown: .* at .*bad-drivers\/run\.[jt]s:\d+$/m,
  );
});

test('conformDriver › of a plan that throws at its first question, names what and where', async (t) => {
  const driver = await badDriver('good');
  const plan = (): never => {
    throw new Error('no such pipeline');
  };
  await t.throwsAsync(conformDriver({ ...driver, plan }), {
    name: 'ConformInputError',
    message: /^Cannot check driver good: its plan throws: no such pipeline at .*conform-driver\.test\.[jt]s:\d+$/,
  });
});

test('conformDriver › of pages that cannot be guarded, says so', async (t) => {
  const { notes } = await conformDriver(await badDriver('memory-unguarded'), { runsFor: ['memory'] });
  t.regex(notes.join(), /guards each byte of the pages has ended early: .*memory-unguarded/);
});

test('conformDriver › leaves the globals as they were', async (t) => {
  const before = [Date, Math.random, setTimeout, performance.now, process.hrtime, Atomics.load];
  await conformDriver(await badDriver('ports-only'), { runsFor: ['ports-only'] });
  t.deepEqual([Date, Math.random, setTimeout, performance.now, process.hrtime, Atomics.load], before);
});

test('conformDriver › of parameters that are missing, unknown rules and things that are no driver, says so', async (t) => {
  const driver = await badDriver('good');
  const refused = (run: Promise<unknown>, message: RegExp) =>
    t.throwsAsync(run, { name: 'ConformInputError', message });
  await refused(conformDriver(driver, { parameters: { service: 'long' } }), /good: parameters service: /);
  await refused(conformDriver(driver, { rules: ['no-such' as RuleName] }), /no-such.*there are parameters, plan/);
  await refused(
    conformDriver({} as AnyDriver),
    /not what defineDriver returns: its name: expected a text, got nothing/,
  );
  const run: AnyDriver['run'] = (context, state) => driver.run(context, state);
  await refused(conformDriver({ ...driver, run }), /its run: expected a generator function \(\*run\), got a function/);
  await refused(conformDriver({ ...driver, ports: {} }), /its ports: expected at least one input\(\) or output\(\)/);
  await refused(conformDriver(builtInDrivers.display.driver, { inputs: { in: NV12 } }), /display: it takes AB24/);
});
