/** The result of `dmabuf-lab stress`: what `--json` prints. Version 1. All times are integer nanoseconds. */
import { z } from 'zod';
import { summarizeLatency } from '../result/index.js';
import { describeHistogram } from './latency-histogram.js';
import { ERRORS, OPERATIONS } from './operations.js';
import { agesOf, type PlanChoices } from './plan.js';
import { repeatCommand } from './repeat-command.js';
import { TOLD_OVERDUE } from './stress-ages.js';
import type { TrialResult } from './trial-result.js';

const count = z.int().min(0);
const timeNs = z.number().min(0);

const latency = z
  .strictObject({ count, p50Ns: timeNs, p99Ns: timeNs, maxNs: timeNs })
  .describe('of those that ended well; at most 1/16 too long; of read, write and map: until the pages may be touched');

const historyEvent = z.strictObject({
  timeNs,
  actor: z.string(),
  lane: count.describe('generator of the driver'),
  life: count.describe('how often the actor had died before'),
  event: z.string(),
});

const violation = z.strictObject({
  seed: count,
  text: z.string(),
  buffer: count.nullable().describe('slot of the buffer'),
  actor: z.string().nullable().describe('who found it'),
  history: z.array(historyEvent).describe('what happened to the buffer since its last good state, oldest first'),
  repeat: z.string().describe('the command that repeats it; exact in virtual time'),
});

const limitNs = timeNs.nullable().describe('null = not watched');

const ages = z
  .strictObject({
    fenceNs: limitNs,
    mappingNs: limitNs,
    heldMappingNs: limitNs,
    overdueCount: count,
    overdue: z
      .array(
        z.strictObject({
          seed: count,
          kind: z
            .enum(['fence-overdue', 'mapping-overlong'])
            .describe('a fence that was not signalled in time; a buffer that was mapped for too long'),
          device: z.string(),
          life: count.describe('how often the device had died before'),
          atNs: timeNs.describe('when the limit was passed; on threads when that was seen'),
          sinceNs: timeNs,
          limitNs: timeNs,
          buffers: z.array(z.strictObject({ buffer: z.string(), generation: count.describe('of its storage') })),
          held: z.literal(true).optional().describe('of a mapping that a device holds from job to job'),
          fence: z.strictObject({ timeline: count, seqno: count }).optional(),
        }),
      )
      .describe('the first ones'),
    unwatchedMappings: count.describe('for which there was no room'),
  })
  .describe('how long fences may be pending and mappings open, and what lasted longer, which is no violation');

const ledger = z
  .strictObject({
    buffers: count,
    attachments: count,
    mappings: count,
    pins: count,
    locks: count,
    pendingFences: count,
    bytes: count,
    waiting: count.describe('operations that have not ended'),
  })
  .describe('what was left at the end, which ought to be nothing; of all trials together');

export const stressResultSchema = z.strictObject({
  version: z.literal(1),
  runtime: z.enum(['threads', 'virtual']),
  trials: z.strictObject({
    asked: count,
    done: count,
    drawn: z.boolean().describe('whether rates were drawn from the seed'),
    twice: count.describe('executed twice, with the same fingerprint'),
    firstSeed: count,
  }),
  endedBy: z.enum(['plan', 'violation', 'interrupted']),
  modelNs: timeNs.describe('of all trials together; on threads real time'),
  wallNs: timeNs,
  operations: z.strictObject({
    count: count.describe(
      'with --driver: frames taken from inputs and handed on at outputs, in all lives of all devices',
    ),
    perSecond: z.number().min(0).describe('of real time'),
    byKind: z.record(
      z.string(),
      z.strictObject({ ended: count, errors: z.record(z.string(), count).describe('by errno'), latency }),
    ),
  }),
  faults: z.strictObject({
    killed: count,
    hung: count,
    late: count.describe('silent for a while, and left alone'),
    reclaimed: count,
    restarted: count,
    reclaimNs: z
      .strictObject({ count, p50Ns: timeNs, p99Ns: timeNs, maxNs: timeNs })
      .describe('from a death until nothing was left of the dead'),
  }),
  devices: z
    .array(
      z.strictObject({
        device: z.string(),
        driver: z.string().describe('the module as it was given, or the name of the device'),
        framesIn: count,
        framesOut: count,
        checksPassed: count,
        checksFailed: count,
        deaths: count,
      }),
    )
    .optional()
    .describe(
      'with --driver: what passed through the pipeline, in the last life of each device; of all trials together',
    ),
  checks: z
    .strictObject({
      freedBytes: count.describe(
        'freed, and looked at before they were used again; with --driver in the last life of the exporter',
      ),
    })
    .describe('what the checkers have looked at'),
  sites: z
    .array(
      z.strictObject({
        site: z.string(),
        armed: count.describe('in how many trials'),
        visits: count.describe('of the trials in which it was armed'),
        fired: count,
      }),
    )
    .describe('named places at which something goes wrong by chance; empty with --driver'),
  moves: z.strictObject({ moved: count, refused: count, timedOut: count, bytesCopied: count }),
  ledger: ledger.nullable().describe('null when a trial did not get to its end'),
  ages,
  violationCount: count,
  violations: z.array(violation).describe('the first ones'),
  fingerprint: z.string().nullable().describe('of a single trial in virtual time'),
});
export type StressResult = z.infer<typeof stressResultSchema>;

/** What was asked for, beside the plan. */
export interface StressRequest {
  readonly choices: PlanChoices;
  readonly trials: number;
  readonly draw: boolean;
  /** Modules of users, as they were given. */
  readonly ownDrivers?: readonly string[];
  /** Theirs, as they were given. */
  readonly ownParameters?: readonly string[];
}

