/** Runs any driver: what its own schema has let pass is its parameters, what its own `setup` has returned its state. */
import type { Task } from '../base/index.js';
import type { AnyDriver } from './define-driver.js';
import type { DriverContext } from './driver-port.js';

/** Completes parameters that the driver's schema has let pass. @throws Error of the driver, with a message for the user */
export async function prepareDriver(driver: AnyDriver, parameters: unknown): Promise<unknown> {
  return driver.prepare === undefined ? parameters : await driver.prepare(parameters as never);
}

/** What is done before model time begins. @returns the state that `runDriver` takes */
export function* setUpDriver(driver: AnyDriver, context: DriverContext): Task<unknown> {
  return driver.setup === undefined ? undefined : yield* driver.setup(context as never);
}

/** The driver itself, until it ends. */
export function runDriver(driver: AnyDriver, context: DriverContext, state: unknown): Task<void> {
  return driver.run(context as never, state as never);
}
