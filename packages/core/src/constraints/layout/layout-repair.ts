/** Repairs as data, and what the searches for them share. */
import { COST_UNIT, type CompiledCandidate, type LayoutProblem, type LayoutView, viewOf } from './compile-layout.js';
import type { LayoutFact } from './layout-facts.js';
import type { LayoutRequest } from './layout-result.js';
import { buffersNeeded, type LayoutSolution } from './search-layout.js';
import { solveLayout } from './solve-layout.js';

/** The kinds of repair, the least intrusive first. */
export const REPAIR_KINDS = ['option', 'size', 'raise-max', 'drop-slack', 'modifier', 'format', 'stage'] as const;

/** What the repaired negotiation agrees on. */
export interface RepairedLayout {
  readonly format: string;
  readonly modifier: string;
  readonly strideBytes: number;
  readonly sizeBytes: number;
  readonly buffers: number;
}

interface RepairBase {
  /** What to do, in a few words. */
  readonly change: string;
  readonly cost: number;
  /** What comes out; of a stage, what the participants behind it agree on. */
  readonly result: RepairedLayout;
}

/** A way out. */
export type LayoutRepair = RepairBase &
  (
    | {
        /** Another way for a participant to take part, such as another port. */
        readonly kind: 'option';
        readonly device: string;
        readonly from?: string;
        readonly to: string;
        /** What binds the other option, such as `maxSize 1920x1920`. */
        readonly limits: readonly string[];
      }
    | { readonly kind: 'size'; readonly widthPixels: number; readonly heightPixels: number }
    | { readonly kind: 'raise-max'; readonly devices: readonly string[]; readonly from: number; readonly to: number }
    | { readonly kind: 'drop-slack'; readonly facts: readonly LayoutFact[] }
    | {
        readonly kind: 'modifier';
        readonly modifier: string;
        /** Participants of which it is assumed that they can, though they do not say so. */
        readonly assumedOf: readonly string[];
      }
    | { readonly kind: 'format'; readonly format: string }
    | {
        /** A stage that copies from one buffer into another. */
        readonly kind: 'stage';
        /** The converter, or `cpu`. */
        readonly via: string;
        /** The participants on the one side; all others are on the other. */
        readonly isolates: readonly string[];
        /** Bytes of the pixels written each frame, in the format behind the stage and without padding; as many are read. */
        readonly bytesPerFrame: number;
        /** What the isolated participants agree on. */
        readonly isolated: RepairedLayout;
      }
  );

/** Most repairs of a kind that can be many. */
export const MAX_OF_A_KIND = 3;

/** What a search for repairs knows. */
export interface RepairSearch {
  readonly request: LayoutRequest;
  /** As compiled, with the pool among the participants. */
  readonly problem: LayoutProblem;
  readonly view: LayoutView;
  /** The facts of the conflicts, by index. */
  readonly conflicts: readonly (readonly number[])[];
}

/** The cheapest layout of a problem, or of a part of it. */
export function solve(
  problem: LayoutProblem,
  view: LayoutView = viewOf(problem),
  isConsidered?: (candidate: CompiledCandidate) => boolean,
): LayoutSolution | undefined {
  return solveLayout(problem, view, isConsidered).best;
}

/** What a repaired negotiation agrees on. */
export function resultOf(solution: LayoutSolution): RepairedLayout {
  const { candidate, firstStrideBytes, arrangement, row } = solution;
  return {
    format: candidate.format.name,
    modifier: candidate.modifier,
    strideBytes: firstStrideBytes,
    sizeBytes: arrangement.sizeBytes,
    buffers: buffersNeeded(row),
  };
}

/** Participants that state a fact of some conflict. */
export function blamed({ problem, conflicts }: RepairSearch): Set<number> {
  return new Set(conflicts.flat().map((fact) => problem.participantOfFact[fact]));
}

/** The problem without some facts. */
export function without(view: LayoutView, facts: readonly number[]): LayoutView {
  const kept = view.kept.slice();
  for (const fact of facts) kept[fact] = 0;
  return { ...view, kept };
}

/** A cost in whole millionths. */
export function rounded(cost: number): number {
  return Math.round(cost * COST_UNIT) / COST_UNIT;
}
