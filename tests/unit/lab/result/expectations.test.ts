import { type Expectation, evaluateExpectations } from '@dmabuf-lab/lab';
import test from 'ava';
import { movedResult } from './sample-result.js';

const actualOf = (path: string): unknown => evaluateExpectations({ [path]: 0 }, movedResult)[0].actual;
const isOk = (path: string, expected: Expectation): boolean =>
  evaluateExpectations({ [path]: expected }, movedResult)[0].ok;

test('evaluateExpectations: follows keys, places, names with dots and lengths', (t) => {
  t.is(actualOf('devices.display.counters.shown'), 300);
  t.is(actualOf('links.1.dropped'), 2);
  t.is(actualOf('links.1.droppedSequences.0.1'), 151);
  t.is(actualOf('heaps.cma.sizeBytes'), 2 ** 26);
  t.is(actualOf('pools.camera.out.buffers'), 2);
  t.is(actualOf('buffers.camera.out[1].moves.length'), 1);
  t.is(actualOf('buffers.length'), 2);
  t.is(actualOf('fingerprint'), '9c2120f57d310e9a');
});

test('evaluateExpectations: a plain value must be equal, of the same type', (t) => {
  t.true(isOk('moves', 2));
  t.false(isOk('moves', 3));
  t.false(isOk('moves', '2'));
  t.true(isOk('ledger.empty', true));
  t.true(isOk('runtime', 'virtual'));
});

test('evaluateExpectations: bounds include their ends and hold together', (t) => {
  t.true(isOk('moves', { min: 2, max: 2 }));
  t.false(isOk('moves', { min: 3 }));
  t.false(isOk('moves', { max: 1 }));
  t.true(isOk('moves', { equals: 2 }));
  t.false(isOk('moves', { equals: 2, max: 1 }));
  t.false(isOk('runtime', { min: 0 }), 'a bound on what is no number');
});

test('evaluateExpectations: a path that leads nowhere is not ok and names the nearest', (t) => {
  const cases: [string, string][] = [
    ['move', 'moves'],
    ['devices.dislpay.counters.shown', 'devices.display'],
    ['devices.display.counters.show', 'devices.display.counters.shown'],
    ['heaps.cm.sizeBytes', 'heaps.cma'],
    ['moves.first', 'moves'],
  ];
  for (const [path, nearest] of cases) {
    const [found] = evaluateExpectations({ [path]: 0 }, movedResult);
    t.deepEqual(found, { path, expected: 0, actual: `no such path; nearest is ${nearest}`, ok: false });
  }
});

test('evaluateExpectations: what objects inherit is no path', (t) => {
  t.regex(String(actualOf('constructor')), /^no such path/);
  t.regex(String(actualOf('devices.toString')), /^no such path/);
});

test('evaluateExpectations: answers in the order of the questions', (t) => {
  const paths = evaluateExpectations({ seed: 1, moves: 2, bytesCopied: { min: 1 } }, movedResult).map(
    ({ path }) => path,
  );
  t.deepEqual(paths, ['seed', 'moves', 'bytesCopied']);
});
