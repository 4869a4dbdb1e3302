/** Short scenarios in which devices die, hang, pause and come back at random: nothing may be left of any of them. */
import { RandomStream } from '@dmabuf-lab/core/base';
import { historyLines, type RunOutcome, type RunResult, type ScenarioOverrides } from '@dmabuf-lab/lab';
import { runText } from '../scenarios/run-file.js';

const DEVICES = ['camera', 'gpu', 'display', 'encoder'];
const DURATION_MS = 2000;
/** How long a move waits: the default of a scenario. */
const MOVE_NS = 500_000_000;

/** Whether the exporter dies too. */
export interface FaultOptions {
  readonly exporter?: boolean;
}

/** Draws a scenario: the flagship's pipeline with random policies and mappings, and a random timeline of faults. */
export function randomFaultScenario(seed: number, { exporter = false }: FaultOptions = {}): string {
  const random = new RandomStream(seed, 'random faults');
  const below = (limit: number): number => Math.floor(random.uniform() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)];
  const restart = pick(['never', 'one-for-one', 'one-for-one', 'one-for-all', 'rest-for-one']);
  const events = randomEvents(below, pick, restart);
  const joinsLate = random.uniform() < 0.6 && !events.some((event) => event.includes('encoder'));
  if (joinsLate) events.push('{ at: 500ms, attach: encoder }');
  const exporterLines = exporter ? exporterFaults(seed, restart, events) : 'exporter: {}';
  const policy = (): string => pick(['block', 'drop-oldest', 'drop-newest']);
  return `
name: random-faults
duration: ${DURATION_MS}ms
runtime: virtual
seed: ${seed}
ties: ${pick(['fifo', 'seed'])}
payload: stamp
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 1GiB }] }
heaps:
  - { name: system, kind: system, window: dram }
  - { name: cma, kind: cma, window: dram, base: 0x7000_0000, size: 16MiB }
${exporterLines}
devices:
  camera:
    driver: camera
    constraints: { iommu: { iovaBits: 32, physBits: 32 } }
    parameters: { width: 320, height: 240, rate: ${pick([30, 60])}, readout: ${pick(['0ms', '5ms'])} }
    mapping: ${pick(['per-job', 'held'])}
  gpu:
    driver: gpu
    constraints: { iommu: { iovaBits: 48 } }
    parameters: { service: ${pick(['6ms', '20ms'])}, servers: ${pick([1, 2])} }
    importer: ${pick(['static', 'dynamic'])}
  display:
    driver: display
    constraints: { iommu: { iovaBits: 32, physBits: 32 } }
    parameters: { refresh: 60, queue: ${pick(['fifo', 'mailbox'])} }
  encoder:
    driver: encoder
    constraints: { contiguous: true, addressLimit: 0xFFFF_FFFF }
    parameters: { service: 8ms }
    mapping: ${pick(['per-job', 'per-job', 'held'])}
pools:
  camera.out: { buffers: 4, growTo: ${pick([4, 6])} }
  gpu.out: { buffers: 3 }
links:
  - { from: camera.out, to: gpu.in, policy: ${policy()}, depth: ${pick([1, 2, 4])} }
  - { from: gpu.out, to: display.in, policy: ${policy()}, depth: ${pick([1, 2, 3])} }
  - { from: camera.out, to: encoder.in, policy: ${policy()}, depth: ${pick([1, 2])} }
supervision:
  restart: ${restart}
  restarts: 100
  backoff: ${pick(['1ms', '10ms', '0ms'])}
  late: 100ms
  hung: ${pick(['300ms', '1s'])}
timeline: [${events.join(', ')}]
`;
}

/** Adds deaths, silences and restarts of the exporter; draws how it moves from a stream of their own. */
function exporterFaults(seed: number, restart: string, events: string[]): string {
  const random = new RandomStream(seed, 'random faults of the exporter');
  const below = (limit: number): number => Math.floor(random.uniform() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)];
  // Half of the deaths fall where buffers are placed, or move for a device that is late.
  const anInstant = (): number => pick([below(60_000), 500_000 + below(60_000), below(1_500_000), below(1_500_000)]);
  const times = new Set(Array.from({ length: 1 + below(5) }, () => 1 + anInstant()));
  for (const at of [...times].sort((a, b) => a - b)) {
    const kind = pick(['kill', 'kill', 'kill', 'kill', 'restart', 'pause', 'hang']);
    events.push(`{ at: ${at}us, ${kind}: exporter${kind === 'pause' ? `, for: ${1 + below(400)}ms` : ''} }`);
  }
  if (restart === 'never') events.push(`{ at: ${1_501 + below(400)}ms, restart: exporter }`);
  const parts = [
    `moveAt: ${pick(['first-map', 'attach'])}`,
    `moveBack: ${pick(['never', 'idle'])}`,
    `policy: ${pick(['wait', 'wait', 'busy'])}`,
    `copyBytesPerSecond: ${pick([20_000_000, 200_000_000, 2_000_000_000])}`,
  ];
  return `exporter: { ${parts.join(', ')} }`;
}

