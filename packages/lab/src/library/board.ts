/** A board, checked and complete. */
import { checkMemory } from '../scenario/check-memory.js';
import type { ScenarioDocument } from '../scenario/document.js';
import { suggestion } from '../scenario/issues.js';
import { ScenarioError, type ScenarioProblem } from '../scenario/problem.js';
import type { Note } from './profile.js';
import { leavesOf, type ProvenanceByPath, resolveOrigin } from './provenance.js';
import type { StatedBoard } from './schema.js';

/** The memory, the heaps and the devices of a real board. */
export interface Board {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly memory: StatedBoard['memory'];
  readonly heaps: StatedBoard['heaps'];
  /** Ids of profiles, by the short names of devices. */
  readonly devices: Readonly<Record<string, string>>;
  /** Of every value of `memory` and `heaps`. */
  readonly provenance: ProvenanceByPath;
  readonly notes: readonly Note[];
  /** The file it stands in, as messages name it. */
  readonly file: string;
}

/** What a board needs to know of the library that it is part of. */
export interface ProfileNames {
  readonly profileIds: readonly string[];
}

/**
 * Checks a board.
 *
 * @param stated the file, in order value by value
 * @param written the file as it is written, without defaults
 * @throws ScenarioError with every problem found
 */
export function completeBoard(
  stated: StatedBoard,
  written: unknown,
  document: ScenarioDocument,
  library: ProfileNames,
): Board {
  const { id, name, description, memory, heaps, devices, notes } = stated;
  const problems: ScenarioProblem[] = [];
  checkMemory({ memory, heaps, devices }, (path, message) => problems.push(document.problemAt(path, message)));
  const profiles = library.profileIds;
  for (const [device, profile] of Object.entries(devices)) {
    if (profiles.includes(profile)) continue;
    const message = `unknown profile "${profile}"${suggestion(profile, profiles)}`;
    problems.push(document.problemAt(['devices', device], message));
  }
  for (const device of Object.keys(devices)) {
    if (!profiles.includes(device)) continue;
    problems.push(document.problemAt(['devices', device], `"${device}" is a profile, expected another short name`));
  }
  // A name claims nothing, and nor does a default; where a heap lies and how large it is does.
  const inFile = new Set(leavesOf(written, []).map(({ path }) => path.join('.')));
  const leaves = [...leavesOf(memory, ['memory']), ...leavesOf(heaps, ['heaps'])].filter(
    ({ path, value }) => typeof value === 'number' && inFile.has(path.join('.')),
  );
  const origin = resolveOrigin(leaves, stated);
  problems.push(...origin.problems.map(({ path, message }) => document.problemAt(path, message)));
  if (problems.length > 0) throw new ScenarioError(problems);
  const { provenance } = origin;
  return { id, name, description, memory, heaps, devices, provenance, notes, file: document.file };
}
