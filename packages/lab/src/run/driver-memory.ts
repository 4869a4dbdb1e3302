/** Memory that drivers bring: where it lies on the board, and the heaps over it in the exporter's actor. */
import { external, type Task } from '@dmabuf-lab/core/base';
import type { AddressWindow } from '@dmabuf-lab/core/constraints';
import type { DmaHeap } from '@dmabuf-lab/core/dma-buf';
import type { AnyDriver } from '@dmabuf-lab/core/driver';
import { PAGE_SIZE, type PhysicalMemory } from '@dmabuf-lab/core/memory';
import { importCopy } from '../loader/instance-module.js';
import { type LoadedScenario, type Scenario, ScenarioError, type ScenarioProblem } from '../scenario/index.js';
import type { PlannedDevice } from './pipeline.js';

/** The memory of one device: plain data. */
export interface DriverMemorySpec {
  readonly heap: string;
  readonly device: string;
  /** URL of the driver's module. */
  readonly module: string;
  readonly parameters: unknown;
  readonly window: AddressWindow;
}

/** Where such memory begins at the earliest, and in which steps: as on-chip memories do, below the DRAM where there is room. */
const FIRST_BASE = 64 * 2 ** 20;
const BASE_STEP = 2 ** 20;

/** The heap over the memory of a device. */
export const driverHeapName = (device: string): string => `${device}.memory`;

/**
 * Finds a place for the memory of every driver that brings some: the lowest addresses that nothing else has.
 *
 * @throws ScenarioError when a driver asks for what is not whole pages
 */
export function placeDriverMemory(
  { scenario, document }: LoadedScenario,
  planned: ReadonlyMap<string, PlannedDevice>,
): DriverMemorySpec[] {
  const taken: AddressWindow[] = scenario.memory.windows.map(({ base, size }) => ({ base, sizeBytes: size }));
  const problems: ScenarioProblem[] = [];
  const specs: DriverMemorySpec[] = [];
  for (const { name: device, driver, module, parameters } of planned.values()) {
    let sizeBytes: number;
    try {
      sizeBytes = driver.memory?.sizeBytes(parameters as never) ?? 0;
    } catch (error) {
      const what = `the memory.sizeBytes of driver ${driver.name} throws: ${(error as Error).message}`;
      problems.push(document.problemAt(['devices', device, 'driver'], what));
      continue;
    }
    if (sizeBytes === 0) continue;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes % PAGE_SIZE !== 0) {
      const what = `driver ${driver.name} has memory of ${sizeBytes} bytes, expected whole pages of ${PAGE_SIZE}`;
      problems.push(document.problemAt(['devices', device], what));
      continue;
    }
    const window = { base: firstGap(taken, sizeBytes), sizeBytes };
    taken.push(window);
    specs.push({ heap: driverHeapName(device), device, module, parameters, window });
  }
  if (problems.length > 0) throw new ScenarioError(problems);
  return specs;
}

function firstGap(taken: readonly AddressWindow[], sizeBytes: number): number {
  let base = FIRST_BASE;
  for (const { base: start, sizeBytes: length } of [...taken].sort((a, b) => a.base - b.base)) {
    if (base + sizeBytes <= start) break;
    base = Math.max(base, Math.ceil((start + length) / BASE_STEP) * BASE_STEP);
  }
  return base;
}

/** The windows of a board with those of its drivers. */
export function windowsWith(
  windows: Scenario['memory']['windows'],
  specs: readonly DriverMemorySpec[],
): { readonly name: string; readonly base: number; readonly sizeBytes: number }[] {
  return [
    ...windows.map(({ name, base, size }) => ({ name, base, sizeBytes: size })),
    ...specs.map(({ heap, window }) => ({ name: heap, ...window })),
  ];
}

/**
 * Loads the drivers that bring memory. Before anything of a run is timed.
 *
 * @param life of the exporter, which has copies of their modules of its own
 */
export function* loadMemoryDrivers(
  specs: readonly DriverMemorySpec[],
  life: number,
): Task<ReadonlyMap<string, AnyDriver>> {
  const drivers = new Map<string, AnyDriver>();
  for (const { device, module } of specs) {
    // In a thread that is not the device's own, in both runtimes.
    const driver = yield* external(importCopy(module, `memory.${life}`, 'virtual'), `loading ${module}`);
    if (driver !== undefined) drivers.set(device, driver);
  }
  return drivers;
}

/** The heaps over the memory that drivers bring. @throws Error that names the device, when its `openHeap` throws */
export function openDriverHeaps(
  specs: readonly DriverMemorySpec[],
  drivers: ReadonlyMap<string, AnyDriver>,
  memory: PhysicalMemory,
): DmaHeap[] {
  return specs.flatMap(({ heap, device, parameters, window }) => {
    try {
      const opened = drivers.get(device)?.memory?.openHeap({ heap, device, memory, window }, parameters as never);
      return opened === undefined ? [] : [opened];
    } catch (error) {
      throw new Error(`the memory.openHeap of ${device} throws: ${(error as Error).message}`, { cause: error });
    }
  });
}