function randomEvents(below: (limit: number) => number, pick: <T>(list: readonly T[]) => T, restart: string): string[] {
  const times = new Set(Array.from({ length: 1 + below(8) }, () => 1 + below(DURATION_MS - 1)));
  const dead = new Set<string>();
  const detached = new Set<string>();
  return [...times]
    .sort((a, b) => a - b)
    .flatMap((at): string[] => {
      const device = pick(DEVICES);
      const length = (mostMs: number): number => 1 + below(Math.min(mostMs, DURATION_MS - at));
      let kind = pick(['kill', 'kill', 'kill', 'restart', 'pause', 'hang', 'exhaust', 'detach']);
      if (kind === 'exhaust') return [`{ at: ${at}ms, exhaust: ${pick(['system', 'cma'])}, for: ${length(500)}ms }`];
      if (dead.has(device)) kind = 'restart';
      if (kind === 'detach' && (device === 'camera' || detached.has(device))) return [];
      if (kind === 'detach') detached.add(device);
      if (kind === 'restart') dead.delete(device);
      else if (kind !== 'pause' && kind !== 'detach' && restart === 'never') dead.add(device);
      return [`{ at: ${at}ms, ${kind}: ${device}${kind === 'pause' ? `, for: ${length(800)}ms` : ''} }`];
    });
}

/** What is wrong at the end of a run; empty when nothing is. */
export function whatIsWrong({ result }: RunOutcome): string[] {
  const wrong = result.ledger.empty ? [] : [`left over: ${JSON.stringify(result.ledger)}`];
  for (const [device, { counters }] of Object.entries(result.devices)) {
    if ((counters.checksFailed ?? 0) > 0) wrong.push(`${device}: ${counters.checksFailed} contents are bad`);
  }
  for (const { kind, atNs, why } of result.incidents) {
    if (kind === 'deadlock' && !wasEndedFromOutside(result, atNs)) wrong.push(`deadlock at ${atNs} ns: ${why}`);
  }
  for (const { buffer, what } of result.corruptions ?? []) wrong.push(`${buffer}: ${what}`);
  if ((result.sanitizer?.damaged ?? 0) !== 0)
    wrong.push(`written to after it was freed: ${JSON.stringify(result.sanitizer)}`);
  if ((result.history?.violationCount ?? 0) !== 0) wrong.push(...historyLines(result));
  return wrong;
}

/**
 * Whether a deadlock lasted until something from outside ended it: the time-out of a move, which waits for mappings that are
 * held as long as a device streams, or a death. Were it none, somebody in it had gone on, and the move had not timed out.
 */
function wasEndedFromOutside({ buffers, incidents, runtime }: RunResult, atNs: number): boolean {
  const moves = buffers.flatMap((buffer) => buffer.moves);
  const isTimedOut = moves.some((one) => one.outcome === 'timed-out' && one.startNs <= atNs && atNs < one.endNs);
  // On threads whoever has to time out, or is to be killed, may be scheduled late.
  const untilNs = runtime === 'threads' ? Number.POSITIVE_INFINITY : atNs + MOVE_NS;
  return isTimedOut || incidents.some((one) => one.kind === 'died' && atNs <= one.atNs && one.atNs < untilNs);
}

/** Runs one; an error that it ends with is wrong too. */
export async function runRandomFaults(
  seed: number,
  overrides: ScenarioOverrides = {},
  options: FaultOptions = {},
): Promise<{ wrong: string[]; outcome?: RunOutcome }> {
  try {
    // Filling and checking freed pages takes most of such a run's time: a fifth of them has it.
    const sanitized = { sanitizer: seed % 5 === 0, history: true, ...overrides };
    const text = randomFaultScenario(seed, options);
    // On threads whoever is not scheduled for a while would be taken for hung, again and again on a busy machine.
    const given = overrides.runtime === 'threads' ? text.replace(/hung: (300ms|1s)/, 'hung: 5s') : text;
    const outcome = await runText(given, { overrides: sanitized });
    return { wrong: whatIsWrong(outcome), outcome };
  } catch (error) {
    return { wrong: [`${error instanceof Error ? error.stack : error}`] };
  }
}
