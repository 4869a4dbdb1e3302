import { readFileSync } from 'node:fs';
import { resultJsonSchema, toCanonicalJson } from '@dmabuf-lab/lab';
import { Ajv2020 } from 'ajv/dist/2020.js';
import test from 'ava';
import { interruptedResult, leakingResult, movedResult, quietResult, timedOutResult } from './sample-result.js';

/** From tests/dist/unit/lab/result. */
const published = JSON.parse(readFileSync(new URL('../../../../../docs/result.schema.json', import.meta.url), 'utf8'));

test('docs/result.schema.json is what the code says', (t) => {
  const remedy = 'Write it anew: npm run -s lab -- schema result > docs/result.schema.json && npm run format';
  t.deepEqual(published, JSON.parse(JSON.stringify(resultJsonSchema())), remedy);
});

const validate = new Ajv2020({ strictTuples: false }).compile(published);

test('docs/result.schema.json accepts results of every kind', (t) => {
  for (const result of [quietResult, movedResult, timedOutResult, interruptedResult, leakingResult]) {
    t.true(validate(JSON.parse(toCanonicalJson(result))), JSON.stringify(validate.errors));
  }
});

test('docs/result.schema.json refuses an unknown key, a fraction of a nanosecond and a missing ledger', (t) => {
  const { ledger: _, ...without } = quietResult;
  t.false(validate({ ...quietResult, extra: 1 }));
  t.false(validate({ ...quietResult, endNs: 1.5 }));
  t.false(validate(without));
  t.false(validate({ ...quietResult, version: 2 }));
});
