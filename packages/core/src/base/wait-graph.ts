/**
 * Who waits for whom: finds a deadlock when it forms, and not when a time-out tells of it.
 *
 * A task waits for a task that holds what it wants, or for an actor where any of its tasks may bring it. A task is stuck when
 * the task it waits for is stuck, or all tasks of the actor it waits for are. The stuck are the greatest set in which
 * nobody can go on; from each of them a way leads into a cycle. A task that waits for time, for the outside world or for
 * what nobody owns can go on, and so may the heirs of a task that has ended: whoever supervises it tells its waiters.
 *
 * Pure: a runtime says who begins to wait, and is told of the deadlock.
 */

/** What a task waits for. */
export interface Wait {
  /** In words, such as `the mappings of an importer`. */
  readonly what: string;
  /** The task that alone can end the wait, or the actor one of whose tasks can. */
  readonly owner: string;
}

/** A deadlock: each waits for the next, the last for the first. */
export interface Deadlock {
  readonly waits: readonly { readonly task: string; readonly what: string; readonly owner: string }[];
  /** `camera/lane 0 -> the lock of a reservation -> gpu -> the mappings of an importer -> camera/lane 0`. */
  readonly text: string;
}

interface TaskNode {
  readonly actor: string;
  wait: Wait | undefined;
}

export class WaitGraph {
  readonly #tasks = new Map<string, TaskNode>();
  readonly #actors = new Map<string, Set<string>>();

  /** A task of an actor begins; it waits for nobody. @param task unique among those that have not ended */
  begin(actor: string, task: string): void {
    this.#tasks.set(task, { actor, wait: undefined });
    const tasks = this.#actors.get(actor);
    if (tasks === undefined) this.#actors.set(actor, new Set([task]));
    else tasks.add(task);
  }

  /** A task has ended. @returns the deadlock of those who had only it left to wait for; undefined when there is none */
  end(task: string): Deadlock | undefined {
    const node = this.#tasks.get(task);
    if (node === undefined) return undefined;
    this.#tasks.delete(task);
    this.#actors.get(node.actor)?.delete(task);
    for (const [other, { wait }] of this.#tasks) {
      if (wait?.owner === node.actor && this.#stuck(other).has(other)) return this.#cycleFrom(other);
    }
    return undefined;
  }

  /**
   * A task begins to wait for an actor.
   *
   * @returns the deadlock that it closes; undefined when somebody in it can go on
   */
  wait(task: string, wait: Wait): Deadlock | undefined {
    const node = this.#tasks.get(task);
    if (node === undefined) return undefined;
    node.wait = wait;
    const stuck = this.#stuck(task);
    return stuck.has(task) ? this.#cycleFrom(task) : undefined;
  }

  /** A task goes on, or waits for what needs nobody: time, the outside world. */
  goOn(task: string): void {
    const node = this.#tasks.get(task);
    if (node !== undefined) node.wait = undefined;
  }

  /** The stuck among those on whom a task depends, itself among them: all but those who can go on, again and again. */
  #stuck(from: string): Set<string> {
    const stuck = new Set<string>([from]);
    for (const task of stuck) for (const next of this.#awaited(task)) stuck.add(next);
    for (let changed = true; changed; ) {
      changed = false;
      for (const task of stuck) {
        const awaited = this.#awaited(task);
        if (awaited.length > 0 && awaited.every((next) => stuck.has(next))) continue;
        stuck.delete(task);
        changed = true;
      }
    }
    return stuck;
  }

  /** The tasks any of which may end the wait of a task; empty when it does not wait, or for nobody who is there. */
  #awaited(task: string): string[] {
    const owner = this.#tasks.get(task)?.wait?.owner;
    if (owner === undefined) return [];
    return this.#tasks.has(owner) ? [owner] : [...(this.#actors.get(owner) ?? [])];
  }

  /** The cycle into which the way from a stuck task leads. */
  #cycleFrom(task: string): Deadlock {
    const way: string[] = [];
    for (let at = task; !way.includes(at); [at] = this.#awaited(at)) way.push(at);
    const [again] = this.#awaited(way[way.length - 1]);
    const waits = way.slice(way.indexOf(again)).map((one) => {
      const wait = this.#tasks.get(one)?.wait;
      return { task: one, what: wait?.what ?? '', owner: wait?.owner ?? '' };
    });
    const text = [...waits.flatMap((one) => [one.task, one.what]), waits[0].task].join(' -> ');
    return { waits, text };
  }
}
