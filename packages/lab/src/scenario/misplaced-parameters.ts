/** Tells of a key beside `driver:` that belongs into `parameters:`: what a driver takes is known only once it is loaded. */
import { loadDriver } from '../loader/load-driver.js';
import { ScenarioError, type ScenarioProblem } from './problem.js';
import { keysOf } from './schema-lookup.js';

const KEY_OF_DEVICE = /^devices\.([^.]+)\.([^.]+)$/;

/**
 * What reading a scenario has thrown, with `withMisplacedParameters` where devices are not in order; anything else as it is.
 *
 * @param value the scenario as it is written; called when it is needed
 * @param directory absolute path that drivers are looked for from
 */
export async function withHints(error: unknown, value: () => unknown, directory: string): Promise<unknown> {
  const isOfDevices = error instanceof ScenarioError && error.problems.some(({ path }) => path.startsWith('devices.'));
  return isOfDevices ? new ScenarioError(await withMisplacedParameters(error.problems, value(), directory)) : error;
}

/**
 * Says of unknown keys of devices where they belong, when they are parameters of the driver.
 *
 * @param value the scenario as it is written
 * @param directory absolute path that drivers are looked for from
 */
async function withMisplacedParameters(
  problems: readonly ScenarioProblem[],
  value: unknown,
  directory: string,
): Promise<ScenarioProblem[]> {
  return await Promise.all(
    problems.map(async (problem) => {
      const [, device, key] = KEY_OF_DEVICE.exec(problem.path) ?? [];
      if (device === undefined || !problem.message.startsWith('unknown key ')) return problem;
      const driver = driverOf(value, device);
      if (driver === undefined || !(await parametersOf(driver, directory)).includes(key)) return problem;
      return { ...problem, message: `${key} is a parameter of ${driver}: put it into parameters` };
    }),
  );
}

function driverOf(value: unknown, device: string): string | undefined {
  const { devices } = value as { readonly devices?: Readonly<Record<string, { readonly driver?: unknown } | null>> };
  const driver = devices?.[device]?.driver;
  return typeof driver === 'string' ? driver : undefined;
}

/** Names of the parameters of a driver; none when it cannot be used, which is told elsewhere. */
async function parametersOf(specifier: string, directory: string): Promise<readonly string[]> {
  try {
    const { driver } = await loadDriver(specifier, directory);
    return keysOf(driver.parameters) ?? [];
  } catch {
    return []; // whatever it is, the problems that are to be told are others
  }
}
