/** The command that repeats a trial. */
import type { PlanChoices } from './plan.js';

/**
 * One line for a shell; the trial is that of the seed in the choices.
 *
 * @param ownDrivers modules of users, as they were given
 * @param ownParameters theirs in the same order, as they were given
 */
export function repeatCommand(
  choices: PlanChoices,
  draw: boolean,
  ownDrivers: readonly string[] = [],
  ownParameters: readonly string[] = [],
): string {
  const { runtime, drivers, buffers, durationNs, operations, killsPerSecond, hangsPerSecond, heapPressure, seed } =
    choices;
  const sharing = [
    `--drivers ${drivers}`,
    `--buffers ${buffers}`,
    ...(operations === undefined ? [] : [`--operations ${operations}`]),
    `--heap-pressure ${heapPressure}`,
  ];
  const words = [
    `dmabuf-lab stress --runtime ${runtime}`,
    ...(ownDrivers.length === 0 ? sharing : ownDrivers.map((path) => `--driver ${quoted(path)}`)),
    ...ownParameters.map((given) => `--parameters ${quoted(given)}`),
    `--duration ${exactDuration(durationNs)}`,
    `--kill-rate ${killsPerSecond}/s`,
    `--hang-rate ${hangsPerSecond}/s`,
    `--seed ${seed}`,
    ...(draw ? ['--draw'] : []),
  ];
  return words.join(' ');
}

const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function exactDuration(ns: number): string {
  if (ns % 1e9 === 0) return `${ns / 1e9}s`;
  return ns % 1e6 === 0 ? `${ns / 1e6}ms` : `${ns}ns`;
}
