/** `explain`: reads a scenario or a constraint file, and explains every pool of it. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { explainSharing, type HeapTraits, type SharingExplanation } from '@dmabuf-lab/core/constraints';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { boardOf, makeHeaps } from '../run/board.js';
import { type LoadedScenario, type LoadOptions, parseScenario } from '../scenario/load.js';
import { withHints } from '../scenario/misplaced-parameters.js';
import { readError, readYaml, textOf } from '../scenario/yaml-file.js';
import { caseOfFile, isConstraintFile } from './constraint-file.js';
import {
  type AttachForecast,
  type CaseState,
  type DetachForecast,
  forecastAttach,
  forecastDetach,
} from './forecast.js';
import { type BoardOfCase, casesOfScenario, type Sharer, type SharingCase } from './sharing-case.js';
import { applyWhatIf, WhatIfError } from './what-if.js';

/** What to explain beside the present. */
export interface ExplainOptions extends LoadOptions {
  /** The device whose late attach and whose detach are forecast; those that the file says come late when absent. */
  readonly late?: string;
  /** Each `PATH=VALUE`. */
  readonly whatIf?: readonly string[];
}

/** The explanation of one pool. */
export interface PoolExplanation {
  readonly pool: string;
  /** Devices that `sharing` is about, in the order of the file. */
  readonly devices: readonly string[];
  readonly sharing: SharingExplanation;
  /** One for each device that comes late, in the order of the file. */
  readonly forecasts: readonly Forecast[];
}

/** If a device came late, and if it left again. */
export interface Forecast {
  /** Who shares the buffers when it comes. */
  readonly present: readonly string[];
  readonly attach: AttachForecast;
  /** Absent where it would not come to share the buffers. */
  readonly detach?: DetachForecast;
}

/** The explanation of a file: plain data, as `--json` prints it. */
export interface Explanation {
  readonly version: 1;
  readonly file: string;
  readonly whatIf: readonly string[];
  readonly pools: readonly PoolExplanation[];
  /** Heaps that all pools together ask more of than they have. */
  readonly overcommitted: readonly Overcommitted[];
}

/** A heap that is too small for all pools together, though each of them has room. */
export interface Overcommitted {
  readonly heap: string;
  readonly pools: readonly string[];
  readonly neededBytes: number;
  readonly sizeBytes: number;
}

/** Whether every pool has a layout and a place, and all of them room. */
export function isInOrder({ pools, overcommitted }: Explanation): boolean {
  const areFine = pools.every(({ sharing }) => {
    return sharing.placement?.status === 'placed' && sharing.layout.status !== 'unsatisfiable';
  });
  return areFine && overcommitted.length === 0;
}

/**
 * Explains a file.
 *
 * @param shownAs its name in messages
 * @throws ScenarioError when the file is not in order; WhatIfError when a question is not; RangeError never, for a file
 *   that is in order
 */
export async function explainFile(path: string, shownAs: string, options: ExplainOptions = {}): Promise<Explanation> {
  const { late, whatIf = [] } = options;
  const { board, cases } = await readCases(path, shownAs, whatIf, options);
  if (late !== undefined) checkLate(late, cases);
  const heaps = heapTraitsOf(board);
  const pools = cases.flatMap((one) => explainCase(one, heaps, late));
  return { version: 1, file: shownAs, whatIf: [...whatIf], pools, overcommitted: overcommittedHeaps(pools, heaps) };
}

/** Looked at by size alone: what fragmentation takes, a run tells. */
function overcommittedHeaps(pools: readonly PoolExplanation[], heaps: CaseState['heaps']): Overcommitted[] {
  const byHeap = new Map<string, { pools: string[]; neededBytes: number }>();
  for (const { pool, sharing } of pools) {
    if (sharing.placement?.status !== 'placed') continue;
    const { heap, buffers, sizeBytes } = sharing.placement;
    const sum = byHeap.get(heap) ?? { pools: [], neededBytes: 0 };
    byHeap.set(heap, { pools: [...sum.pools, pool], neededBytes: sum.neededBytes + buffers * sizeBytes });
  }
  return heaps(4096).flatMap(({ name, windows }) => {
    const asked = byHeap.get(name);
    const sizeBytes = windows.reduce((sum, window) => sum + window.sizeBytes, 0);
    return asked === undefined || asked.neededBytes <= sizeBytes ? [] : [{ heap: name, ...asked, sizeBytes }];
  });
}

