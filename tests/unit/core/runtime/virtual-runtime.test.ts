import { EventClass, Wake } from '@dmabuf-lab/core/base';
import { VirtualRuntime } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import type { Step } from './programs/scripted.js';
import { logs, runVirtual, scriptedSpec } from './scripted-run.js';

const sleep = (untilNs: number, eventClass?: EventClass): Step => ({ do: 'sleep', untilNs, eventClass });
const log = (text: string): Step => ({ do: 'log', text });

/** Each actor writes its turn into word 0 and logs what it found there: the order of the events. */
const turn = (untilNs: number, eventClass: EventClass): Step[] => [sleep(untilNs, eventClass), log('runs')];

test('VirtualRuntime, events at one instant, come by class and then first in first out', async (t) => {
  const order: string[] = [];
  const report = await runVirtual({
    source: [...turn(100, EventClass.Source), { do: 'set', word: 1, value: 1, wake: Wake.HandOver }],
    consumer: [{ do: 'wait', word: 1, until: 1 }, { do: 'set', word: 2, value: 1 }, log('handed over')],
    second: turn(100, EventClass.Source),
    late: turn(100, EventClass.Completion),
    later: [{ do: 'wait', word: 2, until: 1 }, log('released')],
  });
  for (const entries of Object.values(logs(report))) order.push(...entries);
  t.deepEqual(
    order.sort(),
    ['100 consumer handed over', '100 late runs', '100 later released', '100 second runs', '100 source runs'].sort(),
  );
  t.is(report.endNs, 100);
});

test('VirtualRuntime, what a source hands over, comes after all sources of the instant', async (t) => {
  // The second source sees word 3 unset: the consumer of the first, which sets it, has not run yet.
  const report = await runVirtual({
    first: [sleep(100, EventClass.Source), { do: 'set', word: 1, value: 1, wake: Wake.HandOver }],
    consumer: [
      { do: 'wait', word: 1, until: 1 },
      { do: 'set', word: 3, value: 1 },
    ],
    second: [sleep(100, EventClass.Source), { do: 'wait', word: 3, until: 0 }, log('first')],
  });
  t.deepEqual(logs(report).second, ['100 second first']);
});

test('VirtualRuntime, a release at the instant of a tick, comes before the tick', async (t) => {
  const report = await runVirtual({
    source: [sleep(100, EventClass.Source), { do: 'wait', word: 1, until: 1, timeoutNs: 100 }, log('saw it')],
    server: [sleep(100, EventClass.Completion), { do: 'set', word: 1, value: 1 }],
  });
  t.deepEqual(logs(report).source, ['100 source saw it']);
});

test('VirtualRuntime, a wait for a word, times out exactly', async (t) => {
  const report = await runVirtual({ waiter: [{ do: 'wait', word: 1, until: 1, timeoutNs: 12_345 }] });
  t.deepEqual(logs(report).waiter, ['12345 waiter timed out']);
});

test('VirtualRuntime, outside work, stops the clock and resumes in call order', async (t) => {
  const report = await runVirtual({
    slow: [sleep(50), { do: 'external', turns: 20, text: 'slow done' }, { do: 'set', word: 1, value: 1 }],
    fast: [sleep(50), { do: 'external', turns: 1, text: 'fast done' }, sleep(60), log('later')],
    other: [sleep(51), log('on time')],
  });
  t.deepEqual(logs(report), {
    slow: ['50 slow slow done'],
    fast: ['50 fast fast done', '60 fast later'],
    other: ['51 other on time'],
  });
});

test('VirtualRuntime, twice with one seed, has one fingerprint; with permuted ties or other steps, another', async (t) => {
  const actors = { a: [sleep(5), log('x')], b: [sleep(5), log('y')], c: [sleep(5)] };
  const first = await runVirtual(actors);
  t.is((await runVirtual(actors)).fingerprint, first.fingerprint);
  t.not((await runVirtual({ ...actors, c: [sleep(6)] })).fingerprint, first.fingerprint);
  const permuted = new Set<string | null>();
  for (const seed of [1, 2, 3, 4, 5, 6]) permuted.add((await runVirtual(actors, { ties: 'seed', seed })).fingerprint);
  t.true(permuted.size > 1);
});

