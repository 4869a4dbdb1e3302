/**
 * Checks of a scenario that concern two places of the file at once. Those of single values are in `schema.ts`; what a
 * driver asks of its parameters and links is checked when the run is prepared.
 */
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import { driverNameProblem } from '../loader/resolve-driver.js';
import { checkHeapsOfDevices, checkMemory } from './check-memory.js';
import { checkPipeline } from './check-pipeline.js';
import { checkTimeline } from './check-timeline.js';
import type { ScenarioDocument } from './document.js';
import { suggestion } from './issues.js';
import type { ScenarioProblem } from './problem.js';
import type { Scenario } from './schema.js';

/**
 * @param directory absolute path that drivers are looked for from
 * @returns every problem found; empty when the scenario is consistent
 */
export function checkScenario(scenario: Scenario, document: ScenarioDocument, directory: string): ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  const report: Report = (path, message) => problems.push(document.problemAt(path, message));
  checkMemory(scenario, report);
  checkHeapsOfDevices(scenario, report);
  checkDrivers(scenario, directory, report);
  checkPipeline(scenario, report);
  checkTimeline(scenario, report);
  checkPins(scenario, report);
  checkCpu(scenario, report);
  checkExpectations(scenario, report);
  return problems;
}

/** Takes one problem. */
export type Report = (path: readonly (string | number)[], message: string) => void;

/** Reports a name that is no device. @returns whether it is one */
export function isDevice(
  scenario: Scenario,
  name: string,
  path: readonly (string | number)[],
  report: Report,
): boolean {
  if (Object.hasOwn(scenario.devices, name)) return true;
  report(path, `unknown device "${name}"${suggestion(name, Object.keys(scenario.devices))}`);
  return false;
}

/** Only that there is such a driver: its module is loaded when the run is prepared. */
function checkDrivers({ devices }: Scenario, directory: string, report: Report): void {
  for (const [device, { driver }] of Object.entries(devices)) {
    const problem = driverNameProblem(driver, directory);
    if (problem !== undefined) report(['devices', device, 'driver'], problem);
  }
}

/** Source: dma_buf_pin warns of an importer that is not dynamic; drivers/dma-buf/dma-buf.c, v6.12. */
export function checkPins({ devices }: Pick<Scenario, 'devices'>, report: Report): void {
  for (const [device, { driver, importer, pin }] of Object.entries(devices)) {
    if (pin && importer !== 'dynamic') {
      const why = 'a static importer, which keeps in place what it has mapped; pin is for importer: dynamic';
      report(['devices', device, 'pin'], `${device} is ${why}`);
    }
    if (!pin && importer === 'dynamic' && driver === 'display') {
      const why = 'scans out without a fence, which would tell how long a mapping is in use: it has to pin (pin: true)';
      report(['devices', device, 'importer'], `${device} ${why}`);
    }
  }
}

/** moveNotify and pins are for devices: a program's mapping faults and finds the new place. */
function checkCpu({ devices, cpuCache }: Scenario, report: Report): void {
  for (const [device, { cpu, importer }] of Object.entries(devices)) {
    if (cpu === undefined || importer !== 'dynamic') continue;
    report(
      ['devices', device, 'importer'],
      `${device} is a program on the CPU (cpu), and those import nothing dynamically`,
    );
  }
  if (cpuCache.size < PAGE_SIZE) {
    report(['cpuCache', 'size'], `expected at least one page of ${PAGE_SIZE} bytes, got ${cpuCache.size}`);
  }
}

function checkExpectations(scenario: Scenario, report: Report): void {
  for (const [key, expectation] of Object.entries(scenario.expect)) {
    const path = ['expect', key];
    const [part, device] = key.split('.');
    if (part === 'devices' && device !== undefined) isDevice(scenario, device, path, report);
    if (typeof expectation !== 'object') continue;
    const { min, max } = expectation;
    if (Object.keys(expectation).length === 0) report(path, 'expected min, max or equals, got an empty mapping');
    if (min !== undefined && max !== undefined && min > max)
      report(path, `min must not be above max, got ${min} and ${max}`);
  }
}
