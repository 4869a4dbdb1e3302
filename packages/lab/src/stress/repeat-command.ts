/** The command that repeats a trial. */
import type { PlanChoices } from './plan.js';

/** One line for a shell; the trial is that of the seed in the choices. */
export function repeatCommand(choices: PlanChoices, draw: boolean): string {
  const { runtime, drivers, buffers, durationNs, operations, killsPerSecond, hangsPerSecond, heapPressure, seed } =
    choices;
  const words = [
    'dmabuf-lab stress',
    `--runtime ${runtime}`,
    `--drivers ${drivers}`,
    `--buffers ${buffers}`,
    `--duration ${exactDuration(durationNs)}`,
    ...(operations === undefined ? [] : [`--operations ${operations}`]),
    `--kill-rate ${killsPerSecond}/s`,
    `--hang-rate ${hangsPerSecond}/s`,
    `--heap-pressure ${heapPressure}`,
    `--seed ${seed}`,
    ...(draw ? ['--draw'] : []),
  ];
  return words.join(' ');
}

function exactDuration(ns: number): string {
  if (ns % 1e9 === 0) return `${ns / 1e9}s`;
  return ns % 1e6 === 0 ? `${ns / 1e6}ms` : `${ns}ns`;
}
