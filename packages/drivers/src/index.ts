/** The built-in drivers, by name: where their modules are, and what they are. */
import type { AnyDriver } from '@dmabuf-lab/core/driver';
import camera from './camera/camera.js';
import display from './display/display.js';
import encoder from './encoder/encoder.js';
import gpu from './gpu/gpu.js';

/** A driver and the module that a worker loads it from. */
export interface BuiltInDriver {
  readonly driver: AnyDriver;
  readonly module: string;
}

const moduleOf = (path: string): string => new URL(path, import.meta.url).href;

export const builtInDrivers: Readonly<Record<string, BuiltInDriver>> = {
  camera: { driver: camera, module: moduleOf('./camera/camera.js') },
  gpu: { driver: gpu, module: moduleOf('./gpu/gpu.js') },
  display: { driver: display, module: moduleOf('./display/display.js') },
  encoder: { driver: encoder, module: moduleOf('./encoder/encoder.js') },
};
