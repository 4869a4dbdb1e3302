/** `lab stress` with all checkers on: each finds the driver that breaks its rule, and says how it came to that. */
import { fileURLToPath } from 'node:url';
import {
  fixedPlan,
  type PlanChoices,
  runTrial,
  runTrials,
  type StressResult,
  stressResult,
  stressText,
  type TrialResult,
} from '@dmabuf-lab/lab';
import test from 'ava';

const SEED = Number(process.env.TEST_SEED ?? 1);

const choices = (more: Partial<PlanChoices> = {}): PlanChoices => ({
  runtime: 'virtual',
  drivers: 4,
  buffers: 8,
  durationNs: 1e9,
  operations: 1500,
  killsPerSecond: 0,
  hangsPerSecond: 0,
  heapPressure: 0,
  seed: SEED,
  ...more,
});

const told = (trial: TrialResult): StressResult =>
  stressResult({ choices: choices(), trials: 1, draw: false }, [trial], 1e9);

const withMutant = (name: string, more?: Partial<PlanChoices>): Promise<TrialResult> =>
  runTrial(fixedPlan(choices(more)), { driverModule: new URL(`./mutants/${name}.js`, import.meta.url).href });

test('stress: freed pages are looked at, and the report says how many', async (t) => {
  const trial = await runTrial(fixedPlan(choices({ heapPressure: 0.5 })));
  t.deepEqual(trial.violations, []);
  t.true(trial.freedBytesChecked > 100_000);
  t.regex(stressText(told(trial)), /Freed pages looked at before their next use: [1-9]/);
});

test('stress, sanitizer: a driver that writes to pages of a buffer that is gone is found, with what it did there', async (t) => {
  const { violations } = await withMutant('writes-after-free');
  const found = violations.find(({ text }) => /^Written to after it was freed: 4 bytes .*driver\d/.test(text));
  t.truthy(found, JSON.stringify(violations));
  t.is(typeof found?.buffer, 'number');
  const events = found?.history.map(({ actor, event }) => `${actor} ${event}`) ?? [];
  t.true(
    events.some((event) => /^driver\d (begins to|has|signalled)/.test(event)),
    events.join('\n'),
  );
  t.is(events.at(-1), 'exporter found the violation');
});

for (const [runtime, add] of [
  ['virtual', test],
  ['threads', test.serial],
] as const) {
  add(`stress, message checks, ${runtime}: a driver that sends garbage harms nobody, and is named`, async (t) => {
    const trial = await withMutant('sends-garbage', { runtime, drivers: 2 });
    const texts = trial.violations.map(({ text }) => text);
    t.regex(texts.join('\n'), /^Broken control messages: \d+ messages? of driver\d, .*map: buffer\.slot: expected/m);
    t.true(trial.ledger !== null && Object.values(trial.ledger).every((left) => left === 0));
  });
}

test('stress, slot watch: a driver that writes over control words is found', async (t) => {
  const { violations } = await withMutant('overwrites-words');
  const found = violations.find(({ text }) => text.startsWith('Control words overwritten: buffer'));
  t.regex(found?.text ?? JSON.stringify(violations), /guard word 15 holds 0x0bad0bad/);
  t.true((found?.history.length ?? 0) > 0);
});

/** A trial with a driver of this folder in a pipeline. */
async function withOwn(name: string, more?: Partial<PlanChoices>): Promise<TrialResult> {
  const folder = fileURLToPath(new URL('./drivers/', import.meta.url));
  const modules = [{ path: `${folder}${name}.js`, given: name }];
  const { operations: _, ...given } = choices({ durationNs: 500e6, ...more });
  const [trial] = await runTrials(given, { trials: 1, draw: false, ownDrivers: { folder, modules } });
  return trial;
}

test('stress --driver, history: a camera that hands frames on too early, with the shortest history that explains it', async (t) => {
  const trial = await withOwn('hands-on-early');
  const found = trial.violations.find(({ text }) => /before the fence of the writer|a reader and a writer/.test(text));
  t.truthy(found, JSON.stringify(trial.violations));
  const events = found?.history.map(({ actor, event }) => `${actor} ${event}`) ?? [];
  t.regex(events.join('\n'), /^own1 begins to write content \d+.*found the violation$/ms);
  const text = stressText(
    stressResult({ choices: choices(), trials: 1, draw: false, ownDrivers: ['a'] }, [trial], 1e9),
  );
  t.regex(text, /What happened to the buffer since its last good state/);
  t.regex(text, /dmabuf-lab stress --runtime virtual --driver a /);
});

test('stress --driver, sanitizer: a module that writes through a view of a buffer that is gone', async (t) => {
  const trial = await withOwn('writes-after-free', { killsPerSecond: 20 });
  const found = trial.violations.find(({ text }) => /^Written to after it was freed: 1 byte .*own1/.test(text));
  t.truthy(found, JSON.stringify(trial.violations));
});

test('stress --driver, message checks: a module that sends garbage', async (t) => {
  const { violations } = await withOwn('sends-garbage');
  t.regex(violations[0]?.text ?? '', /^Broken control messages: \d+ messages? of own1, .*map: buffer\.slot/);
});

test('stress --driver, slot watch: a module that writes over control words', async (t) => {
  const { violations } = await withOwn('overwrites-words');
  const found = violations.find(({ text }) => text.startsWith('Control words overwritten: camera.out'));
  t.truthy(found, JSON.stringify(violations));
  t.true((found?.history.length ?? 0) > 0);
});

test('stress --driver: what keeps the rules has no violation, and freed pages were looked at', async (t) => {
  const folder = fileURLToPath(new URL('../scenarios/drivers/', import.meta.url));
  const modules = [{ path: `${folder}quiet-reader.js`, given: 'quiet-reader' }];
  const { operations: _, ...given } = choices({ durationNs: 300e6, killsPerSecond: 20 });
  const [trial] = await runTrials(given, { trials: 1, draw: false, ownDrivers: { folder, modules } });
  t.deepEqual(trial.violations, []);
  t.true(trial.freedBytesChecked > 0);
});
