import { type RunSpec, type ThreadsOptions, ThreadsRuntime } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import { logs, runThreads, scriptedSpec } from './scripted-run.js';

const withoutTime = (entries: readonly string[]): string[] => entries.map((entry) => entry.replace(/^\d+ /, ''));

test('ThreadsRuntime, actors in workers, wake each other by words', async (t) => {
  const report = await runThreads({
    producer: [
      { do: 'set', word: 1, value: 1 },
      { do: 'wait', word: 2, until: 1 },
      { do: 'log', text: 'answered' },
    ],
    consumer: [
      { do: 'wait', word: 1, until: 1 },
      { do: 'log', text: 'woken' },
      { do: 'set', word: 2, value: 1 },
    ],
  });
  t.deepEqual(withoutTime(logs(report).producer), ['producer answered']);
  t.deepEqual(withoutTime(logs(report).consumer), ['consumer woken']);
});

test('ThreadsRuntime, a control call, is answered and its error keeps code, errno and details', async (t) => {
  const report = await runThreads({
    client: [
      { do: 'call', peer: 'server', method: 'echo', args: { n: [1, 2] } },
      { do: 'call', peer: 'server', method: 'refuse', args: {} },
      { do: 'call', peer: 'server', method: 'missing', args: {} },
    ],
    server: [
      { do: 'serve', method: 'echo', answer: 'echo' },
      { do: 'serve', method: 'refuse', answer: 'EBUSY' },
      { do: 'serve others' },
    ],
  });
  t.deepEqual(withoutTime(logs(report).client), [
    'client got {"n":[1,2]}',
    'client failed EBUSY -16 {"who":"camera"}',
    'client failed EOPNOTSUPP -95 {}',
  ]);
});

test('ThreadsRuntime, an actor that throws with a detail that cannot be cloned, is told of all the same, without the details', async (t) => {
  const steps = { gpu: [{ do: 'throw', message: 'no such shader', uncloneable: true }] } as const;
  const error = await t.throwsAsync(runThreads(steps), { message: /^gpu failed: no such shader/ });
  t.like(error.cause, { code: 'EIO', details: {} });
});

test('ThreadsRuntime, an actor that throws, ends the run with its name and stack', async (t) => {
  const error = await t.throwsAsync(
    runThreads({ gpu: [{ do: 'throw', message: 'no such shader' }], other: [{ do: 'wait', word: 9, until: 1 }] }),
  );
  t.like(error, { name: 'ActorError', actor: 'gpu', message: 'gpu failed: no such shader' });
  t.regex((error as { cause?: Error }).cause?.stack ?? '', /scripted/);
});

test('ThreadsRuntime, a worker that exits, ends the run with its name, also while a call to it is pending', async (t) => {
  const error = await t.throwsAsync(
    runThreads({
      client: [{ do: 'call', peer: 'server', method: 'never', args: {} }],
      server: [{ do: 'serve', method: 'never', answer: 'never' }, { do: 'exit' }],
    }),
  );
  t.like(error, { name: 'ActorError', actor: 'server' });
  t.regex(error?.message ?? '', /exited with code 3/);
});

test('ThreadsRuntime, a clock read outside the turn, ends the run and names the actor', async (t) => {
  const error = await t.throwsAsync(runThreads({ rogue: [{ do: 'stray clock' }] }));
  t.like((error as { cause?: object }).cause, { code: 'EPROTO', details: { actor: 'rogue' } });
});

test('ThreadsRuntime, told to stop while an actor hangs, is ETIMEDOUT naming it', async (t) => {
  const abort = new AbortController();
  const spec = { ...scriptedSpec({ hung: [{ do: 'wait', word: 9, until: 1 }] }), signal: abort.signal };
  const running = new ThreadsRuntime(spec, { pace: 'real', stopGraceMs: 50 }).run();
  abort.abort();
  const error = await t.throwsAsync(running);
  t.like(error, { code: 'ETIMEDOUT' });
  t.regex(error?.message ?? '', /hung did not end/);
});

test('ThreadsRuntime, an actor that never gets ready, is ETIMEDOUT naming it after the grace of the start', async (t) => {
  const spec = scriptedSpec({ stuck: [{ do: 'never ready', life: 0 }], other: [] });
  const error = await t.throwsAsync(new ThreadsRuntime(spec, { pace: 'real', startGraceMs: 200 }).run());
  t.like(error, { code: 'ETIMEDOUT', op: 'start' });
  // On a loaded machine the other may not have got ready either.
  const { actors } = (error as { details?: { actors?: string[] } }).details ?? {};
  t.true(actors?.includes('stuck'), `${actors}`);
  t.regex(error?.message ?? '', /Cannot start the run: .*stuck.* did not set up within the grace period/);
});

test('ThreadsRuntime, a later life that never gets ready, is ended after the grace of the start, and the next one lives', async (t) => {
  const restart = { strategy: 'one-for-one', restarts: 9, withinNs: 600e9, backoffNs: 0, maxBackoffNs: 0 } as const;
  const spec: RunSpec = {
    ...scriptedSpec({
      a: [
        { do: 'never ready', life: 1 },
        { do: 'from life', life: 2 },
        { do: 'set', word: 1, value: 1 },
      ],
      b: [
        { do: 'wait', word: 1, until: 1 },
        { do: 'log', text: 'ended' },
      ],
    }),
    faults: [{ kind: 'kill', actor: 'a', atNs: 50_000_000 }],
    supervision: { restart, lateNs: 600e9, hungNs: 600e9 },
  };
  // Only the life that is stuck has little time: any other may take long where the machine is busy.
  const graces = [120_000, 200];
  const options: ThreadsOptions = {
    pace: 'real',
    get startGraceMs() {
      return graces.shift() ?? 120_000;
    },
  };
  const report = await new ThreadsRuntime(spec, options).run();
  const lives = report.incidents.map(({ kind, life, cause, why }) => [kind, life, cause, why].join(' ').trim());
  t.deepEqual(lives, [
    'died 0 killed',
    'reclaimed 0',
    'restarted 1',
    'died 1 hung it did not set up in time',
    'reclaimed 1',
    'restarted 2',
  ]);
  t.regex(logs(report).b.join(), /ended/);
});

test('ThreadsRuntime, a yield where yield* was meant, ends the run and says so', async (t) => {
  const error = await t.throwsAsync(runThreads({ rogue: [{ do: 'stray yield' }] }));
  t.like(error, { name: 'ActorError', actor: 'rogue' });
  t.regex(error?.message ?? '', /it writes yield where yield\* was meant/);
});
