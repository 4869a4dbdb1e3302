/** What was found in one run, of all lives of the driver: by reference in virtual time, plain data otherwise. */
import type { Place } from './place.js';
import type { RuleName } from './rules.js';

/** A breach of a rule. */
export interface Finding {
  readonly rule: RuleName;
  /** What happened: a sentence without the full stop. */
  readonly what: string;
  /** `file:line` of the driver's source; absent when the stack does not say. */
  readonly where?: string;
}

/** A breach of which no more is said. */
const LIMIT_PER_RULE = 20;

export class Findings {
  readonly all: Finding[] = [];
  /** What could not be looked at. */
  readonly notes: string[] = [];

  note(what: string): void {
    if (!this.notes.includes(what)) this.notes.push(what);
  }

  /** Writes a breach down, once for each place. */
  add(rule: RuleName, what: string, place?: Place): void {
    const where = place?.text;
    const ofRule = this.all.filter((one) => one.rule === rule);
    const isKnown = ofRule.some((one) => (where === undefined ? one.what === what : one.where === where));
    if (isKnown || ofRule.length >= LIMIT_PER_RULE) return;
    this.all.push({ rule, what, ...(where !== undefined && { where }) });
  }
}
