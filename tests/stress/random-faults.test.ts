import test from 'ava';
import { runRandomFaults } from './random-faults.js';

const firstSeed = Number(process.env.TEST_SEED ?? 1);

/** `npm test` makes half of them; `TEST_RUNS=1` makes all. */
const SCENARIOS = Number(process.env.TEST_RUNS ?? 0) >= 1 ? 30 : 15;

test('many scenarios with random deaths, hangs, pauses and full heaps, each ends empty with good content', async (t) => {
  const happened = new Map<string, number>();
  for (let seed = firstSeed; seed < firstSeed + SCENARIOS; seed += 1) {
    const { wrong, outcome } = await runRandomFaults(seed);
    t.deepEqual(wrong, [], `seed ${seed}: npm run soak:faults -- ${seed} 1`);
    for (const { kind, cause } of outcome?.result.incidents ?? []) {
      const what = cause ?? kind;
      happened.set(what, (happened.get(what) ?? 0) + 1);
    }
  }
  t.log(Object.fromEntries(happened));
  for (const kind of ['killed', 'hung', 'stopped', 'late', 'reclaimed', 'restarted']) t.true(happened.has(kind), kind);
});

test('a twentieth of them run twice, have the same fingerprint and the same result', async (t) => {
  for (let seed = firstSeed; seed < firstSeed + 40; seed += 20) {
    const [one, two] = [await runRandomFaults(seed), await runRandomFaults(seed)];
    t.truthy(one.outcome?.result.fingerprint);
    t.deepEqual(two.outcome?.result, one.outcome?.result, `seed ${seed}`);
  }
});

test.serial('one of them on threads, ends empty with good content too', async (t) => {
  const { wrong } = await runRandomFaults(firstSeed, { runtime: 'threads' });
  t.deepEqual(wrong, [], `seed ${firstSeed}: npm run soak:faults -- ${firstSeed} 1 threads`);
});

test('ten scenarios in which the exporter dies too, each ends empty with good content, one the same twice', async (t) => {
  let deaths = 0;
  for (let seed = firstSeed; seed < firstSeed + 10; seed += 1) {
    const { wrong, outcome } = await runRandomFaults(seed, {}, { exporter: true });
    t.deepEqual(wrong, [], `seed ${seed}: npm run soak:faults -- ${seed} 1 virtual exporter`);
    const incidents = outcome?.result.incidents ?? [];
    deaths += incidents.filter(({ device, kind }) => device === 'exporter' && kind === 'died').length;
    if (seed > firstSeed) continue;
    const again = await runRandomFaults(seed, {}, { exporter: true });
    t.deepEqual(again.outcome?.result, outcome?.result);
  }
  t.true(deaths >= 8, `${deaths}`);
});
