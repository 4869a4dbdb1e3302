/** The command that repeats a trial. */
import type { AgeChoices, PlanChoices } from './plan.js';

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
  const {
    runtime,
    drivers,
    buffers,
    durationNs,
    operations,
    killsPerSecond,
    hangsPerSecond,
    heapPressure,
    siteRate = 0,
    exporterKillsPerSecond = 0,
    seed,
  } = choices;
  const sharing = [
    `--drivers ${drivers}`,
    `--buffers ${buffers}`,
    ...(operations === undefined ? [] : [`--operations ${operations}`]),
    `--heap-pressure ${heapPressure}`,
    ...(siteRate === 0 ? [] : [`--site-rate ${siteRate}`]),
  ];
  const words = [
    `dmabuf-lab stress --runtime ${runtime}`,
    ...(ownDrivers.length === 0 ? sharing : ownDrivers.map((path) => `--driver ${quoted(path)}`)),
    ...ownParameters.map((given) => `--parameters ${quoted(given)}`),
    `--duration ${exactDuration(durationNs)}`,
    `--kill-rate ${killsPerSecond}/s`,
    `--hang-rate ${hangsPerSecond}/s`,
    ...(exporterKillsPerSecond === 0 ? [] : [`--exporter-kill-rate ${exporterKillsPerSecond}/s`]),
    ...ageOptions(choices.ages ?? {}),
    `--seed ${seed}`,
    ...(draw ? ['--draw'] : []),
  ];
  return words.join(' ');
}

/** Those that are not as usual. */
function ageOptions({ fenceNs, mappingNs, heldMappingNs }: AgeChoices): string[] {
  const given = { '--fence-age': fenceNs, '--mapping-age': mappingNs, '--held-mapping-age': heldMappingNs };
  return Object.entries(given).flatMap(([option, limit]) => {
    if (limit === undefined) return [];
    return [`${option} ${limit === 'off' ? limit : exactDuration(limit)}`];
  });
}

const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function exactDuration(ns: number): string {
  if (ns % 1e9 === 0) return `${ns / 1e9}s`;
  return ns % 1e6 === 0 ? `${ns / 1e6}ms` : `${ns}ns`;
}
