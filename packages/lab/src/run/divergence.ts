/**
 * Two executions of one thing in virtual time, compared event by event at little cost: each keeps one hash for every block
 * of events; where the blocks differ, both are executed once more and only that block is written down.
 */
import type { EventClass } from '@dmabuf-lab/core/base';
import type { EventTarget } from '@dmabuf-lab/core/runtime';

const BLOCK = 1024;

/** What an execution comes to, as far as it is compared here. */
export interface Fingerprinted {
  readonly fingerprint: string | null;
}

/** Executes it once more. @param onEvent told of each event */
export type Execute<Result extends Fingerprinted> = (onEvent: EventLog['onEvent']) => Promise<Result>;

/** Hashes an execution, and writes one block of it down. */
class EventLog {
  readonly hashes: number[] = [];
  readonly written: string[] = [];
  #count = 0;
  #hash = 0;

  /** @param block the one to write down; absent = none */
  constructor(private readonly block?: number) {}

  readonly onEvent = (timeNs: number, eventClass: EventClass, { actor, name, number }: EventTarget): void => {
    this.#hash = (Math.imul(this.#hash, 31) + timeNs) | 0;
    this.#hash = (Math.imul(this.#hash, 31) + number * 4 + eventClass) | 0;
    if (Math.floor(this.#count / BLOCK) === this.block) {
      this.written.push(`event ${this.#count} at ${timeNs} ns, class ${eventClass}: ${actor.name}/${name}`);
    }
    this.#count += 1;
    if (this.#count % BLOCK === 0) this.hashes.push(this.#hash);
  };

  get last(): number {
    return this.#hash;
  }
}

export interface HashedExecution<Result extends Fingerprinted> {
  readonly result: Result;
  readonly hashes: readonly number[];
}

/** Executes it, and hashes its events by blocks. */
export async function hashedExecution<Result extends Fingerprinted>(
  execute: Execute<Result>,
): Promise<HashedExecution<Result>> {
  const log = new EventLog();
  const result = await execute(log.onEvent);
  return { result, hashes: [...log.hashes, log.last] };
}

/**
 * Compares two executions; where they differ, it executes twice more to see where.
 *
 * @param first, second from `hashedExecution`, one after the other
 * @returns undefined when both did the same things in the same order; else the first event in which they differ
 */
export async function divergenceBetween<Result extends Fingerprinted>(
  first: HashedExecution<Result>,
  second: HashedExecution<Result>,
  execute: Execute<Result>,
): Promise<string | undefined> {
  const length = Math.max(first.hashes.length, second.hashes.length);
  const block = Array.from({ length }, (_, i) => i).find((i) => first.hashes[i] !== second.hashes[i]);
  if (block === undefined && first.result.fingerprint === second.result.fingerprint) return undefined;
  const written = [];
  for (let execution = 0; execution < 2; execution += 1) {
    const log = new EventLog(block ?? length - 1);
    await execute(log.onEvent);
    written.push(log.written);
  }
  const [a, b] = written;
  const at = a.findIndex((event, i) => event !== b[i]);
  if (at < 0 && a.length === b.length) {
    return `two executions differed after ${(block ?? 0) * BLOCK} events, two more did not`;
  }
  const place = at < 0 ? a.length : at;
  return `the first event that differs: ${a[place] ?? 'the end'} in one, ${b[place] ?? 'the end'} in the other`;
}
