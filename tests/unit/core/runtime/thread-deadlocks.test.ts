/** Workers that wait for each other. Who ends the wait for a word is said by the test: word 1 actor 1, and so on. */
import { type RunReport, type RunSpec, ThreadsRuntime } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import type { Step } from './programs/scripted.js';
import { scriptedSpec, waitsByNumber } from './scripted-run.js';

function watchedRun(
  actors: Readonly<Record<string, readonly Step[]>>,
  more: Partial<RunSpec> = {},
): Promise<RunReport> {
  const spec: RunSpec = { ...scriptedSpec(actors), ...more, waits: waitsByNumber };
  return new ThreadsRuntime(spec, { pace: 'real' }).run();
}

test('ThreadsRuntime, actors that wait for each other and nothing can end it, is EDEADLK that names them', async (t) => {
  const error = await t.throwsAsync(
    watchedRun({
      one: [{ do: 'wait', word: 2, until: 1 }],
      two: [
        { do: 'spawn', name: 'lane 1', steps: [{ do: 'wait', word: 1, until: 1 }] },
        { do: 'wait', word: 1, until: 1 },
      ],
      server: [{ do: 'serve', method: 'echo', answer: 'echo' }, { do: 'serve others' }],
    }),
    { code: 'EDEADLK' },
  );
  t.regex(
    error.message,
    /everybody waits \(one for a test word from two; two for a test word from one; two\/lane 1 for a test word from one.*\); deadlock: one -> a test word -> two -> a test word -> one$/,
  );
});

test('ThreadsRuntime, a call whose service waits for its caller, is in the deadlock', async (t) => {
  const error = await t.throwsAsync(
    watchedRun({
      one: [{ do: 'call', peer: 'server', method: 'wait', args: { word: 2, until: 1 } }],
      two: [{ do: 'wait', word: 1, until: 1 }],
      server: [{ do: 'serve', method: 'wait', answer: 'word' }, { do: 'serve others' }],
    }),
    { code: 'EDEADLK' },
  );
  t.regex(
    error.message,
    /deadlock: one -> wait of server -> server\/wait for one -> a test word -> two -> a test word -> one$/,
  );
});

test('ThreadsRuntime, a deadlock that a time-out ends, is an incident, told once although a member is woken for nothing, and the run goes on', async (t) => {
  const { incidents, outcomes } = await watchedRun({
    one: [
      { do: 'wait', word: 2, until: 1, timeoutNs: 6_000_000_000 },
      { do: 'set', word: 1, value: 1 },
    ],
    two: [
      { do: 'wait', word: 1, until: 1 },
      { do: 'log', text: 'woken' },
    ],
    // Wakes the first for nothing, again and again; what it waits for stays as it is.
    prodder: Array.from({ length: 10 }, (_, i): Step[] => [
      { do: 'sleep', untilNs: (1 + i) * 400_000_000 },
      { do: 'set', word: 2, value: 0 },
    ]).flat(),
  });
  t.deepEqual(
    incidents.map(({ atNs: _, ...one }) => one),
    [{ kind: 'deadlock', actor: 'one', life: 0, why: 'one -> a test word -> two -> a test word -> one' }],
  );
  t.regex(String(outcomes[1].report), /two woken/);
});

test('ThreadsRuntime, a deadlock that a death is to end, does not end the run before', async (t) => {
  const { incidents } = await watchedRun(
    { one: [{ do: 'wait', word: 2, until: 1 }], two: [{ do: 'wait', word: 1, until: 1 }] },
    {
      faults: [
        { kind: 'kill', actor: 'one', atNs: 6_000_000_000 },
        { kind: 'kill', actor: 'two', atNs: 6_000_000_000 },
      ],
    },
  );
  t.deepEqual(incidents.filter(({ kind }) => kind === 'deadlock').length, 1);
  t.deepEqual(incidents.filter(({ kind }) => kind === 'died').length, 2);
});

test('ThreadsRuntime, another generator of those awaited sleeps, is no deadlock', async (t) => {
  const { incidents } = await watchedRun({
    one: [
      {
        do: 'spawn',
        name: 'clock',
        steps: [
          { do: 'sleep', untilNs: 700_000_000 },
          { do: 'set', word: 1, value: 1 },
        ],
      },
      { do: 'wait', word: 2, until: 1 },
    ],
    two: [
      { do: 'wait', word: 1, until: 1 },
      { do: 'set', word: 2, value: 1 },
    ],
  });
  t.deepEqual(incidents, []);
});
