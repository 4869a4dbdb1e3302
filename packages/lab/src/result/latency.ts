/** A set of latencies, such as those of all frames of a link: the numbers that describe it, and their schema. */
import type { LatencyReport } from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { count, timeNs } from './quantities.js';

export const latencyFields = {
  count: count.describe('how many frames were measured; all times are 0 when it is 0'),
  minNs: timeNs,
  meanNs: timeNs.describe('rounded to the nearest nanosecond'),
  p50Ns: timeNs.describe('median, by nearest rank'),
  p99Ns: timeNs.describe('99th percentile, by nearest rank'),
  maxNs: timeNs,
};
export const latencySchema = z.strictObject(latencyFields);
export type Latency = z.infer<typeof latencySchema>;

/**
 * The numbers that describe a set of latencies, exactly.
 *
 * A percentile is the nearest rank: the smallest value that at least that share of the values does not exceed. It is
 * always one of the values; nothing is interpolated.
 *
 * @param ns whole nanoseconds, in any order
 * @returns all zero when there is nothing to describe
 */
export function summarizeLatency(ns: readonly number[]): Latency {
  const count = ns.length;
  if (count === 0) return { count: 0, minNs: 0, meanNs: 0, p50Ns: 0, p99Ns: 0, maxNs: 0 };
  const sorted = Float64Array.from(ns).sort();
  const percentile = (percent: number): number => sorted[Math.ceil((percent * count) / 100) - 1];
  return {
    count,
    minNs: sorted[0],
    meanNs: roundedMean(sorted),
    p50Ns: percentile(50),
    p99Ns: percentile(99),
    maxNs: sorted[count - 1],
  };
}

/** The same of what a driver reports: exactly where it has all of them, else percentiles of the sample that it has kept. */
export function describeLatencies({ sampleNs, count, sumNs, minNs, maxNs }: LatencyReport): Latency {
  const described = summarizeLatency(sampleNs);
  return sampleNs.length === count
    ? described
    : { ...described, count, minNs, meanNs: Math.round(sumNs / count), maxNs };
}

/** Halves round up. The distances from the smallest value are summed: their sum stays a safe integer for longer. */
function roundedMean(sorted: Float64Array): number {
  const least = sorted[0];
  let sum = 0;
  for (const value of sorted) sum += value - least;
  return least + Math.round(sum / sorted.length);
}
