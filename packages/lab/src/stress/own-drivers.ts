/** Drivers that users wrote: loaded, looked at, and put into a pipeline of their own. */
import { type AnyDriver, type FrameFormat, planDriver } from '@dmabuf-lab/core/driver';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { DriverLoadError, loadDriver } from '../loader/index.js';
import type { ScenarioInput } from '../scenario/index.js';
import { explainIssues } from '../scenario/issues.js';

/** A module under stress. */
export interface OwnDriver {
  /** The device that it drives. */
  readonly device: string;
  readonly driver: AnyDriver;
  /** As they were given, a mapping; `{}` = all as the driver has them. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Absolute path of its file, or the name of a package. */
  readonly module: string;
  /** As it was given. */
  readonly path: string;
}

/** Which modules are put under stress: plain data. */
export interface OwnDriverPaths {
  /** Absolute path of where packages are looked for from. */
  readonly folder: string;
  /** Absolute paths of files and names of packages, beside how they were given. Absent parameters: those that the driver has. */
  readonly modules: readonly {
    readonly path: string;
    readonly given: string;
    readonly parameters?: Readonly<Record<string, unknown>>;
  }[];
}

/** What a module cannot be used for; the command line ends with 2. */
export class OwnDriverError extends Error {
  override readonly name = 'OwnDriverError';
  readonly exitCode = 2;
}

/** Loads drivers as a scenario does. @throws DriverLoadError that says what is wrong with which module, and where */
export async function loadOwnDrivers({ folder, modules }: OwnDriverPaths): Promise<OwnDriver[]> {
  const drivers: OwnDriver[] = [];
  for (const [i, { path, given, parameters = {} }] of modules.entries()) {
    try {
      const { driver } = await loadDriver(path, folder);
      drivers.push({ device: `own${i + 1}`, driver, parameters, module: path, path: given });
    } catch (error) {
      if (error instanceof DriverLoadError) throw new DriverLoadError(given, error.problems);
      throw error;
    }
  }
  return drivers;
}

const CAMERA = { width: 64, height: 48, rate: 240 };

/**
 * The pipeline of the modules: a camera into every input of each, if there are any, and a sink behind every output. RGBA goes to a display, NV12
 * through a GPU to one; whatever else an output carries stays unlinked.
 *
 * @throws OwnDriverError when a module has no place in it
 */
export function pipelineOf(drivers: readonly OwnDriver[]): Required<Pick<ScenarioInput, 'devices' | 'links'>> {
  const devices: Record<string, ScenarioInput['devices'][string]> = {};
  const links: ScenarioInput['links'] = [];
  const { driver: camera } = builtInDrivers.camera;
  const needsCamera = drivers.some(({ driver }) => inputsOf(driver).length > 0);
  if (needsCamera) devices.camera = { driver: 'camera', parameters: CAMERA };
  const format = planDriver(camera, camera.parameters.parse(CAMERA), {}).outputs.out;
  for (const own of drivers) {
    const { device, driver, parameters, module } = own;
    devices[device] = { driver: module, parameters };
    const inputs = inputsOf(driver);
    for (const port of inputs) links.push({ from: 'camera.out', to: `${device}.${port}`, policy: 'drop-oldest' });
    for (const [port, carried] of Object.entries(outputsOf(own, inputs, format)))
      addSink(devices, links, `${device}.${port}`, carried);
  }
  return { devices, links };
}

const inputsOf = ({ ports }: AnyDriver): string[] =>
  Object.keys(ports).filter((port) => ports[port].direction === 'in');

function outputsOf(
  { driver, parameters: given, path }: OwnDriver,
  inputs: readonly string[],
  format: FrameFormat,
): Readonly<Record<string, FrameFormat>> {
  const parameters = driver.parameters.safeParse(given);
  if (!parameters.success) {
    const told = explainIssues(driver.parameters, given, parameters.error.issues).map(
      (one) => `parameters.${one.path.join('.')}: ${one.message}`,
    );
    const why = 'give it with --parameters, or give it a default in the schema (.default(…))';
    throw new OwnDriverError(`Cannot use the driver ${path}: ${told.join('; ')}; ${why}`);
  }
  const { outputs, problems } = planDriver(
    driver,
    parameters.data,
    Object.fromEntries(inputs.map((port) => [port, format])),
  );
  if (problems.length === 0) return outputs;
  throw new OwnDriverError(
    `Cannot use the driver ${path} behind a camera of NV12: ${problems.map(({ message }) => message).join('; ')}`,
  );
}

function addSink(
  devices: Record<string, ScenarioInput['devices'][string]>,
  links: ScenarioInput['links'],
  from: string,
  { fourcc }: FrameFormat,
): void {
  const name = from.replace('.', '-');
  let rgba = fourcc === 'AB24' ? from : undefined;
  if (fourcc === 'NV12') {
    devices[`${name}-gpu`] = { driver: 'gpu', parameters: { service: '1ms' } };
    links.push({ from, to: `${name}-gpu.in`, policy: 'drop-oldest' });
    rgba = `${name}-gpu.out`;
  }
  if (rgba === undefined) return;
  devices[`${name}-display`] = { driver: 'display', parameters: { refresh: 240, pictures: 0 } };
  links.push({ from: rgba, to: `${name}-display.in`, policy: 'drop-oldest' });
}