/** Violations that a result tells in full. */
const TOLD = 20;

/** Puts the trials together. */
export function stressResult(
  { choices, trials, draw, ownDrivers, ownParameters }: StressRequest,
  done: readonly TrialResult[],
  wallNs: number,
): StressResult {
  const sum = (of: (trial: TrialResult) => number): number => done.reduce((total, trial) => total + of(trial), 0);
  const operations = sum((trial) => trial.operations);
  const reclaim = summarizeLatency(done.flatMap((trial) => trial.reclaimedNs).map(Math.round));
  const violationCount = sum((trial) => trial.violationCount);
  const interrupted = done.some((trial) => trial.interrupted) || done.length < trials;
  return {
    version: 1,
    runtime: choices.runtime,
    trials: {
      asked: trials,
      done: done.length,
      drawn: draw,
      twice: done.filter((trial) => trial.twice === true).length,
      firstSeed: choices.seed,
    },
    endedBy: violationCount > 0 ? 'violation' : interrupted ? 'interrupted' : 'plan',
    modelNs: sum((trial) => trial.modelNs),
    wallNs: Math.round(wallNs),
    operations: {
      count: operations,
      perSecond: wallNs === 0 ? 0 : Number((operations / (wallNs / 1e9)).toFixed(1)),
      byKind: Object.fromEntries(OPERATIONS.map((name, i) => [name, operationOf(i, done)])),
    },
    faults: {
      killed: sum((trial) => trial.deaths.killed),
      hung: sum((trial) => trial.deaths.hung),
      late: sum((trial) => trial.deaths.late),
      reclaimed: sum((trial) => trial.deaths.reclaimed),
      restarted: sum((trial) => trial.deaths.restarted),
      reclaimNs: { count: reclaim.count, p50Ns: reclaim.p50Ns, p99Ns: reclaim.p99Ns, maxNs: reclaim.maxNs },
    },
    ...(ownDrivers && { devices: devicesOf(done) }),
    moves: {
      moved: sum((trial) => trial.moves.moved),
      refused: sum((trial) => trial.moves.refused),
      timedOut: sum((trial) => trial.moves.timedOut),
      bytesCopied: sum((trial) => trial.bytesCopied),
    },
    sites: sitesOf(done),
    checks: { freedBytes: sum((trial) => trial.freedBytesChecked) },
    ledger: ledgerOf(done),
    ages: agesResult(choices, done),
    violationCount,
    violations: done
      .flatMap((trial) => {
        const repeat = repeatCommand({ ...choices, seed: trial.seed }, draw, ownDrivers, ownParameters);
        return trial.violations.map((one) => ({ seed: trial.seed, ...one, history: [...one.history], repeat }));
      })
      .slice(0, TOLD),
    fingerprint: done.length === 1 ? done[0].fingerprint : null,
  };
}

function operationOf(operation: number, done: readonly TrialResult[]): StressResult['operations']['byKind'][string] {
  const counts = addUp(done.map((trial) => trial.counts[operation]));
  const [ended = 0, ...failed] = counts;
  const errors = Object.fromEntries(ERRORS.flatMap((code, i) => (failed[i] > 0 ? [[code, failed[i]]] : [])));
  return { ended, errors, latency: describeHistogram(addUp(done.map((trial) => trial.latencies[operation]))) };
}

function agesResult(choices: PlanChoices, done: readonly TrialResult[]): StressResult['ages'] {
  const { fenceNs = null, mappingNs = null, heldMappingNs = null } = agesOf(choices);
  const overdue = done.flatMap(({ seed, ages }) =>
    ages.overdue.map((one) => ({ seed, ...one, buffers: [...one.buffers] })),
  );
  return {
    fenceNs,
    mappingNs,
    heldMappingNs,
    overdueCount: done.reduce((total, trial) => total + trial.ages.overdueCount, 0),
    overdue: overdue.slice(0, TOLD_OVERDUE),
    unwatchedMappings: done.reduce((total, trial) => total + trial.ages.unwatchedMappings, 0),
  };
}

function sitesOf(done: readonly TrialResult[]): StressResult['sites'] {
  const [first] = done;
  return (first?.sites ?? []).map(({ site }, i) => {
    const armed = done.map(({ sites }) => sites[i]).filter(({ rate }) => rate !== null);
    const sum = (what: 'visits' | 'fired'): number => armed.reduce((total, one) => total + one[what], 0);
    return { site, armed: armed.length, visits: sum('visits'), fired: sum('fired') };
  });
}

function devicesOf(done: readonly TrialResult[]): NonNullable<StressResult['devices']> {
  const total = new Map<string, NonNullable<StressResult['devices']>[number]>();
  for (const one of done.flatMap((trial) => trial.devices ?? [])) {
    const sum = total.get(one.device);
    if (sum === undefined) total.set(one.device, { ...one });
    else for (const key of TALLIES) sum[key] += one[key];
  }
  return [...total.values()];
}

const TALLIES = ['framesIn', 'framesOut', 'checksPassed', 'checksFailed', 'deaths'] as const;

function addUp(lists: readonly (readonly number[])[]): number[] {
  const sum = Array.from({ length: lists[0]?.length ?? 0 }, () => 0);
  for (const list of lists) for (const [i, value] of list.entries()) sum[i] += value;
  return sum;
}

function ledgerOf(done: readonly TrialResult[]): StressResult['ledger'] {
  const total = { buffers: 0, attachments: 0, mappings: 0, pins: 0, locks: 0, pendingFences: 0, bytes: 0, waiting: 0 };
  for (const { ledger } of done) {
    if (ledger === null) return null;
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += ledger[key];
  }
  return total;
}
