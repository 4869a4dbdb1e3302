/**
 * Negotiates the layout of an image among all who will touch it: format, modifier, strides, sizes, number of buffers, and
 * the reason for each; or why there is none, and what would help.
 */
import { formatList } from '../describe.js';
import { aggregateBufferCounts, type BufferCountAnswer } from './buffer-counts.js';
import { checkLayoutRequest } from './check-layout.js';
import {
  COST_UNIT,
  type CompiledCandidate,
  compileLayout,
  type LayoutProblem,
  type LayoutView,
  viewOf,
} from './compile-layout.js';
import { explainAgreed, explainUnsatisfiable } from './explain-layout.js';
import { findRepairs } from './find-repairs.js';
import { payloadBytes } from './formats.js';
import { describeConflict, findConflicts } from './layout-conflicts.js';
import type { LayoutConstraints } from './layout-constraints.js';
import { optionName } from './layout-facts.js';
import { layoutHazards, type TakingPart } from './layout-hazards.js';
import { provenanceOf } from './layout-provenance.js';
import { rejectionOf } from './layout-rejections.js';
import type {
  ChosenOption,
  LayoutAgreed,
  LayoutCandidateVerdict,
  LayoutRequest,
  LayoutResult,
  LayoutUnsatisfiable,
  LeftOutParticipant,
  PreferenceOutcome,
} from './layout-result.js';
import { predictOutcome } from './predict-layout.js';
import { buffersNeeded, type LayoutSolution } from './search-layout.js';
import { solveLayout } from './solve-layout.js';

/**
 * Negotiates a layout.
 *
 * Formats are those of the image in its order, or all that participants name; each is considered in every modifier that
 * somebody names, in LINEAR, and in INVALID where somebody means it. Of what works, the one wins that leaves out the
 * fewest optional participants, then the cheapest, then the earlier: formats in their order, LINEAR, other modifiers by
 * name, INVALID. Of several options the same; among equals the participant that comes first by name takes its first.
 * Optional participants take part whenever they can, whatever that costs, but never instead of one that must.
 *
 * Context: any-thread; pure.
 *
 * @returns the layout; or why there is none; or who is still missing. The order of participants does not matter
 * @throws RangeError with all problems, when the request is malformed
 */
export function negotiateLayout(request: LayoutRequest): LayoutResult {
  const problems = checkLayoutRequest(request);
  if (problems.length > 0) throw new RangeError(`Cannot negotiate a layout: ${problems.join('; ')}`);
  const missing = request.participants.filter((c) => c.missing).map((c) => c.device);
  if (missing.length === 0) return negotiatePresent(request);
  missing.sort();
  const soFar = negotiatePresent({ ...request, participants: request.participants.filter((c) => !c.missing) });
  const so =
    soFar.status === 'agreed' ? `the others agree so far: ${soFar.prose}` : `the others disagree: ${soFar.prose}`;
  return { status: 'waiting', missing, soFar, prose: `Waiting for ${formatList(missing)}; ${so}` };
}

function negotiatePresent(request: LayoutRequest): LayoutAgreed | LayoutUnsatisfiable {
  const problem = compileLayout(request.image, [...request.participants, ...poolOf(request)]);
  const view = viewOf(problem);
  const { solutions, best } = solveLayout(problem, view);
  const candidates = problem.candidates.map((candidate, index) =>
    verdictOf(problem, view, candidate, solutions[index]),
  );
  return best === undefined
    ? unsatisfiable(request, problem, view, candidates)
    : agreed(problem, view, best, candidates);
}

/** A pool that may not grow takes part with its size as the maximum. */
function poolOf({ sharedPool }: LayoutRequest): LayoutConstraints[] {
  if (sharedPool === undefined || sharedPool.mayGrow) return [];
  return [{ device: sharedPool.name ?? 'pool', options: [{ counts: { max: sharedPool.buffers } }] }];
}

function verdictOf(
  problem: LayoutProblem,
  view: LayoutView,
  candidate: CompiledCandidate,
  solution: LayoutSolution | undefined,
): LayoutCandidateVerdict {
  const format = candidate.format.name;
  const { modifier } = candidate;
  if (solution !== undefined) {
    const { firstStrideBytes: strideBytes, arrangement, options } = solution;
    const leftOut: string[] = [];
    for (const [place, { device }] of problem.participants.entries()) {
      if (options[place] === undefined) leftOut.push(device);
    }
    const cost = solution.cost / COST_UNIT;
    return { format, modifier, suits: true, cost, strideBytes, sizeBytes: arrangement.sizeBytes, leftOut };
  }
  const rejection = rejectionOf(problem, candidate, view);
  const fact = rejection?.fact === undefined ? undefined : problem.facts[rejection.fact];
  return {
    format,
    modifier,
    suits: false,
    device: fact?.device ?? 'image',
    ...(fact?.option && { option: fact.option }),
    field: fact?.field ?? 'sizes',
    value: fact?.value ?? [view.widthPixels, view.heightPixels],
    message: rejection?.text ?? 'nothing rules it out',
  };
}

