/** The runs of the suite, and what is compared between them. */
import type { Findings } from './findings.js';
import type { RuleName } from './rules.js';
import { type Case, type CaseOutcome, durationOf, type RunContext, TESTED } from './run-case.js';
import { otherInputs, type Subject } from './subject.js';

/** A group of runs, and the rules that it is for beside those that every run is for. */
export interface CaseGroup {
  readonly rules: readonly RuleName[];
  run(suite: Suite): Promise<void>;
}

/** What a group works with. */
export interface Suite extends RunContext {
  /** Runs one case; its findings are the suite's. */
  run(spec: Case): Promise<CaseOutcome>;
  /** Without its findings. */
  quietly(spec: Case): Promise<CaseOutcome>;
  readonly findings: Findings;
  /** The plain run. */
  readonly plain: CaseOutcome;
  /** Whether a rule is known to be broken. */
  isBroken(rule: RuleName): boolean;
}

const MS = 1_000_000;
/** A device that was asked to leave is to be gone by then. */
const LEAVE_GRACE_NS = 1_000 * MS;
/** Of the run of a source that is asked to leave: well beyond that. */
const LONG_NS = 4_000 * MS;
const KILLS = 8;
const LEAVES = 4;

/** What every other run builds on. */
export const PLAIN: Case = {
  name: 'plain stream',
  throwing: 'run',
  hanging: 'end-of-stream',
  payload: 'pixels',
  views: 'quarantined',
};

export const GROUPS: readonly CaseGroup[] = [
  { rules: ['memory'], run: guardedPages },
  { rules: ['fences', 'pending-read', 'no-wait'], run: earlyFrames },
  { rules: ['end-of-stream'], run: endsOfStreams },
  { rules: ['errors'], run: badContent },
  { rules: ['slow-consumer', 'no-wait'], run: slowConsumers },
  { rules: ['enomem'], run: shortages },
  { rules: ['stop', 'late-attach'], run: leaves },
  { rules: ['stop'], run: stops },
  { rules: ['late-attach', 'first-tick'], run: lateAttach },
  { rules: ['moves'], run: moves },
  { rules: ['formats'], run: formats },
  { rules: ['formats'], run: changeOfFormat },
  { rules: ['optional-ports'], run: optionalPorts },
  { rules: ['restart', 'ledger'], run: kills },
  { rules: ['determinism'], run: repeats },
  { rules: ['instances'], run: instances },
];

async function guardedPages({ run, quietly, findings, subject, plain }: Suite): Promise<void> {
  const few = { frames: 3, durationNs: Math.ceil(durationOf(subject) / 2) };
  // Libraries that refuse a proxy end this run early, whatever they say.
  await run({ ...PLAIN, ...few, name: 'guarded pages', views: 'guarded' });
  await run({ ...PLAIN, ...few, name: 'detached pages', views: 'detached' });
  const other = await quietly({ ...PLAIN, name: 'other bytes in pages that are gone', poison: 0x5a });
  if (other.outcome === undefined || summaryOf(other) === summaryOf(plain)) return;
  if (summaryOf(await quietly(PLAIN)) !== summaryOf(plain)) return; // it differs from run to run as it is
  findings.add('memory', `what is in pages after their job matters: ${differenceOf(plain, other)}`);
}

export async function earlyFrames({ run }: Suite): Promise<void> {
  await run({ ...PLAIN, name: 'frames handed on early', payload: 'stamp', sources: { lateByNs: 3 * MS } });
}

async function endsOfStreams({ run, subject }: Suite): Promise<void> {
  const end = { throwing: 'end-of-stream', hanging: 'end-of-stream' } as const;
  const inputs = Object.keys(subject.inputs);
  if (inputs.length === 0) return;
  await run({ ...end, name: 'empty stream', frames: 0 });
  if (inputs.length === 1) return;
  for (const port of inputs) await run({ ...end, name: `${port} ends first`, sourceOf: { [port]: { frames: 2 } } });
}

export async function badContent({ run, subject, findings }: Suite): Promise<void> {
  if (Object.keys(subject.inputs).length === 0) return;
  const { seen } = await run({
    ...{ name: 'bad content', throwing: 'errors', hanging: 'errors' },
    sources: { failing: 'all' },
  });
  for (const [port, frames] of seen) {
    const good = frames.find(({ error }) => error === 0);
    if (good === undefined) continue;
    findings.add('errors', `frame ${good.sequence} of ${port} counts as good, and all that came in was bad`);
  }
}

async function shortages({ run, findings, plain }: Suite): Promise<void> {
  const passed = ({ outcome }: CaseOutcome): number => {
    const report = outcome?.devices.get(TESTED);
    return (report?.framesIn ?? 0) + (report?.framesOut ?? 0);
  };
  const most = 4;
  for (const at of [0, 1, 3]) {
    const name = `no memory at begin ${at + 1}`;
    const short = await run({ name, throwing: 'enomem', hanging: 'enomem', shortages: { begin: at } });
    const isKnown = short.findings.all.length > 0 || short.outcome === undefined;
    if (!isKnown && passed(short) < passed(plain) - most) {
      findings.add('enomem', `${passed(short)} frames pass instead of ${passed(plain)} once memory was short`);
    }
  }
  // Here a driver may go on or end with that error, as long as it gives back what it had.
  await run({ name: 'no memory at acquire 2', throwing: 'enomem', hanging: 'enomem', shortages: { acquire: 1 } });
}

