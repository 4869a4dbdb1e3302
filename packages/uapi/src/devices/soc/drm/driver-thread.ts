/** How the driver of a device behind a node is asked and run. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { type AnyDriver, type DriverContext, runDriver as runSetUp, setUpDriver } from '@dmabuf-lab/core/driver';

/**
 * The first port of a direction; nodes have one of each at most.
 *
 * @returns undefined when the driver has none
 */
export function portOf({ ports }: AnyDriver, direction: 'in' | 'out'): string | undefined {
  return Object.keys(ports).find((name) => ports[name].direction === direction);
}

/** @throws ErrnoError EINVAL for a driver that nothing can be given to */
export function inputOf(driver: AnyDriver, op: string): string {
  const name = portOf(driver, 'in');
  if (name !== undefined) return name;
  throw new ErrnoError('EINVAL', op, `Cannot put driver ${driver.name} behind this node: it has no input`);
}

/** Runs a driver as a pipeline would, to its end. */
export function* runDriver(driver: AnyDriver, context: DriverContext): Task<void> {
  const state = yield* setUpDriver(driver, context);
  yield* runSetUp(driver, context, state);
}
