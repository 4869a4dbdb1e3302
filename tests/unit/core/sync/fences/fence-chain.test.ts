import { type Fence, FenceArray, FenceChain, findChainSeqno } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { FenceBench } from './bench-fences.js';

interface Chain {
  readonly bench: FenceBench;
  readonly fences: readonly Fence[];
  readonly nodes: readonly FenceChain[];
}

/** A chain of so many nodes; node i is the point `seqno(i)`. */
function chainOf(count: number, seqno: (index: number) => number = (index) => index + 1): Chain {
  const bench = new FenceBench();
  const fences = bench.fences(count);
  const nodes: FenceChain[] = [];
  fences.forEach((fence, i) => {
    nodes.push(new FenceChain(bench.contexts, nodes.at(-1), fence, seqno(i)));
  });
  return { bench, fences, nodes };
}

test('FenceChain, one node on a fence, is pending and signals with it', (t) => {
  const { fences, nodes } = chainOf(1);
  t.is(nodes[0].status, 0);
  fences[0].signal();
  t.is(nodes[0].status, 1);
});

test('FenceChain, made on a chain of itself, breaks an invariant', (t) => {
  const { bench, nodes } = chainOf(1);
  t.throws(() => new FenceChain(bench.contexts, undefined, nodes[0], 2), { name: 'InvariantError' });
});

test('findChainSeqno, point 0, is the head, whatever it is', (t) => {
  const { bench, nodes } = chainOf(3);
  t.is(findChainSeqno(nodes[2], 0), nodes[2]);
  t.is(findChainSeqno(undefined, 0), undefined);
  const plain = bench.fence();
  t.is(findChainSeqno(plain, 0), plain);
});

test('findChainSeqno, of 64 nodes, finds itself and those before, and refuses what comes after', (t) => {
  const { nodes } = chainOf(64);
  nodes.forEach((node, i) => {
    t.is(findChainSeqno(node, i + 1), node);
    t.is(findChainSeqno(nodes[63], i + 1), node);
    t.throws(() => findChainSeqno(node, i + 2), { code: 'EINVAL' } as object);
    if (i > 0) t.is(findChainSeqno(node, i), nodes[i - 1]);
  });
});

test('findChainSeqno, of a fence that is no chain, is EINVAL', (t) => {
  const bench = new FenceBench();
  t.throws(() => findChainSeqno(bench.fence(), 1), { code: 'EINVAL' } as object);
  t.throws(() => findChainSeqno(undefined, 1), { code: 'EINVAL' } as object);
});

test('findChainSeqno, of a signalled point, is nothing or that very node', (t) => {
  const { fences, nodes } = chainOf(2);
  fences[0].signal();
  t.is(findChainSeqno(nodes[1], 1), undefined);
  t.is(findChainSeqno(nodes[0], 1), nodes[0]);
});

test('findChainSeqno, of a point whose own fence is done but an earlier is not, is the earlier', (t) => {
  const { fences, nodes } = chainOf(3);
  fences[1].signal();
  t.is(findChainSeqno(nodes[2], 2), nodes[0]);
});

test('findChainSeqno, with gaps between the points, rounds up', (t) => {
  const { nodes } = chainOf(64, (i) => 2 * (i + 1));
  nodes.forEach((node, i) => {
    t.is(findChainSeqno(nodes[63], 2 * i + 1), node);
    t.is(findChainSeqno(nodes[63], 2 * i + 2), node);
  });
});

test('FenceChain, signalled forwards, node i is signalled and node i + 1 is not', (t) => {
  const { fences, nodes } = chainOf(64);
  fences.forEach((fence, i) => {
    fence.signal();
    t.true(nodes[i].isSignalled());
    if (i + 1 < nodes.length) t.false(nodes[i + 1].isSignalled());
  });
});

test('FenceChain, signalled backwards, no node is signalled before the first fence is', (t) => {
  const { fences, nodes } = chainOf(64);
  for (let i = 63; i > 0; i -= 1) {
    fences[i].signal();
    t.false(nodes[i].isSignalled(), `node ${i}`);
  }
  fences[0].signal();
  t.true(nodes.every((node) => node.isSignalled()));
});

const LONG = 4096;

