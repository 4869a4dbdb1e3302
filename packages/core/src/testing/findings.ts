/** What was found in one run, of all lives of the driver: by reference in virtual time, plain data otherwise. */
import type { RuleName } from './rules.js';

/** A breach of a rule. */
export interface Finding {
  readonly rule: RuleName;
  /** What happened: a sentence without the full stop. */
  readonly what: string;
  /** `file:line` of the driver's source; absent when the stack does not say. */
  readonly where?: string;
}

/** Told at once of what is found: whoever finds it may never come back. */
export interface FindingsWatch {
  found?(finding: Finding): void;
  noted?(note: string): void;
}

/** A breach of which no more is said. */
const LIMIT_PER_RULE = 20;

export class Findings {
  readonly all: Finding[] = [];
  /** What could not be looked at. */
  readonly notes: string[] = [];

  constructor(private readonly watch: FindingsWatch = {}) {}

  note(what: string): void {
    if (this.notes.includes(what)) return;
    this.notes.push(what);
    this.watch.noted?.(what);
  }

  /** Writes a breach down, once for each place. */
  add(rule: RuleName, what: string, place?: { readonly text: string | undefined }): void {
    this.take({ rule, what, ...(place?.text !== undefined && { where: place.text }) });
  }

  /** Takes over a breach that was found elsewhere, once for each place. */
  take(finding: Finding): void {
    const { rule, what, where } = finding;
    const ofRule = this.all.filter((one) => one.rule === rule);
    const isKnown = ofRule.some((one) => (where === undefined ? one.what === what : one.where === where));
    if (isKnown || ofRule.length >= LIMIT_PER_RULE) return;
    this.all.push(finding);
    this.watch.found?.(finding);
  }
}
