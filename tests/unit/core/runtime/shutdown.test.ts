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
      t.deepEqual((error as unknown as { details: { actors: string[] } }).details.actors, ['endless']);
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
  const spec = specOf([{ do: 'wait', word: 9, until: 1, timeoutNs: HOUR }], { supervision: RESTARTS });
  const report = await new ThreadsRuntime(spec, { pace: 'max' }).run();
  t.like(report.incidents[0], { actor: 'endless', kind: 'died', cause: 'overdue' });
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
    message: /endless for its weights/,
  } as object);
  t.deepEqual(lines, ['endless has waited for 0.01 s for a promise that has not come: its weights']);
});

test('in virtual time a promise that never comes, in an interrupted run, is not waited for any longer', async (t) => {
  const stop = new AbortController();
  const spec = { ...specOf([{ do: 'external never', what: 'its weights' }], {}), signal: stop.signal };
  const running = new VirtualRuntime(spec, { ties: 'fifo', outside: { endMs: 3_600_000, stopMs: 20 } }).run();
  stop.abort();
  await t.throwsAsync(running, { code: 'ETIMEDOUT', message: /for 0\.02 s promises have not come/ } as object);
});
