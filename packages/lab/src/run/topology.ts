/** Which devices use a pool, and when they are there. */
import type { Presence } from '@dmabuf-lab/core/driver';
import type { Scenario } from '../scenario/index.js';
import { endpoint, type PlannedDevice } from './pipeline.js';

/** When a device is there: from the start, unless the timeline attaches it later. */
export function presenceOf(scenario: Scenario, device: string): Presence[] {
  const events = scenario.timeline
    .filter((event) => event.at < scenario.duration)
    .flatMap((event) => {
      if ('attach' in event && event.attach === device) return [{ at: event.at, attached: true }];
      if ('detach' in event && event.detach === device) return [{ at: event.at, attached: false }];
      return [];
    })
    .sort((a, b) => a.at - b.at);
  const late = scenario.timeline.find((event) =>
    'attach' in event ? event.attach === device : 'detach' in event && event.detach === device,
  );
  const presence: { fromNs: number; untilNs?: number }[] =
    late === undefined || 'detach' in late ? [{ fromNs: 0 }] : [];
  for (const { at, attached } of events) {
    if (attached) presence.push({ fromNs: at });
    else if (presence.length > 0) presence[presence.length - 1].untilNs = at;
  }
  return presence;
}

/** The owner of a pool and every device that its frames reach, also passed on. */
export function usersOf(scenario: Scenario, planned: ReadonlyMap<string, PlannedDevice>, pool: string): string[] {
  const devices = [endpoint(pool).device];
  const follow = (output: string): void => {
    for (const link of scenario.links) {
      if (link.from !== output) continue;
      const to = endpoint(link.to);
      devices.push(to.device);
      const forwards = planned.get(to.device)?.forwards ?? {};
      for (const [port, input] of Object.entries(forwards)) if (input === to.port) follow(`${to.device}.${port}`);
    }
  };
  follow(pool);
  return [...new Set(devices)];
}
