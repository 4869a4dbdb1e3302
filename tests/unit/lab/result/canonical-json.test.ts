import { type RunResult, toCanonicalJson } from '@dmabuf-lab/lab';
import test from 'ava';
import { leakingResult, movedResult, timedOutResult } from './sample-result.js';

test('toCanonicalJson: reading it back gives the same result', (t) => {
  for (const result of [movedResult, timedOutResult, leakingResult]) {
    t.deepEqual(JSON.parse(toCanonicalJson(result)), result);
  }
});

test('toCanonicalJson: the bytes do not depend on the order in which a result was put together', (t) => {
  const reversed = Object.fromEntries(Object.entries(movedResult).reverse()) as RunResult;
  t.is(toCanonicalJson(reversed), toCanonicalJson(movedResult));
});

test('toCanonicalJson: an absent key and an undefined one give the same bytes', (t) => {
  const { description: _, ...without } = movedResult;
  t.is(toCanonicalJson({ ...movedResult, description: undefined }), toCanonicalJson(without));
});

test('toCanonicalJson: ranges stand on one line, and the text ends with one', (t) => {
  const text = toCanonicalJson(movedResult);
  t.true(text.includes('\n      "droppedSequences": [[12, 12], [15, 17]],\n'));
  t.true(text.startsWith('{\n  "version": 1,\n  "scenario": "late-encoder",\n'));
  t.true(text.endsWith('\n}\n'));
});

test('toCanonicalJson: refuses a result that its own schema does not allow', (t) => {
  t.throws(() => toCanonicalJson({ ...movedResult, endNs: 0.5 }), { message: /endNs/ });
  t.throws(() => toCanonicalJson({ ...movedResult, extra: 1 } as RunResult), { message: /extra/ });
});
