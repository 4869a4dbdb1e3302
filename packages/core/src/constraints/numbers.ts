/** Exact arithmetic on sizes and alignments: whole numbers below 2^53, never a 32-bit operator. */

/** Greatest common divisor of two positive whole numbers. */
export function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Least common multiple of two positive whole numbers; Infinity when it is not an exact number any more. */
export function leastCommonMultiple(a: number, b: number): number {
  if (a === Number.POSITIVE_INFINITY || b === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  const multiple = (a / greatestCommonDivisor(a, b)) * b;
  return Number.isSafeInteger(multiple) ? multiple : Number.POSITIVE_INFINITY;
}

/** The next multiple of the alignment, from the value on. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** The prime factors of a positive whole number, with their powers. */
export function primePowers(value: number): Map<number, number> {
  const powers = new Map<number, number>();
  let rest = value;
  for (let prime = 2; prime * prime <= rest; prime++) {
    for (; rest % prime === 0; rest /= prime) powers.set(prime, (powers.get(prime) ?? 0) + 1);
  }
  if (rest > 1) powers.set(rest, (powers.get(rest) ?? 0) + 1);
  return powers;
}

/** Whether the value is 1, 2, 4, … up to 2^53. */
export function isPowerOfTwo(value: number): boolean {
  return value >= 1 && value <= 2 ** 53 && 2 ** Math.round(Math.log2(value)) === value;
}
