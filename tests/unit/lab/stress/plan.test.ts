import { drawnPlan, faultsOf, fixedPlan, type PlanChoices, repeatCommand } from '@dmabuf-lab/lab';
import test from 'ava';

const CHOICES: PlanChoices = {
  runtime: 'virtual',
  drivers: 4,
  buffers: 8,
  durationNs: 10e9,
  killsPerSecond: 5,
  hangsPerSecond: 1,
  heapPressure: 0.5,
  seed: 3,
};

test('faultsOf, the same seed, is the same; another seed, another; about as many as the rates say', (t) => {
  const faults = faultsOf(fixedPlan(CHOICES));
  t.deepEqual(faultsOf(fixedPlan(CHOICES)), faults);
  t.notDeepEqual(faultsOf(fixedPlan({ ...CHOICES, seed: 4 })), faults);
  t.true(faults.length > 30 && faults.length < 100, `${faults.length} of about 60`);
  t.true(faults.every(({ atNs }, i) => atNs < 10e9 && (i === 0 || atNs >= faults[i - 1].atNs)));
});

test('faultsOf, rates of 0, is nothing', (t) => {
  t.deepEqual(faultsOf(fixedPlan({ ...CHOICES, killsPerSecond: 0, hangsPerSecond: 0 })), []);
});

test('drawnPlan, many seeds, stays below what it was given, and leaves kinds of faults out of some', (t) => {
  const plans = Array.from({ length: 200 }, (_, seed) => drawnPlan({ ...CHOICES, seed }));
  for (const plan of plans) {
    t.true(plan.drivers >= 1 && plan.drivers <= 4 && plan.buffers >= 1 && plan.buffers <= 8);
    t.true(plan.killsPerSecond <= 5 && plan.hangsPerSecond <= 1 && plan.heapPressure <= 0.5);
  }
  for (const kind of ['killsPerSecond', 'hangsPerSecond', 'heapPressure'] as const) {
    t.true(plans.some((plan) => plan[kind] === 0) && plans.some((plan) => plan[kind] > 0), kind);
  }
});

test('repeatCommand names everything that the trial follows from', (t) => {
  t.is(
    repeatCommand({ ...CHOICES, operations: 100 }, true),
    'dmabuf-lab stress --runtime virtual --drivers 4 --buffers 8 --operations 100 --heap-pressure 0.5 --duration 10s ' +
      '--kill-rate 5/s --hang-rate 1/s --seed 3 --draw',
  );
  const ages = { fenceNs: 'off', mappingNs: 2_500_000 } as const;
  t.regex(repeatCommand({ ...CHOICES, ages }, false), / --fence-age off --mapping-age 2500000ns --seed/);
  t.regex(repeatCommand(CHOICES, false, ["it's.mjs"]), /--driver 'it'\\''s\.mjs' --duration/);
  t.regex(
    repeatCommand(CHOICES, false, ['a.mjs', 'b.mjs'], ['{}', '{"gain":2}']),
    /--driver a\.mjs --driver b\.mjs --parameters '\{\}' --parameters '\{"gain":2\}' --duration/,
  );
});
