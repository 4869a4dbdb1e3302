/**
 * Notices what a driver takes from the world instead of from its context, while it is being stepped.
 *
 * Globals are replaced for the length of a step and do what they always do; a use counts when the driver's own code makes it,
 * as the stack says. Not seen: what a module kept of them before the check began (`const { now } = Date`), named imports of
 * Node's modules (`import { setTimeout } from 'node:timers'`), and what runs in a promise that the driver started.
 */
import { Place } from './place.js';

/** Told of each use: what was used, and from where. */
export type OnUse = (what: string, place: Place) => void;

type Callable = (...args: unknown[]) => unknown;

/** Functions of an object, by name; what they are called in messages is `prefix` and the name. */
interface Trapped {
  readonly owner: Record<string, unknown>;
  readonly prefix: string;
  readonly names: readonly string[];
}

function trapped(): Trapped[] {
  const atomics = Reflect.get(globalThis, 'Atomics') as object;
  const of = (owner: object, prefix: string, names: readonly string[]): Trapped => {
    return { owner: owner as Record<string, unknown>, prefix, names };
  };
  return [
    of(globalThis, '', ['setTimeout', 'setInterval', 'setImmediate']),
    of(Math, 'Math.', ['random']),
    of(performance, 'performance.', ['now']),
    of(process, 'process.', ['hrtime']),
    of(atomics, 'Atomics.', Object.getOwnPropertyNames(atomics)),
    of(crypto, 'crypto.', ['getRandomValues', 'randomUUID']),
  ];
}

interface Installed {
  readonly owner: Record<string, unknown>;
  readonly name: string;
  readonly descriptor: PropertyDescriptor | undefined;
  readonly value: unknown;
}

/** Traps that can be set and lifted again. */
export class Traps {
  readonly #installed: Installed[];
  #depth = 0;
  /** Whoever is told may use the same things. */
  #isTelling = false;

  constructor(private readonly onUse: OnUse) {
    const traps = trapped().flatMap(({ owner, prefix, names }) =>
      names
        .filter((name) => typeof owner[name] === 'function')
        .map((name) => this.#make(owner, name, this.#watched(owner[name] as Callable, `${prefix}${name}`))),
    );
    this.#installed = [...traps, this.#make(globalThis as never, 'Date', this.#watchedDate())];
  }

  /** Runs something with the traps set. */
  during<T>(step: () => T): T {
    this.#depth += 1;
    if (this.#depth === 1) for (const { owner, name, value } of this.#installed) put(owner, name, value);
    try {
      return step();
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0)
        for (const { owner, name, descriptor } of this.#installed) restore(owner, name, descriptor);
    }
  }

  #make(owner: Record<string, unknown>, name: string, value: unknown): Installed {
    return { owner, name, value, descriptor: Object.getOwnPropertyDescriptor(owner, name) };
  }

  #used(what: string): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    this.onUse(what, Place.outside('traps'));
    this.#isTelling = false;
  }

  #watched(original: Callable, what: string): Callable {
    const used = (): void => this.#used(what);
    return new Proxy(original, {
      apply(target, self, args) {
        used();
        return Reflect.apply(target, self, args);
      },
      get(target, key) {
        if (key === 'bigint' && what === 'process.hrtime') used();
        return Reflect.get(target, key) as unknown;
      },
    });
  }

  /** `new Date(value)` is arithmetic; `new Date()`, `Date()` and `Date.now` look at the clock. */
  #watchedDate(): unknown {
    const used = (what: string): void => this.#used(what);
    return new Proxy(Date, {
      construct(target, args, self) {
        if (args.length === 0) used('new Date()');
        return Reflect.construct(target, args, self) as object;
      },
      apply(target) {
        used('Date()');
        return target();
      },
      get(target, key) {
        if (key === 'now') used('Date.now');
        return Reflect.get(target, key) as unknown;
      },
    });
  }
}

function put(owner: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
}

function restore(owner: Record<string, unknown>, name: string, descriptor: PropertyDescriptor | undefined): void {
  if (descriptor === undefined) delete owner[name];
  else Object.defineProperty(owner, name, descriptor);
}
