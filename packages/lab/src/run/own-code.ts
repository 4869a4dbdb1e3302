/** Calls what a driver says of itself before a run. A driver of a user may throw there, or say something that is no plan. */
import type { DriverPlan, FrameFormat } from '@dmabuf-lab/core/driver';
import { formatDriverProblem, type LoadedDriver, placeInDriver, placeOfDriver } from '../loader/index.js';

/** Takes one problem of a driver. */
type Refuse = (problem: string) => void;

/** The parameters with what the driver adds to them. What a built-in driver throws is for the user as it is. */
export async function completedParameters(loaded: LoadedDriver, checked: unknown, refuse: Refuse): Promise<unknown> {
  const { driver } = loaded;
  try {
    return (await driver.prepare?.(checked)) ?? checked;
  } catch (error) {
    if (isBuiltIn(loaded)) throw error;
    refuse(thrown(loaded, 'prepare', error));
    return checked;
  }
}

/** @returns undefined when the driver has none to give */
export function pipelinePlan(
  loaded: LoadedDriver,
  parameters: unknown,
  inputs: Readonly<Record<string, FrameFormat>>,
  refuse: Refuse,
): DriverPlan | undefined {
  const { driver } = loaded;
  if (isBuiltIn(loaded)) return driver.plan(parameters, inputs);
  let plan: unknown;
  try {
    plan = driver.plan(parameters, inputs);
  } catch (error) {
    refuse(thrown(loaded, 'plan', error));
    return undefined;
  }
  const problem = planProblem(loaded, plan);
  if (problem === undefined) return plan as DriverPlan;
  refuse(
    `cannot use ${loaded.specifier}: ${formatDriverProblem({ ...placeOfDriver(loaded.sources[0]), message: problem })}`,
  );
  return undefined;
}

const isBuiltIn = ({ sources }: LoadedDriver): boolean => sources.length === 0;

function thrown({ specifier, sources }: LoadedDriver, what: string, error: unknown): string {
  const known = error instanceof Error ? error : new Error(String(error));
  const place = placeInDriver(known, sources) ?? placeOfDriver(sources[0]);
  return `cannot use ${specifier}: ${formatDriverProblem({ ...place, message: `its ${what} throws: ${known.message}` })}`;
}

function planProblem({ driver }: LoadedDriver, plan: unknown): string | undefined {
  if (!isMapping(plan)) return 'its plan returns no mapping, expected { outputs, problems }';
  const { outputs, problems, forwards = {} } = plan;
  if (!Array.isArray(problems) || problems.some((problem) => typeof problem !== 'string')) {
    return 'its plan returns no problems, expected a list of texts, empty when it can work';
  }
  if (!isMapping(outputs)) return 'its plan returns no outputs, expected a mapping of outputs to formats';
  if (problems.length > 0) return undefined; // what the outputs would carry does not matter then
  const isPort = (port: string, direction: 'in' | 'out'): boolean => driver.ports[port]?.direction === direction;
  for (const [port, format] of Object.entries(outputs)) {
    if (!isPort(port, 'out')) return `its plan gives a format to "${port}", which is none of its outputs`;
    if (!isFormat(format)) return `its plan gives the output "${port}" no format; frameFormat() makes one`;
  }
  const missing = Object.entries(driver.ports).find(
    ([port, declared]) => declared.direction === 'out' && declared.isOptional !== true && !Object.hasOwn(outputs, port),
  )?.[0];
  if (missing !== undefined) return `its plan gives the output "${missing}" no format`;
  if (!isMapping(forwards)) return 'its plan: expected forwards to be a mapping of outputs to inputs';
  for (const [to, from] of Object.entries(forwards)) {
    if (!isPort(to, 'out') || !isPort(String(from), 'in')) {
      return `its plan forwards "${String(from)}" to "${to}", expected one of its inputs to one of its outputs`;
    }
  }
  return undefined;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFormat(value: unknown): boolean {
  if (!isMapping(value)) return false;
  const { fourcc, widthPixels, heightPixels, sizeBytes } = value;
  return typeof fourcc === 'string' && [widthPixels, heightPixels, sizeBytes].every((one) => Number(one) > 0);
}
