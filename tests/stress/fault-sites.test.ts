/** Faults at two levels: a site is armed for the run, and fires by chance at each visit. */
import {
  drawnPlan,
  fixedPlan,
  type PlanChoices,
  runTrial,
  SITES,
  stressResult,
  stressResultSchema,
  stressText,
} from '@dmabuf-lab/lab';
import test from 'ava';
import { isWhole } from './whole-trial.js';

const SEED = Number(process.env.TEST_SEED ?? 1);

const choices = (more: Partial<PlanChoices> = {}): PlanChoices => ({
  runtime: 'virtual',
  drivers: 6,
  buffers: 10,
  durationNs: 1e9,
  operations: 500,
  killsPerSecond: 100,
  hangsPerSecond: 10,
  heapPressure: 0.3,
  siteRate: 0.3,
  seed: SEED,
  ...more,
});

/** After the faults have stopped, everything has come back. */
test('drawnPlan, many seeds: arms each site in some and not in others, at rates of its own up to what was given', (t) => {
  const plans = Array.from({ length: 200 }, (_, seed) => drawnPlan(choices({ seed })));
  for (const site of SITES) {
    const rates = plans.flatMap(({ sites }) => sites[site] ?? []);
    t.true(rates.length > 60 && rates.length < 140, `${site}: ${rates.length}`);
    t.true(rates.every((rate) => rate > 0 && rate <= 0.3));
    t.true(new Set(rates).size > 50);
  }
  t.deepEqual(drawnPlan(choices({ siteRate: 0 })).sites, {});
  const { sites: _, ...plan } = drawnPlan(choices());
  const { sites: __, ...without } = drawnPlan(choices({ siteRate: 0 }));
  t.deepEqual(plan, { ...without, siteRate: 0.3 } as never, 'all else is drawn as without sites');
});

test('sites, over some seeds: an unarmed one is visited and never fires, each fires where it is armed, and all comes back', async (t) => {
  const fired = new Set<string>();
  for (let seed = SEED; seed < SEED + 6; seed += 1) {
    const trial = await runTrial(drawnPlan(choices({ seed })));
    t.true(isWhole(trial), `seed ${seed}: ${JSON.stringify([trial.violations, trial.ledger])}`);
    for (const { site, rate, visits, fired: times } of trial.sites) {
      if (rate === null) t.is(times, 0, `seed ${seed}: ${site}`);
      if (times > 0) fired.add(site);
      if (site !== 'move-copy') t.true(visits > 0, `seed ${seed}: ${site}`);
    }
  }
  t.deepEqual([...fired].sort(), [...SITES].sort());
});

test('sites, the same seed: the same firings and the same order of events', async (t) => {
  const plan = drawnPlan(choices({ operations: 300 }));
  const [a, b] = [await runTrial(plan), await runTrial(plan)];
  t.deepEqual(a.sites, b.sites);
  t.is(a.fingerprint, b.fingerprint);
});

test('sites that all fire at every second visit: nothing is lost, and the report says how often each fired', async (t) => {
  const given = choices({ siteRate: 0.5, operations: 400 });
  const trial = await runTrial(fixedPlan(given));
  t.true(isWhole(trial), JSON.stringify([trial.violations, trial.ledger]));
  const result = stressResult({ choices: given, trials: 1, draw: false }, [trial], 1e9);
  t.notThrows(() => stressResultSchema.parse(result));
  const reply = result.sites.find(({ site }) => site === 'exporter-reply');
  t.is(reply?.armed, 1);
  t.true(reply !== undefined && reply.fired > 0 && reply.fired < reply.visits);
  t.regex(stressText(result).replaceAll(/\s+/g, ' '), /Sites that fired, of their visits: heap-allocate \d+ of \d+, /);
});

test.serial('sites on threads: all comes back', async (t) => {
  const enough = new AbortController();
  const given = choices({ runtime: 'threads', drivers: 3, durationNs: 600e9, operations: undefined, siteRate: 0.2 });
  const trial = await runTrial(fixedPlan({ ...given, killsPerSecond: 2, hangsPerSecond: 0 }), {
    signal: enough.signal,
    onProgress: (_, words) => {
      if (words.siteCount(SITES.indexOf('fence-error'), 'fired') > 5 && words.runCount('deaths') > 0) enough.abort();
    },
  });
  t.true(isWhole(trial), JSON.stringify([trial.violations, trial.ledger]));
});
