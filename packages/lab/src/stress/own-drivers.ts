/** Drivers that users wrote: loaded, looked at, and put into a pipeline of their own. */
import { pathToFileURL } from 'node:url';
import { type AnyDriver, type FrameFormat, planDriver } from '@dmabuf-lab/core/driver';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import type { OwnDrivers } from '../run/pipeline.js';
import type { ScenarioInput } from '../scenario/index.js';

/** A module under stress. */
export interface OwnDriver {
  /** The device that it drives. */
  readonly device: string;
  readonly driver: AnyDriver;
  /** URL of the module. */
  readonly module: string;
  /** As it was given. */
  readonly path: string;
}

/** What a module cannot be used for; the command line ends with 2. */
export class OwnDriverError extends Error {
  override readonly name = 'OwnDriverError';
  readonly exitCode = 2;
}

/**
 * Loads modules whose default export is a driver, as `defineDriver` makes it.
 *
 * @param paths absolute, beside how they were given
 * @throws OwnDriverError that says what is wrong with which module
 */
export async function loadOwnDrivers(
  paths: readonly { readonly path: string; readonly given: string }[],
): Promise<OwnDriver[]> {
  const drivers: OwnDriver[] = [];
  for (const [i, { path, given }] of paths.entries()) {
    const module = pathToFileURL(path).href;
    const driver = await defaultExport(module, given);
    drivers.push({ device: `own${i + 1}`, driver, module, path: given });
  }
  return drivers;
}

async function defaultExport(module: string, given: string): Promise<AnyDriver> {
  let loaded: { readonly default?: Partial<AnyDriver> };
  try {
    loaded = (await import(module)) as typeof loaded;
  } catch (error) {
    throw new OwnDriverError(
      `Cannot load the driver ${given}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const { run, plan, ports, parameters } = loaded.default ?? {};
  if (typeof run === 'function' && typeof plan === 'function' && ports !== undefined && parameters !== undefined) {
    return loaded.default as AnyDriver;
  }
  throw new OwnDriverError(`Cannot use the driver ${given}: its default export is not what defineDriver returns`);
}

/** What the worker pool and the scenario need to know of the modules. */
export const asOwnDrivers = (drivers: readonly OwnDriver[]): OwnDrivers =>
  Object.fromEntries(drivers.map(({ device, driver, module }) => [device, { driver, module }]));

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
    const { device, driver } = own;
    devices[device] = { driver: 'gpu' }; // a name that the schema knows: the module takes its place
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
  { driver, path }: OwnDriver,
  inputs: readonly string[],
  format: FrameFormat,
): Readonly<Record<string, FrameFormat>> {
  const parameters = driver.parameters.safeParse({});
  if (!parameters.success) {
    throw new OwnDriverError(
      `Cannot use the driver ${path}: its parameters need defaults: ${parameters.error.message}`,
    );
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
