/** Works out the pipeline of a scenario: parameters, formats, pools and links. Pure, except for reading file headers. */
import { pathToFileURL } from 'node:url';
import type { AnyDriver, FrameFormat } from '@dmabuf-lab/core/driver';
import { DriverLoadError, formatDriverProblem, type LoadedDriver, loadDriver } from '../loader/index.js';
import { type LoadedScenario, type Scenario, ScenarioError, type ScenarioProblem } from '../scenario/index.js';
import { completedParameters, pipelinePlan } from './own-code.js';

/** A device with everything known about it before the run. */
export interface PlannedDevice {
  readonly name: string;
  readonly driver: AnyDriver;
  /** URL of its own copy of the driver's module. */
  readonly module: string;
  /** URL of the file that the driver is written in. */
  readonly source: string;
  /** Absolute paths of what a driver of the user was made from; empty for a built-in one. */
  readonly sources: readonly string[];
  readonly parameters: unknown;
  /** By port. */
  readonly inputs: Readonly<Record<string, FrameFormat>>;
  readonly outputs: Readonly<Record<string, FrameFormat>>;
  /** Outputs that pass on what comes in: output to input. */
  readonly forwards: Readonly<Record<string, string>>;
}

export interface Endpoint {
  readonly device: string;
  readonly port: string;
}

/** Splits `camera.out`. */
export function endpoint(text: string): Endpoint {
  const [device, port] = text.split('.');
  return { device, port };
}

/**
 * Plans every device, sources first.
 *
 * @param cameraFile a clip for every camera, in place of its own
 * @throws ScenarioError with every problem found; MediaError when a clip cannot be read
 */
export async function planDevices(loaded: LoadedScenario, cameraFile?: string): Promise<Map<string, PlannedDevice>> {
  const problems: ScenarioProblem[] = [];
  const planned = new Map<string, PlannedDevice>();
  for (const name of upstreamFirst(loaded.scenario)) {
    const device = await planDevice(loaded, name, planned, cameraFile, problems);
    if (device !== undefined) planned.set(name, device);
  }
  if (cameraFile !== undefined && !Object.values(loaded.scenario.devices).some((d) => d.driver === 'camera')) {
    problems.push(loaded.document.problemAt(['devices'], 'a camera file was given, but no device is a camera'));
  }
  if (problems.length > 0) throw new ScenarioError(problems);
  return planned;
}

async function planDevice(
  loaded: LoadedScenario,
  name: string,
  planned: ReadonlyMap<string, PlannedDevice>,
  cameraFile: string | undefined,
  problems: ScenarioProblem[],
): Promise<PlannedDevice | undefined> {
  const { scenario, document } = loaded;
  const spec = scenario.devices[name];
  const found = await driverOf(loaded, name, problems);
  if (found === undefined) return undefined;
  const { driver } = found;
  const given =
    spec.driver === 'camera' && cameraFile !== undefined ? { ...spec.parameters, file: cameraFile } : spec.parameters;
  const path = ['devices', name, 'parameters'];
  const checked = document.validateWith(driver.parameters, given, path);
  if ('problems' in checked) {
    problems.push(...checked.problems);
    return undefined;
  }
  const refuse = (problem: string): void => {
    problems.push(document.problemAt(['devices', name, 'driver'], problem));
  };
  const parameters = await completedParameters(found, checked.value, refuse);
  const inputs = inputFormats(scenario, document, name, driver, planned, problems);
  if (inputs === undefined) return undefined;
  checkOutputs(scenario, document, name, driver, problems);
  const plan = pipelinePlan(found, parameters, inputs, refuse);
  if (plan === undefined) return undefined;
  for (const { port, message } of plan.problems) {
    const link = scenario.links.findIndex(({ to }) => to === `${name}.${port}`);
    const path = port === undefined ? ['devices', name] : ['links', link, 'to'];
    problems.push(document.problemAt(path, `${name} cannot work in this pipeline: ${message}`));
  }
  const outputs = wantedOutputs(scenario, name, driver, plan.outputs);
  const module = found.moduleUrl(name);
  const [file] = found.sources;
  const source = file === undefined ? module : pathToFileURL(file).href;
  const { sources } = found;
  return { name, driver, module, source, sources, parameters, inputs, outputs, forwards: plan.forwards };
}

