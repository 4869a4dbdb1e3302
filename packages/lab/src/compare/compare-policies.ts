/**
 * One scenario under four ways of choosing heaps: what the attached devices need, a heap by name, ION's mask, and what one
 * device takes for itself.
 */
import { z } from 'zod';
import type { RunResult } from '../result/index.js';
import { executeRun, type PoolAllocation, prepareRun } from '../run/index.js';
import type { LoadedScenario } from '../scenario/index.js';

export const POLICIES = ['constraints', 'heap', 'ion', 'device'] as const;
export type PolicyName = (typeof POLICIES)[number];

const count = z.int().min(0);

/** What a policy led to. */
export const policyRowSchema = z.strictObject({
  policy: z.enum(POLICIES),
  chosenBy: z.string().describe('what the policy was told'),
  heaps: z.record(z.string(), count).describe('peak bytes by heap; heaps that were not used are left out'),
  refused: z.array(z.strictObject({ device: z.string(), pool: z.string(), buffers: count, why: z.string() })),
  framesAtEnds: z.record(z.string(), count).describe('frames that reached each device without outputs'),
  moves: count,
  bytesCopied: count.describe('by moves'),
  stallNs: count.describe('that all devices together waited for moves'),
  hazards: count.describe('kinds of luck, by device and pool'),
  error: z.string().optional().describe('why the run failed, where it did'),
});
export const comparisonSchema = z.strictObject({
  version: z.literal(1),
  scenario: z.string(),
  policies: z.array(policyRowSchema),
});
export type PolicyRow = z.infer<typeof policyRowSchema>;
export type Comparison = z.infer<typeof comparisonSchema>;

/** What the policies need to be told; absent = the first heap of the scenario, and the display or the owner of a pool. */
export interface PolicyChoices {
  readonly heap?: string;
  readonly device?: string;
}

/**
 * Runs a scenario once for each policy.
 *
 * @throws ScenarioError when the scenario cannot run whatever the policy
 */
export async function comparePolicies(
  loaded: LoadedScenario,
  choices: PolicyChoices = {},
  signal?: AbortSignal,
): Promise<Comparison> {
  const policies: PolicyRow[] = [];
  for (const policy of POLICIES) {
    if (signal?.aborted === true) break;
    policies.push(await runUnder(policy, loaded, choices, signal));
  }
  return { version: 1, scenario: loaded.scenario.name, policies };
}

async function runUnder(
  policy: PolicyName,
  loaded: LoadedScenario,
  choices: PolicyChoices,
  signal?: AbortSignal,
): Promise<PolicyRow> {
  const { chosenBy, allocate } = allocationOf(policy, loaded, choices);
  const prepared = await prepareRun(loaded, { allocate });
  try {
    const { result } = await executeRun(prepared, { collectTrace: false, signal });
    return rowOf(policy, chosenBy, result, loaded);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const nothing = { heaps: {}, refused: [], framesAtEnds: {}, moves: 0, bytesCopied: 0, stallNs: 0, hazards: 0 };
    return { policy, chosenBy, ...nothing, error: message };
  }
}

interface Told {
  readonly chosenBy: string;
  readonly allocate: (users: readonly string[]) => PoolAllocation;
}

/** Only deferred allocation has an exporter that moves; that is what the comparison is about. */
function allocationOf(policy: PolicyName, { scenario }: LoadedScenario, choices: PolicyChoices): Told {
  switch (policy) {
    case 'constraints':
      return { chosenBy: 'the devices attached', allocate: () => ({ allocate: 'deferred', movable: true }) };
    case 'heap': {
      const heap = choices.heap ?? scenario.heaps[0].name;
      return { chosenBy: `the name ${heap}`, allocate: () => ({ allocate: heap, movable: false }) };
    }
    case 'ion': {
      const ion = scenario.heaps.map(({ name }) => name);
      return { chosenBy: `a mask of ${ion.join(', ')}`, allocate: () => ({ allocate: { ion }, movable: false }) };
    }
    case 'device': {
      const displays = Object.keys(scenario.devices).filter((name) => scenario.devices[name].driver === 'display');
      const allocator = (users: readonly string[]): string =>
        choices.device ?? users.find((user) => displays.includes(user)) ?? users[0];
      const chosenBy = choices.device ?? (displays.length > 0 ? `${displays.join(', ')} or the owner` : 'the owner');
      return { chosenBy, allocate: (users) => ({ allocate: { device: allocator(users) }, movable: false }) };
    }
  }
}

function rowOf(policy: PolicyName, chosenBy: string, result: RunResult, { scenario }: LoadedScenario): PolicyRow {
  const producers = new Set(scenario.links.map(({ from }) => from.split('.')[0]));
  const ends = Object.entries(result.devices).filter(([name]) => !producers.has(name));
  return {
    policy,
    chosenBy,
    heaps: Object.fromEntries(
      result.heaps.flatMap(({ name, peakBytes }) => (peakBytes > 0 ? [[name, peakBytes] as const] : [])),
    ),
    refused: result.attaches
      .filter(({ outcome }) => outcome === 'refused')
      .map(({ device, pool, buffers, why }) => ({ device, pool, buffers, why })),
    framesAtEnds: Object.fromEntries(ends.map(([name, device]) => [name, framesReached(device)])),
    moves: result.moves,
    bytesCopied: result.bytesCopied,
    stallNs: Object.values(result.devices).reduce((sum, { stallNs }) => sum + stallNs, 0),
    hazards: result.hazards.length,
  };
}

/** Frames that a device could use: an encoder that may not map a frame takes it and gives it back. */
function framesReached({ framesIn, counters }: RunResult['devices'][string]): number {
  return counters.shown ?? counters.encoded ?? framesIn;
}
