/** The driver under test, with parameters and formats that it works with, and what can be asked of it without a run. */
import type { z } from 'zod';
import {
  type AnyDriver,
  bitstreamFormat,
  type CheckedPlan,
  driverShapeProblems,
  type Fourcc,
  type FrameFormat,
  frameFormat,
  type PixelFourcc,
  planDriver,
  prepareDriver,
} from '../driver/index.js';
import type { Findings } from './findings.js';
import { Place } from './place.js';

/** A driver, or what makes a fresh instance of it: one for each life of a device, as the lab does it. */
export type DriverSource = AnyDriver | (() => AnyDriver | Promise<AnyDriver>);

/** What a check cannot begin with. */
export class ConformInputError extends Error {
  override readonly name = 'ConformInputError';
  readonly exitCode = 2;

  constructor(
    message: string,
    /** Parameters with which the driver might be checked, where they are what is missing. */
    readonly example?: Readonly<Record<string, unknown>>,
  ) {
    super(message);
  }
}

export interface Subject {
  /** A fresh instance, where the source makes them. */
  load(): Promise<AnyDriver>;
  readonly driver: AnyDriver;
  readonly parameters: unknown;
  readonly inputs: Readonly<Record<string, FrameFormat>>;
  readonly plan: CheckedPlan;
}

const RATE = { num: 100, den: 1 };
const WIDTH = 64;
const HEIGHT = 48;
const FOURCCS: readonly Fourcc[] = ['NV12', 'AB24', 'H264'];
/** Other sizes that a driver may be given: larger, smaller, wide. */
const SIZES = [
  [96, 64],
  [34, 18],
  [128, 32],
] as const;

/** @throws ConformInputError when there is nothing to check: no driver, parameters missing, no format that it takes */
export async function openSubject(
  source: DriverSource,
  given: unknown,
  formats: Readonly<Record<string, FrameFormat>>,
  findings: Findings,
): Promise<Subject> {
  const load = async (): Promise<AnyDriver> => (typeof source === 'function' ? await source() : source);
  const driver: AnyDriver = await load();
  checkShape(driver);
  const parameters = await parametersOf(driver, given ?? {}, findings);
  const inputs = inputsOf(driver, parameters, formats, findings);
  const plan = planOf(driver, parameters, inputs, findings);
  if (plan === undefined || plan.problems.length > 0) {
    const why = plan?.problems.map(({ message }) => message).join('; ') ?? thrownByPlan(findings);
    throw new ConformInputError(`Cannot check driver ${driver.name}: ${why}`);
  }
  return { load, driver, parameters, inputs, plan };
}

const PLAN_THROWS = 'plan throws: ';

function thrownByPlan({ all }: Findings): string {
  const { what, where } = all.find((one) => one.what.startsWith(PLAN_THROWS)) ?? { what: PLAN_THROWS };
  return `its ${what}${where === undefined ? '' : ` at ${where}`}`;
}

function checkShape(value: unknown): asserts value is AnyDriver {
  const problems = driverShapeProblems(value);
  if (problems.length === 0) return;
  throw new ConformInputError(`Cannot check what is not what defineDriver returns: ${problems.join('; ')}`);
}

const UNKNOWN = 'noSuchParameter';

