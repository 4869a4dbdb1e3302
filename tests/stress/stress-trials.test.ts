import { drawnPlan, fixedPlan, type PlanChoices, runTrial, runTrials, stressResult, stressText } from '@dmabuf-lab/lab';
import test from 'ava';

const SEED = Number(process.env.TEST_SEED ?? 1);

const choices = (more: Partial<PlanChoices> = {}): PlanChoices => ({
  runtime: 'virtual',
  drivers: 6,
  buffers: 12,
  durationNs: 1e9,
  operations: 800,
  killsPerSecond: 400,
  hangsPerSecond: 40,
  heapPressure: 0.8,
  seed: SEED,
  ...more,
});

const mutant = (name: string): string => new URL(`./mutants/${name}.js`, import.meta.url).href;

test('stress: trials drawn from their seeds end without a violation and with an empty ledger', async (t) => {
  const done = await runTrials(choices({ operations: 1000 }), { trials: 4, draw: true });
  const result = stressResult({ choices: choices(), trials: 4, draw: true }, done, 1e9);
  t.is(result.violationCount, 0, JSON.stringify(result.violations, null, 1));
  t.is(result.endedBy, 'plan');
  t.true(result.ledger !== null && Object.values(result.ledger).every((left) => left === 0));
  t.true(result.operations.count >= 4000);
  t.true(result.faults.killed > 0 && result.moves.moved > 0);
  t.is(result.faults.restarted, result.faults.killed + result.faults.hung);
});

test('stress: the same seed gives the same fingerprint, another seed another one', async (t) => {
  const [a, b, c] = [
    await runTrial(drawnPlan(choices())),
    await runTrial(drawnPlan(choices())),
    await runTrial(drawnPlan(choices({ seed: SEED + 1 }))),
  ];
  t.is(a.fingerprint, b.fingerprint);
  t.deepEqual(a.counts, b.counts);
  t.not(a.fingerprint, c.fingerprint);
});

test('stress: hangs are ended after their deadline, and everybody else goes on', async (t) => {
  const result = await runTrial(fixedPlan(choices({ killsPerSecond: 0, hangsPerSecond: 150, operations: 2000 })));
  t.deepEqual(result.violations, []);
  t.true(result.deaths.hung > 0);
  t.is(result.deaths.restarted, result.deaths.hung);
});

test('stress: a driver that touches pages after its unmap is found, with the history and the command', async (t) => {
  const given = choices({ killsPerSecond: 0, hangsPerSecond: 0, operations: 4000 });
  const trial = await runTrial(fixedPlan(given), { driverModule: mutant('touches-after-unmap') });
  t.true(trial.violationCount > 0);
  const [violation] = trial.violations;
  t.regex(violation.text, /page 0 holds content \d+ of slot \d+.* expected content \d+/);
  t.true(violation.history.length > 0);
  t.regex(violation.history.map(({ event }) => event).join('\n'), /(written content|created).*found the violation/s);
  const text = stressText(stressResult({ choices: given, trials: 1, draw: false }, [trial], 1e9));
  t.regex(text, /What happened to the buffer since its last good state/);
  t.true(text.includes(`dmabuf-lab stress --runtime virtual --drivers 6 --buffers 12`));
  t.true(text.includes(`--seed ${SEED}`));
});

test('stress: a driver that publishes no fence is found', async (t) => {
  const plan = fixedPlan(choices({ killsPerSecond: 0, hangsPerSecond: 0, operations: 4000 }));
  const trial = await runTrial(plan, { driverModule: mutant('publishes-no-fence') });
  t.regex(trial.violations[0]?.text ?? '', /at once|before the fence|holds/);
});

test('stress: a driver that forgets to unmap is found', async (t) => {
  const plan = fixedPlan(choices({ killsPerSecond: 0, hangsPerSecond: 0, operations: 500 }));
  const trial = await runTrial(plan, { driverModule: mutant('never-unmaps') });
  t.true(trial.violationCount > 0);
  t.regex(trial.violations.map(({ text }) => text).join('\n'), /not ended|everybody waits|mappings/);
});

test('stress: a violation repeats with its seed', async (t) => {
  const plan = fixedPlan(choices({ operations: 4000 }));
  const options = { driverModule: mutant('touches-after-unmap') };
  const [a, b] = [await runTrial(plan, options), await runTrial(plan, options)];
  t.deepEqual(a.violations, b.violations);
  t.is(a.fingerprint, b.fingerprint);
});

test('stress: threads end without a violation and with an empty ledger', async (t) => {
  const given = choices({ runtime: 'threads', drivers: 3, durationNs: 600e9, operations: undefined });
  // It lasts until somebody has been killed and reclaimed, however long that takes.
  const enough = new AbortController();
  const trial = await runTrial(fixedPlan({ ...given, killsPerSecond: 5, hangsPerSecond: 0 }), {
    signal: enough.signal,
    onProgress: (_, words) => {
      if (words.runCount('deaths') >= 1 && words.runCount('operations') >= 100) enough.abort();
    },
  });
  t.deepEqual(trial.violations, []);
  const { killed, hung, restarted, reclaimed } = trial.deaths;
  t.true(killed > 0);
  // A machine that is busy for seconds has drivers that are taken for hung.
  t.is(restarted, killed + hung);
  t.is(reclaimed, killed + hung);
  t.true(trial.ledger !== null && Object.values(trial.ledger).every((left) => left === 0));
  t.true(trial.operations > 0);
});

test('stress: trials side by side that are told to stop, end in order within their run, the one that is executed twice too', async (t) => {
  const controller = new AbortController();
  const given = choices({ operations: undefined, durationNs: 3600e9, killsPerSecond: 20, seed: 20 });
  const running = runTrials(given, { trials: 2, draw: false, signal: controller.signal });
  setTimeout(() => controller.abort(), 3000);
  const done = await running;
  t.true(done.length > 0);
  t.true(done.every(({ interrupted }) => interrupted));
  const result = stressResult({ choices: given, trials: 2, draw: false }, done, 1e9);
  t.is(result.endedBy, 'interrupted');
  t.is(result.violationCount, 0);
  t.true(result.ledger !== null && Object.values(result.ledger).every((left) => left === 0));
});

test('stress: a run that is told to stop ends in order and says so', async (t) => {
  const controller = new AbortController();
  const given = choices({ operations: undefined, durationNs: 60e9, killsPerSecond: 20, hangsPerSecond: 2 });
  const running = runTrials(given, {
    trials: 1,
    draw: false,
    signal: controller.signal,
    onProgress: (_, nowNs) => {
      if (nowNs > 20e6) controller.abort();
    },
  });
  const done = await running;
  const result = stressResult({ choices: given, trials: 1, draw: false }, done, 1e9);
  t.is(result.endedBy, 'interrupted');
  t.is(result.violationCount, 0);
  t.true(result.ledger !== null && Object.values(result.ledger).every((left) => left === 0));
});
