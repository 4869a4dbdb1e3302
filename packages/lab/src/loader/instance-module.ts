/** The copies of a driver's module: their URLs, and what stands in for a few globals in them. */
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import type { AnyDriver } from '@dmabuf-lab/core/driver';
import { labelToStderr } from '@dmabuf-lab/core/runtime';

/** In the URL of an instance: the device that it runs for, and whether it shares its thread with other devices. */
const DEVICE = 'device';
const SHARED = 'shared';

/**
 * Imports the copy of a module for one use of it, such as a life of a device. A driver of the laboratory's own keeps nothing between calls, and has
 * one copy in each thread.
 *
 * @param module as `LoadedDriver.moduleUrl` makes it
 * @param use of the device's module: a new life begins with a new copy, as it does in a new thread
 * @param runtime with `virtual` all devices share a thread
 * @returns undefined when its default export is no driver
 */
export async function importCopy(
  module: string,
  use: number | string,
  runtime: 'threads' | 'virtual',
): Promise<AnyDriver | undefined> {
  const url = new URL(module);
  if (url.searchParams.has(DEVICE)) {
    process.setSourceMapsEnabled(true);
    url.searchParams.set('use', String(use));
    if (runtime === 'virtual') url.searchParams.set(SHARED, '1');
  }
  const loaded = (await import(url.href)) as { readonly default?: AnyDriver };
  return loaded.default?.run === undefined ? undefined : loaded.default;
}

/** The URL of a copy of a bundle. */
export function copyUrl(bundle: string, device: string, copy: number): string {
  const url = new URL(bundle);
  url.searchParams.set(DEVICE, device);
  url.searchParams.set('copy', String(copy));
  return url.href;
}

/** The URL of the copy that schema and plan are taken from, here in the main thread; its output is labelled with the driver. */
export function plannersUrl(bundle: string, specifier: string): string {
  const url = new URL(bundle);
  url.searchParams.set(DEVICE, specifier);
  url.searchParams.set(SHARED, '1');
  return url.href;
}

/** The `console` of an instance: where it has a thread of its own, the runtime labels what the thread prints. */
export function instanceConsole(url: string): typeof globalThis.console {
  const device = sharedDevice(url);
  if (device === undefined) return globalThis.console;
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const lines = String(chunk).replace(/\n$/, '').split('\n');
      for (const line of lines) labelToStderr(device, line);
      done();
    },
  });
  return new Console({ stdout: stream, stderr: stream });
}

/** The `process.exit` of an instance: where it has no thread of its own, it would end all others. */
export function instanceExit(url: string): (code?: number) => never {
  const device = sharedDevice(url);
  if (device === undefined) return (code) => process.exit(code);
  return (code) => {
    throw new Error(`${device} called process.exit(${code ?? ''}): a driver ends by returning from run`);
  };
}

/** The device, where its thread is not its own. */
function sharedDevice(url: string): string | undefined {
  const { searchParams } = new URL(url);
  return searchParams.has(SHARED) ? (searchParams.get(DEVICE) ?? undefined) : undefined;
}