async function readCases(
  path: string,
  shownAs: string,
  whatIf: readonly string[],
  options: LoadOptions,
): Promise<{ board: BoardOfCase; cases: SharingCase[] }> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw readError(error, shownAs, 'scenario');
  }
  const text = textOf(bytes, shownAs, 'scenario');
  const load = { directory: dirname(path), ...options, edit: (value: unknown) => applyWhatIf(value, whatIf) };
  const { value, document } = readYaml(text, shownAs, 'scenario or a constraint file');
  if (isConstraintFile(value)) {
    const { board, one } = caseOfFile({ value: load.edit(value), document }, load);
    return { board, cases: [one] };
  }
  let loaded: LoadedScenario;
  try {
    loaded = parseScenario(text, shownAs, load);
  } catch (error) {
    throw await withHints(error, () => load.edit(value), resolve(load.directory));
  }
  return { board: loaded.scenario, cases: await casesOfScenario(loaded) };
}

function checkLate(late: string, cases: readonly SharingCase[]): void {
  const devices = [...new Set(cases.flatMap(({ sharers }) => sharers.map(({ device }) => device)))];
  if (devices.includes(late)) return;
  throw new WhatIfError(
    `Cannot explain --late ${late}: no buffers are shared with it; the devices are ${devices.join(', ')}`,
  );
}

/** What the heaps of a board promise; no page of them is ever touched. */
function heapTraitsOf(board: BoardOfCase): (sizeBytes: number) => HeapTraits[] {
  const windows = board.memory.windows.map(({ name, base, size }) => ({ name, base, sizeBytes: size }));
  const heaps = makeHeaps(boardOf(board), PhysicalMemory.create(windows));
  return (sizeBytes) => heaps.map((heap) => heap.traits(sizeBytes));
}

/** With a device asked about, only pools that it shares are explained, as they are without it. */
function explainCase(one: SharingCase, heaps: CaseState['heaps'], late: string | undefined): PoolExplanation[] {
  const early = one.sharers.filter((sharer) => sharer.device !== late && !sharer.late);
  const newcomers = one.sharers.filter((sharer) => (late === undefined ? sharer.late : sharer.device === late));
  if (late !== undefined && newcomers.length === 0) return [];
  const shown = late === undefined ? one.sharers : early;
  const sharing = explain(one, shown, heaps);
  const before: CaseState = {
    one,
    explanation: late === undefined ? explain(one, early, heaps) : sharing,
    present: early,
    heaps,
  };
  const forecasts = newcomers.map((newcomer) => forecast(before, newcomer));
  return [{ pool: one.name, devices: shown.map(({ device }) => device), sharing, forecasts }];
}

function forecast(before: CaseState, newcomer: Sharer): Forecast {
  const attach = forecastAttach(before, newcomer);
  const detach = forecastDetach(before, attach);
  return { present: before.present.map(({ device }) => device), attach, ...(detach && { detach }) };
}

function explain(one: SharingCase, sharers: readonly Sharer[], heaps: CaseState['heaps']): SharingExplanation {
  const negotiating = one.laidOutForAll ? one.sharers : sharers;
  return explainSharing({
    image: one.image,
    devices: sharers.map(({ constraints }) => constraints),
    layouts: negotiating.flatMap(({ layout }) => layout ?? []),
    heaps,
    ...(one.buffers !== undefined && { buffers: one.buffers }),
    ...(one.assumeBytes !== undefined && { assumeBytes: one.assumeBytes }),
    cpuAccess: one.cpuAccess,
  });
}
