/** The line that `lab stress --driver` shows while a pipeline goes on: it counts what the report counts at the end. */
import { fileURLToPath } from 'node:url';
import { LiveLine, type PlanChoices, runTrials, type TrialResult, type TrialsOptions } from '@dmabuf-lab/lab';
import test from 'ava';

const SEED = Number(process.env.TEST_SEED ?? 1);

const choices = (more: Partial<PlanChoices> = {}): PlanChoices => ({
  runtime: 'virtual',
  drivers: 1,
  buffers: 1,
  durationNs: 1e9,
  killsPerSecond: 20,
  hangsPerSecond: 0,
  heapPressure: 0,
  seed: SEED,
  ...more,
});

const ownDrivers = (folder: string, name: string): TrialsOptions['ownDrivers'] => {
  const path = fileURLToPath(new URL(`${folder}/`, import.meta.url));
  return { folder: path, modules: [{ path: `${path}${name}.js`, given: name }] };
};
const QUIET = ownDrivers('../scenarios/drivers', 'quiet-reader');
const breaking = (name: string): TrialsOptions['ownDrivers'] => ownDrivers('./drivers', name);

interface Shown {
  readonly operations: number;
  readonly deaths: number;
  readonly violations: number;
}

/** A line on a terminal whose clock goes on at each update, so that each is shown, and what it has shown. */
function lineOf(trials: number): { readonly line: LiveLine; readonly shown: Shown[] } {
  const shown: Shown[] = [];
  let nowMs = 0;
  const write = (text: string): void => {
    const counts = /: (\d+) operations, -?\d+ a second, \d+ moves?, (\d+) deaths?, (\d+) violations?$/.exec(text);
    if (counts === null) return;
    const [operations, deaths, violations] = counts.slice(1).map(Number);
    shown.push({ operations, deaths, violations });
  };
  const line = new LiveLine({ isTTY: true, write }, trials, () => {
    nowMs += 1000;
    return nowMs;
  });
  return { line, shown };
}

/** Runs trials with a line. @param isEnough told of what was shown: whether to stop */
async function watched(
  given: PlanChoices,
  own: TrialsOptions['ownDrivers'],
  isEnough: (shown: readonly Shown[]) => boolean = () => false,
): Promise<{ readonly trial: TrialResult; readonly shown: readonly Shown[] }> {
  const { line, shown } = lineOf(1);
  const enough = new AbortController();
  const [trial] = await runTrials(given, {
    ...{ trials: 1, draw: false, ownDrivers: own, signal: enough.signal },
    onProgress: (...progress) => {
      line.update(...progress);
      if (isEnough(shown)) enough.abort();
    },
  });
  return { trial, shown };
}

const neverShrinks = (counts: readonly number[]): boolean =>
  counts.every((count, i) => i === 0 || count >= counts[i - 1]);

test.serial(
  'LiveLine, stress --driver on threads: operations and deaths grow while the pipeline goes on',
  async (t) => {
    // It lasts until the line has shown deaths, and more operations after the last of them, however long that takes.
    const given = choices({ runtime: 'threads', durationNs: 600e9, killsPerSecond: 5 });
    const { trial, shown } = await watched(given, QUIET, (all) => {
      const last = all.at(-1);
      const died = all.find(({ deaths }) => deaths >= 2);
      return died !== undefined && last !== undefined && last.operations > died.operations;
    });
    t.deepEqual(trial.violations, []);
    t.true(neverShrinks(shown.map(({ operations }) => operations)), JSON.stringify(shown));
    t.true(neverShrinks(shown.map(({ deaths }) => deaths)), JSON.stringify(shown));
    const { killed, hung, failed } = trial.deaths;
    t.true((shown.at(-1)?.deaths ?? 0) <= killed + hung + failed);
    t.true((shown.at(-1)?.operations ?? 0) <= trial.operations);
  },
);

test('LiveLine, stress --driver in virtual time: ends with what the report counts, and changes nothing of the run', async (t) => {
  const given = choices({ hangsPerSecond: 2, exporterKillsPerSecond: 2 });
  const { trial, shown } = await watched(given, QUIET);
  t.true(shown.some(({ operations, deaths }) => operations > 0 && operations < trial.operations && deaths > 0));
  t.true(neverShrinks(shown.map(({ operations }) => operations)), JSON.stringify(shown));
  const { killed, hung, failed } = trial.deaths;
  t.deepEqual(shown.at(-1), { operations: trial.operations, deaths: killed + hung + failed, violations: 0 });
  const [unwatched] = await runTrials(given, { trials: 1, draw: false, ownDrivers: QUIET });
  t.is(unwatched.fingerprint, trial.fingerprint);
});

