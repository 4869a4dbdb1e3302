/** Runs that differ: row 25 of docs/reliability.md. The first event that differs is told, and no other. */
import { fileURLToPath } from 'node:url';
import { fixedPlan, type PlanChoices, runTrial, runTrials } from '@dmabuf-lab/lab';
import test from 'ava';
import { begun } from './mutants/remembers-runs.js';

/** One of the seeds that are executed twice. */
const TWICE = 20;

const CHOICES: PlanChoices = {
  runtime: 'virtual',
  drivers: 3,
  buffers: 6,
  durationNs: 1e9,
  operations: 400,
  killsPerSecond: 0,
  hangsPerSecond: 0,
  heapPressure: 0,
  seed: TWICE,
};
const DRIVER = new URL('./mutants/remembers-runs.js', import.meta.url).href;

/** The events of an execution, as a report tells them. */
async function eventsOf(driverModule: string): Promise<string[]> {
  const events: string[] = [];
  await runTrial(fixedPlan(CHOICES), {
    driverModule,
    onEvent: (timeNs, eventClass, { actor, name }) => {
      events.push(`event ${events.length} at ${timeNs} ns, class ${eventClass}: ${actor.name}/${name}`);
    },
  });
  return events;
}

/** Side by side in workers, and one alone in this thread, where the module is the one that the events come from. */
for (const trials of [2, 1]) {
  test.serial(
    `a driver whose module remembers the first execution, trials ${trials}: told is the first event that differs, in both`,
    async (t) => {
      const [one, two] = [await eventsOf(DRIVER), await eventsOf(DRIVER)];
      const place = one.findIndex((event, i) => event !== two[i]);
      t.true(place > 0 && Number(/at (\d+) ns/.exec(one[place])?.[1]) >= 3_000_000, one[place]);
      const [trial] = await runTrials(CHOICES, { trials, draw: false, driverModule: DRIVER });
      t.not(trial.twice, true);
      t.deepEqual(
        trial.violations.map(({ text }) => text),
        [
          `two executions of seed ${TWICE} are not the same: the first event that differs: ${one[place]} in one, ${two[place]} in the other`,
        ],
      );
    },
  );
}

test.serial(
  'a trial alone that is told to stop while it is executed again, has the result of the first and says so',
  async (t) => {
    const stop = new AbortController();
    let count = 0;
    const onExecution = (): void => {
      count += 1;
      if (count === 2) stop.abort();
    };
    begun.on('execution', onExecution);
    t.teardown(() => begun.off('execution', onExecution));
    const [trial] = await runTrials(CHOICES, { trials: 1, draw: false, driverModule: DRIVER, signal: stop.signal });
    t.is(count, 2, 'nothing is written down where it was stopped');
    t.true(trial.interrupted);
    t.deepEqual(trial.violations, []);
    t.true(trial.operations >= 400, 'those of the first execution');
    t.not(trial.twice, true);
  },
);

test('--driver, a module that remembers the first execution: told is the first event that differs', async (t) => {
  const folder = fileURLToPath(new URL('../scenarios/drivers/', import.meta.url));
  const modules = [{ path: `${folder}remembers-runs.js`, given: 'remembers-runs' }];
  const { operations: _, ...given } = { ...CHOICES, durationNs: 100e6 };
  const [trial] = await runTrials(given, { trials: 2, draw: false, ownDrivers: { folder, modules } });
  const [{ text }] = trial.violations;
  const event = String.raw`event (\d+) at (\d+) ns, class \d: \w+/[^,]+`;
  const told = new RegExp(`the first event that differs: ${event} in one, ${event} in the other$`).exec(text);
  t.truthy(told, text);
  const [, number, timeNs, sameNumber] = told ?? [];
  t.is(number, sameNumber);
  t.true(Number(timeNs) >= 60_000_000, text);
});
