/**
 * Calls that wait and were made without `yield*`: each gives a generator, and nothing of it is done before it is stepped.
 *
 * A driver may keep such a generator and step it later. So one is told of when the stay is over, or the run is given up.
 */
import type { Task } from '../base/index.js';
import type { Findings } from './findings.js';
import { at, type Place } from './place.js';
import { RULE_NAMES, type RuleName } from './rules.js';

interface MadeCall {
  readonly call: string;
  readonly place: Place | undefined;
}

/** More are not remembered: the first come from the same lines. */
const MOST = 100;

/** What breaks as well where nothing of a call is done: all but what is seen whether or not it is done. */
const FOLLOWS = RULE_NAMES.filter(
  (rule) => !['parameters', 'plan', 'ports-only', 'turn', 'yield-star'].includes(rule),
) as readonly RuleName[];

export class PendingTasks {
  /** Calls of which no step was made, by their generators. */
  readonly #made = new Map<unknown, MadeCall>();

  constructor(private readonly findings: Findings) {}

  /** A call has given a generator. */
  made(task: Task<unknown>, call: string, place: Place | undefined): void {
    if (this.#made.size < MOST) this.#made.set(task, { call, place });
  }

  /** It is stepped for the first time, or somebody else steps it. */
  stepped(task: unknown): void {
    this.#made.delete(task);
  }

  /** The driver waits by `yield` in place of `yield*`. */
  yielded(value: unknown): void {
    const made = this.#made.get(value);
    this.#made.delete(value);
    if (made === undefined) {
      const what = isTask(value)
        ? 'a generator of its own'
        : `${typeof value === 'object' ? 'an object' : String(value)}`;
      this.#add(`the driver has yielded ${what}: yield where yield* was meant`, undefined);
    } else {
      const { call, place } = made;
      this.#add(`${call}${at(place)} was called with yield where yield* was meant`, place);
    }
  }

  /** The driver has ended, or does not go on. */
  tell(): void {
    for (const { call, place } of this.#made.values())
      this.#add(`${call}${at(place)} was called without yield*`, place);
    this.#made.clear();
  }

  #add(what: string, place: Place | undefined): void {
    this.findings.add('yield-star', what, place, { explains: FOLLOWS });
  }
}

const isTask = (value: unknown): boolean => typeof (value as { readonly next?: unknown } | null)?.next === 'function';
