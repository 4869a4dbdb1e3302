import { type Fence, FenceArray, FenceChain, fenceName, mergeFences, unwrapFence } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test, { type ExecutionContext } from 'ava';
import { FenceBench } from './bench-fences.js';

function members(t: ExecutionContext, merged: Fence): readonly Fence[] {
  if (!(merged instanceof FenceArray)) throw new Error(`expected an array, got ${fenceName(merged)}`);
  t.false(merged.isSignalled());
  return merged.fences;
}

test('unwrapFence, of a plain fence, is that fence; of nothing, nothing', (t) => {
  const fence = new FenceBench().fence();
  t.deepEqual([...unwrapFence(fence)], [fence]);
  t.deepEqual([...unwrapFence(undefined)], []);
});

test('unwrapFence, of an array, gives each member once', (t) => {
  const bench = new FenceBench();
  const fences = bench.fences(2);
  t.deepEqual([...unwrapFence(new FenceArray(bench.contexts, fences))], fences);
});

test('unwrapFence, of a chain, gives each fence once, the latest first', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  const chain = new FenceChain(bench.contexts, one, two, 1);
  t.deepEqual([...unwrapFence(chain)], [two, one]);
});

test('unwrapFence, of a chain of arrays, gives each leaf once', (t) => {
  const bench = new FenceBench();
  const [one, two, three] = bench.fences(3);
  const bottom = new FenceChain(bench.contexts, undefined, three, 1);
  const chain = new FenceChain(bench.contexts, bottom, new FenceArray(bench.contexts, [one, two]), 2);
  t.deepEqual([...unwrapFence(chain)], [one, two, three]);
});

test('mergeFences, of two, is an array of both', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  t.deepEqual(members(t, mergeFences(bench.contexts, [one, two])), [one, two]);
});

test('mergeFences, of one fence twice, is that fence', (t) => {
  const bench = new FenceBench();
  const fence = bench.fence();
  t.is(mergeFences(bench.contexts, [fence, fence]), fence);
});

test('mergeFences, of several points of a context, keeps the latest, by context', (t) => {
  const bench = new FenceBench();
  const [c0, c1] = [bench.contexts.allocate(), bench.contexts.allocate()];
  const [early, late, other] = [bench.fence(c1, 1), bench.fence(c1, 2), bench.fence(c0, 1)];
  t.deepEqual(members(t, mergeFences(bench.contexts, [early, late, other])), [other, late]);
});

test('mergeFences, of an array and a chain of the same in the other order, keeps the order of contexts', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  const array = new FenceArray(bench.contexts, [one, two]);
  const chain = new FenceChain(bench.contexts, one, two, 1);
  t.deepEqual(members(t, mergeFences(bench.contexts, [array, chain])), [one, two]);
});

test('mergeFences, of arrays in opposite orders and a stub, has each once', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  const ahead = new FenceArray(bench.contexts, [one, two]);
  const back = new FenceArray(bench.contexts, [two, one]);
  t.deepEqual(members(t, mergeFences(bench.contexts, [ahead, bench.contexts.stub(), back])), [one, two]);
});

test('mergeFences, of arrays with different points, keeps the latest of each context', (t) => {
  const bench = new FenceBench();
  const [c0, c1] = [bench.contexts.allocate(), bench.contexts.allocate()];
  const [a1, a2, b1, b2] = [bench.fence(c0, 1), bench.fence(c0, 2), bench.fence(c1, 1), bench.fence(c1, 2)];
  const left = new FenceArray(bench.contexts, [a2, b1]);
  const right = new FenceArray(bench.contexts, [a1, b2]);
  t.deepEqual(members(t, mergeFences(bench.contexts, [left, right])), [a2, b2]);
});

test('mergeFences, of signalled fences, is a stub with the time of the latest', (t) => {
  const bench = new FenceBench();
  const fences = bench.fences(3);
  [70, 90, 80].forEach((time, i) => {
    fences[i].signal(time);
  });
  const merged = mergeFences(bench.contexts, fences);
  t.is(fenceName(merged), 'stub-stub0-0');
  t.is(merged.timestampNs, 90);
  t.not(merged, bench.contexts.stub());
  t.true(mergeFences(bench.contexts, []).isSignalled());
});

test('mergeFences, with a seqno that wraps around, keeps the later one', (t) => {
  const bench = new FenceBench();
  const context = bench.contexts.allocate();
  const [before, after] = [bench.fence(context, 0xffff_ffff), bench.fence(context, 0)];
  t.is(mergeFences(bench.contexts, [after, before]), after);
});

interface Leaf {
  readonly context: number;
  readonly seqno: number;
  readonly signalled: boolean;
}
const leaf = fc.record<Leaf>({
  context: fc.integer({ min: 1, max: 4 }),
  seqno: fc.integer({ min: 1, max: 5 }),
  signalled: fc.boolean(),
});
const shape = fc.record({
  kind: fc.constantFrom('plain', 'array', 'chain', 'chainOfArrays'),
  leaves: fc.array(leaf, { minLength: 1, maxLength: 5 }),
});

function build(bench: FenceBench, kind: string, fences: readonly Fence[]): Fence[] {
  if (kind === 'plain') return [...fences];
  if (kind === 'array') return [new FenceArray(bench.contexts, fences)];
  let head: Fence | undefined;
  fences.forEach((fence, i) => {
    const inside = kind === 'chain' ? fence : new FenceArray(bench.contexts, [fence]);
    head = new FenceChain(bench.contexts, head, inside, i + 1);
  });
  return [head!];
}

testProp(
  'mergeFences, of anything, signals exactly with all that was pending, and is minimal (naive model)',
  [fc.array(shape, { maxLength: 5 })],
  (t, shapes) => {
    const bench = new FenceBench();
    bench.contexts.allocate(4);
    const leaves: Fence[] = [];
    const inputs = shapes.flatMap(({ kind, leaves: wanted }) => {
      const made = wanted.map(({ context, seqno, signalled }) => {
        const fence = bench.fence(context, seqno);
        if (signalled) fence.signal(seqno);
        return fence;
      });
      leaves.push(...made);
      return build(bench, kind, made);
    });
    const pending = leaves.filter((fence) => !fence.isSignalled());
    const contexts = [...new Set(pending.map((fence) => fence.context))].sort((a, b) => a - b);
    const latest = contexts.map((context) =>
      Math.max(...pending.filter((fence) => fence.context === context).map((fence) => fence.seqno)),
    );
    const merged = mergeFences(bench.contexts, inputs);
    t.is(merged instanceof FenceArray, contexts.length > 1);
    const kept = contexts.length === 0 ? [] : [...unwrapFence(merged)];
    t.deepEqual(
      kept.map(({ context, seqno }) => [context, seqno]),
      contexts.map((context, i) => [context, latest[i]]),
    );
    t.is(merged.isSignalled(), pending.length === 0);
  },
);
