/** A stage that copies from one buffer into another, so that two negotiations take the place of one. */
import { byName } from '../provenance.js';
import { type CompiledCandidate, compileLayout, viewOf } from './compile-layout.js';
import { payloadBytes } from './formats.js';
import { IMPLICIT_MODIFIER, type LayoutConstraints, LINEAR_MODIFIER } from './layout-constraints.js';
import { blamed, type LayoutRepair, type RepairSearch, resultOf, solve } from './layout-repair.js';
import type { LayoutSolution } from './search-layout.js';

/** Most participants that are tried on the other side of a stage. */
const MAX_ISOLATED = 4;

/** The name of a stage without a device: the processor copies. */
const PROCESSOR = 'cpu';

/**
 * Stages between one participant of a conflict and all the others.
 *
 * A converter takes part on both sides, and may change format and modifier if its options say so. Without converters the
 * processor copies rows: the same format, and layouts that are rows or that only the driver knows.
 */
export function stageRepairs(search: RepairSearch): LayoutRepair[] {
  const { problem, request } = search;
  const converters = [...(request.converters ?? [])].sort((a, b) => byName(a.device, b.device));
  const stages = converters.length > 0 ? converters : [undefined];
  const pool = request.sharedPool?.name ?? 'pool';
  const isPool = (c: LayoutConstraints): boolean => request.sharedPool !== undefined && c.device === pool;
  const mandatory = problem.participants.filter((c) => !c.optional && !isPool(c));
  const [first = []] = search.conflicts;
  const isolated = [...blamed({ ...search, conflicts: [first] })].map((index) => problem.participants[index]);
  const seen = new Set<string>();
  const repairs: LayoutRepair[] = [];
  for (const c of isolated.filter((one) => mandatory.includes(one)).slice(0, MAX_ISOLATED)) {
    if (mandatory.length < 2) break;
    // With two participants either one is isolated from the other: the same stage.
    const side = mandatory.length === 2 ? mandatory.map((one) => one.device).join() : c.device;
    if (seen.has(side)) continue;
    seen.add(side);
    for (const converter of stages) {
      const repair = stageRepair(search, converter, c, isPool);
      if (repair !== undefined) repairs.push(repair);
    }
  }
  return repairs;
}

function stageRepair(
  { problem }: RepairSearch,
  converter: LayoutConstraints | undefined,
  isolated: LayoutConstraints,
  isPool: (c: LayoutConstraints) => boolean,
): LayoutRepair | undefined {
  // Whoever does not care about the format takes any of those that were considered.
  const formats = problem.image.formats ?? [...new Set(problem.candidates.map((candidate) => candidate.format.name))];
  const image = { ...problem.image, formats };
  const joined = converter === undefined ? problem : compileLayout(image, [...problem.participants, converter]);
  const view = viewOf(joined);
  const sideOf = (takesPart: (c: LayoutConstraints) => boolean): typeof view => ({
    ...view,
    absent: Uint8Array.from(joined.participants, (c) => (c === converter || (takesPart(c) && !c.optional) ? 0 : 1)),
  });
  const near = sideOf((c) => c !== isolated);
  const far = sideOf((c) => c === isolated && !isPool(c));
  let best: { readonly near: LayoutSolution; readonly far: LayoutSolution } | undefined;
  const names = new Set(joined.candidates.map((candidate) => candidate.format.name));
  for (const format of converter === undefined ? names : [undefined]) {
    const isConsidered = (candidate: CompiledCandidate): boolean =>
      format === undefined || (candidate.format.name === format && isRows(candidate));
    const nearBest = solve(joined, near, isConsidered);
    const farBest = nearBest && solve(joined, far, isConsidered);
    if (nearBest === undefined || farBest === undefined) continue;
    if (best !== undefined && nearBest.cost + farBest.cost >= best.near.cost + best.far.cost) continue;
    best = { near: nearBest, far: farBest };
  }
  if (best === undefined) return undefined;
  const { widthPixels, heightPixels } = image;
  const bytesPerFrame = payloadBytes(best.near.candidate.format, widthPixels, heightPixels);
  const via = converter?.device ?? PROCESSOR;
  const change = `add a copy by ${via} between ${isolated.device} and the others: ${bytesPerFrame} bytes per frame`;
  const sides = { isolated: resultOf(best.far), result: resultOf(best.near) };
  return { kind: 'stage', via, isolates: [isolated.device], bytesPerFrame, ...sides, change, cost: 1 };
}

/** Whether a copy row by row makes sense of it. */
function isRows({ modifier }: CompiledCandidate): boolean {
  return modifier === LINEAR_MODIFIER || modifier === IMPLICIT_MODIFIER;
}