function agreed(
  problem: LayoutProblem,
  view: LayoutView,
  solution: LayoutSolution,
  candidates: readonly LayoutCandidateVerdict[],
): LayoutAgreed {
  const { candidate, arrangement, options } = solution;
  const { widthPixels, heightPixels } = problem.image;
  const taking: TakingPart[] = [];
  const chosen: ChosenOption[] = [];
  for (const [place, taken] of options.entries()) {
    if (taken === undefined) continue;
    const constraints = problem.participants[place];
    const option = constraints.options[taken.index];
    const name = optionName(option, taken.index, 1);
    taking.push({ constraints, option });
    chosen.push({ device: constraints.device, index: taken.index, ...(name && { option: name }) });
  }
  const counts = taking.flatMap(({ constraints: { device }, option }) =>
    option.counts === undefined ? [] : [{ device, counts: option.counts }],
  );
  const preferenceCost = solution.unmet.reduce((sum, wish) => sum + wish.cost, 0);
  const answer: Omit<LayoutAgreed, 'prose'> = {
    status: 'agreed',
    format: candidate.format.name,
    modifier: candidate.modifier,
    widthPixels,
    heightPixels,
    planes: arrangement.planes,
    sizeBytes: arrangement.sizeBytes,
    payloadBytes: payloadBytes(candidate.format, widthPixels, heightPixels),
    buffers: buffersNeeded(solution.row),
    bufferCounts: aggregateBufferCounts(counts),
    options: chosen,
    cost: {
      total: solution.cost / COST_UNIT,
      options: solution.optionCost / COST_UNIT,
      preferences: preferenceCost / COST_UNIT,
      padding: solution.paddingCost / COST_UNIT,
    },
    preferences: preferencesOf(solution),
    provenance: provenanceOf(problem, view, solution),
    leftOut: leftOutOf(problem, solution),
    candidates,
    hazards: layoutHazards(taking, candidate.modifier),
  };
  return { ...answer, prose: explainAgreed(answer) };
}

function preferencesOf({ options, unmet }: LayoutSolution): PreferenceOutcome[] {
  return options.flatMap((option) =>
    (option?.preferences ?? []).map((wish) => {
      const met = !unmet.includes(wish);
      const cost = met ? 0 : wish.cost / COST_UNIT;
      return {
        device: wish.device,
        field: 'strideAlignmentBytes' as const,
        value: wish.strideAlignmentBytes,
        met,
        cost,
      };
    }),
  );
}

/** Why each participant that was left out cannot join those who take part. */
function leftOutOf(problem: LayoutProblem, solution: LayoutSolution): LeftOutParticipant[] {
  return problem.participants.flatMap((c, place) => {
    if (solution.options[place] !== undefined) return [];
    const joined = problem.participants.flatMap((other, index) => {
      if (other !== c && solution.options[index] === undefined) return [];
      return [{ ...other, optional: false }];
    });
    const with_ = compileLayout(problem.image, joined);
    const found = findConflicts(with_, viewOf(with_), { maxConflicts: 1 });
    if (found.facts.length === 0)
      return [{ device: c.device, why: 'another optional participant is in its place', facts: [] }];
    const { facts, why } = describeConflict(with_, viewOf(with_), found.facts[0]);
    return [{ device: c.device, why, facts }];
  });
}

function unsatisfiable(
  request: LayoutRequest,
  problem: LayoutProblem,
  view: LayoutView,
  candidates: readonly LayoutCandidateVerdict[],
): LayoutUnsatisfiable {
  const found = findConflicts(problem, view, request.limits);
  const { conflicts, participantConflicts, complete } = found;
  const mandatory = problem.participants.filter((c) => !c.optional);
  const taking = mandatory.flatMap((constraints) => constraints.options.map((option) => ({ constraints, option })));
  const answer: Omit<LayoutUnsatisfiable, 'prose'> = {
    status: 'unsatisfiable',
    conflicts,
    participantConflicts,
    complete,
    why: conflicts[0]?.why ?? 'no format and modifier is left to consider',
    bufferCounts: countsOf(mandatory),
    candidates,
    repairs: findRepairs({ request, problem, view, conflicts: found.facts }),
    predicted: predictOutcome(problem, view, found.facts[0] ?? []),
    hazards: layoutHazards(taking, undefined),
  };
  return { ...answer, prose: explainUnsatisfiable(answer) };
}

/** The counts of those who must take part, each with its first option. */
function countsOf(participants: readonly LayoutConstraints[]): BufferCountAnswer {
  return aggregateBufferCounts(
    participants.flatMap(({ device, options }) => {
      const counts = options[0]?.counts;
      return counts === undefined ? [] : [{ device, counts }];
    }),
  );
}
