/** What was found in one run, of all lives of the driver: by reference in virtual time, plain data otherwise. */
import type { RuleName } from './rules.js';

/** A breach of a rule. */
export interface Finding {
  readonly rule: RuleName;
  /** What happened: a sentence without the full stop. */
  readonly what: string;
  /** `file:line` of the driver's source; absent when the stack does not say. */
  readonly where?: string;
  /** What to do about it, where that is not the remedy of the rule. */
  readonly remedy?: string;
  /** Breaches of these rules in the same run follow from it, and are not told. */
  readonly explains?: readonly RuleName[];
}

/** Told at once of what is found: whoever finds it may never come back. */
export interface FindingsWatch {
  found?(finding: Finding): void;
  noted?(note: string): void;
}

/** A breach of which no more is said. */
const LIMIT_PER_RULE = 20;

export class Findings {
  /** All but what follows from others. */
  readonly all: Finding[] = [];
  /** What follows from others. */
  readonly explained: Finding[] = [];
  /** What could not be looked at. */
  readonly notes: string[] = [];

  constructor(private readonly watch: FindingsWatch = {}) {}

  note(what: string): void {
    if (this.notes.includes(what)) return;
    this.notes.push(what);
    this.watch.noted?.(what);
  }

  /** Writes a breach down, once for each place. */
  add(
    rule: RuleName,
    what: string,
    place?: { readonly text: string | undefined },
    more: Pick<Finding, 'remedy' | 'explains'> = {},
  ): void {
    this.take({ rule, what, ...(place?.text !== undefined && { where: place.text }), ...more });
  }

  /** Takes over a breach that was found elsewhere, once for each place. */
  take(finding: Finding): void {
    const { rule } = finding;
    if (isExplained(finding, this.all)) {
      this.explained.push(finding);
      return;
    }
    const ofRule = this.all.filter((one) => one.rule === rule);
    if (ofRule.some((one) => isSameBreach(one, finding)) || ofRule.length >= LIMIT_PER_RULE) return;
    const rest = this.all.filter((one) => !isExplained(one, [finding]));
    this.explained.push(...this.all.filter((one) => !rest.includes(one)));
    this.all.splice(0, this.all.length, ...rest, finding);
    this.watch.found?.(finding);
  }
}

/** Whether two findings tell of one breach. Several things may be used in one line; else a line has one breach of a rule. */
export function isSameBreach(one: Finding, other: Finding): boolean {
  if (one.rule !== other.rule) return false;
  if (other.where === undefined) return one.what === other.what;
  return one.where === other.where && (one.rule !== 'ports-only' || one.what === other.what);
}

/** Whether a finding follows from one of others. */
export const isExplained = ({ rule }: Pick<Finding, 'rule'>, by: readonly Finding[]): boolean =>
  by.some(({ explains }) => explains?.includes(rule) === true);