test('VirtualRuntime, a control call, is answered and its error keeps code, errno and details', async (t) => {
  const report = await runVirtual({
    server: [
      { do: 'serve', method: 'echo', answer: 'echo' },
      { do: 'serve', method: 'refuse', answer: 'EBUSY' },
      { do: 'serve others' },
    ],
    client: [
      { do: 'call', peer: 'server', method: 'echo', args: { n: [1, 2] } },
      { do: 'call', peer: 'server', method: 'refuse', args: {} },
      { do: 'call', peer: 'server', method: 'missing', args: {} },
      { do: 'call', peer: 'nobody', method: 'echo', args: {} },
    ],
  });
  t.deepEqual(logs(report).client, [
    '0 client got {"n":[1,2]}',
    '0 client failed EBUSY -16 {"who":"camera"}',
    '0 client failed EOPNOTSUPP -95 {}',
    '0 client failed ENODEV -19 {}',
  ]);
  t.deepEqual(report.controlCalls, { echo: 2, refuse: 1, missing: 1 });
});

test('VirtualRuntime, everybody waits, is EDEADLK that says who waits for what', async (t) => {
  const error = await t.throwsAsync(runVirtual({ a: [{ do: 'wait', word: 1, until: 1 }], b: [sleep(10)] }));
  t.like(error, { code: 'EDEADLK' });
  t.regex(error?.message ?? '', /at 10 ns.*a for a test word/);
});

test('VirtualRuntime, an actor that throws, ends the run with its name', async (t) => {
  const error = await t.throwsAsync(runVirtual({ gpu: [sleep(3), { do: 'throw', message: 'no such shader' }] }));
  t.like(error, { name: 'ActorError', actor: 'gpu', message: 'gpu failed: no such shader' });
});

test('VirtualRuntime, a clock read outside the turn, ends the run and names the actor', async (t) => {
  const error = await t.throwsAsync(runVirtual({ rogue: [sleep(3), { do: 'stray clock' }, sleep(5)] }));
  t.like(error, { code: 'EPROTO', details: { actor: 'rogue' } });
});

test('VirtualRuntime.kill, an actor is never stepped again, and the others go on', async (t) => {
  const runtime = new VirtualRuntime(
    scriptedSpec({
      victim: [sleep(5), { do: 'external', turns: 1, text: 'x' }, sleep(1000)],
      other: [sleep(2000), log('ends')],
    }),
    { ties: 'fifo' },
  );
  const running = runtime.run();
  await new Promise(setImmediate);
  runtime.kill('victim');
  const report = await running;
  t.deepEqual(logs(report).other, ['2000 other ends']);
  t.is(logs(report).victim, undefined as never);
});

test('VirtualRuntime, random numbers, depend on seed, actor and name, and not on who draws first', async (t) => {
  const draw: Step = { do: 'draw', stream: 's' };
  const one = logs(await runVirtual({ a: [draw], b: [draw] }));
  const two = logs(await runVirtual({ b: [draw], z: [draw, draw], a: [draw] }));
  t.deepEqual(two.a, one.a);
  t.deepEqual(two.b, one.b);
  t.notDeepEqual(one.a[0].split(' ')[2], one.b[0].split(' ')[2]);
});

test('VirtualRuntime, a yield where yield* was meant, ends the run and says so', async (t) => {
  const error = await t.throwsAsync(runVirtual({ rogue: [{ do: 'stray yield' }] }));
  t.like(error, { name: 'ActorError', actor: 'rogue' });
  t.regex(error?.message ?? '', /it writes yield where yield\* was meant/);
});
