/**
 * Who waits for whom: tells a deadlock from a wait that will end.
 *
 * A task waits for tasks any of which may end its wait. It can go on when it does not wait, when its wait may end by itself
 * (time, the outside world, what nobody holds), or when one of those it waits for can go on. The others are stuck, and from
 * each of them a way leads into a group of tasks that wait for each other and for nobody else: a deadlock.
 *
 * Pure: a runtime says who waits for what.
 */

/** What a task waits for. */
export interface Wait<T> {
  /** In words, such as `the mappings of an importer`. */
  readonly what: string;
  /** The tasks any of which can end the wait; none: it may end by itself. */
  readonly awaited: readonly T[];
}

/** A deadlock: each waits for the next, the last for the first. */
export interface Deadlock<T> {
  readonly waits: readonly { readonly task: T; readonly what: string }[];
  /** Those in the cycle, and all whom they could hope for else. */
  readonly stuck: ReadonlySet<T>;
  /** `camera/lane 1 -> a reservation lock -> gpu -> the mappings of an importer -> camera/lane 1`. */
  readonly text: string;
}

/** How a runtime's tasks are seen. */
export interface WaitView<T> {
  /** Undefined for a task that can go on. */
  waitOf(task: T): Wait<T> | undefined;
  nameOf(task: T): string;
  /** Whether two tasks are of one actor: a cycle between actors tells more than one within. */
  isSameActor(one: T, other: T): boolean;
}

/**
 * Finds the deadlocks among tasks: of each group in which everybody waits for everybody, by way of others, and nobody for anyone
 * outside, one shortest cycle. Who is stuck only because of such a group is not told of.
 *
 * @param tasks all there are; a cycle is told from the one on that comes first
 */
export function findDeadlocks<T>(tasks: Iterable<T>, view: WaitView<T>): Deadlock<T>[] {
  const stuck = stuckOf(tasks, view);
  const deadlocks: Deadlock<T>[] = [];
  for (const group of groupsOf(stuck)) {
    const cycle = tellingCycle(group, view, (task) => {
      const awaited = awaitedBy(task, stuck);
      const others = awaited.filter((next) => !view.isSameActor(task, next));
      return others.length > 0 ? others : awaited;
    });
    if (cycle === undefined) continue;
    for (const task of stuck.keys()) {
      const place = cycle.indexOf(task);
      if (place === -1) continue;
      cycle.push(...cycle.splice(0, place));
      break;
    }
    const waits = cycle.map((task) => ({ task, what: stuck.get(task)?.what ?? '' }));
    const text = [...waits.flatMap(({ task, what }) => [view.nameOf(task), what]), view.nameOf(cycle[0])].join(' -> ');
    deadlocks.push({ waits, stuck: group, text });
  }
  return deadlocks;
}

/** The waits of those who cannot go on: all but those who can, and those who wait for one of these, again and again. */
function stuckOf<T>(tasks: Iterable<T>, { waitOf }: WaitView<T>): Map<T, Wait<T>> {
  const stuck = new Map<T, Wait<T>>();
  const waiters = new Map<T, T[]>();
  const free: T[] = [];
  for (const task of tasks) {
    const wait = waitOf(task);
    if (wait === undefined || wait.awaited.length === 0) {
      free.push(task);
      continue;
    }
    stuck.set(task, wait);
    for (const one of wait.awaited) {
      const known = waiters.get(one);
      if (known === undefined) waiters.set(one, [task]);
      else known.push(task);
    }
  }
  // Who is awaited, and none of the tasks, is not known to be stuck.
  for (const one of waiters.keys()) if (!stuck.has(one)) free.push(one);
  for (let task = free.pop(); task !== undefined; task = free.pop()) {
    for (const waiter of waiters.get(task) ?? []) if (stuck.delete(waiter)) free.push(waiter);
  }
  return stuck;
}

/** The groups of stuck tasks that reach each other and nobody else. */
function groupsOf<T>(stuck: ReadonlyMap<T, Wait<T>>): Set<T>[] {
  const reach = new Map<T, Set<T>>();
  for (const task of stuck.keys()) reach.set(task, reachedFrom(task, stuck));
  const groups: Set<T>[] = [];
  for (const [task, group] of reach) {
    if (groups.some((known) => known.has(task))) continue;
    // Whoever is reached reaches no more than this one: as many, if it reaches this one too.
    if ([...group].every((other) => reach.get(other)?.size === group.size)) groups.push(group);
  }
  return groups;
}

/** A shortest cycle; one between actors where there is any. */
function tellingCycle<T>(
  tasks: Iterable<T>,
  { isSameActor }: WaitView<T>,
  awaited: (task: T) => readonly T[],
): T[] | undefined {
  let best: T[] | undefined;
  let isBestBetween = false;
  for (const task of tasks) {
    const cycle = cycleThrough(task, awaited);
    if (cycle === undefined) continue;
    const isBetween = cycle.some((other) => !isSameActor(task, other));
    const isShorter = best === undefined || cycle.length < best.length;
    if (isBetween === isBestBetween ? !isShorter : isBestBetween) continue;
    best = cycle;
    isBestBetween = isBetween;
  }
  return best;
}

/** A shortest cycle through a task, from it on. */
function cycleThrough<T>(task: T, awaited: (task: T) => readonly T[]): T[] | undefined {
  const from = new Map<T, T>();
  const queue = [task];
  for (const one of queue) {
    for (const next of awaited(one)) {
      if (next === task) return wayTo(one, from);
      if (from.has(next)) continue;
      from.set(next, one);
      queue.push(next);
    }
  }
  return undefined;
}

function wayTo<T>(task: T, from: ReadonlyMap<T, T>): T[] {
  const way: T[] = [];
  for (let at: T | undefined = task; at !== undefined; at = from.get(at)) way.unshift(at);
  return way;
}

function reachedFrom<T>(task: T, stuck: ReadonlyMap<T, Wait<T>>): Set<T> {
  const reached = new Set<T>([task]);
  for (const one of reached) for (const next of awaitedBy(one, stuck)) reached.add(next);
  return reached;
}

function awaitedBy<T>(task: T, stuck: ReadonlyMap<T, Wait<T>>): readonly T[] {
  return stuck.get(task)?.awaited ?? [];
}