for (const order of ['forward', 'backward', 'shuffled'] as const) {
  for (const everyNode of [false, true]) {
    test(`FenceChain, ${LONG} nodes signalled ${order}, ${everyNode ? 'every node' : 'the tail'} awaited, completes`, (t) => {
      const { fences, nodes } = chainOf(LONG);
      let completed = 0;
      for (const node of everyNode ? nodes : nodes.slice(-1)) {
        node.addCallback(() => {
          completed += 1;
        });
      }
      const sequence = fences.map((_, i) => i);
      if (order === 'backward') sequence.reverse();
      if (order === 'shuffled') sequence.sort((a, b) => ((a * 2654435761) % 4093) - ((b * 2654435761) % 4093));
      sequence.forEach((index, step) => {
        if (step === LONG - 1) t.false(nodes[LONG - 1].isSignalled());
        fences[index].signal();
      });
      t.is(completed, everyNode ? LONG : 1);
    });
  }
}

test('FenceChain.walk, past signalled predecessors, drops them', (t) => {
  const { fences, nodes } = chainOf(5);
  for (const i of [1, 2, 3]) fences[i].signal();
  t.is(nodes[4].walk(), nodes[0]);
  t.is(nodes[4].prev, nodes[0]);
  t.is(nodes[4].prevSeqno, 4);
  fences[0].signal();
  t.is(nodes[4].walk(), undefined);
  t.is(nodes[4].prev, undefined);
});

test('FenceChain, a later point keeps the context; one that is not, starts another with the larger seqno', (t) => {
  const { bench, nodes } = chainOf(1, () => 5);
  const later = new FenceChain(bench.contexts, nodes[0], bench.fence(), 6);
  const same = new FenceChain(bench.contexts, nodes[0], bench.fence(), 5);
  const earlier = new FenceChain(bench.contexts, nodes[0], bench.fence(), 2);
  t.like(later, { context: nodes[0].context, seqno: 6, prevSeqno: 5 });
  for (const node of [same, earlier]) {
    t.not(node.context, nodes[0].context);
    t.like(node, { seqno: 5, prevSeqno: 0 });
  }
});

test('FenceChain, behind a plain fence, waits for it too and has a context of its own', (t) => {
  const bench = new FenceBench();
  const [before, own] = bench.fences(2);
  const node = new FenceChain(bench.contexts, before, own, 1);
  own.signal();
  t.false(node.isSignalled());
  before.signal();
  t.true(node.isSignalled());
});

test('FenceChain, an error of a fence inside, is not its own', (t) => {
  const { fences, nodes } = chainOf(1);
  fences[0].setError('EIO');
  fences[0].signal();
  t.is(nodes[0].status, 1);
});

test('FenceChain.setDeadline, reaches every pending fence, through arrays too', (t) => {
  const bench = new FenceBench();
  const [first, one, other] = bench.fences(3);
  const bottom = new FenceChain(bench.contexts, undefined, first, 1);
  const head = new FenceChain(bench.contexts, bottom, new FenceArray(bench.contexts, [one, other]), 2);
  head.setDeadline(77);
  t.deepEqual(
    [first, one, other].map((fence) => fence.deadlineNs),
    [77, 77, 77],
  );
});

const shuffledChain = fc
  .integer({ min: 1, max: 12 })
  .chain((count) =>
    fc.tuple(
      fc.shuffledSubarray([...Array(count).keys()], { minLength: count }),
      fc.subarray([...Array(count).keys()]),
    ),
  );

testProp(
  'FenceChain, in any order of signals, a node is signalled iff all up to it are, awaited or not',
  [shuffledChain],
  (t, [order, awaited]) => {
    const { fences, nodes } = chainOf(order.length);
    const told = new Set<number>();
    for (const index of awaited) nodes[index].addCallback(() => told.add(index));
    const done = new Set<number>();
    for (const index of order) {
      fences[index].signal();
      done.add(index);
      const prefix = fences.findIndex((_, i) => !done.has(i));
      const expected = (i: number): boolean => prefix === -1 || i < prefix;
      for (const i of awaited) t.is(told.has(i), expected(i));
      nodes.forEach((node, i) => {
        t.is(node.isSignalled(), expected(i));
      });
    }
  },
);

testProp(
  'findChainSeqno, in any state, finds what completes with the point (naive search)',
  [shuffledChain, fc.nat({ max: 12 }), fc.integer({ min: 1, max: 14 })],
  (t, [order], signals, point) => {
    const { fences, nodes } = chainOf(order.length);
    const head = nodes[nodes.length - 1];
    for (const index of order.slice(0, signals)) fences[index].signal();
    if (point > order.length) {
      t.throws(() => findChainSeqno(head, point), { code: 'EINVAL' } as object);
      return;
    }
    const found = findChainSeqno(head, point);
    const allDone = fences.slice(0, point).every((fence) => fence.isSignalled());
    if (found === undefined || found.isSignalled()) t.true(allDone);
    else if (point === order.length) t.is(found, head);
    else t.is(found, nodes[fences.findLastIndex((fence, i) => i < point && !fence.isSignalled())]);
  },
);
