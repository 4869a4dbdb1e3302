/** Actors that do not end when the scenario is over, and promises that never come: no run lasts for ever. */
import { type RunSpec, type Supervision, ThreadsRuntime, VirtualRuntime } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import type { Step } from './programs/scripted.js';
import { logs, scriptedSpec, waitsByNumber } from './scripted-run.js';

const MS = 1_000_000;
const HOUR = 3_600_000 * MS;
const SHUTDOWN = { endNs: 50 * MS, graceNs: 100 * MS };
/** Restarts whoever dies, and lets nobody who is only slow die. */
const RESTARTS: Supervision = {
  restart: { strategy: 'one-for-all', restarts: 3, withinNs: HOUR, backoffNs: 0, maxBackoffNs: 0 },
  lateNs: HOUR,
  hungNs: HOUR,
};
/** Of an actor that never ends. */
const ENDLESS: Readonly<Record<string, readonly Step[]>> = {
  'sleeps for an hour': [{ do: 'sleep', untilNs: HOUR }],
  'sleeps on and on': Array.from({ length: 1000 }, (_, i): Step => ({ do: 'sleep', untilNs: i * 10 * MS })),
  'waits for a word that never comes': [{ do: 'wait', word: 9, until: 1, timeoutNs: HOUR }],
};
const GOOD: readonly Step[] = [
  { do: 'sleep', untilNs: 20 * MS },
  { do: 'log', text: 'done' },
];

const specOf = (steps: readonly Step[], more: Partial<RunSpec>): RunSpec => ({
  ...scriptedSpec({ good: GOOD, endless: steps }),
  waits: waitsByNumber,
  shutdown: SHUTDOWN,
  ...more,
});

const run = (runtime: string, spec: RunSpec) =>
  runtime === 'virtual'
    ? new VirtualRuntime(spec, { ties: 'fifo' }).run()
    : new ThreadsRuntime(spec, { pace: 'real' }).run();

for (const runtime of ['virtual', 'threads']) {
  for (const [what, steps] of Object.entries(ENDLESS)) {
    test(`an actor that ${what}, on ${runtime}: the run ends with ETIMEDOUT and its name`, async (t) => {
      const error = await t.throwsAsync(run(runtime, specOf(steps, {})), {
        code: 'ETIMEDOUT',
        message: /^The run does not end: endless had not ended 0\.1 s after the end of the scenario/,
      } as object);
      t.like(error, { details: { actors: ['endless'] } });
    });

    test(`an actor that ${what}, on ${runtime} under supervision: it is ended for good, and the run ends`, async (t) => {
      const report = await run(runtime, specOf(steps, { supervision: RESTARTS }));
      const told = report.incidents.map(({ kind, actor, cause }) => `${actor} ${kind} ${cause ?? ''}`.trim());
      t.deepEqual(told, ['endless died overdue', 'endless reclaimed'], 'nobody is restarted for it');
      const [{ atNs, why }] = report.incidents;
      if (runtime === 'virtual') t.is(atNs, SHUTDOWN.endNs + SHUTDOWN.graceNs);
      else t.true(atNs > SHUTDOWN.endNs + SHUTDOWN.graceNs);
      t.regex(why ?? '', /^it had not ended 0\.1 s after the end of the scenario/);
      t.regex(logs(report).good.join(), /^\d+ good done$/);
    });
  }
}

test('on threads without a pace, the deadline counts from when the scenario has last gone on', async (t) => {
  // Each step of the time reached comes after three quarters of the grace: together they last far longer than it.
  const steps = Array.from({ length: 4 }, (_, i): readonly Step[] => [
    { do: 'sleep really', ms: 75 },
    { do: 'reach', timeNs: (i + 1) * MS },
  ]).flat();
  const spec = specOf([{ do: 'wait', word: 9, until: 1, timeoutNs: HOUR }], { supervision: RESTARTS });
  const { actors, ...rest } = spec;
  const [good, endless] = actors;
  const report = await new ThreadsRuntime(
    { ...rest, actors: [{ ...good, data: steps }, endless] },
    { pace: 'max' },
  ).run();
  const [died] = report.incidents;
  t.like(died, { actor: 'endless', kind: 'died', cause: 'overdue' });
  t.true(died.atNs >= 300 * MS + SHUTDOWN.graceNs, `it died at ${died.atNs} ns`);
});

test('in virtual time the deadline changes nothing of a run that ends', async (t) => {
  const steps: readonly Step[] = [{ do: 'sleep', untilNs: SHUTDOWN.endNs + SHUTDOWN.graceNs }];
  const report = await run('virtual', specOf(steps, {}));
  const { shutdown: _, ...without } = specOf(steps, {});
  t.is(report.fingerprint, (await run('virtual', without)).fingerprint);
});

