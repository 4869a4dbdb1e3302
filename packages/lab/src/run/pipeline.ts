/** Works out the pipeline of a scenario: parameters, formats, pools and links. Pure, except for reading file headers. */
import { type AnyDriver, type FrameFormat, planDriver, prepareDriver } from '@dmabuf-lab/core/driver';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { type LoadedScenario, type Scenario, ScenarioError, type ScenarioProblem } from '../scenario/index.js';

/** A device with everything known about it before the run. */
export interface PlannedDevice {
  readonly name: string;
  readonly driver: AnyDriver;
  readonly module: string;
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

/** Drivers that are not built in, by the device that they drive. */
export type OwnDrivers = Readonly<Record<string, { readonly driver: AnyDriver; readonly module: string }>>;

/** Splits `camera.out`. */
export function endpoint(text: string): Endpoint {
  const [device, port] = text.split('.');
  return { device, port };
}

/**
 * Plans every device, sources first.
 *
 * @param cameraFile a clip for every camera, in place of its own
 * @param own drivers in place of those that the scenario names
 * @throws ScenarioError with every problem found; MediaError when a clip cannot be read
 */
export async function planDevices(
  loaded: LoadedScenario,
  cameraFile?: string,
  own: OwnDrivers = {},
): Promise<Map<string, PlannedDevice>> {
  const problems: ScenarioProblem[] = [];
  const planned = new Map<string, PlannedDevice>();
  for (const name of upstreamFirst(loaded.scenario)) {
    const device = await planDevice(loaded, name, planned, cameraFile, own, problems);
    if (device !== undefined) planned.set(name, device);
  }
  if (cameraFile !== undefined && !Object.values(loaded.scenario.devices).some((d) => d.driver === 'camera')) {
    problems.push(loaded.document.problemAt(['devices'], 'a camera file was given, but no device is a camera'));
  }
  if (problems.length > 0) throw new ScenarioError(problems);
  return planned;
}

async function planDevice(
  { scenario, document }: LoadedScenario,
  name: string,
  planned: ReadonlyMap<string, PlannedDevice>,
  cameraFile: string | undefined,
  own: OwnDrivers,
  problems: ScenarioProblem[],
): Promise<PlannedDevice | undefined> {
  const spec = scenario.devices[name];
  const { driver, module } = own[name] ?? builtInDrivers[spec.driver];
  const given =
    spec.driver === 'camera' && cameraFile !== undefined ? { ...spec.parameters, file: cameraFile } : spec.parameters;
  const path = ['devices', name, 'parameters'];
  const checked = document.validateWith(driver.parameters, given, path);
  if ('problems' in checked) {
    problems.push(...checked.problems);
    return undefined;
  }
  const parameters = await prepareDriver(driver, checked.value);
  const inputs = inputFormats(scenario, document, name, driver, planned, problems);
  if (inputs === undefined) return undefined;
  checkOutputs(scenario, document, name, driver, problems);
  const plan = planDriver(driver, parameters, inputs);
  for (const { port, message } of plan.problems) {
    const link = scenario.links.findIndex(({ to }) => to === `${name}.${port}`);
    const path = port === undefined ? ['devices', name] : ['links', link, 'to'];
    problems.push(document.problemAt(path, `${name} cannot work in this pipeline: ${message}`));
  }
  const outputs = wantedOutputs(scenario, name, driver, plan.outputs);
  return { name, driver, module, parameters, inputs, outputs, forwards: plan.forwards };
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
