/** Limits of how long fences and mappings may last in a stress run. One after the other: virtual runs keep this thread busy. */
import {
  fixedPlan,
  type PlanChoices,
  runTrial,
  type StressWords,
  stressResult,
  stressResultSchema,
  stressText,
} from '@dmabuf-lab/lab';
import test from 'ava';

const MS = 1_000_000;
const choices = (more: Partial<PlanChoices> = {}): PlanChoices => ({
  runtime: 'virtual',
  drivers: 3,
  buffers: 8,
  durationNs: 150 * MS,
  killsPerSecond: 0,
  hangsPerSecond: 0,
  heapPressure: 0,
  seed: Number(process.env.TEST_SEED ?? 1),
  ...more,
});
const mapsForLong = { driverModule: new URL('./mutants/maps-for-long.js', import.meta.url).href };

test.serial(
  'stress: a job that has its buffers mapped for too long, is told with device, buffer and age, and is no violation',
  async (t) => {
    const given = choices({ ages: { fenceNs: 50 * MS, mappingNs: 50 * MS } });
    const trial = await runTrial(fixedPlan(given), mapsForLong);
    const result = stressResultSchema.parse(stressResult({ choices: given, trials: 1, draw: false }, [trial], 1e9));
    t.deepEqual([result.violationCount, result.endedBy], [0, 'plan']);
    const { overdue, overdueCount, ...limits } = result.ages;
    t.deepEqual(limits, { fenceNs: 50 * MS, mappingNs: 50 * MS, heldMappingNs: null, unwatchedMappings: 0 });
    t.is(overdueCount, overdue.length);
    const own = overdue.filter(({ device }) => device === 'driver1');
    t.deepEqual([...new Set(own.map(({ kind }) => kind))].sort(), ['fence-overdue', 'mapping-overlong']);
    for (const { life, atNs, sinceNs, limitNs, buffers } of own) {
      t.deepEqual([life, limitNs, atNs], [0, 50 * MS, sinceNs + 50 * MS], 'at the very instant');
      t.regex(buffers[0].buffer, /^slot \d+, life 1$/);
      t.true(buffers[0].generation >= 1);
    }
    const text = stressText(result);
    t.regex(text, /Ages: fences for 50 ms and mappings for 50 ms at most; longer lasted \d+:\n/);
    t.regex(text, /driver1 has slot \d+, life 1 \(generation \d+\) mapped since 0\.\d{3} s, longer\s+than 50 ms\./);
    t.regex(text, /fence \d+:\d+ of driver1 on slot \d+, life 1/);
  },
);

test.serial('stress: limits that are off are not watched, and change nothing else of a run', async (t) => {
  const off = { fenceNs: 'off', mappingNs: 'off' } as const;
  const held = { ...off, heldMappingNs: 1000 } as const;
  const runs = [
    choices(),
    choices({ ages: off }),
    choices({ ages: { fenceNs: 1000, mappingNs: 1000 } }),
    choices({ ages: held }),
  ];
  const faulty = runs.map((one) => ({ ...one, drivers: 5, operations: 500, killsPerSecond: 200, hangsPerSecond: 30 }));
  const done = [];
  for (const one of faulty) done.push(await runTrial(fixedPlan(one)));
  const [usual, none, narrow, holding] = done;
  t.is(usual.ages.overdueCount, 0, 'nothing lasts so long, also of those that hang');
  t.is(none.ages.overdueCount, 0);
  t.true(narrow.ages.overdueCount > 20);
  t.true(narrow.ages.overdue.every((one) => one.held === undefined));
  t.true(holding.ages.overdue.length > 0 && holding.ages.overdue.every((one) => one.held === true));
  for (const trial of done) t.deepEqual({ ...trial, ...same(usual) }, { ...usual, ...same(usual) });
  const text = stressText(stressResult({ choices: faulty[1], trials: 1, draw: false }, [none], 1e9));
  t.is(text.match(/Ages: .*/)?.[0], 'Ages: not watched.');
});

/** What may differ. */
const same = <T extends { plan: unknown; ages: unknown; wallMs: number }>({ plan, ages, wallMs }: T) => ({
  plan,
  ages,
  wallMs,
});

test.serial(
  'stress: on threads a mapping that lasts too long is told at a beat, and counted while the run goes on',
  async (t) => {
    const given = choices({ runtime: 'threads', durationNs: 3000 * MS, ages: { fenceNs: 'off', mappingNs: 500 * MS } });
    let board: StressWords | undefined;
    const trial = await runTrial(fixedPlan(given), {
      ...mapsForLong,
      onProgress: (_, words) => {
        board = words;
      },
    });
    t.deepEqual(trial.violations, []);
    const own = trial.ages.overdue.filter(({ device }) => device === 'driver1');
    t.true(own.length > 0);
    t.true(own.every(({ kind, atNs, sinceNs }) => kind === 'mapping-overlong' && atNs >= sinceNs + 500 * MS));
    t.is(board?.runCount('overdue'), trial.ages.overdueCount);
  },
);

test.serial(
  'stress: on threads the usual limits tell nothing of a run in which drivers are killed and hang',
  async (t) => {
    const given = choices({ runtime: 'threads', durationNs: 1000 * MS, killsPerSecond: 4, hangsPerSecond: 1 });
    const trial = await runTrial(fixedPlan(given));
    t.deepEqual(trial.violations, []);
    t.deepEqual(trial.ages.overdue, []);
  },
);
