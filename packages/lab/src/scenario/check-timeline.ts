/** Checks that what happens during the run can happen. */
import { isDevice, type Report } from './check.js';
import type { Scenario } from './schema.js';

interface DeviceState {
  isAttached: boolean;
  /** Of its last event. */
  atNs: number;
}

/** A device whose first event but reqbufs is to attach is absent until then; every other is there from the start. */
export function checkTimeline(scenario: Scenario, report: Report): void {
  const states = new Map<string, DeviceState>();
  for (const [i, event] of scenario.timeline.entries()) {
    const { kind, device } = kindOf(event);
    const path = ['timeline', i, kind];
    if (event.at >= scenario.duration) {
      report(
        ['timeline', i, 'at'],
        `expected a time before the end of the run at ${scenario.duration} ns, got ${event.at} ns`,
      );
    }
    if (!isDevice(scenario, device, path, report)) continue;
    const state = states.get(device) ?? { isAttached: !comesLate(scenario, device), atNs: -1 };
    states.set(device, state);
    if (event.at <= state.atNs) {
      const message = `events of ${device} must be in order of time, got ${event.at} ns after ${state.atNs} ns`;
      report(['timeline', i, 'at'], message);
    }
    state.atNs = event.at;
    if (kind === 'attach' && state.isAttached) report(path, `${device} is attached already`);
    if (kind === 'detach' && !state.isAttached) report(path, `${device} is not attached`);
    if (kind === 'reqbufs') checkReqbufs(scenario, device, state, path, report);
    else state.isAttached = kind === 'attach';
  }
}

function checkReqbufs(
  scenario: Scenario,
  device: string,
  state: DeviceState,
  path: readonly (string | number)[],
  report: Report,
): void {
  if (!state.isAttached) report(path, `${device} is not attached`);
  if (scenario.devices[device].mapping !== 'per-job') return;
  report(path, `${device} maps per-job and has nothing to let go of; reqbufs is for a device with mapping: held`);
}

function comesLate({ timeline }: Scenario, device: string): boolean {
  const first = timeline.map(kindOf).find((event) => event.device === device && event.kind !== 'reqbufs');
  return first?.kind === 'attach';
}

function kindOf(event: Scenario['timeline'][number]): { kind: 'attach' | 'detach' | 'reqbufs'; device: string } {
  if ('attach' in event) return { kind: 'attach', device: event.attach };
  if ('detach' in event) return { kind: 'detach', device: event.detach };
  return { kind: 'reqbufs', device: event.reqbufs };
}
