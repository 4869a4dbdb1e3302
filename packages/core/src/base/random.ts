/**
 * Named streams of random numbers.
 *
 * A stream is keyed by (seed, name), never by the order in which streams are made: adding a device to a scenario does
 * not change what the others draw.
 */
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';

export class RandomStream {
  readonly #next: () => number;

  constructor(seed: number, name: string) {
    const state = streamState(seed, name);
    const generator = xoroshiro128plusFromState(state);
    this.#next = () => generator.next();
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.#next() >>> 5;
    const low = this.#next() >>> 6;
    return (high * 67_108_864 + low) / 9_007_199_254_740_992;
  }

  /** An integer in [0, bound). */
  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  /** An exponentially distributed number with the given mean. */
  exponential(mean: number): number {
    return -mean * Math.log1p(-this.uniform());
  }
}

/** Four 32-bit words from a seed and a name: FNV-1a of the name, mixed with the seed by splitmix32. */
function streamState(seed: number, name: string): [number, number, number, number] {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  const high = Math.floor(seed / 4_294_967_296);
  let mixed = (hash ^ (seed | 0) ^ Math.imul(high | 0, 0x85ebca6b)) | 0;
  const word = (): number => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  return [word(), word(), word(), word() | 1];
}
