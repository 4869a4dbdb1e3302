/** A stage that copies from one buffer into another, so that two negotiations take the place of one. */
import { formatList } from '../describe.js';
import { byName } from '../provenance.js';
import { compileLayout, type LayoutProblem } from './compile-layout.js';
import { canonicalFormat, payloadBytes } from './formats.js';
import { IMPLICIT_MODIFIER, type LayoutConstraints, LINEAR_MODIFIER } from './layout-constraints.js';
import { blamed, type LayoutRepair, type RepairSearch, resultOf, solve } from './layout-repair.js';
import type { LayoutRequest } from './layout-result.js';
import type { LayoutSolution } from './search-layout.js';

/** A stage that copies between one participant and the others. */
export function stageRepairs(search: RepairSearch): LayoutRepair[] {
  const { problem, request } = search;
  const mandatory = problem.participants.filter((c) => !c.optional && !isPool(request, c));
  const pool = problem.participants.filter((c) => isPool(request, c));
  const repairs: LayoutRepair[] = [];
  const seen = new Set<string>();
  const copier: LayoutConstraints = { device: 'cpu', options: [{}] };
  const converters = [...(request.converters ?? [])].sort((a, b) => byName(a.device, b.device));
  for (const index of blamed(search)) {
    const isolated = problem.participants[index];
    const others = mandatory.filter((c) => c !== isolated);
    if (!mandatory.includes(isolated) || others.length === 0) continue;
    // With two participants either one is isolated from the other: the same stage.
    const partition = others.length === 1 ? [isolated.device, others[0].device].sort().join() : isolated.device;
    if (seen.has(partition)) continue;
    seen.add(partition);
    for (const converter of converters.length > 0 ? converters : [copier]) {
      const repair = stageRepair(search, converter, [isolated], [...others, ...pool], converter === copier);
      if (repair !== undefined) repairs.push(repair);
    }
  }
  return repairs;
}

function isPool(request: LayoutRequest, c: LayoutConstraints): boolean {
  return request.sharedPool !== undefined && c.device === (request.sharedPool.name ?? 'pool');
}

function stageRepair(
  { problem }: RepairSearch,
  converter: LayoutConstraints,
  isolated: readonly LayoutConstraints[],
  others: readonly LayoutConstraints[],
  keepsFormat: boolean,
): LayoutRepair | undefined {
  // Whoever does not care about the format takes any of those that were considered.
  const formats = problem.image.formats ?? [...new Set(problem.candidates.map((candidate) => candidate.format.name))];
  const image = { ...problem.image, formats };
  const near = compileLayout(image, [...others, converter]);
  const far = compileLayout(image, [...isolated, converter]);
  let best: { readonly near: LayoutSolution; readonly far: LayoutSolution } | undefined;
  for (const format of keepsFormat ? formats.map(canonicalFormat) : [undefined]) {
    const nearBest = solve(restricted(near, format));
    const farBest = solve(restricted(far, format));
    if (nearBest === undefined || farBest === undefined) continue;
    if (best !== undefined && nearBest.cost + farBest.cost >= best.near.cost + best.far.cost) continue;
    best = { near: nearBest, far: farBest };
  }
  if (best === undefined) return undefined;
  const { format } = best.near.candidate;
  const bytesPerFrame = payloadBytes(format, image.widthPixels, image.heightPixels);
  const isolates = isolated.map((c) => c.device);
  return {
    kind: 'stage',
    via: converter.device,
    isolates,
    bytesPerFrame,
    isolated: resultOf(best.far),
    change: `add a copy by ${converter.device} between ${formatList(isolates)} and the others: ${bytesPerFrame} bytes per frame`,
    cost: 1,
    result: resultOf(best.near),
  };
}

/** Only that format, row after row or as the driver likes: the processor copies rows. */
function restricted(problem: LayoutProblem, format: string | undefined): LayoutProblem {
  if (format === undefined) return problem;
  const isRows = (modifier: string): boolean => modifier === LINEAR_MODIFIER || modifier === IMPLICIT_MODIFIER;
  const candidates = problem.candidates.filter((one) => one.format.name === format && isRows(one.modifier));
  return { ...problem, candidates };
}
