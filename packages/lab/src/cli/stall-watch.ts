/** Where a driver of the user's could stop a run, and the command with it: on the virtual clock. */
import { url as inspectorUrl } from 'node:inspector';
import { type StallLimits, type StallWatch, watchStalls } from '@dmabuf-lab/core/runtime';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import type { PreparedRun } from '../run/index.js';

/**
 * @param limits when it is told and when the process is ended; absent = after 10 s and after a minute
 * @returns undefined on threads, when all drivers are built in, and in a debugger, which stands still as it likes
 */
export function stallWatchOf({ scenario, drivers }: PreparedRun, limits?: StallLimits): StallWatch | undefined {
  const hasOwn = Object.values(drivers).some((driver) => !Object.hasOwn(builtInDrivers, driver));
  if (scenario.runtime !== 'virtual' || !hasOwn || inspectorUrl() !== undefined) return undefined;
  return watchStalls(Object.keys(drivers), 'dmabuf-lab check-driver names the line.', limits);
}
