import { applyOverrides, parseScenario } from '@dmabuf-lab/lab';
import test from 'ava';
import { GOOD } from './scenario-text.js';

test('applyOverrides: replaces what is given and nothing else, and leaves its argument', (t) => {
  const { scenario } = parseScenario(GOOD, 'x.yaml');
  const before = structuredClone(scenario);
  const overrides = {
    runtime: 'threads',
    pace: 'max',
    seed: 7,
    ties: 'seed',
    duration: 1_000_000_000,
    payload: 'pixels',
  } as const;
  t.deepEqual(applyOverrides(scenario, overrides), { ...before, ...overrides });
  t.deepEqual(scenario, before);
});

test('applyOverrides: what is absent or undefined stays, and 0 is a seed', (t) => {
  const { scenario } = parseScenario(GOOD, 'x.yaml');
  t.deepEqual(applyOverrides(scenario, {}), scenario);
  t.deepEqual(applyOverrides(scenario, { runtime: undefined, duration: undefined }), scenario);
  t.is(applyOverrides(scenario, { seed: 0 }).seed, 0);
});
