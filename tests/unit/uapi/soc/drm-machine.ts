/** A simulated machine with the GPU and the display of scenarios behind DRM nodes. */
import {
  type ActorServices,
  actorId,
  ErrnoError,
  type Nanoseconds,
  RandomStream,
  type Task,
  TraceLog,
} from '@dmabuf-lab/core/base';
import type { Payload } from '@dmabuf-lab/core/driver';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import {
  addDisplayNode,
  addRenderNode,
  type DisplayNodeOptions,
  FrameContents,
  type Process,
  type SimulatedKernel,
  type SocDevice,
  type SocHost,
} from '@dmabuf-lab/uapi';
import { runInProcess } from '../run-in-process.js';

export const GPU = '/dev/dri/renderD130';
export const CARD = '/dev/dri/card3';
export const MS = 1_000_000;

/** The services of an actor, as far as devices need them. */
function servicesOf(kernel: SimulatedKernel): ActorServices {
  const none = (): never => {
    throw new Error('devices behind nodes do not ask for this');
  };
  return {
    name: 'machine',
    id: actorId(1),
    clock: { now: () => kernel.now() },
    words: undefined as never,
    trace: new TraceLog(true),
    backPressured: false,
    random: (name) => new RandomStream(1, name),
    spawn: (name, task) => kernel.spawn(name, task),
    call: none,
    serve: none,
    untilScenarioTime: none,
  };
}

export function hostOn(kernel: SimulatedKernel, payload: Payload = 'pixels'): SocHost {
  return { kernel, services: servicesOf(kernel), contents: new FrameContents(), payload, runtime: 'virtual' };
}

/** Adds the GPU of scenarios. @param parameters as in a scenario */
export function addGpu(host: SocHost, parameters: Readonly<Record<string, unknown>> = {}, path = GPU): SocDevice {
  const { driver } = builtInDrivers.gpu;
  return addRenderNode(host, { name: 'gpu', driver, parameters: driver.parameters.parse(parameters), path });
}

/** Adds the display of scenarios, 320 x 180. @param parameters as in a scenario */
export function addDisplay(
  host: SocHost,
  parameters: Readonly<Record<string, unknown>> = {},
  options: Partial<DisplayNodeOptions> = {},
): SocDevice {
  const { driver } = builtInDrivers.display;
  const size = { widthPixels: 320, heightPixels: 180 };
  const given = { name: 'display', driver, parameters: driver.parameters.parse(parameters), path: CARD };
  return addDisplayNode(host, { ...given, ...size, ...options });
}

export interface Machine {
  readonly process: Process;
  readonly kernel: SimulatedKernel;
  readonly host: SocHost;
}

/** Runs a program on a machine without devices but those that it adds. */
export function onMachine<T>(program: (machine: Machine) => Task<T>, payload?: Payload): T {
  return runInProcess((process, kernel) => program({ process, kernel, host: hostOn(kernel, payload) }));
}

/** @returns the errno of a call that is refused */
export function* refusal(call: Task<unknown>): Task<string> {
  try {
    yield* call;
  } catch (error) {
    if (error instanceof ErrnoError) return error.code;
    throw error;
  }
  return 'no error';
}

/** Calls something at a time. */
export function later(kernel: SimulatedKernel, timeNs: Nanoseconds, task: () => Task<void>): void {
  kernel.at(timeNs, 'a test', () => kernel.spawn('a test', task()));
}
