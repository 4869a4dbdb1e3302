/**
 * What is to be done when a supervised actor dies: whom to end, whom to start again, when, and when to give up.
 *
 * The strategies, the intensity and the order are those of Erlang/OTP's supervisors (one_for_one, one_for_all,
 * rest_for_one; MaxR restarts in MaxT; children start in order and are ended in reverse order). Differs: a restart waits
 * for a back-off that doubles while an actor keeps dying. Pure: it is told the time and only answers.
 */
import { type Nanoseconds, NS_PER_SECOND } from '../../base/index.js';

/** Who is restarted when an actor dies: it alone; everybody; it and all that were started after it. */
export type RestartStrategy = 'one-for-one' | 'one-for-all' | 'rest-for-one';

export interface RestartLimits {
  readonly strategy: RestartStrategy;
  /** More restarts than this within `withinNs` are one too many: the supervisor gives up. */
  readonly restarts: number;
  readonly withinNs: Nanoseconds;
  /** Before the first restart of an actor; doubled at each further one within `withinNs`, up to `maxBackoffNs`. */
  readonly backoffNs: Nanoseconds;
  readonly maxBackoffNs: Nanoseconds;
}

/** What a death leads to. */
export type RestartDecision =
  | {
      readonly action: 'restart';
      /** Who else is ended, in this order: reverse start order. */
      readonly stop: readonly string[];
      /** Who is started again, in start order. */
      readonly start: readonly string[];
      readonly afterNs: Nanoseconds;
    }
  | { readonly action: 'give up'; readonly why: string; readonly stop: readonly string[] };

export class RestartPolicy {
  /** Times of the restarts within the window. */
  readonly #restarts: { readonly actor: string; readonly atNs: Nanoseconds }[] = [];

  /** @param children in start order */
  constructor(
    private readonly limits: RestartLimits,
    private readonly children: readonly string[],
  ) {}

  /**
   * Decides about a death.
   *
   * @param living those of the children that run now
   */
  onDeath(actor: string, nowNs: Nanoseconds, living: ReadonlySet<string>): RestartDecision {
    const { limits, children } = this;
    while (this.#restarts.length > 0 && this.#restarts[0].atNs <= nowNs - limits.withinNs) this.#restarts.shift();
    if (this.#restarts.length >= limits.restarts) {
      const count = this.#restarts.length + 1;
      const within = `${limits.withinNs / NS_PER_SECOND} s`;
      const why = `${actor} has died, and ${count} restarts within ${within} are more than ${limits.restarts}`;
      return { action: 'give up', why, stop: reversed(children.filter((one) => living.has(one))) };
    }
    const earlier = this.#restarts.filter((one) => one.actor === actor).length;
    this.#restarts.push({ actor, atNs: nowNs });
    const concerned = this.#concernedBy(actor).filter((one) => one === actor || living.has(one));
    return {
      action: 'restart',
      stop: reversed(concerned.filter((one) => one !== actor)),
      start: concerned,
      afterNs: Math.min(limits.maxBackoffNs, limits.backoffNs * 2 ** Math.min(earlier, 52)),
    };
  }

  #concernedBy(actor: string): readonly string[] {
    if (this.limits.strategy === 'one-for-one') return [actor];
    if (this.limits.strategy === 'one-for-all') return this.children;
    return this.children.slice(this.children.indexOf(actor));
  }
}

const reversed = (names: readonly string[]): string[] => [...names].reverse();
