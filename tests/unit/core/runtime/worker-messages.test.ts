/** What the module of a driver posts to the runtime through `parentPort`: row 12 of docs/reliability.md. */
import { type QuarantineLimits, type RunReport, type Supervision, ThreadsRuntime } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import type { Step } from './programs/scripted.js';
import { logs, scriptedSpec } from './scripted-run.js';

const PATIENT: QuarantineLimits = { messages: 10_000, windowNs: 1 };
const TOLERANT: Supervision = { toleratesFailures: true, lateNs: 600e9, hungNs: 600e9 };

/** A device that posts and then does something, and another that has to be there at the end. */
function runPosting(
  messages: readonly unknown[],
  options: { readonly quarantine?: QuarantineLimits; readonly supervision?: Supervision } = {},
): Promise<RunReport> {
  const actors: Readonly<Record<string, readonly Step[]>> = {
    rogue: [
      { do: 'set', word: 1, value: 1 },
      { do: 'post', messages },
      { do: 'wait', word: 2, until: 1 },
      { do: 'log', text: 'lives' },
    ],
    other: [
      { do: 'wait', word: 1, until: 1 },
      { do: 'sleep', untilNs: 50_000_000 },
      { do: 'set', word: 2, value: 1 },
      { do: 'log', text: 'ended' },
    ],
  };
  return new ThreadsRuntime({ ...scriptedSpec(actors), ...options }, { pace: 'real' }).run();
}
/** A device that does something in each of so many lives, waits for its end, and lives on in the next. */
function runDying(step: Step, lives: number): Promise<RunReport> {
  const restart = {
    strategy: 'one-for-one',
    restarts: lives,
    withinNs: 600e9,
    backoffNs: 0,
    maxBackoffNs: 0,
  } as const;
  const actors: Readonly<Record<string, readonly Step[]>> = {
    rogue: [step, { do: 'from life', life: lives }, { do: 'set', word: 1, value: 1 }],
    other: [
      { do: 'wait', word: 1, until: 1 },
      { do: 'log', text: 'ended' },
    ],
  };
  const spec = { ...scriptedSpec(actors), supervision: { restart, lateNs: 600e9, hungNs: 600e9 } };
  return new ThreadsRuntime(spec, { pace: 'real' }).run();
}
const lastOf = (report: RunReport, actor: string): string | undefined => logs(report)[actor]?.at(-1)?.split(' ').at(-1);

const JUNK: readonly unknown[] = [undefined, null, 42, 'done', [], {}, { kind: undefined }, { kind: 'toString' }];
/** Of each kind that a worker may go on after: bare, and with junk in each field. */
const COUNTED: readonly unknown[] = [
  ...JUNK,
  { kind: 'ready', surplus: 1 },
  { kind: 'serving', surplus: 1 },
  { kind: 'reclaimed' },
  { kind: 'reclaimed', actor: 'gpu', deaths: 1 },
  { kind: 'reclaimed', actor: 1, deaths: Number.NaN },
  { kind: 'journal' },
  { kind: 'journal', key: 5, value: 1 },
  { kind: 'journal', key: 'x'.repeat(5000), value: 1 },
  { kind: 'text' },
  { kind: 'text', number: -1, text: 'a' },
  { kind: 'text', number: 2 ** 40, text: 'a' },
  { kind: 'text', number: 1, text: null },
  { kind: 'text', number: 1, text: 'x'.repeat(5000) },
];
/** Of each kind after which a worker has nothing more to say. */
const LAST: readonly (readonly [unknown, RegExp])[] = [
  [{ kind: 'done' }, /trace: expected an array .* got nothing/],
  [{ kind: 'done', report: 1, trace: [null], controlCalls: {} }, /trace\[0\]: expected an event .* got nothing/],
  [{ kind: 'done', report: 1, trace: [], controlCalls: null }, /controlCalls: expected an object, got nothing/],
  [{ kind: 'done', report: 1, trace: [], controlCalls: { map: 'x' } }, /controlCalls\.map: expected a whole number/],
  [{ kind: 'failed' }, /error: expected an object, got nothing/],
  [{ kind: 'failed', error: 7 }, /error: expected an object, got 7/],
  [{ kind: 'failed', error: { name: 'E', message: 'm', code: 25 } }, /error\.code: expected a text .* got 25/],
];

test('a worker that posts what is no message, of each kind, has all counted, and goes on below the limit', async (t) => {
  const report = await runPosting(COUNTED, { quarantine: PATIENT });
  t.like(report.brokenMessages, [{ actor: 'rogue', count: COUNTED.length, unread: 0 }]);
  t.is(report.brokenMessages[0].reason, 'posts to the runtime: the message: expected an object, got nothing');
  t.deepEqual([lastOf(report, 'rogue'), lastOf(report, 'other')], ['lives', 'ended']);
});

test('a worker whose last message is broken, of each kind, is ended with the reason, and the others go on', async (t) => {
  const report = await runDying({ do: 'post', messages: LAST.map(([message]) => message), byLife: true }, LAST.length);
  const deaths = report.incidents.filter(({ kind }) => kind === 'died');
  t.is(deaths.length, LAST.length);
  for (const [i, { actor, cause, why }] of deaths.entries()) {
    t.deepEqual([actor, cause], ['rogue', 'failed']);
    t.regex(why ?? '', /^its last message is broken: it posts to the runtime/);
    t.regex(why ?? '', LAST[i][1]);
  }
  t.like(report.brokenMessages, [{ actor: 'rogue', count: LAST.length, unread: 0 }]);
  t.is(lastOf(report, 'other'), 'ended');
});

test('a worker that posts eight of them, is ended; what it posts beside them is not read', async (t) => {
  const report = await runPosting([...Array(8).fill(null), null, { kind: 'done' }], { supervision: TOLERANT });
  t.like(report.brokenMessages, [{ actor: 'rogue', count: 8 }]);
  t.is(lastOf(report, 'rogue'), undefined);
  const died = report.incidents.find(({ kind }) => kind === 'died');
  t.like(died, { actor: 'rogue', cause: 'failed' });
  t.regex(died?.why ?? '', /^8 broken messages, the first of them: it posts to the runtime/);
  t.is(lastOf(report, 'other'), 'ended');
});

test('where no death is tolerated, too many of them end the run with EPROTO and the name', async (t) => {
  const error = await t.throwsAsync(runPosting(Array(8).fill({ kind: 'text' })));
  t.like(error, { name: 'ActorError', actor: 'rogue', cause: { code: 'EPROTO', details: { sender: 'rogue' } } });
});

test('a timer of a driver that throws what is no error, is a death of its worker alone', async (t) => {
  const values = [null, undefined, 'no shader', { kind: 'done' }];
  const report = await runDying({ do: 'throw later', values }, values.length);
  const deaths = report.incidents.filter(({ kind }) => kind === 'died');
  t.deepEqual(
    deaths.map(({ actor, cause, why }) => [actor, cause, why]),
    ['nothing', 'nothing', '"no shader"', 'a mapping'].map((what) => ['rogue', 'failed', `threw ${what}`]),
  );
  t.is(lastOf(report, 'other'), 'ended');
});