async function slowConsumers({ run }: Suite): Promise<void> {
  const slow = { throwing: 'slow-consumer', hanging: 'slow-consumer', sink: { serviceNs: 35 * MS } } as const;
  await run({ ...slow, name: 'no buffer at a tick', sink: {}, shortages: { tick: 1 } });
  await run({ ...slow, name: 'slow consumer' });
  await run({ ...slow, name: 'slow consumer behind one place', depth: 1 });
  for (const policy of ['drop-oldest', 'drop-newest'] as const) {
    await run({ ...slow, name: `slow consumer, ${policy}`, policy, depth: 1 });
  }
}

/** Leaves at several instants, and comes again. */
async function leaves({ run, subject, findings }: Suite): Promise<void> {
  const durationNs = isSource(subject) ? LONG_NS : durationOf(subject);
  for (let i = 0; i < LEAVES; i += 1) {
    const untilNs = Math.round(durationOf(subject) * ((i + 0.3) / LEAVES)) + i * 1_370_000;
    const { stays } = await run({
      ...{ name: `asked to leave at ${untilNs / MS} ms`, throwing: 'late-attach', hanging: 'stop' },
      ...{ durationNs, payload: 'timing', sink: { serviceNs: 25 * MS } },
      presence: [{ fromNs: 0, untilNs }, { fromNs: untilNs + 15 * MS }],
    });
    const tookNs = (stays[0]?.endedNs ?? 0) - untilNs;
    if (tookNs <= LEAVE_GRACE_NS) continue;
    findings.add('stop', `the driver does not leave within ${LEAVE_GRACE_NS / MS} ms after it was asked to`);
  }
}

async function stops({ run, subject, findings }: Suite): Promise<void> {
  const stopNs = Math.round(durationOf(subject) / 2) + 1_230_000;
  const { outcome } = await run({
    ...{ name: `run stopped at ${stopNs / MS} ms`, throwing: 'stop', hanging: 'stop', payload: 'timing' },
    ...{ stopNs, durationNs: isSource(subject) ? LONG_NS : durationOf(subject) },
  });
  const tookNs = (outcome?.endNs ?? 0) - stopNs;
  if (tookNs <= LEAVE_GRACE_NS) return;
  findings.add('stop', `the run does not end within ${LEAVE_GRACE_NS / MS} ms after it was stopped`);
}

const isSource = ({ inputs }: Subject): boolean => Object.keys(inputs).length === 0;

async function lateAttach({ run, subject }: Suite): Promise<void> {
  const fromNs = Math.round(durationOf(subject) * 0.4) + 770_000;
  const late = { throwing: 'late-attach', hanging: 'late-attach' } as const;
  await run({ ...late, name: `attached at ${fromNs / MS} ms`, presence: [{ fromNs }] });
}

async function moves({ run, subject }: Suite): Promise<void> {
  const moving = { throwing: 'moves', hanging: 'moves', newcomers: true } as const;
  await run({ ...moving, name: 'buffers move', payload: 'pixels' });
  // Whoever keeps a buffer for forty frames, keeps it for ever.
  const patience = { at: 'attach', timeoutNs: durationOf(subject, 40) } as const;
  const long = { frames: 60, durationNs: durationOf(subject, 60), payload: 'timing' } as const;
  await run({ ...moving, ...long, name: 'buffers move at once', moves: patience });
}

async function formats({ run, subject, findings }: Suite): Promise<void> {
  for (const inputs of otherInputs(subject, findings)) {
    const [{ fourcc, widthPixels, heightPixels, strideBytes }] = Object.values(inputs);
    const name = `${fourcc} ${widthPixels}x${heightPixels}, stride ${strideBytes}`;
    await run({ ...PLAIN, name, inputs, frames: 3, throwing: 'formats', hanging: 'formats', views: 'detached' });
  }
}

