import { type Deadlock, WaitGraph } from '@dmabuf-lab/core/base';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';

const LOCK = 'the lock of a reservation';

/** One task an actor, named like it with a stroke: `a/`. */
function graphOf(...actors: string[]): WaitGraph {
  const graph = new WaitGraph();
  for (const actor of actors) graph.begin(actor, `${actor}/`);
  return graph;
}

test('WaitGraph.wait, two that wait for each other, are named with what each waits for, when the second begins to', (t) => {
  const graph = graphOf('camera', 'gpu');
  t.is(graph.wait('camera/', { what: LOCK, owner: 'gpu' }), undefined);
  const deadlock = graph.wait('gpu/', { what: 'the mappings of an importer', owner: 'camera' });
  t.is(deadlock?.text, `gpu/ -> the mappings of an importer -> camera/ -> ${LOCK} -> gpu/`);
});

test('WaitGraph.wait, for itself, is a deadlock of one', (t) => {
  t.is(graphOf('a').wait('a/', { what: LOCK, owner: 'a/' })?.text, `a/ -> ${LOCK} -> a/`);
});

test('WaitGraph.wait, a chain that ends with somebody who goes on, is none', (t) => {
  const graph = graphOf('a', 'b', 'c');
  t.is(graph.wait('a/', { what: LOCK, owner: 'b' }), undefined);
  t.is(graph.wait('b/', { what: LOCK, owner: 'c' }), undefined);
  const deadlock = graph.wait('c/', { what: LOCK, owner: 'b' });
  t.deepEqual(
    deadlock?.waits.map(({ task }) => task),
    ['c/', 'b/'],
    'a waits for the cycle and is none of it',
  );
});

test('WaitGraph.wait, for an actor of which another task can go on, is no deadlock; for the task that holds it, it is', (t) => {
  const graph = graphOf('a');
  graph.begin('b', 'b/lane 0');
  graph.begin('b', 'b/lane 1');
  graph.wait('b/lane 0', { what: 'a fence', owner: 'a' });
  t.is(graph.wait('a/', { what: 'a mapping', owner: 'b' }), undefined);
  t.is(
    graph.wait('a/', { what: 'a mapping', owner: 'b/lane 0' })?.text,
    'a/ -> a mapping -> b/lane 0 -> a fence -> a/',
  );
});

test('WaitGraph.wait, the last task of an actor begins to wait, and all of them do: a deadlock', (t) => {
  const graph = graphOf('a');
  graph.begin('b', 'b/lane 0');
  graph.begin('b', 'b/lane 1');
  t.is(graph.wait('a/', { what: 'a frame', owner: 'b' }), undefined);
  t.is(graph.wait('b/lane 0', { what: 'room', owner: 'a' }), undefined);
  t.truthy(graph.wait('b/lane 1', { what: 'room', owner: 'a' }));
});

test('WaitGraph, who goes on or ends, breaks the cycle; whom somebody supervises is waited for in hope', (t) => {
  const graph = graphOf('a', 'b');
  graph.wait('a/', { what: LOCK, owner: 'b' });
  graph.goOn('a/');
  t.is(graph.wait('b/', { what: LOCK, owner: 'a' }), undefined);
  graph.end('b/');
  t.is(graph.wait('a/', { what: LOCK, owner: 'b' }), undefined);
});

test('WaitGraph.wait, of a task or for an actor that nobody has heard of, is no deadlock', (t) => {
  const graph = graphOf('a');
  t.is(graph.wait('nobody/', { what: LOCK, owner: 'a' }), undefined);
  t.is(graph.wait('a/', { what: LOCK, owner: 'nobody' }), undefined);
});

test('WaitGraph.end, of the last task that others could hope for, closes the deadlock', (t) => {
  const graph = graphOf('a');
  graph.begin('b', 'b/lane 0');
  graph.begin('b', 'b/lane 1');
  graph.wait('a/', { what: 'a frame', owner: 'b' });
  t.is(graph.wait('b/lane 0', { what: 'room', owner: 'a' }), undefined);
  t.is(graph.end('b/lane 1')?.text, 'a/ -> a frame -> b/lane 0 -> room -> a/');
});

/** The same by brute force: nobody can go on from the task, however those who can are let go on. */
function isStuck(waits: ReadonlyMap<string, string>, tasks: readonly string[], task: string): boolean {
  const free = new Set(tasks.filter((one) => !waits.has(one)));
  for (let i = 0; i <= tasks.length; i += 1) {
    for (const one of tasks) {
      const owner = waits.get(one);
      if (owner !== undefined && [...free].some((other) => other.startsWith(`${owner}/`))) free.add(one);
    }
  }
  return !free.has(task);
}

const step = fc.record({ task: fc.nat(5), owner: fc.option(fc.nat(2), { nil: undefined }) });

testProp(
  'WaitGraph.wait, finds exactly those who cannot go on, and names a cycle',
  [fc.array(step, { minLength: 1 })],
  (t, steps) => {
    const tasks = ['a/0', 'a/1', 'b/0', 'b/1', 'c/0', 'c/1'];
    const graph = new WaitGraph();
    for (const task of tasks) graph.begin(task[0], task);
    const waits = new Map<string, string>();
    t.is(graph.wait('nobody/', { what: LOCK, owner: 'a' }), undefined);
    for (const { task: index, owner } of steps) {
      const task = tasks[index];
      if (owner === undefined) {
        graph.goOn(task);
        waits.delete(task);
        continue;
      }
      waits.set(task, 'abc'[owner]);
      const deadlock: Deadlock | undefined = graph.wait(task, { what: LOCK, owner: 'abc'[owner] });
      t.is(deadlock !== undefined, isStuck(waits, tasks, task));
      for (const [i, one] of deadlock?.waits.entries() ?? []) {
        const next = deadlock?.waits[(i + 1) % deadlock.waits.length];
        t.is(next?.task[0] ?? '', one.owner);
        t.is(waits.get(one.task) ?? '', one.owner);
      }
    }
  },
);
