/** The suite that any driver must pass. */
import type { FrameFormat } from '../driver/index.js';
import { type CaseGroup, GROUPS, PLAIN, type Suite } from './cases.js';
import { conformText } from './conform-text.js';
import { type Finding, Findings, type FindingsWatch, isExplained, isSameBreach } from './findings.js';
import type { MonitorOptions } from './monitor.js';
import { RULE_NAMES, RULES, type RuleName } from './rules.js';
import { type Case, type CaseOutcome, type RunContext, runCase } from './run-case.js';
import { ConformInputError, type DriverSource, openSubject } from './subject.js';
import { PLAIN_ON_THREADS, THREAD_GROUPS, THREAD_RULES } from './thread-cases.js';

export interface ConformOptions {
  /** As a scenario would give them; absent = none. */
  readonly parameters?: unknown;
  /** Formats of inputs; absent = the first that the driver takes, of NV12, AB24 and H264 at 64x48. */
  readonly inputs?: Readonly<Record<string, FrameFormat>>;
  /** Only these; absent = all. */
  readonly rules?: readonly RuleName[];
  /** Only the runs that were made for these rules, and the plain stream; absent = every run that may tell of `rules`. */
  readonly runsFor?: readonly RuleName[];
  /** Of everything random; absent = 1. */
  readonly seed?: number;
  /**
   * Where the driver runs; absent = virtual. On threads, each device in a worker of its own, runs what does not depend on the
   * speed of the machine.
   */
  readonly runtime?: 'virtual' | 'threads';
  /** URL of the module whose default export is the driver: workers import it. For threads alone, and needed there. */
  readonly module?: string | URL;
  /** What a run on threads may take beyond its duration, in milliseconds of real time; absent = 20 000. */
  readonly limitMs?: number;
  /** Told of each run as it begins, and of each call that the driver makes. */
  readonly onRun?: (run: Pick<Case, 'name' | 'throwing' | 'hanging'>) => void;
  readonly onCall?: MonitorOptions['onCall'];
  /** Told of each breach as it is found, of each note, and of rules as soon as all their runs are over: the driver may never come back. */
  readonly onFound?: (found: ToldFinding) => void;
  readonly onNote?: (note: string) => void;
  readonly onAnswered?: (rules: readonly RuleName[]) => void;
}

/** A breach, and the run in which it was seen first. */
export type ToldFinding = Finding & { readonly run: string };

/** What became of a rule: plain data. */
export interface RuleVerdict {
  readonly rule: RuleName;
  readonly verdict: 'pass' | 'fail' | 'skipped';
  /** What a good driver does. */
  readonly checks: string;
  readonly remedy: string;
  /** Of a rule that was skipped: what was in the way. */
  readonly why?: string;
  readonly findings: readonly ToldFinding[];
}

/** What became of a driver: plain data. */
export interface ConformResult {
  readonly driver: string;
  readonly ok: boolean;
  readonly runtime: 'virtual' | 'threads';
  readonly seed: number;
  readonly runs: number;
  readonly rules: readonly RuleVerdict[];
  /** What could not be looked at, and why. */
  readonly notes: readonly string[];
  /** All of it for a terminal or a failed assertion. */
  readonly text: string;
}

/** The rules without which the others say nothing. */
const GROUND: readonly RuleName[] = ['run', 'end-of-stream', 'turn', 'yield-star'];

const LIMIT_MS = 20_000;

/**
 * Runs a driver through the suite, in virtual time or on threads.
 *
 * @param source a driver, or a function that makes a fresh instance of it for each life of its device
 * @throws ConformInputError when there is nothing to check: no driver, parameters missing, no format that it takes, a rule that
 *   there is not, or of which runs on threads do not tell
 */
