/** Calls what a driver says of itself before a run. A driver of a user may throw there, or say something that is no plan. */
import { type AnyDriver, type CheckedPlan, type FrameFormat, planDriver, prepareDriver } from '@dmabuf-lab/core/driver';
import { formatDriverProblem, type LoadedDriver, placeInDriver, placeOfDriver } from '../loader/index.js';

/** Takes one problem of a driver. */
type Refuse = (problem: string) => void;

/** The parameters with what the driver adds to them. What a built-in driver throws is for the user as it is. */
export async function completedParameters(loaded: LoadedDriver, checked: unknown, refuse: Refuse): Promise<unknown> {
  let completed: unknown;
  try {
    completed = await prepareDriver(loaded.driver, checked);
  } catch (error) {
    if (isBuiltIn(loaded)) throw error;
    refuse(thrown(loaded, 'prepare', error));
    return checked;
  }
  try {
    return structuredClone(completed); // they go to another thread
  } catch (error) {
    refuse(said(loaded, `its parameters have to be plain data: ${(error as Error).message}`));
    return checked;
  }
}

/** @returns undefined when the driver has none to give */
export function pipelinePlan(
  loaded: LoadedDriver,
  parameters: unknown,
  inputs: Readonly<Record<string, FrameFormat>>,
  refuse: Refuse,
): CheckedPlan | undefined {
  if (isBuiltIn(loaded)) return planDriver(loaded.driver, parameters, inputs);
  const { driver } = loaded;
  let problem: string | undefined;
  const plan = (...asked: Parameters<AnyDriver['plan']>): unknown => {
    const answer: unknown = driver.plan(...asked);
    problem = planProblem(answer);
    return problem === undefined ? answer : { outputs: {} };
  };
  try {
    const checked = planDriver(Object.create(driver, { plan: { value: plan } }) as AnyDriver, parameters, inputs);
    if (problem === undefined) return checked;
  } catch (error) {
    refuse(thrown(loaded, 'plan', error));
    return undefined;
  }
  refuse(said(loaded, problem));
  return undefined;
}

const isBuiltIn = ({ sources }: LoadedDriver): boolean => sources.length === 0;

const said = ({ specifier, sources }: LoadedDriver, message: string): string =>
  `cannot use ${specifier}: ${formatDriverProblem({ ...placeOfDriver(sources[0]), message })}`;

function thrown(loaded: LoadedDriver, what: string, error: unknown): string {
  const known = error instanceof Error ? error : new Error(String(error));
  const message = `its ${what} throws: ${known.message}`;
  const place = placeInDriver(known, loaded.sources);
  if (place === undefined) return said(loaded, message);
  return `cannot use ${loaded.specifier}: ${formatDriverProblem({ ...place, message })}`;
}

/** What is wrong with the shape of a plan; whether it goes with the ports, `planDriver` looks. */
function planProblem(plan: unknown): string | undefined {
  if (!isMapping(plan)) return 'its plan returns no mapping, expected { outputs }';
  const { outputs, problems = [], forwards = {} } = plan;
  if (!Array.isArray(problems) || problems.some((problem) => typeof problem !== 'string')) {
    return 'the problems of its plan: expected a list of texts';
  }
  if (!isMapping(outputs)) return 'its plan has no outputs, expected a mapping of outputs to formats';
  if (!isMapping(forwards)) return 'the forwards of its plan: expected a mapping of outputs to inputs';
  const bad = Object.keys(outputs).find((port) => outputs[port] !== undefined && !isFormat(outputs[port]));
  return bad === undefined ? undefined : `its plan gives the output "${bad}" no whole format; frameFormat() makes one`;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFormat(value: unknown): boolean {
  if (!isMapping(value)) return false;
  const { fourcc, widthPixels, heightPixels, strideBytes, sizeBytes, rate } = value;
  if (typeof fourcc !== 'string' || !isMapping(rate) || !Number.isSafeInteger(strideBytes)) return false;
  return [widthPixels, heightPixels, sizeBytes, rate.num, rate.den].every(
    (one) => Number.isSafeInteger(one) && Number(one) > 0,
  );
}
