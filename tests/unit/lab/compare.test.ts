import { comparePolicies, comparisonSchema, comparisonText, loadScenario } from '@dmabuf-lab/lab';
import test from 'ava';
import { example } from '../../scenarios/run-file.js';

test('comparePolicies, serves every device only where the devices decide, for who-chooses-the-heap', async (t) => {
  const comparison = await comparePolicies(await loadScenario(example('who-chooses-the-heap')));
  t.deepEqual(comparisonSchema.parse(comparison), comparison);
  const summary = comparison.policies.map(({ policy, refused, moves }) => [
    policy,
    [...new Set(refused.map(({ device }) => device))],
    moves,
  ]);
  t.deepEqual(summary, [
    ['constraints', [], 4],
    ['heap', ['display', 'encoder'], 0],
    ['ion', ['display', 'encoder'], 0],
    ['device', ['encoder'], 0],
  ]);
  const [constraints, heap] = comparison.policies;
  t.is(constraints.framesAtEnds.encoder, 60);
  t.is(constraints.bytesCopied, 4 * 462_848);
  t.deepEqual(heap.framesAtEnds, { display: 0, encoder: 0 });
  t.deepEqual(Object.keys(heap.heaps), ['system']);
  t.regex(comparisonText(comparison), /ION\): display is refused at gpu\.out: /);
});

test('comparePolicies, serves all by name too, when the name is that of the scarce heap', async (t) => {
  const comparison = await comparePolicies(await loadScenario(example('who-chooses-the-heap')), { heap: 'cma' });
  const named = comparison.policies.find(({ policy }) => policy === 'heap');
  t.deepEqual(named?.refused, []);
  t.is(named?.heaps.system, undefined, 'and the camera takes of it, though it need not');
});
