/** The module of a driver under test: what it exports, and fresh instances of it. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyDriver } from '@dmabuf-lab/core/driver';

/**
 * Loads a driver, and makes what gives a fresh instance of it for each life of its device.
 *
 * @param specifier a path
 * @param fromFolder absolute path of the folder that it is resolved from
 * @throws Error that says what is wrong with the module; `exitCode` 2
 */
export async function driverModule(specifier: string, fromFolder: string): Promise<() => Promise<AnyDriver>> {
  const url = pathToFileURL(resolve(fromFolder, specifier));
  let instances = 0;
  const load = async (): Promise<AnyDriver> => {
    url.searchParams.set('instance', String(instances));
    instances += 1;
    const { default: driver } = (await import(url.href)) as { readonly default?: AnyDriver };
    if (driver === undefined) throw new Error('it has no default export');
    return driver;
  };
  try {
    await load();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw Object.assign(new Error(`Cannot use the driver ${specifier}: ${message}`), { exitCode: 2 });
  }
  return load;
}
