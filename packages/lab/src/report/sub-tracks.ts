/** Spreads the spans of a track over lanes, so that on each lane any two lie apart or one within the other. */
import type { TraceEvent } from '@dmabuf-lab/core/base';

export interface LaneEvent {
  readonly event: TraceEvent;
  /** 0 for the track itself. */
  readonly lane: number;
}

/**
 * A viewer draws the spans of a track as a stack, which spans that overlap in part cannot form: they would be cut or
 * shown as overflow. Each span goes to the first lane where it fits; instants stay on lane 0.
 *
 * @param events of one track, in any order
 * @returns the same events, by start; of those that start together, the longer first
 */
export function assignLanes(events: readonly TraceEvent[]): LaneEvent[] {
  const sorted = [...events].sort((a, b) => a.startNs - b.startNs || (b.durationNs ?? 0) - (a.durationNs ?? 0));
  /** For each lane the ends of the spans that are open, outermost first. */
  const lanes: number[][] = [];
  return sorted.map((event) => {
    const { startNs, durationNs } = event;
    if (durationNs === undefined) return { event, lane: 0 };
    const endNs = startNs + durationNs;
    for (let lane = 0; ; lane++) {
      lanes[lane] ??= [];
      const open = lanes[lane];
      while (open.length > 0 && open[open.length - 1] <= startNs) open.pop();
      if (open.length > 0 && open[open.length - 1] < endNs) continue;
      open.push(endNs);
      return { event, lane };
    }
  });
}
