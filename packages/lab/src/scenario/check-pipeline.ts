/** Checks devices, links and pools. */
import { isDevice, type Report } from './check.js';
import { suggestion } from './issues.js';
import { MAX_DEVICES, type Scenario } from './schema.js';

/** Names that devices may not have: actors of the laboratory itself. */
const RESERVED_NAMES = ['exporter'];

export function checkPipeline(scenario: Scenario, report: Report): void {
  const names = Object.keys(scenario.devices);
  if (names.length === 0) report(['devices'], 'expected at least one device');
  if (names.length > MAX_DEVICES) report(['devices'], `expected at most ${MAX_DEVICES} devices, got ${names.length}`);
  for (const name of names) {
    if (RESERVED_NAMES.includes(name)) report(['devices', name], `"${name}" is reserved, expected another name`);
  }
  checkLinks(scenario, report);
  checkPools(scenario, report);
}

function checkLinks(scenario: Scenario, report: Report): void {
  const sources = new Map<string, string>();
  const linked = new Set<string>();
  for (const [i, { from, to }] of scenario.links.entries()) {
    const isFromKnown = isDevice(scenario, deviceOf(from), ['links', i, 'from'], report);
    const isToKnown = isDevice(scenario, deviceOf(to), ['links', i, 'to'], report);
    linked.add(deviceOf(from)).add(deviceOf(to));
    const other = sources.get(to);
    if (other === from) report(['links', i], `there is a link from ${from} to ${to} above already`);
    else if (other !== undefined)
      report(['links', i, 'to'], `${to} is fed by ${other} already, an input takes one link`);
    else {
      // Only links that hold are followed: one mistake, one message.
      const back = isFromKnown && isToKnown ? route(scenario, i, deviceOf(to), deviceOf(from)) : undefined;
      if (back !== undefined)
        report(['links', i], `the pipeline runs in a circle: ${[deviceOf(from), ...back].join(' → ')}`);
    }
    sources.set(to, other ?? from);
  }
  for (const name of Object.keys(scenario.devices)) {
    if (!linked.has(name)) report(['devices', name], `no link leads to or from ${name}`);
  }
}

/** The devices from one to another along the links above a given one; undefined when there is no way. */
function route(scenario: Scenario, above: number, from: string, to: string): string[] | undefined {
  const cameFrom = new Map<string, string | undefined>([[from, undefined]]);
  for (const device of cameFrom.keys()) {
    if (device === to) break;
    for (const link of scenario.links.slice(0, above)) {
      if (deviceOf(link.from) === device && !cameFrom.has(deviceOf(link.to))) cameFrom.set(deviceOf(link.to), device);
    }
  }
  if (!cameFrom.has(to)) return undefined;
  const devices: string[] = [];
  for (let device: string | undefined = to; device !== undefined; device = cameFrom.get(device))
    devices.unshift(device);
  return devices;
}

function checkPools(scenario: Scenario, report: Report): void {
  // Whether the driver of a device brings memory is known once it is loaded (run/prepare.ts).
  const memories = Object.keys(scenario.devices).map((device) => `${device}.memory`);
  const heaps = [...scenario.heaps.map((heap) => heap.name), ...memories];
  for (const [key, { allocate, buffers, growTo, expect }] of Object.entries(scenario.pools)) {
    const path = ['pools', key];
    isDevice(scenario, deviceOf(key), path, report);
    if (typeof allocate === 'string') {
      if (allocate !== 'deferred' && !heaps.includes(allocate)) {
        report([...path, 'allocate'], `unknown heap "${allocate}"${suggestion(allocate, ['deferred', ...heaps])}`);
      }
    } else if ('ion' in allocate) {
      for (const [i, heap] of allocate.ion.entries()) {
        if (heaps.includes(heap)) continue;
        report([...path, 'allocate', 'ion', i], `unknown heap "${heap}"${suggestion(heap, heaps)}`);
      }
    } else if (!(allocate.device in scenario.devices)) {
      const { device } = allocate;
      report(
        [...path, 'allocate', 'device'],
        `unknown device "${device}"${suggestion(device, Object.keys(scenario.devices))}`,
      );
    }
    if (growTo !== undefined && growTo < buffers) {
      report([...path, 'growTo'], `expected at least the ${buffers} of buffers, got ${growTo}`);
    }
    for (const [i, name] of (expect ?? []).entries()) isDevice(scenario, name, [...path, 'expect', i], report);
  }
}

function deviceOf(endpoint: string): string {
  return endpoint.slice(0, endpoint.indexOf('.'));
}
