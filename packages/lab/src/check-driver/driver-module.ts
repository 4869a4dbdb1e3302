/** The module of a driver under test: fresh instances of what it exports. */
import type { AnyDriver } from '@dmabuf-lab/core/driver';
import { DriverLoadError, loadDriver } from '../loader/index.js';
import type { CheckRequest } from './protocol.js';

/** The device that the driver drives, as what it prints is labelled. */
const DEVICE = 'tested';

/** A driver under test. */
export interface TestedSource {
  /** Makes a fresh instance, for each life of its device. */
  load(): Promise<AnyDriver>;
  /** URL of its module, for those who have a thread of their own. */
  readonly module: string;
}

/**
 * Loads a driver.
 *
 * @throws DriverLoadError with what is wrong with the module, and where
 */
export async function driverModule({
  given,
  specifier,
  fromFolder,
}: Pick<CheckRequest, 'given' | 'specifier' | 'fromFolder'>): Promise<TestedSource> {
  try {
    const { moduleUrl } = await loadDriver(specifier, fromFolder);
    return {
      load: async () => ((await import(moduleUrl(DEVICE))) as { readonly default: AnyDriver }).default,
      module: moduleUrl(DEVICE),
    };
  } catch (error) {
    if (error instanceof DriverLoadError) throw new DriverLoadError(given, error.problems);
    throw error;
  }
}
