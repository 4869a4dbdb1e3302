/** Puts into a scenario what its board and its profiles say, so that nothing after it needs the library. */
import type { Board } from '../library/board.js';
import { constraintProblems, layoutProblems } from '../library/check-constraints.js';
import type { Library } from '../library/library.js';
import { overlay, overlayConstraints } from '../library/overlay.js';
import type { Profile } from '../library/profile.js';
import type { ScenarioDocument } from './document.js';
import { suggestion } from './issues.js';
import type { ScenarioProblem } from './problem.js';
import type { Scenario, StatedScenario } from './schema.js';

type StatedDevice = StatedScenario['devices'][string];

/**
 * Resolves the names of a scenario. The constraints that come out are checked as a whole, since a profile and an override
 * may each be in order and contradict each other.
 *
 * @param library asked only for what the scenario names
 * @throws ScenarioError when a file of the library is not in order
 */
export function resolveScenario(
  stated: StatedScenario,
  document: ScenarioDocument,
  library: Library,
): { readonly scenario: Scenario } | { readonly problems: ScenarioProblem[] } {
  const problems: ScenarioProblem[] = [];
  const board = boardOf(stated, document, library, problems);
  const devices: Record<string, StatedDevice> = {};
  for (const [name, device] of Object.entries(stated.devices)) {
    const profile = profileOf(name, device, board, document, library, problems);
    devices[name] = withProfile(device, profile);
    const path = ['devices', name];
    for (const problem of constraintProblems(devices[name].constraints)) {
      problems.push(document.problemAt([...path, 'constraints', ...problem.path], problem.message));
    }
    for (const problem of layoutProblems(devices[name].layout ?? { options: {} })) {
      problems.push(document.problemAt([...path, 'layout', ...problem.path], problem.message));
    }
  }
  const memory = stated.memory ?? board?.memory;
  const heaps = stated.heaps ?? (board && heapsOf(board, stated.devices));
  if (stated.board === undefined) {
    if (memory === undefined) problems.push(document.problemAt(['memory'], 'missing, expected a mapping or a board'));
    if (heaps === undefined) problems.push(document.problemAt(['heaps'], 'missing, expected a list or a board'));
  }
  if (problems.length > 0 || memory === undefined || heaps === undefined) return { problems };
  return { scenario: { ...stated, devices, memory, heaps } };
}

function boardOf(
  { board: id }: StatedScenario,
  document: ScenarioDocument,
  library: Library,
  problems: ScenarioProblem[],
): Board | undefined {
  if (id === undefined) return undefined;
  const board = library.board(id);
  if (board === undefined) {
    problems.push(document.problemAt(['board'], `unknown board "${id}"${suggestion(id, library.boardIds)}`));
  }
  return board;
}

function profileOf(
  name: string,
  { profile: id }: StatedDevice,
  board: Board | undefined,
  document: ScenarioDocument,
  library: Library,
  problems: ScenarioProblem[],
): Profile | undefined {
  if (id === undefined) return undefined;
  const onBoard = board !== undefined && Object.hasOwn(board.devices, id) ? board.devices[id] : undefined;
  const profile = library.profile(onBoard ?? id);
  if (profile === undefined) {
    const known = [...Object.keys(board?.devices ?? {}), ...library.profileIds];
    problems.push(document.problemAt(['devices', name, 'profile'], `unknown profile "${id}"${suggestion(id, known)}`));
  }
  return profile;
}

function withProfile(device: StatedDevice, profile: Profile | undefined): StatedDevice {
  const constraints = overlayConstraints(profile?.constraints ?? {}, device.constraints);
  const layout = overlay(profile?.layout, device.layout);
  return { ...device, constraints, ...(layout !== undefined && { layout }) };
}

/**
 * The heaps of a board in a scenario, whose devices have names of their own: the memory of a device follows that device,
 * and is absent when it is.
 */
function heapsOf({ heaps }: Board, devices: StatedScenario['devices']): Board['heaps'] {
  const playing = (onBoard: string): string[] =>
    Object.entries(devices).flatMap(([name, { profile }]) => (profile === onBoard ? [name] : []));
  return heaps.flatMap((heap): Board['heaps'] => {
    if (heap.kind !== 'device-local') return [heap];
    const [owner] = playing(heap.owner);
    if (owner === undefined) return [];
    const peers = Object.entries(heap.peers).flatMap(([peer, distance]) =>
      playing(peer).map((name) => [name, distance] as const),
    );
    return [{ ...heap, owner, peers: Object.fromEntries(peers) }];
  });
}
