/** Checks that what happens during the run can happen. */
import { EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { DEFAULT_SUPERVISION } from '@dmabuf-lab/core/runtime';
import { isDevice, type Report } from './check.js';
import type { Scenario } from './schema.js';

interface DeviceState {
  isAttached: boolean;
  isDead: boolean;
  /** Of its last event. */
  atNs: number;
}

type Event = Scenario['timeline'][number];
const DEVICE_EVENTS = ['attach', 'detach', 'reqbufs', 'kill', 'hang', 'pause', 'restart', 'corrupt'] as const;
type DeviceEvent = (typeof DEVICE_EVENTS)[number];
/** What may happen to the exporter, too. */
const EXPORTER_EVENTS: readonly DeviceEvent[] = ['kill', 'hang', 'pause', 'restart'];

/** A device whose first event of these two is to attach is absent until then; every other is there from the start. */
export function checkTimeline(scenario: Scenario, report: Report): void {
  const states = new Map<string, DeviceState>();
  for (const [i, event] of scenario.timeline.entries()) {
    if (event.at >= scenario.duration) {
      report(
        ['timeline', i, 'at'],
        `expected a time before the end of the run at ${scenario.duration} ns, got ${event.at} ns`,
      );
    }
    if ('for' in event && event.at + event.for > scenario.duration) {
      report(['timeline', i, 'for'], `it would last beyond the end of the run at ${scenario.duration} ns`);
    }
    if ('corrupt' in event && event.what === 'words' && event.messages !== undefined) {
      report(['timeline', i, 'messages'], 'a write over control words has none: messages goes with what: messages');
    }
    if ('corrupt' in event && event.what === 'messages' && event.of !== undefined) {
      report(['timeline', i, 'of'], 'messages are of no control words: of goes with what: words');
    }
    if ('exhaust' in event) checkExhaust(scenario, event.exhaust, ['timeline', i, 'exhaust'], report);
    else checkActorEvent(scenario, event, i, states, report);
  }
}

/** Events of one actor stand in order of time. */
function checkActorEvent(
  scenario: Scenario,
  event: Event,
  i: number,
  states: Map<string, DeviceState>,
  report: Report,
): void {
  const { kind, device } = kindOf(event);
  const path = ['timeline', i, kind];
  // The name is not a device's: one that has it all the same is reported elsewhere.
  const isExporter = device === EXPORTER && !Object.hasOwn(scenario.devices, EXPORTER);
  if (!isExporter && !isDevice(scenario, device, path, report)) return;
  const state = states.get(device) ?? { isAttached: !comesLate(scenario, device), isDead: false, atNs: -1 };
  states.set(device, state);
  if (event.at <= state.atNs) {
    const message = `events of ${device} must be in order of time, got ${event.at} ns after ${state.atNs} ns`;
    report(['timeline', i, 'at'], message);
  }
  state.atNs = event.at;
  if (isExporter) checkExporterEvent(scenario, event, path, report);
  else checkDeviceEvent(scenario, event, state, path, report);
}

/** Without the exporter no device could end: it is killed only where it comes back. */
function checkExporterEvent(scenario: Scenario, event: Event, path: (string | number)[], report: Report): void {
  const { kind } = kindOf(event);
  if (!EXPORTER_EVENTS.includes(kind)) {
    report(path, 'the exporter is no device: it can be killed, hang, be paused or be restarted');
    return;
  }
  const { supervision, timeline, runtime, pace } = scenario;
  if (kind === 'restart' || (supervision?.restart ?? 'never') !== 'never') return;
  const hungNs = supervision?.hung ?? DEFAULT_SUPERVISION.hungNs;
  if ('pause' in event && event.for < hungNs) return;
  const isRestarted = timeline.some((one) => 'restart' in one && one.restart === EXPORTER && one.at > event.at);
  if (!isRestarted) report(path, 'nothing restarts the exporter: give it a restart later, or set supervision.restart');
  else if (runtime === 'threads' && pace === 'max') {
    report(path, 'with pace: max no time passes while all wait for the exporter: set supervision.restart instead');
  }
}

function checkExhaust(scenario: Scenario, heap: string, path: readonly (string | number)[], report: Report): void {
  const heaps = scenario.heaps.map(({ name }) => name);
  if (!heaps.includes(heap)) report(path, `no heap is named ${heap}; the heaps are ${heaps.join(', ')}`);
}

function checkDeviceEvent(
  scenario: Scenario,
  event: Event,
  state: DeviceState,
  path: readonly (string | number)[],
  report: Report,
): void {
  const { kind, device } = kindOf(event);
  if (kind === 'restart') {
    state.isDead = false;
    return;
  }
  if (state.isDead) report(path, `${device} is dead by then, and nothing restarts it`);
  if (kind === 'attach' && state.isAttached) report(path, `${device} is attached already`);
  if (kind === 'detach' && !state.isAttached) report(path, `${device} is not attached`);
  if (kind === 'reqbufs') checkReqbufs(scenario, device, state, path, report);
  else if (kind === 'attach' || kind === 'detach') state.isAttached = kind === 'attach';
  else if (kind !== 'pause' && kind !== 'corrupt')
    state.isDead = (scenario.supervision?.restart ?? 'never') === 'never';
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
  const first = timeline.find((event) =>
    'attach' in event ? event.attach === device : 'detach' in event && event.detach === device,
  );
  return first !== undefined && 'attach' in first;
}

function kindOf(event: Event): { kind: DeviceEvent; device: string } {
  for (const kind of DEVICE_EVENTS) {
    const device = (event as Partial<Record<DeviceEvent, string>>)[kind];
    if (device !== undefined) return { kind, device };
  }
  throw new Error('an event of a device names one');
}
