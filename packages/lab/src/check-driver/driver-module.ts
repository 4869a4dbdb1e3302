/** The module of a driver under test: fresh instances of what it exports. */
import type { AnyDriver } from '@dmabuf-lab/core/driver';
import { DriverLoadError, loadDriver } from '../loader/index.js';
import type { CheckRequest } from './protocol.js';

/** The device that the driver drives, as what it prints is labelled. */
const DEVICE = 'tested';

/**
 * Loads a driver, and makes what gives a fresh instance of it for each life of its device.
 *
 * @throws DriverLoadError with what is wrong with the module, and where
 */
export async function driverModule({
  given,
  specifier,
  fromFolder,
}: Pick<CheckRequest, 'given' | 'specifier' | 'fromFolder'>): Promise<() => Promise<AnyDriver>> {
  try {
    const { moduleUrl } = await loadDriver(specifier, fromFolder);
    return async () => ((await import(moduleUrl(DEVICE))) as { readonly default: AnyDriver }).default;
  } catch (error) {
    if (error instanceof DriverLoadError) throw new DriverLoadError(given, error.problems);
    throw error;
  }
}