async function parametersOf(driver: AnyDriver, given: unknown, findings: Findings): Promise<unknown> {
  const parsed = driver.parameters.safeParse(given);
  if (!parsed.success) {
    const nameless = parsed.error.issues.filter(({ path }) => path.length === 0);
    for (const { message } of nameless.slice(0, 1)) {
      findings.add('parameters', `the schema refuses ${JSON.stringify(given)} and names no parameter: ${message}`);
    }
    const message = `Cannot check driver ${driver.name}: parameters ${needs(parsed.error)}`;
    throw new ConformInputError(message, exampleOf(given, parsed.error));
  }
  if (isRecord(given)) {
    const misspelt = driver.parameters.safeParse({ ...given, [UNKNOWN]: 1 });
    const what = 'the schema lets a parameter pass that it does not know: a misspelt name goes unnoticed';
    if (misspelt.success) findings.add('parameters', what);
  }
  const again = driver.parameters.safeParse(given);
  if (JSON.stringify(again.data) !== JSON.stringify(parsed.data)) {
    findings.add('parameters', 'the schema answers differently when it is asked again');
  }
  try {
    return await prepareDriver(driver, parsed.data);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new ConformInputError(`Cannot check driver ${driver.name}: ${message}`);
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const needs = ({ issues }: z.ZodError): string =>
  issues.map(({ path, message }) => `${path.join('.') || '(all)'}: ${message}`).join('; ');

const EXAMPLES: Readonly<Record<string, unknown>> = { number: 1, int: 1, string: 'text', boolean: true, array: [] };

/** What was given, with something of the right type where that is all that is wrong. */
function exampleOf(given: unknown, { issues }: z.ZodError): Record<string, unknown> | undefined {
  const wrong = issues.map((issue): [string, unknown] | undefined => {
    const [name, ...deeper] = issue.path;
    if (typeof name !== 'string' || deeper.length > 0) return undefined;
    if (issue.code === 'invalid_value') return [name, issue.values[0]];
    return issue.code === 'invalid_type' && issue.expected in EXAMPLES ? [name, EXAMPLES[issue.expected]] : undefined;
  });
  const known = wrong.filter((one) => one !== undefined);
  return known.length < wrong.length || !isRecord(given) ? undefined : { ...given, ...Object.fromEntries(known) };
}

/** The formats of all inputs: those given, else the first that the driver takes. */
function inputsOf(
  driver: AnyDriver,
  parameters: unknown,
  given: Readonly<Record<string, FrameFormat>>,
  findings: Findings,
): Readonly<Record<string, FrameFormat>> {
  const names = Object.keys(driver.ports).filter((port) => driver.ports[port].direction === 'in');
  let candidates: Record<string, FrameFormat>[] = [{}];
  for (const name of names) {
    const formats = given[name] === undefined ? FOURCCS.map((one) => formatOf(one, WIDTH, HEIGHT)) : [given[name]];
    candidates = candidates.flatMap((inputs) => formats.map((format) => ({ ...inputs, [name]: format })));
  }
  const plans = candidates.map((inputs) => ({ inputs, plan: planOf(driver, parameters, inputs, findings) }));
  const found = plans.find(({ plan }) => plan?.problems.length === 0);
  return (found ?? plans[0]).inputs;
}

/** Other formats of its inputs that the driver takes: another size, more padding, another fourcc. */
export function otherInputs({ driver, parameters, inputs }: Subject, findings: Findings): Subject['inputs'][] {
  const change = (by: (format: FrameFormat) => FrameFormat): Subject['inputs'] =>
    Object.fromEntries(Object.entries(inputs).map(([port, format]) => [port, by(format)]));
  if (Object.keys(inputs).length === 0) return [];
  const sizes = SIZES.map(([width, height]) => change(({ fourcc }) => formatOf(fourcc, width, height)));
  const padded = change((format) => withPadding(format));
  const others = FOURCCS.map((fourcc) => change(() => formatOf(fourcc, WIDTH, HEIGHT)));
  const isNew = (one: Subject['inputs']): boolean => JSON.stringify(one) !== JSON.stringify(inputs);
  return [...sizes, padded, ...others].filter(
    (one) => isNew(one) && planOf(driver, parameters, one, findings)?.problems.length === 0,
  );
}

function formatOf(fourcc: Fourcc, width: number, height: number): FrameFormat {
  return fourcc === 'H264'
    ? bitstreamFormat(width, height, RATE)
    : frameFormat(fourcc as PixelFourcc, width, height, RATE);
}

/** Rows that are longer than they need be. */
function withPadding(format: FrameFormat): FrameFormat {
  if (format.strideBytes === 0) return format;
  const strideBytes = format.strideBytes + 64;
  return { ...format, strideBytes, sizeBytes: (format.sizeBytes / format.strideBytes) * strideBytes };
}

/** Asks a driver for its plan, twice, with arguments that cannot be changed. @returns undefined when it throws */
export function planOf(
  driver: AnyDriver,
  parameters: unknown,
  inputs: Subject['inputs'],
  findings: Findings,
): CheckedPlan | undefined {
  const ask = (): CheckedPlan =>
    planDriver(driver, frozen(structuredCloneOr(parameters)), frozen(structuredClone(inputs)));
  try {
    const [first, second] = [ask(), ask()];
    if (JSON.stringify(first) !== JSON.stringify(second)) {
      findings.add('plan', 'plan answers differently when it is asked again');
    }
    for (const { message } of first.problems) {
      if (typeof message === 'string' && message.trim().includes(' ')) continue;
      findings.add('plan', `plan refuses without a sentence: ${JSON.stringify(message)}`);
    }
    if (first.problems.length === 0) for (const output of Object.entries(first.outputs)) checkOutput(output, findings);
    return first;
  } catch (error) {
    const thrown = error instanceof Error ? error : new Error(String(error));
    findings.add('plan', `${PLAN_THROWS}${thrown.message}`, Place.ofDriver(thrown));
    return undefined;
  }
}

function checkOutput([port, { sizeBytes, strideBytes, rate }]: [string, FrameFormat], findings: Findings): void {
  const isWhole = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  if (isWhole(sizeBytes) && sizeBytes > 0 && isWhole(strideBytes) && rate.num > 0 && rate.den > 0) return;
  findings.add('plan', `plan gives output "${port}" a format without a size, a stride or a rate`);
}

/** Parameters may hold what cannot be cloned: then as they are. */
function structuredCloneOr(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) frozen(inner);
    Object.freeze(value);
  }
  return value;
}
