/** The runs of the suite on threads: those whose outcome does not depend on how fast the machine is. */
import { badContent, type CaseGroup, earlyFrames, PLAIN, type Suite } from './cases.js';
import type { RuleName } from './rules.js';
import { type Case, durationOf, TESTED } from './run-case.js';

const MS = 1_000_000;
/** Of runs that end as soon as they have shown what they are for. */
const LONG = { frames: 1_000_000, durationNs: 3_600_000 * MS } as const;

/** Rules of which runs on threads tell. */
export const THREAD_RULES: readonly RuleName[] = [
  'parameters',
  'plan',
  'run',
  'ports-only',
  'turn',
  'yield-star',
  'frames',
  'jobs',
  'memory',
  'read-only',
  'seal',
  'fences',
  'pending-read',
  'no-wait',
  'errors',
  'end-of-stream',
  'stop',
  'enomem',
  'slow-consumer',
  'late-attach',
  'moves',
  'restart',
  'ledger',
];

/** Each costs the start of a worker for every device, so that they are few. */
export const THREAD_GROUPS: readonly CaseGroup[] = [
  { rules: ['memory'], run: guardedPages },
  { rules: ['fences', 'pending-read', 'no-wait'], run: earlyFrames },
  { rules: ['end-of-stream'], run: emptyStream },
  { rules: ['errors'], run: badContent },
  { rules: ['slow-consumer', 'no-wait'], run: slowConsumer },
  { rules: ['enomem'], run: shortage },
  { rules: ['stop', 'late-attach'], run: leavesBlocked },
  { rules: ['moves'], run: moves },
  { rules: ['restart', 'ledger'], run: kills },
];

/** What every other run builds on. Pages are taken away at the end of their job, so that most touches throw. */
export const PLAIN_ON_THREADS: Case = { ...PLAIN, views: 'detached' };

async function guardedPages({ run }: Suite): Promise<void> {
  await run({ ...PLAIN, name: 'guarded pages', views: 'guarded', frames: 3 });
}

async function emptyStream({ run, subject }: Suite): Promise<void> {
  if (Object.keys(subject.inputs).length === 0) return;
  await run({ name: 'empty stream', throwing: 'end-of-stream', hanging: 'end-of-stream', frames: 0 });
}

async function slowConsumer({ run }: Suite): Promise<void> {
  const slow = { throwing: 'slow-consumer', hanging: 'slow-consumer', sink: { serviceNs: 35 * MS } } as const;
  await run({ ...slow, name: 'slow consumer, drop-oldest', payload: 'pixels', policy: 'drop-oldest', depth: 1 });
}

async function shortage({ run }: Suite): Promise<void> {
  await run({ name: 'no memory at begin 2', throwing: 'enomem', hanging: 'enomem', shortages: { begin: 1 } });
}

/** Attaches late, is asked to leave while it waits for room at a slow consumer, comes again, and is stopped in the midst of it. */
async function leavesBlocked({ run, subject }: Suite): Promise<void> {
  const fromNs = Math.round(durationOf(subject) * 0.4) + 770_000;
  const untilNs = fromNs + durationOf(subject);
  await run({
    ...{ ...LONG, payload: 'timing', sink: { serviceNs: 25 * MS }, depth: 1 },
    ...{ name: `attached at ${fromNs / MS} ms, asked to leave`, throwing: 'late-attach', hanging: 'stop' },
    presence: [{ fromNs, untilNs }, { fromNs: untilNs + 15 * MS }],
    untilAtWork: { life: 0, stay: 1 },
  });
}

async function moves({ run, subject }: Suite): Promise<void> {
  const patience = { at: 'first-map', timeoutNs: durationOf(subject, 1000) } as const;
  const moving = { throwing: 'moves', hanging: 'moves', newcomers: true, moves: patience } as const;
  await run({ ...moving, name: 'buffers move', payload: 'pixels', frames: 20, durationNs: durationOf(subject, 20) });
}

async function kills({ run, subject }: Suite): Promise<void> {
  for (const share of [0.3, 0.9]) {
    const atNs = Math.round(durationOf(subject) * share) + 530_000;
    await run({
      ...{ ...LONG, name: `killed at ${atNs / MS} ms`, throwing: 'restart', hanging: 'restart' },
      faults: [{ kind: 'kill', actor: TESTED, atNs }],
      untilAtWork: { life: 1, stay: 0 },
    });
  }
}
