/** What the steps of one case share: the process, and what names are bound to. */
import type { Process, SimulatedKernel } from '@dmabuf-lab/uapi';
import type { Binding } from './operation.js';
import { bigintOf, type Reference } from './values.js';

/** Descriptors get numbers from here on, so that none is used twice. */
const FIRST_FRESH_FD = 1_000_000;
const NUMERIC = /^-?(0x[0-9a-fA-F]+|\d+)$/;

/** A name that an operation needs is not bound: it answers so. */
export class Unbound extends Error {
  override readonly name = 'Unbound';
}

export class CaseContext {
  readonly #bound = new Map<string, Binding>();
  #fresh = FIRST_FRESH_FD;
  /** Whatever operations remember between steps, by their own keys. */
  readonly notes = new Map<string, unknown>();

  constructor(
    readonly kernel: SimulatedKernel,
    readonly process: Process,
  ) {}

  /** The number that the next new descriptor will get. */
  get nextFd(): number {
    return this.#fresh;
  }

  /** Gives a new descriptor a number that no descriptor had before. */
  fresh(fd: number): number {
    const number = this.#fresh;
    this.#fresh += 1;
    this.process.fds.move(fd, number);
    return number;
  }

  bind(name: string, binding: Binding): void {
    this.#bound.set(name, binding);
  }

  /** A descriptor: of a name, or as it is; -1 for what is not bound. */
  fd(given: Reference | undefined): number {
    if (given === undefined) return -1;
    if (typeof given === 'number') return given;
    if (NUMERIC.test(given)) return Number(given);
    const bound = this.#bound.get(given);
    return bound !== undefined && 'fd' in bound ? bound.fd : -1;
  }

  /** A number: of a name, or as it is; 0 for what is not bound. */
  number(given: Reference | undefined): bigint {
    if (given === undefined) return 0n;
    if (typeof given === 'number') return BigInt(given);
    if (NUMERIC.test(given)) return bigintOf(given);
    const bound = this.#bound.get(given);
    if (bound === undefined) return 0n;
    return 'number' in bound ? bound.number : 'fd' in bound ? BigInt(bound.fd) : 0n;
  }

  /** A mapping. @throws Unbound */
  map(name: string): { address: number; lengthBytes: number } {
    const bound = this.#bound.get(name);
    if (bound === undefined || !('map' in bound)) throw new Unbound();
    return bound.map;
  }
}