test('in virtual time an interrupted run in which somebody does not end, ends by the same deadline', async (t) => {
  const stop = new AbortController();
  const spec = specOf(ENDLESS['sleeps for an hour'], { shutdown: { endNs: 100 * HOUR, graceNs: 100 * MS } });
  stop.abort();
  await t.throwsAsync(run('virtual', { ...spec, signal: stop.signal }), { code: 'ETIMEDOUT' } as object);
});

test('in virtual time a promise that never comes, is told of and ends the run, with the actor and what it waits for', async (t) => {
  const lines: string[] = [];
  const onOutput = (actor: string, line: string): unknown => lines.push(`${actor} ${line}`);
  const spec = { ...specOf([{ do: 'external never', what: 'its weights' }], {}), onOutput };
  const outside = { tellMs: 10, endMs: 40 };
  await t.throwsAsync(new VirtualRuntime(spec, { ties: 'fifo', outside }).run(), {
    code: 'ETIMEDOUT',
    message: /promises have not come: endless for its weights/,
  } as object);
  t.deepEqual(lines, ['endless has waited for 0.01 s for a promise that has not come: its weights']);
});

test('in virtual time a promise that never comes, in an interrupted run, is not waited for any longer', async (t) => {
  const stop = new AbortController();
  const spec = { ...specOf([{ do: 'external never', what: 'its weights' }], {}), signal: stop.signal };
  const running = new VirtualRuntime(spec, { ties: 'fifo', outside: { endMs: 3_600_000, stopMs: 20 } }).run();
  stop.abort();
  await t.throwsAsync(running, { code: 'ETIMEDOUT', message: /promises have not come/ } as object);
});

test('in virtual time a driver that asks for one short promise after the other at one instant, ends the run all the same', async (t) => {
  const stop = new AbortController();
  const steps = Array.from({ length: 100_000 }, (): Step => ({ do: 'external', turns: 1, text: 'polled' }));
  const spec = { ...specOf(steps, {}), signal: stop.signal };
  const polling = new VirtualRuntime(spec, { ties: 'fifo', outside: { endMs: 50 } }).run();
  await t.throwsAsync(polling, { code: 'ETIMEDOUT', message: /model time has stood still/ } as object);
});

test('in virtual time events of one instant without an end, end the run, which names who is alive', async (t) => {
  const steps = Array.from({ length: 3_000_000 }, (): Step => ({ do: 'sleep', untilNs: 0 }));
  const running = new VirtualRuntime(specOf(steps, {}), { ties: 'fifo', outside: { endMs: 50 } }).run();
  await t.throwsAsync(running, {
    code: 'ETIMEDOUT',
    message: /of one instant are done without an end; alive: .*endless/,
  } as object);
});

test('in virtual time the time-out of a wait that is over, lets nobody be ended in place of a deadlock', async (t) => {
  const steps = (timeoutNs: number): Readonly<Record<string, readonly Step[]>> => ({
    setter: [
      { do: 'sleep', untilNs: 10 * MS },
      { do: 'set', word: 3, value: 1 },
    ],
    waiter: [
      { do: 'wait', word: 3, until: 1, timeoutNs },
      { do: 'wait', word: 8, until: 1 },
    ],
  });
  for (const timeoutNs of [20 * MS, HOUR]) {
    const spec = { ...scriptedSpec(steps(timeoutNs)), shutdown: SHUTDOWN, supervision: RESTARTS };
    await t.throwsAsync(run('virtual', spec), { code: 'EDEADLK' } as object, `${timeoutNs}`);
  }
});

test('a device that is to come back after a long back-off, or hangs and will be ended for it, is waited for', async (t) => {
  const backoffNs = 20 * SHUTDOWN.graceNs;
  const supervision: Supervision = {
    restart: { strategy: 'one-for-one', restarts: 3, withinNs: HOUR, backoffNs, maxBackoffNs: backoffNs },
    lateNs: HOUR,
    hungNs: 10 * SHUTDOWN.graceNs,
  };
  const steps: Readonly<Record<string, readonly Step[]>> = {
    // What it waits for, the next life of the other brings.
    good: [{ do: 'wait', word: 9, until: 1 }],
    endless: [
      { do: 'from life', life: 2 },
      { do: 'set', word: 9, value: 1 },
    ],
  };
  const spec: RunSpec = {
    ...scriptedSpec(steps),
    ...{ shutdown: SHUTDOWN, supervision },
    faults: [
      { kind: 'kill', actor: 'endless', atNs: 10 * MS },
      { kind: 'hang', actor: 'endless', atNs: 10 * MS + backoffNs + 10 * MS },
    ],
  };
  const { incidents } = await run('virtual', spec);
  const told = incidents.map(({ kind, actor, cause }) => `${actor} ${kind} ${cause ?? ''}`.trim());
  const life = ['endless reclaimed', 'endless restarted'];
  t.deepEqual(told, ['endless died killed', ...life, 'endless died hung', ...life]);
});
