/** What a run has no room to tell one by one. */
import type { DeviceReport } from '@dmabuf-lab/core/driver';
import type { RunReport } from '@dmabuf-lab/core/runtime';
import type { RunResult } from '../result/index.js';
import type { ExporterReport } from './exporter-actor.js';

/** How many entries each list of a result lacks; nothing where it lacks none. */
export function unrecorded(
  { tally, dropped }: ExporterReport,
  devices: ReadonlyMap<string, DeviceReport>,
  { incidentsDropped }: RunReport,
  agesDropped: number,
): Pick<RunResult, 'unrecorded'> {
  const reports = [...devices.values()];
  const counts = {
    ...dropped,
    buffers: tally.buffersDropped,
    placements: tally.placementsDropped,
    moves: tally.movesDropped,
    stalls: reports.reduce((sum, report) => sum + report.dropped.stalls, 0),
    sequences: reports.reduce((sum, report) => sum + report.dropped.sequences, 0),
    incidents: incidentsDropped,
    overdue: agesDropped,
  };
  const lacking = Object.entries(counts).filter(([, count]) => count > 0);
  return lacking.length === 0 ? {} : { unrecorded: Object.fromEntries(lacking) };
}