/** What V4L2 calls a source change: one stay with the first format, and the next of the same instance with another. */
async function changeOfFormat({ run, quietly, subject, findings, isBroken }: Suite): Promise<void> {
  if (isSource(subject)) return; // its formats come from its parameters
  const inputs = otherInputs(subject, findings).find((other) => isOtherSize(other, subject.inputs));
  if (inputs === undefined) {
    findings.note('no change of format between two stays was tried: plan takes no other size');
    return;
  }
  const [{ fourcc, widthPixels, heightPixels }] = Object.values(inputs);
  const [device, fromNs] = [`${TESTED}-2`, Math.round(durationOf(subject) * 0.75) + 770_000];
  const durationNs = fromNs + durationOf(subject);
  const change = { device, inputs, fromNs };
  const two = { ...PLAIN, throwing: 'formats', hanging: 'formats', views: 'detached', durationNs } as const;
  const untilNs = Math.round(durationOf(subject) / 2);
  const alone = await quietly({ ...two, name: 'the second stay alone', devices: [], change });
  for (const [how, first] of [
    ['its stream ends', { frames: 4 }],
    ['it is asked to leave', { presence: [{ fromNs: 0, untilNs }] }],
  ] as const) {
    const name = `${how}, then ${fourcc} ${widthPixels}x${heightPixels}`;
    const { seen, outcome } = await run({ ...two, ...first, name, change });
    if (outcome === undefined || alone.outcome === undefined || isBroken('formats') || isBroken('instances')) return;
    for (const [port, frames] of seen) {
      if (!port.startsWith(`${device}-`)) continue;
      const good = frames.filter((frame) => frame.error === 0 && frame.good).length;
      const expected = alone.seen.get(port)?.filter((frame) => frame.error === 0 && frame.good).length ?? 0;
      if (good >= Math.min(expected, first.frames ?? expected)) continue;
      findings.add(
        'formats',
        `${good} good frames leave ${port} instead of ${expected}, after a stay with another size`,
      );
    }
  }
}

const isOtherSize = (some: Subject['inputs'], others: Subject['inputs']): boolean =>
  Object.entries(some).some(([port, { sizeBytes }]) => sizeBytes !== others[port]?.sizeBytes);

async function optionalPorts({ run, subject }: Suite): Promise<void> {
  const { ports } = subject.driver;
  const optional = Object.keys(ports).filter((port) => ports[port].isOptional);
  const choices = optional.length > 1 ? [...optional.map((port) => [port]), optional] : optional.map((port) => [port]);
  for (const unlinked of choices) {
    const name = `${unlinked.join(' and ')} linked to nothing`;
    await run({ name, unlinked, throwing: 'optional-ports', hanging: 'optional-ports' });
  }
}

async function kills({ run, subject }: Suite): Promise<void> {
  for (let i = 0; i < KILLS; i += 1) {
    const atNs = Math.round((durationOf(subject) * (i + 0.5)) / KILLS) + i * 530_000;
    await run({
      ...{ name: `killed at ${atNs / MS} ms`, throwing: 'restart', hanging: 'restart', payload: 'timing' },
      faults: [{ kind: 'kill', actor: TESTED, atNs }],
    });
  }
}

async function repeats({ run, quietly, findings, plain, seed }: Suite): Promise<void> {
  const again = await quietly(PLAIN);
  if (summaryOf(again) !== summaryOf(plain)) {
    findings.add('determinism', `two runs with seed ${seed} differ: ${differenceOf(plain, again)}`);
  }
  for (const ties of [1, 2]) {
    await run({ ...PLAIN, name: `other order of ties (${ties})`, payload: 'stamp', ties: 'seed', seed: seed + ties });
  }
}

/** All that can be seen of a run. */
function summaryOf({ outcome, seen }: CaseOutcome): string {
  const report = outcome?.devices.get(TESTED);
  const { counters, sequences, latencies } = report ?? {};
  return JSON.stringify([outcome?.fingerprint, outcome?.endNs, [...seen], counters, sequences, latencies]);
}

function differenceOf(a: CaseOutcome, b: CaseOutcome): string {
  if (a.outcome?.fingerprint !== b.outcome?.fingerprint) {
    return `fingerprints ${a.outcome?.fingerprint ?? 'none'} and ${b.outcome?.fingerprint ?? 'none'}`;
  }
  for (const [port, frames] of a.seen) {
    const other = b.seen.get(port) ?? [];
    const at = frames.findIndex((frame, i) => JSON.stringify(frame) !== JSON.stringify(other[i]));
    if (at >= 0 || frames.length !== other.length) return `what leaves ${port}, from frame ${Math.max(at, 0)} on`;
  }
  return 'what it counts and measures';
}

/** Two devices of one instance, beside each other, against each alone. */
async function instances({ quietly, findings, subject, isBroken }: Suite): Promise<void> {
  const names = [TESTED, `${TESTED}-2`];
  const few = { frames: 4, throwing: 'instances', hanging: 'instances', payload: 'pixels' } as const;
  const both = await quietly({ ...few, name: 'two devices', devices: names });
  for (const { rule, what, where } of both.findings.all) {
    if (isBroken(rule)) continue;
    findings.take({ rule: 'instances', what, ...(where !== undefined && { where }) });
  }
  if (both.outcome === undefined || both.findings.all.length > 0) return;
  if (isBroken('determinism') || isBroken('plan')) return; // then no two runs can be compared
  for (const name of names) {
    const alone = await quietly({ ...few, name: 'one device', devices: [name] });
    for (const port of Object.keys(subject.plan.outputs)) {
      const key = `${name}-${port}`;
      if (JSON.stringify(alone.seen.get(key)) === JSON.stringify(both.seen.get(key))) continue;
      findings.add('instances', `what leaves output ${port} differs once a second device is beside it`);
    }
  }
}