test('LiveLine, stress --driver: the frames of lives that were killed count too, in the report as well', async (t) => {
  const { trial, shown } = await watched(choices(), QUIET);
  const ofLastLives = trial.devices?.reduce((sum, { framesIn, framesOut }) => sum + framesIn + framesOut, 0) ?? 0;
  t.true(ofLastLives > 0 && trial.operations > ofLastLives, `${trial.operations}, ${ofLastLives} in last lives`);
  t.is(shown.at(-1)?.operations, trial.operations);
  // Without a death there is one life alone.
  const { trial: quiet } = await watched(choices({ killsPerSecond: 0 }), QUIET);
  t.is(
    quiet.devices?.reduce((sum, { framesIn, framesOut }) => sum + framesIn + framesOut, 0),
    quiet.operations,
  );
});

for (const [what, own] of [
  ['random sharing', undefined],
  ['a pipeline', QUIET],
] as const) {
  test(`LiveLine, trials of ${what} side by side: what goes on in the pool is shown before any has ended`, async (t) => {
    const { line, shown } = lineOf(2);
    const enough = new AbortController();
    let doneBefore: number | undefined;
    // An hour of model time each, until the line has shown operations that came after deaths.
    const given = choices({ durationNs: 3600e9, killsPerSecond: 1, drivers: 2, buffers: 4 });
    const trials = await runTrials(given, {
      ...{ trials: 2, draw: false, ownDrivers: own, signal: enough.signal },
      onProgress: (done, ...progress) => {
        line.update(done, ...progress);
        const died = shown.find(({ deaths }) => deaths > 0);
        if (died === undefined || (shown.at(-1)?.operations ?? 0) <= died.operations) return;
        doneBefore ??= done.length;
        enough.abort();
      },
    });
    t.is(doneBefore, 0);
    t.true(neverShrinks(shown.map(({ operations }) => operations)), JSON.stringify(shown));
    t.is(
      shown.at(-1)?.operations,
      trials.reduce((sum, { operations }) => sum + operations, 0),
      'at last what they came to',
    );
  });
}

test('LiveLine, a trial that is executed twice: counts once', async (t) => {
  const { line, shown } = lineOf(2);
  const trials = await runTrials(choices({ seed: 20 }), {
    ...{ trials: 2, draw: false, ownDrivers: QUIET },
    onProgress: (...progress) => line.update(...progress),
  });
  t.true(trials[0].twice);
  t.true(neverShrinks(shown.map(({ operations }) => operations)), JSON.stringify(shown));
  t.is(shown.at(-1)?.operations, trials[0].operations + trials[1].operations);
});

for (const [what, name, text, more] of [
  ['the history checker', 'hands-on-early', /before the fence of the writer|a reader and a writer/, {}],
  ['the slot watch', 'overwrites-words', /^Control words overwritten: camera\.out/, {}],
  ['those who verify frames', 'never-seals', /frames were torn or stale at own1-out-gpu/, {}],
  // Long enough for the line to be shown between: nobody dies, and little happens.
  ['the message checks', 'sends-garbage', /^Broken control messages/, { killsPerSecond: 0, durationNs: 12e9 }],
] as const) {
  test(`LiveLine, stress --driver, what is found by ${what}: shown while it goes on`, async (t) => {
    const { trial, shown } = await watched(choices(more), breaking(name));
    t.true(
      trial.violations.some((one) => text.test(one.text)),
      JSON.stringify(trial.violations),
    );
    const counts = shown.map(({ violations }) => violations);
    t.true(shown.some(({ violations, operations }) => violations > 0 && operations < trial.operations));
    t.true(neverShrinks(counts), JSON.stringify(counts));
    t.is(counts.at(-1), trial.violationCount);
  });
}

test('stress --driver, torn frames of lives that were killed: told with the others', async (t) => {
  const { trial } = await watched(choices(), breaking('never-seals'));
  const { checksFailed = 0, deaths = 0 } = trial.devices?.find(({ device }) => device === 'own1-out-gpu') ?? {};
  const told = trial.violations.map(({ text }) => /^(\d+) frames were torn or stale at own1-out-gpu$/.exec(text)?.[1]);
  t.true(deaths > 0);
  t.true(Number(told.find((count) => count !== undefined)) > checksFailed, JSON.stringify(trial.violations));
});