/** Loads the driver of a device; undefined when it cannot be used. */
async function driverOf(
  { scenario, document, directory }: LoadedScenario,
  name: string,
  problems: ScenarioProblem[],
): Promise<LoadedDriver | undefined> {
  const specifier = scenario.devices[name].driver;
  try {
    return await loadDriver(specifier, directory);
  } catch (error) {
    if (!(error instanceof DriverLoadError)) throw error;
    const path = ['devices', name, 'driver'];
    for (const problem of error.problems) {
      problems.push(document.problemAt(path, `cannot use ${specifier}: ${formatDriverProblem(problem)}`));
    }
    return undefined;
  }
}

/** Outputs that have buffers: all but optional ones that are linked to nothing. */
function wantedOutputs(
  { links }: Scenario,
  name: string,
  { ports }: AnyDriver,
  outputs: Readonly<Record<string, FrameFormat>>,
): Record<string, FrameFormat> {
  const isWanted = (port: string): boolean => {
    const declared = ports[port];
    const isOptional = declared?.direction === 'out' && declared.isOptional === true;
    return !isOptional || links.some(({ from }) => from === `${name}.${port}`);
  };
  return Object.fromEntries(Object.entries(outputs).filter(([port]) => isWanted(port)));
}

/** The formats that arrive; undefined when a device upstream could not be planned. */
function inputFormats(
  scenario: Scenario,
  document: LoadedScenario['document'],
  name: string,
  driver: AnyDriver,
  planned: ReadonlyMap<string, PlannedDevice>,
  problems: ScenarioProblem[],
): Record<string, FrameFormat> | undefined {
  const inputs: Record<string, FrameFormat> = {};
  let complete = true;
  for (const [i, link] of scenario.links.entries()) {
    const to = endpoint(link.to);
    if (to.device !== name) continue;
    if (driver.ports[to.port]?.direction !== 'in') {
      problems.push(document.problemAt(['links', i, 'to'], noSuchPort(name, driver, to.port, 'in')));
      complete = false;
      continue;
    }
    const from = endpoint(link.from);
    const format = planned.get(from.device)?.outputs[from.port];
    if (format === undefined) complete = false;
    else inputs[to.port] = format;
  }
  return complete ? inputs : undefined;
}

function checkOutputs(
  scenario: Scenario,
  document: LoadedScenario['document'],
  name: string,
  driver: AnyDriver,
  problems: ScenarioProblem[],
): void {
  const refuse = (path: (string | number)[], port: string): void => {
    if (driver.ports[port]?.direction === 'out') return;
    problems.push(document.problemAt(path, noSuchPort(name, driver, port, 'out')));
  };
  for (const [i, link] of scenario.links.entries()) {
    const from = endpoint(link.from);
    if (from.device === name) refuse(['links', i, 'from'], from.port);
  }
  for (const key of Object.keys(scenario.pools)) {
    const pool = endpoint(key);
    if (pool.device === name) refuse(['pools', key], pool.port);
  }
}

function noSuchPort(name: string, driver: AnyDriver, port: string, direction: 'in' | 'out'): string {
  const ports = Object.keys(driver.ports).filter((key) => driver.ports[key].direction === direction);
  const has =
    ports.length === 0
      ? `no ${direction}puts`
      : `the ${direction}put${ports.length > 1 ? 's' : ''} ${ports.join(', ')}`;
  if (Object.hasOwn(driver.ports, port)) {
    const other = direction === 'in' ? 'out' : 'in';
    return `${name}.${port} is an ${other}put (driver ${driver.name}), expected an ${direction}put; ${name} has ${has}`;
  }
  return `${name} (driver ${driver.name}) has no ${direction}put "${port}"; it has ${has}`;
}

/** Device names so that each comes after those that feed it. The pipeline has no cycle: that was checked on loading. */
function upstreamFirst(scenario: Scenario): string[] {
  const order: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name)) return;
    for (const link of scenario.links) if (endpoint(link.to).device === name) visit(endpoint(link.from).device);
    order.push(name);
  };
  for (const name of Object.keys(scenario.devices)) visit(name);
  return order;
}
