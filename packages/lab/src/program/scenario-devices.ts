/** The devices of a scenario as a program meets them: which node each stands behind. */
import { planDriver } from '@dmabuf-lab/core/driver';
import { deviceConstraintsOf } from '../library/index.js';
import type { NodeKind, ScenarioNode } from '../machine/index.js';
import { planDevices } from '../run/pipeline.js';
import { type LoadedScenario, ScenarioError } from '../scenario/index.js';

/** A device behind a node: plain data. */
export interface ProgramDevice extends Omit<ScenarioNode, 'driver'> {
  /** URL of the module whose default export is the driver. */
  readonly module: string;
}

/** Above the nodes of the kernel's own virtual devices: video0 to video5, card0 to card2, renderD128 and renderD129. */
const FIRST_VIDEO = 10;
const FIRST_CARD = 3;
const FIRST_RENDER = 130;

/**
 * Says which node each device of a scenario gets, by what its driver takes and gives.
 *
 * @throws ScenarioError with every problem of the devices
 */
export async function devicesOf(loaded: LoadedScenario): Promise<ProgramDevice[]> {
  const planned = await planDevices(loaded);
  let video = FIRST_VIDEO;
  let card = FIRST_CARD;
  let render = FIRST_RENDER;
  const devices: ProgramDevice[] = [];
  for (const name of Object.keys(loaded.scenario.devices)) {
    const device = planned.get(name);
    if (device === undefined) throw new ScenarioError([loaded.document.problemAt(['devices', name], 'not planned')]);
    const { driver, module, parameters, inputs } = device;
    // With the outputs that the scenario links to nothing.
    const kind = kindOf(driver.ports, planDriver(driver, parameters, inputs).outputs);
    const path = {
      capture: () => `/dev/video${video++}`,
      encoder: () => `/dev/video${video++}`,
      render: () => `/dev/dri/renderD${render++}`,
      display: () => `/dev/dri/card${card++}`,
    }[kind]();
    const constraints = deviceConstraintsOf(name, loaded.scenario.devices[name].constraints);
    const [shown] = kind === 'display' ? Object.values(inputs) : [];
    const mode = shown && { widthPixels: shown.widthPixels, heightPixels: shown.heightPixels };
    devices.push({ name, kind, path, module, parameters, constraints, ...mode });
  }
  return devices;
}

function kindOf(
  ports: Readonly<Record<string, { readonly direction: 'in' | 'out' }>>,
  outputs: Readonly<Record<string, { readonly fourcc: string }>>,
): NodeKind {
  const directions = Object.values(ports).map(({ direction }) => direction);
  if (!directions.includes('in')) return 'capture';
  if (!directions.includes('out')) return 'display';
  return Object.values(outputs).some(({ fourcc }) => fourcc === 'H264') ? 'encoder' : 'render';
}
