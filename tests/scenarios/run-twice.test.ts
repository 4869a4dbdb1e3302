/** One scenario of the tests in twenty is executed twice: row 25 of docs/reliability.md. Told is the first event that differs. */
import { fileURLToPath } from 'node:url';
import { executeRun, type LoadedScenario, parseScenario, prepareRun } from '@dmabuf-lab/lab';
import test from 'ava';
import { isTwice, runText } from './run-file.js';

const DRIVER = fileURLToPath(new URL('./drivers/remembers-runs.js', import.meta.url));

const world = globalThis as { executions?: number };

const scenario = (name: string, parameters: string): string => `
name: ${name}
duration: 200ms
runtime: virtual
payload: timing
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { driver: camera, parameters: { width: 64, height: 64, rate: 100 } }
  sink: { driver: ${JSON.stringify(DRIVER)}, parameters: { ${parameters} } }
links:
  - { from: camera.out, to: sink.in }
`;

const scenarioOf = (text: string): LoadedScenario['scenario'] => parseScenario(text, 'test.yaml').scenario;

/** A text whose content has it executed twice, or not: only its name is looked for. */
function textOf(parameters: string, twice: boolean): string {
  for (let n = 0; ; n += 1) {
    const text = scenario(`run-${n}`, parameters);
    if (isTwice(scenarioOf(text)) === twice) return text;
  }
}

/** How often it is executed meanwhile. */
async function executionsOf(run: () => Promise<unknown>): Promise<number> {
  const before = world.executions ?? 0;
  await run();
  return (world.executions ?? 0) - before;
}

/** The events of an execution, as a divergence tells them. */
async function eventsOf(text: string): Promise<string[]> {
  const events: string[] = [];
  await executeRun(await prepareRun(parseScenario(text, 'test.yaml')), {
    collectTrace: false,
    onEvent: (timeNs, eventClass, { actor, name }) => {
      events.push(`event ${events.length} at ${timeNs} ns, class ${eventClass}: ${actor.name}/${name}`);
    },
  });
  return events;
}

test('isTwice, for many scenarios, picks a twentieth of them, and none on threads', (t) => {
  const one = scenarioOf(scenario('one', ''));
  const scenarios = Array.from({ length: 2000 }, (_, n) => ({ ...one, name: `run-${n}` }));
  const picked = scenarios.filter(isTwice);
  t.true(picked.length > 60 && picked.length < 140, `${picked.length} of ${scenarios.length}`);
  t.false(picked.some((one) => isTwice({ ...one, runtime: 'threads' })));
});

test.serial('a scenario that is picked is executed twice, another once', async (t) => {
  t.is(await executionsOf(() => runText(textOf('differs: nothing', true))), 2);
  t.is(await executionsOf(() => runText(textOf('differs: events', false))), 1);
});

test.serial('a scenario that is picked is executed once where the test watches or stops it', async (t) => {
  const text = textOf('differs: nothing', true);
  for (const watch of [
    { signal: new AbortController().signal },
    { onProgress: () => undefined },
    { onOutput: () => undefined },
  ]) {
    t.is(await executionsOf(() => runText(text, watch)), 1, Object.keys(watch).join());
  }
});

test.serial('executions with other events: told is the first that differs, in both', async (t) => {
  const text = textOf('differs: events', true);
  world.executions = 0;
  const [one, two] = [await eventsOf(text), await eventsOf(text)];
  const place = one.findIndex((event, i) => event !== two[i]);
  t.true(place > 0 && Number(/at (\d+) ns/.exec(one[place])?.[1]) >= 60_000_000, one[place]);
  const { message } = (await t.throwsAsync(runText(text))) ?? {};
  const told = `the first event that differs: ${one[place]} in one, ${two[place]} in the other`;
  t.is(message?.replace(/run-\d+/, 'it'), `two executions of it are not the same: ${told}`);
});

test.serial('executions with the same events and another result: told is the first value that differs', async (t) => {
  const error = await t.throwsAsync(runText(textOf('differs: counter', true)));
  t.regex(
    error?.message ?? '',
    /not the same: the same events, but the run\.outcome\.result\.devices\.sink\.counters\.frames is \d+ in one, \d+ in the other$/,
  );
});

test.serial('executions that fail: with the same error it is told as ever, with another both are', async (t) => {
  const alike = textOf('differs: nothing, fails: true', true);
  t.is(await executionsOf(() => t.throwsAsync(runText(alike), { message: /failed$/ })), 2);
  const error = await t.throwsAsync(runText(textOf('differs: error, fails: true', true)));
  t.regex(error?.message ?? '', /not the same: the same events, but the run\.error is .*failed.* in one, .*failed/);
  t.true(error?.message.includes('failed in another way'), error?.message);
});
