/** `lab stress` kills the exporter too: it comes back, maps wait, and nothing is left. */

import { fileURLToPath } from 'node:url';
import { drawnPlan, fixedPlan, type PlanChoices, repeatCommand, runTrial, runTrials } from '@dmabuf-lab/lab';
import test from 'ava';
import { isWhole } from './whole-trial.js';

const SEED = Number(process.env.TEST_SEED ?? 1);

const choices = (more: Partial<PlanChoices> = {}): PlanChoices => ({
  runtime: 'virtual',
  drivers: 5,
  buffers: 10,
  durationNs: 1e9,
  operations: 1000,
  killsPerSecond: 0,
  hangsPerSecond: 0,
  exporterKillsPerSecond: 200,
  heapPressure: 0.3,
  seed: SEED,
  ...more,
});

test('stress: an exporter that is killed comes back each time, without a violation and with an empty ledger', async (t) => {
  for (const more of [{}, { killsPerSecond: 200, hangsPerSecond: 20 }, { siteRate: 0.2 }]) {
    const trial = await runTrial(fixedPlan(choices(more)));
    t.true(isWhole(trial), JSON.stringify([more, trial.violations, trial.ledger]));
    const { killed, hung, restarted, reclaimed } = trial.deaths;
    t.true(killed > 1);
    t.deepEqual([restarted, reclaimed], [killed + hung, killed + hung]);
    t.true(trial.operations >= 1000);
  }
});

test('stress: two attaches of one driver to a buffer, one of them made again by the next exporter, are two attachments', async (t) => {
  // Found by these seeds: the attach of one lane was answered with the attachment of the other, which was then detached twice.
  for (const seed of [7, 12]) {
    const drawn = { seed, drivers: 8, buffers: 32, durationNs: 2e9, killsPerSecond: 500, hangsPerSecond: 50 };
    const more = { operations: 1200, heapPressure: 0.9, siteRate: 0.05, exporterKillsPerSecond: 100 };
    const trial = await runTrial(drawnPlan(choices({ ...drawn, ...more })));
    t.true(isWhole(trial), JSON.stringify([seed, trial.violations, trial.ledger]));
  }
});

test('stress: the same seed with deaths of the exporter, the same order of events', async (t) => {
  const plan = fixedPlan(choices({ operations: 300, killsPerSecond: 100 }));
  t.is((await runTrial(plan)).fingerprint, (await runTrial(plan)).fingerprint);
});

test.serial('stress: on threads the exporter is killed and comes back', async (t) => {
  const enough = new AbortController();
  const given = choices({ runtime: 'threads', drivers: 2, durationNs: 600e9, operations: undefined });
  let lastOperations = 0;
  const trial = await runTrial(fixedPlan({ ...given, exporterKillsPerSecond: 2 }), {
    signal: enough.signal,
    onProgress: (nowNs, words) => {
      // Beyond its first death: the first of about one in half a second.
      if (nowNs < 3e9) lastOperations = words.runCount('operations');
      else if (words.runCount('operations') > lastOperations + 20) enough.abort();
    },
  });
  t.true(isWhole(trial), JSON.stringify([trial.violations, trial.ledger]));
  const { killed, hung, restarted } = trial.deaths;
  t.true(killed > 0);
  t.is(restarted, killed + hung);
});

test('stress --driver: the exporter of a pipeline is killed too', async (t) => {
  const folder = fileURLToPath(new URL('../scenarios/drivers/', import.meta.url));
  const modules = [{ path: `${folder}quiet-reader.js`, given: 'quiet-reader' }];
  const { operations: _, ...given } = choices({ durationNs: 300e6, exporterKillsPerSecond: 20 });
  const [trial] = await runTrials(given, { trials: 1, draw: false, ownDrivers: { folder, modules } });
  t.deepEqual(trial.violations, []);
  t.true(trial.deaths.killed > 0);
  t.is(trial.deaths.restarted, trial.deaths.killed);
});

test('drawnPlan, many seeds: in some the exporter is killed, and all else is drawn as without', (t) => {
  const plans = Array.from({ length: 100 }, (_, seed) => drawnPlan(choices({ seed })));
  const rates = plans.map(({ exporterKillsPerSecond = 0 }) => exporterKillsPerSecond);
  t.true(rates.filter((rate) => rate > 0).length > 30 && rates.filter((rate) => rate === 0).length > 30);
  t.true(rates.every((rate) => rate <= 200));
  const without = drawnPlan(choices({ exporterKillsPerSecond: 0 }));
  const { exporterKillsPerSecond } = drawnPlan(choices());
  t.deepEqual(drawnPlan(choices()), { ...without, exporterKillsPerSecond });
  t.regex(repeatCommand(choices(), false), /--hang-rate 0\/s --exporter-kill-rate 200\/s --seed/);
});
