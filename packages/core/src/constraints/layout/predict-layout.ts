/** How Linux would fail where nobody negotiates: one side allocates what suits it, another imports it. */
import { byName } from '../provenance.js';
import { checkImport, type ExistingLayout } from './check-import.js';
import type { LayoutProblem, LayoutView } from './compile-layout.js';
import { type KernelOutcome, poolOutcome } from './kernel-outcome.js';
import type { ImportApi, LayoutConstraints } from './layout-constraints.js';
import { SLOT } from './layout-slots.js';
import { buffersNeeded, type LayoutSolution } from './search-layout.js';
import { solveLayout } from './solve-layout.js';

/** Who is likely to import what others allocate: a renderer, then a display, then a V4L2 device. */
const IMPORTERS: readonly ImportApi[] = ['egl', 'drm', 'v4l2'];

/**
 * Predicts the outcome of a conflict.
 *
 * The others allocate as they agree among themselves, and one participant of the conflict imports: EGL before DRM before
 * V4L2, then by name. The first import that does not go well is the answer.
 *
 * @param conflict facts by index
 */
export function predictOutcome(problem: LayoutProblem, view: LayoutView, conflict: readonly number[]): KernelOutcome {
  const maximum = conflict.find((fact) => problem.facts[fact].field === 'max');
  if (maximum !== undefined) return predictPool(problem, view, maximum);
  const indices = [...new Set(conflict.map((fact) => problem.participantOfFact[fact]))];
  const involved = indices.map((index) => problem.participants[index]);
  const rank = (c: LayoutConstraints): number => IMPORTERS.indexOf(c.api ?? 'drm');
  involved.sort((a, b) => rank(a) - rank(b) || byName(a.device, b.device));
  let fallback: KernelOutcome | undefined;
  for (const importer of involved) {
    const existing =
      allocationOf(problem, view, (c) => c !== importer && !c.optional) ??
      allocationOf(problem, view, (c) => c !== importer && involved.includes(c));
    if (existing === undefined) continue;
    const check = checkImport(existing, importer);
    if (!check.accepted) return check.outcome;
    if (!check.correct) fallback ??= check.outcome;
  }
  if (fallback !== undefined) return fallback;
  const [device = 'nobody'] = involved.map((c) => c.device);
  const text = 'no two of them agree on a layout that could be tried';
  return { api: 'drm', device, call: 'DRM_IOCTL_MODE_ADDFB2', errno: 'EINVAL', text };
}

function predictPool(problem: LayoutProblem, view: LayoutView, maximum: number): KernelOutcome {
  const kept = view.kept.slice();
  for (const [index, fact] of problem.facts.entries()) if (fact.field === 'max') kept[index] = 0;
  const unlimited = solveLayout(problem, { ...view, kept }).best;
  const { device, value } = problem.facts[maximum];
  const needed = unlimited === undefined ? Number(value) + 1 : buffersNeeded(unlimited.row);
  return poolOutcome(device, needed, Number(value));
}

/** The buffer that some participants would allocate among themselves. */
function allocationOf(
  problem: LayoutProblem,
  view: LayoutView,
  takesPart: (c: LayoutConstraints) => boolean,
): ExistingLayout | undefined {
  const absent = Uint8Array.from(problem.participants, (c) => (takesPart(c) ? 0 : 1));
  const solution = solveLayout(problem, { ...view, absent }).best;
  return solution === undefined ? undefined : existingLayout(problem, solution);
}

/** A solution as a buffer that exists. */
export function existingLayout(problem: LayoutProblem, solution: LayoutSolution): ExistingLayout {
  const { candidate, arrangement, row } = solution;
  const { widthPixels, heightPixels } = problem.image;
  const domain = problem.facts.find(
    (fact, index) =>
      row[SLOT.implicitDomain] > 0 &&
      fact.field === 'implicitDomain' &&
      solution.options[problem.participantOfFact[index]] !== undefined,
  )?.value;
  return {
    format: candidate.format.name,
    modifier: candidate.modifier,
    widthPixels,
    heightPixels,
    planes: arrangement.planes,
    sizeBytes: arrangement.sizeBytes,
    ...(domain !== undefined && { implicitDomain: String(domain) }),
  };
}