export async function conformDriver(source: DriverSource, options: ConformOptions = {}): Promise<ConformResult> {
  const {
    parameters,
    inputs = {},
    runtime = 'virtual',
    runsFor,
    seed = 1,
    onRun,
    onCall,
    onFound,
    onNote,
    onAnswered,
  } = options;
  const rules = options.rules ?? rulesOf(runtime);
  for (const rule of [...rules, ...(runsFor ?? [])]) checkRule(rule, runtime);
  const threads = runtime === 'threads' ? threadsOf(options) : undefined;
  const record = new Verdicts(rules, runtime);
  const watchOf = (name: string): FindingsWatch => ({
    found: (finding) => onFound?.({ ...finding, run: name }),
    noted: (note) => onNote?.(note),
  });
  const still = new Findings(watchOf(NO_RUN));
  onRun?.({ name: NO_RUN, throwing: 'plan', hanging: 'plan' });
  const subject = await openSubject(source, parameters, inputs, still);
  record.take(NO_RUN, still);
  const context: RunContext = { subject, seed, onCall, ...(threads && { threads }) };
  const quietly = (spec: Case, watch?: FindingsWatch): Promise<CaseOutcome> => {
    onRun?.(spec);
    record.runs += 1;
    record.lastRun = spec.name;
    return runCase(context, spec, watch);
  };
  const run = async (spec: Case): Promise<CaseOutcome> => {
    const outcome = await quietly(spec, watchOf(spec.name));
    record.take(spec.name, outcome.findings);
    return outcome;
  };
  const plain = await run(threads === undefined ? PLAIN : PLAIN_ON_THREADS);
  const isSound = plain.outcome !== undefined && !record.all.some(({ rule }) => GROUND.includes(rule));
  // What keeps a call from being done keeps these from being asked, too.
  record.answered = record.answered.filter((rule) => !isExplained({ rule }, record.all));
  const all = threads === undefined ? GROUPS : THREAD_GROUPS;
  const groups = isSound ? all.filter((group) => isWanted(group, rules, runsFor)) : [];
  if (isSound) onAnswered?.(['parameters', 'plan', 'run']);
  for (const [i, group] of groups.entries()) {
    const own = new Findings({ found: (finding) => onFound?.({ ...finding, run: record.lastRun }), noted: onNote });
    const isBroken = (name: RuleName): boolean => record.all.some(({ rule }) => rule === name);
    const suite: Suite = { ...context, run, quietly: (spec) => quietly(spec), findings: own, plain, isBroken };
    await group.run(suite);
    const notExplained = own.all.filter((finding) => !isExplained(finding, record.all));
    record.take(record.lastRun, { all: notExplained, explained: own.explained, notes: own.notes });
    const coming = groups.slice(i + 1).flatMap(({ rules: later }) => later);
    onAnswered?.(group.rules.filter((rule) => !coming.includes(rule) && !EVERYWHERE.includes(rule)));
  }
  return record.result(subject.driver.name, seed, isSound);
}

/** The name of the run in which a driver is asked things and does not run. */
export const NO_RUN = 'none: asked without one';

/** The rules of which runs tell, in the order in which they are reported. */
const rulesOf = (runtime: ConformResult['runtime']): readonly RuleName[] =>
  runtime === 'virtual' ? RULE_NAMES : RULE_NAMES.filter((rule) => THREAD_RULES.includes(rule));

function checkRule(rule: RuleName, runtime: ConformResult['runtime']): void {
  const known = rulesOf(runtime);
  if (known.includes(rule)) return;
  const why =
    rule in RULES ? 'runs on threads do not tell of it; they tell of' : 'there is none of that name; there are';
  throw new ConformInputError(`Cannot check rule ${rule}: ${why} ${known.join(', ')}`);
}

function threadsOf({ module, limitMs = LIMIT_MS }: ConformOptions): NonNullable<RunContext['threads']> {
  if (module === undefined) {
    const why = 'workers import it, so `module` has to be the URL of the module whose default export it is';
    throw new ConformInputError(`Cannot check the driver on threads: ${why}`);
  }
  return { module: String(module), limitNs: limitMs * 1_000_000 };
}

/** Rules that any run may show to be broken. */
const EVERYWHERE: readonly RuleName[] = [
  'ports-only',
  'turn',
  'yield-star',
  'frames',
  'jobs',
  'memory',
  'read-only',
  'seal',
  'ledger',
];

