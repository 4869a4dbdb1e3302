/**
 * Records in which order plain locks are taken, and names a cycle as soon as two orders contradict each other, whether or not
 * anybody has come to wait: A held X and took Y, B holds Y and takes X.
 *
 * Of a run the orders come from shared words (`sync/lock-order-words.ts`), which its actors write; of `WwMutex` from its class.
 * Locks of one acquire context may be taken in any order, since wait-die resolves it (`ww-mutex.ts`); they take no part.
 * Source: the dependency graph of lockdep, kernel/locking/lockdep.c, v6.12. Differs: the nodes are locks and not classes of locks,
 * since the objects of one class have no order that Linux would know either (it wants nested annotations).
 */

/** One thing taken while another was held, and who did. */
interface Edge {
  readonly to: string;
  readonly by: string;
}

/** Two orders that contradict each other. */
export interface LockCycle {
  /** Alternating: who, and the lock it took while it held the one before, back to the first: A, X, B, Y, A. */
  readonly path: readonly string[];
  /** `A -> X -> B -> Y -> A`. */
  readonly text: string;
}

/** More are counted only. */
const MAX_CYCLES = 100;

export class LockOrder {
  readonly cycles: LockCycle[] = [];
  /** Cycles found, also those beyond the hundred that are kept. */
  found = 0;
  readonly #edges = new Map<string, Edge[]>();
  readonly #held = new Map<string, string[]>();

  /**
   * Somebody is about to take a lock, whether it will have to wait or not. Called before it waits.
   *
   * @returns the cycle that this closes; undefined when there is none, or it is known
   */
  taking(by: string, lock: string): LockCycle | undefined {
    let closed: LockCycle | undefined;
    for (const held of this.#held.get(by) ?? []) closed = this.ordered(held, lock, by) ?? closed;
    return closed;
  }

  /** It has the lock. */
  taken(by: string, lock: string): void {
    const held = this.#held.get(by);
    if (held === undefined) this.#held.set(by, [lock]);
    else held.push(lock);
  }

  /** It has given the lock up. In any order. */
  dropped(by: string, lock: string): void {
    const held = this.#held.get(by);
    const place = held?.lastIndexOf(lock) ?? -1;
    if (held === undefined || place === -1) return;
    held.splice(place, 1);
    if (held.length === 0) this.#held.delete(by);
  }

  /**
   * Somebody takes a lock while it holds another: for whoever has only written that down.
   *
   * @returns as `taking`
   */
  ordered(from: string, to: string, by: string): LockCycle | undefined {
    const edges = this.#edges.get(from);
    if (edges?.some((edge) => edge.to === to) === true) return undefined;
    const back = this.#path(to, from);
    if (edges === undefined) this.#edges.set(from, [{ to, by }]);
    else edges.push({ to, by });
    if (back === undefined) return undefined;
    this.found += 1;
    // From here: `by` takes `to`; whoever took the next while it held `to` takes that; and so on, back to `from`.
    const path = [by, to, ...back.flatMap((edge) => [edge.by, edge.to]), by];
    const cycle: LockCycle = { path, text: path.join(' -> ') };
    if (this.cycles.length < MAX_CYCLES) this.cycles.push(cycle);
    return cycle;
  }

  /** The shortest way from one lock to another along the orders seen; empty when they are the same. */
  #path(from: string, to: string): Edge[] | undefined {
    const reached = new Map<string, Edge[]>([[from, []]]);
    for (const [lock, way] of reached) {
      if (lock === to) return way;
      for (const edge of this.#edges.get(lock) ?? []) {
        if (!reached.has(edge.to)) reached.set(edge.to, [...way, edge]);
      }
    }
    return undefined;
  }
}
