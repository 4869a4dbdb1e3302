/**
 * What Linux lets pass and should not: layouts that nobody checks.
 *
 * An implicit modifier is a private agreement of one driver with itself; a second device that reads the buffer guesses.
 * Some drivers accept a stride they cannot read and show garbage.
 */
import { formatList } from '../describe.js';
import { IMPLICIT_MODIFIER, type LayoutConstraints, type LayoutOption } from './layout-constraints.js';
import type { LayoutField, LayoutValue } from './layout-facts.js';
import { ruleStatements } from './layout-facts.js';

/** A hazard. */
export interface LayoutHazard {
  readonly kind: 'implicit-modifier' | 'accepts-and-corrupts';
  /** The participants concerned, sorted. */
  readonly devices: readonly string[];
  /** For accepts-and-corrupts: what is not checked. */
  readonly field?: LayoutField;
  readonly value?: LayoutValue;
  readonly message: string;
}

/** A participant with the option it takes part with. */
export interface TakingPart {
  readonly constraints: LayoutConstraints;
  readonly option: LayoutOption;
}

/** The hazards of a layout that all have agreed on, or of the options they have. */
export function layoutHazards(taking: readonly TakingPart[], modifier: string | undefined): LayoutHazard[] {
  const hazards: LayoutHazard[] = [];
  if (modifier === IMPLICIT_MODIFIER) {
    const caring = taking.filter(({ option }) => option.formats !== undefined);
    const domains = new Set(caring.map(({ option }) => option.implicitDomain));
    if (caring.length > 1 && (domains.size > 1 || domains.has(undefined))) {
      const devices = caring.map(({ constraints }) => constraints.device);
      const message = `${formatList(devices)} share an implicit layout, and nothing says that it is the same for all`;
      hazards.push({ kind: 'implicit-modifier', devices, message });
    }
  }
  for (const { constraints, option } of taking) {
    for (const { field, value } of uncheckedRules(option)) {
      const { device } = constraints;
      const message = `${device} does not check ${field}: a buffer that breaks it is accepted, and the picture is wrong`;
      hazards.push({ kind: 'accepts-and-corrupts', devices: [device], field, value, message });
    }
  }
  return hazards;
}

/** Rules an option has and does not check. */
function uncheckedRules(option: LayoutOption): { readonly field: LayoutField; readonly value: LayoutValue }[] {
  if (option.silent === undefined || option.silent.length === 0) return [];
  const rules = [option.rules, ...(option.formats ?? []).map((support) => support.rules)];
  const found = new Map<LayoutField, LayoutValue>();
  for (const { field, value } of rules.flatMap(ruleStatements)) {
    if (isSilent(option, field) && !found.has(field)) found.set(field, value);
  }
  return [...found].map(([field, value]) => ({ field, value }));
}

/** Whether an option does not check a field. */
export function isSilent(option: LayoutOption, field: LayoutField): boolean {
  return (option.silent ?? []).some((silent) => silent === field || field.startsWith(`${silent}[`));
}
