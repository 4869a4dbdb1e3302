/** Whose it is that is left at the end of a run. */
import type { DeviceReport } from '@dmabuf-lab/core/driver';
import type { RunResult } from '../result/index.js';
import type { ExporterReport } from './exporter-actor.js';

type Leak = NonNullable<RunResult['leaks']>[number];

/** What each device has left; nothing of those that have left nothing. */
export function leaksOf(
  exporter: Pick<ExporterReport, 'left'>,
  devices: ReadonlyMap<string, Pick<DeviceReport, 'left'>>,
): Leak[] {
  const names = new Set([...devices.keys(), ...exporter.left.by.map(({ device }) => device)]);
  return [...names].flatMap((device): Leak[] => {
    const uses = exporter.left.by.filter((use) => use.device === device);
    const { pendingFences = 0, iovaRanges = 0, frames = 0, faults = 0 } = devices.get(device)?.left ?? {};
    const attached = uses.filter(({ isAttached }) => isAttached).map(({ buffer }) => buffer);
    const mapped = uses.filter(({ mappings }) => mappings > 0).map(({ buffer }) => buffer);
    const mappings = uses.reduce((sum, use) => sum + use.mappings, 0);
    const counts = { mappings, pendingFences, iovaRanges, frames, faults };
    const isClean = attached.length === 0 && Object.values(counts).every((count) => count === 0);
    return isClean ? [] : [{ device, attached, mapped, ...counts }];
  });
}
