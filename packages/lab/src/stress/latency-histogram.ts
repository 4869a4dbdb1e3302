/**
 * A histogram of times, by powers of two cut into sixteen: whatever is read out of it is at most 1/16 too large.
 *
 * Drivers die with what they remember, so that times are counted in shared words; a list of them would have no bound.
 */

const STEPS = 16;
const STEP_BITS = 4;
/** Up to 2^44 ns, close to five hours. */
const POWERS = 41;
/** Buckets of one histogram. */
export const BUCKETS = POWERS * STEPS;

/** The bucket of a time in whole nanoseconds. */
export function bucketOf(ns: number): number {
  if (ns < STEPS) return Math.max(0, Math.floor(ns));
  const power = Math.floor(Math.log2(ns));
  const step = Math.floor(ns / 2 ** (power - STEP_BITS)) - STEPS;
  return Math.min(BUCKETS - 1, (power - STEP_BITS + 1) * STEPS + step);
}

/** The longest time of a bucket, in nanoseconds. */
export function longestOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const power = Math.floor(bucket / STEPS) + STEP_BITS - 1;
  return (STEPS + (bucket % STEPS) + 1) * 2 ** (power - STEP_BITS) - 1;
}

export interface LatencySummary {
  readonly count: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
}

/** The numbers that describe a histogram; percentiles by nearest rank. All 0 when it is empty. */
export function describeHistogram(counts: readonly number[]): LatencySummary {
  const count = counts.reduce((sum, n) => sum + n, 0);
  if (count === 0) return { count, p50Ns: 0, p99Ns: 0, maxNs: 0 };
  const atRank = (rank: number): number => {
    let bucket = 0;
    for (let seen = counts[0]; seen < rank; seen += counts[bucket]) bucket += 1;
    return longestOf(bucket);
  };
  return { count, p50Ns: atRank(Math.ceil(count * 0.5)), p99Ns: atRank(Math.ceil(count * 0.99)), maxNs: atRank(count) };
}
