/**
 * A rolling hash over the order of events: two runs with the same fingerprint did the same things in the same order.
 *
 * Two 32-bit lanes of a multiply-rotate hash (the mixing step of MurmurHash3); not for security.
 */
export class Fingerprint {
  #a = 0x9e3779b9;
  #b = 0x85ebca6b;

  /** Mixes in an integer below 2^53. */
  add(value: number): void {
    this.#a = mix(this.#a, value | 0);
    this.#b = mix(this.#b, (value / 4_294_967_296) | (value << 3));
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    const hex = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
    return hex(this.#a) + hex(mix(this.#b, this.#a));
  }
}

function mix(hash: number, value: number): number {
  let k = Math.imul(value, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
