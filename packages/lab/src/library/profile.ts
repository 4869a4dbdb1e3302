/** A device profile, checked and complete. */
import type { ScenarioDocument } from '../scenario/document.js';
import { ScenarioError } from '../scenario/problem.js';
import type { StatedConstraints } from '../scenario/schema-constraints.js';
import type { StatedLayout } from '../scenario/schema-layout.js';
import { constraintProblems, layoutProblems } from './check-constraints.js';
import { overlay, overlayConstraints } from './overlay.js';
import { leavesOf, type ProvenanceByPath, resolveOrigin } from './provenance.js';
import type { DeviceKind, StatedProfile } from './schema.js';

/** What a real device asks of buffers, and how that is known. */
export interface Profile {
  readonly id: string;
  readonly name: string;
  readonly soc: string;
  readonly kind: DeviceKind;
  readonly description: string;
  /** The profile it was laid over. */
  readonly extends?: string;
  readonly constraints: StatedConstraints;
  readonly layout: StatedLayout;
  /** Of every value of `constraints` and `layout`. */
  readonly provenance: ProvenanceByPath;
  readonly notes: readonly Note[];
  /** The file it stands in, as messages name it. */
  readonly file: string;
}

/** A fact that no field can hold. */
export interface Note {
  readonly text: string;
  readonly source?: string | undefined;
}

/**
 * Completes a profile by the one that it extends, and checks the whole.
 *
 * @param stated the file, in order value by value
 * @param base the profile that it extends; undefined when it extends none
 * @throws ScenarioError with every problem found
 */
export function completeProfile(stated: StatedProfile, document: ScenarioDocument, base?: Profile): Profile {
  const constraints = base ? overlayConstraints(base.constraints, stated.constraints) : stated.constraints;
  const layout = overlay(base?.layout ?? { options: {} }, stated.layout);
  const { name = base?.name, soc = base?.soc, kind = base?.kind, description = base?.description } = stated;
  const missing = Object.entries({ name, soc, kind, description }).filter(([, value]) => value === undefined);
  const own = [...leavesOf(stated.constraints, ['constraints']), ...leavesOf(stated.layout, ['layout'])];
  const origin = resolveOrigin(own, stated);
  const problems = [
    ...missing.map(([key]) =>
      document.problemAt([key], 'missing, expected a text, or a profile that this one extends'),
    ),
    ...origin.problems.map(({ path, message }) => document.problemAt(path, message)),
    ...constraintProblems(constraints).map(({ path, message }) =>
      document.problemAt(['constraints', ...path], message),
    ),
    ...layoutProblems(layout).map(({ path, message }) => document.problemAt(['layout', ...path], message)),
  ];
  const isWhole = name !== undefined && soc !== undefined && kind !== undefined && description !== undefined;
  if (problems.length > 0 || !isWhole) throw new ScenarioError(problems);
  const whole = [...leavesOf(constraints, ['constraints']), ...leavesOf(layout, ['layout'])];
  const provenance = Object.fromEntries(
    whole.flatMap(({ path }) => {
      const key = path.join('.');
      const known = origin.provenance[key] ?? base?.provenance[key];
      return known === undefined ? [] : [[key, known]];
    }),
  );
  const notes = [...(base?.notes ?? []), ...stated.notes];
  const from = base && { extends: base.id };
  const { id } = stated;
  return { id, name, soc, kind, description, ...from, constraints, layout, provenance, notes, file: document.file };
}