function isWanted(group: CaseGroup, rules: readonly RuleName[], runsFor: ConformOptions['runsFor']): boolean {
  const isFor = (rule: RuleName): boolean => group.rules.includes(rule);
  return runsFor?.some(isFor) ?? rules.some((rule) => isFor(rule) || EVERYWHERE.includes(rule));
}

/** What was known of a driver before it broke off the check. */
export interface KnownBefore {
  readonly found: readonly ToldFinding[];
  readonly notes: readonly string[];
  readonly answered: readonly RuleName[];
  readonly runs: number;
}

/** The result for a driver that has broken off the check: it does not come back, or has taken its process with it. */
export function brokenOff(
  {
    driver,
    seed,
    runtime = 'virtual',
    rules = rulesOf(runtime),
  }: Pick<ConformResult, 'driver' | 'seed'> & Pick<ConformOptions, 'rules' | 'runtime'>,
  { found, notes, answered, runs }: KnownBefore,
  last: ToldFinding,
): ConformResult {
  const record = new Verdicts([...rules, last.rule], runtime);
  const all = [...found, last];
  for (const name of new Set(all.map(({ run }) => run))) {
    const ofRun = new Findings(); // what was told before something that explains it
    for (const { run, ...finding } of all) if (run === name) ofRun.take(finding);
    record.take(name, { all: ofRun.all, explained: ofRun.explained, notes });
  }
  record.answered = answered;
  record.runs = runs;
  record.obstacle = last;
  return record.result(driver, seed, false);
}

interface Taken {
  readonly all: readonly Finding[];
  readonly explained: readonly Finding[];
  readonly notes: readonly string[];
}

class Verdicts {
  readonly all: ToldFinding[] = [];
  runs = 0;
  lastRun = '';
  /** What broke the check off. */
  obstacle: ToldFinding | undefined;
  /** Rules of which something is known, though the plain stream does not pass. */
  answered: readonly RuleName[] = ['parameters', 'plan', ...GROUND];
  readonly #notes = new Set<string>();
  /** What follows from other breaches. */
  readonly #explained: Finding[] = [];

  constructor(
    private readonly wanted: readonly RuleName[],
    private readonly runtime: ConformResult['runtime'],
  ) {}

  /**
   * Takes over what a run has found, but for what is known: the same breach, or the same throw, or what has followed from
   * another breach before.
   */
  take(run: string, { all, explained, notes }: Taken): void {
    for (const note of notes) this.#notes.add(note);
    this.#explained.push(...explained);
    for (const finding of all) {
      const { what, where } = finding;
      const isThrow = (one: Finding): boolean => where !== undefined && one.where === where && one.what === what;
      const isKnown = this.all.some((one) => isSameBreach(one, finding) || isThrow(one));
      if (!isKnown && !this.#explained.some((one) => isSameBreach(one, finding))) this.all.push({ ...finding, run });
    }
  }

  /** What keeps the rules from being asked. */
  #obstacle(): string {
    const found = this.obstacle ?? this.all.find(({ rule }) => GROUND.includes(rule)) ?? this.all.at(0);
    if (found === undefined) return 'the plain stream does not pass';
    const { rule, what, where, run } = found;
    const isTold = where === undefined || what.includes(where);
    return `the run "${run}" does not pass: ${rule}: ${what}${isTold ? '' : ` at ${where}`}`;
  }

  result(driver: string, seed: number, isSound: boolean): ConformResult {
    const rules = RULE_NAMES.filter((rule) => this.wanted.includes(rule)).map((rule): RuleVerdict => {
      const findings = this.all.filter((one) => one.rule === rule);
      const isSkipped = !isSound && !this.answered.includes(rule);
      const verdict = findings.length > 0 ? 'fail' : isSkipped ? 'skipped' : 'pass';
      return { rule, verdict, ...RULES[rule], ...(verdict === 'skipped' && { why: this.#obstacle() }), findings };
    });
    const ok = rules.every(({ verdict }) => verdict === 'pass');
    const { runtime } = this;
    const plain = { driver, ok, runtime, seed, runs: this.runs, rules, notes: [...this.#notes] };
    return { ...plain, text: conformText(plain) };
  }
}
