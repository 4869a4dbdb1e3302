/**
 * A negotiation prepared for searching: facts by index, and for every format and modifier what each option of each
 * participant demands, as slots and numbers.
 *
 * Prepared once; the search then asks the same problem without some of its facts, or for another width, without looking
 * at the constraints again.
 */

import { byName } from '../provenance.js';
import { mayOverflow, rowOfFormat } from './arrange.js';
import { formatsOf, modifiersByFormat, modifierUniverse } from './considered-formats.js';
import { canonicalFormat, type PixelFormat, pixelFormatOf } from './formats.js';
import {
  type FormatSupport,
  IMPLICIT_MODIFIER,
  type ImageRequest,
  type LayoutConstraints,
  type LayoutOption,
} from './layout-constraints.js';
import {
  alignmentForAll,
  countStatements,
  demandsOf,
  isSizeRule,
  type LayoutFact,
  type LayoutField,
  type LayoutValue,
  meetsSizeRule,
  modifiersOf,
  optionName,
  optionsOf,
  type RuleStatement,
  ruleStatements,
  rulesOutFormat,
  takesModifier,
} from './layout-facts.js';
import { type LayoutRow, mergeSlot, SLOT } from './layout-slots.js';

/** Costs are added as whole millionths, so that the sum does not depend on the order. */
export const COST_UNIT = 1_000_000;

/** A wish for aligned strides. */
export interface CompiledPreference {
  readonly device: string;
  /** As stated, for every plane. */
  readonly strideAlignmentBytes: number;
  /** What the first plane's stride must be a multiple of. */
  readonly alignmentBytes: number;
  /** Millionths. */
  readonly cost: number;
}

/** What one option demands in one format and modifier. */
export interface CompiledOption {
  readonly participant: number;
  /** Among the participant's options and, after them, its alternatives. */
  readonly index: number;
  /** Millionths. */
  readonly cost: number;
  /** Facts each of which rules this option out here, if the image fails them or they do not depend on the image. */
  readonly killers: readonly number[];
  /** By position: the fact, its slot and its value. First come those that can clash, the rest only pads. */
  readonly facts: readonly number[];
  readonly slots: readonly number[];
  readonly values: readonly number[];
  /** How many of them can clash. */
  readonly clashes: number;
  readonly preferences: readonly CompiledPreference[];
}

/** One format in one modifier. */
export interface CompiledCandidate {
  readonly format: PixelFormat;
  readonly modifier: string;
  /** What the format demands by itself. */
  readonly row: LayoutRow;
  /** By participant, then by option. */
  readonly options: readonly (readonly CompiledOption[])[];
  /** Whether sizes can come so near to 2^53 that padding rules may conflict. */
  readonly mayOverflow: boolean;
  /** Index of the first candidate of which all this holds as well, whatever facts count; its own, if it is the first. */
  readonly twin: number;
}

/** A prepared negotiation. */
export interface LayoutProblem {
  readonly image: ImageRequest;
  /** Sorted by name. */
  readonly participants: readonly LayoutConstraints[];
  readonly facts: readonly LayoutFact[];
  /** By participant, then by option or alternative: the facts it states. */
  readonly factsOfOption: readonly (readonly (readonly number[])[])[];
  /** The participant of each fact. */
  readonly participantOfFact: readonly number[];
  /** Whether a fact speaks of the size of the image, and so rules out an option only where the image fails it. */
  readonly isSizeFact: readonly boolean[];
  /** In order of preference among equals. */
  readonly candidates: readonly CompiledCandidate[];
}

/** Some of a problem, for an image of some size. */
export interface LayoutView {
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** By fact: 1 if it counts. */
  readonly kept: Uint8Array;
  /** By fact: 1 if it rules out the options that name it as killer, for this size. */
  readonly failing: Uint8Array;
  /** By participant: 1 if it does not take part. */
  readonly absent: Uint8Array;
  /** By participant: the only option or alternative it may take; -1 for any of its options. */
  readonly choice: Int16Array;
}

/** Prepares a negotiation. The constraints have been checked, and no name is there twice. */
export function compileLayout(image: ImageRequest, participants: readonly LayoutConstraints[]): LayoutProblem {
  const sorted = [...participants].sort((a, b) => byName(a.device, b.device));
  const builder: FactBuilder = { facts: [], participantOfFact: [], isSizeFact: [] };
  const prepared = sorted.map((c, participant) =>
    optionsOf(c).map((option, index) => prepareOption(builder, c, participant, option, index)),
  );
  const domains = new Map<string, number>();
  for (const { field, value } of builder.facts) {
    if (field === 'implicitDomain' && !domains.has(String(value))) domains.set(String(value), domains.size + 1);
  }
  const candidates: CompiledCandidate[] = [];
  const named = modifiersByFormat(sorted);
  for (const name of formatsOf(image, named.keys())) {
    const format = pixelFormatOf(name);
    if (format === undefined) continue;
    const byOption = prepared.map((options) => options.map((option) => compileForFormat(option, format)));
    const row = rowOfFormat(format);
    const first = candidates.length;
    for (const modifier of modifierUniverse(image, named.get(name))) {
      const options = byOption.map((all) => all.map((one) => compileForModifier(one, format, modifier, domains)));
      const twin = candidates.findIndex((other, index) => index >= first && areSame(other.options, options));
      const overflows = twin < 0 ? canOverflow(image, format, row, options) : candidates[twin].mayOverflow;
      candidates.push({
        format,
        modifier,
        row,
        options,
        mayOverflow: overflows,
        twin: twin < 0 ? candidates.length : twin,
      });
    }
  }
  const factsOfOption = prepared.map((options) => options.map((option) => option.facts));
  return { image, participants: sorted, ...builder, factsOfOption, candidates };
}

/** The whole problem, for the image asked for or another. */
export function viewOf(problem: LayoutProblem, image: ImageRequest = problem.image): LayoutView {
  const { facts, isSizeFact, participants } = problem;
  const { widthPixels, heightPixels } = image;
  const kept = new Uint8Array(facts.length).fill(1);
  const failing = new Uint8Array(facts.length);
  for (let fact = 0; fact < facts.length; fact++) {
    failing[fact] = isSizeFact[fact] && meetsSizeRule(facts[fact], widthPixels, heightPixels) ? 0 : 1;
  }
  const absent = new Uint8Array(participants.length);
  const choice = new Int16Array(participants.length).fill(-1);
  return { widthPixels, heightPixels, kept, failing, absent, choice };
}

interface FactBuilder {
  readonly facts: LayoutFact[];
  readonly participantOfFact: number[];
  readonly isSizeFact: boolean[];
}

type NumberedStatement = RuleStatement & { readonly fact: number };

interface PreparedFormat {
  readonly support: FormatSupport;
  readonly modifiers: readonly string[];
  readonly modifiersFact: number;
  readonly rules: readonly NumberedStatement[];
  readonly rulesByModifier: ReadonlyMap<string, readonly NumberedStatement[]>;
}

interface PreparedOption {
  readonly device: string;
  readonly participant: number;
  readonly index: number;
  readonly option: LayoutOption;
  readonly formatsFact: number | undefined;
  readonly domainFact: number | undefined;
  readonly rules: readonly NumberedStatement[];
  readonly counts: readonly (NumberedStatement & { readonly slot: number })[];
  readonly formats: ReadonlyMap<string, PreparedFormat>;
  /** All facts it states. */
  readonly facts: readonly number[];
}

/** Numbers the facts of an option, in a fixed order. */
function prepareOption(
  builder: FactBuilder,
  c: LayoutConstraints,
  participant: number,
  option: LayoutOption,
  index: number,
): PreparedOption {
  const { device } = c;
  const isAlternative = index >= c.options.length;
  const name = optionName(option, index, isAlternative ? 2 : c.options.length);
  const own: number[] = [];
  const add = (field: LayoutField, value: LayoutValue, format?: string, modifier?: string): number => {
    const fact: { -readonly [K in keyof LayoutFact]: LayoutFact[K] } = { device, field, value };
    if (name !== undefined) fact.option = name;
    if (format !== undefined) fact.format = format;
    if (modifier !== undefined) fact.modifier = modifier;
    builder.participantOfFact.push(participant);
    builder.isSizeFact.push(isSizeRule(field));
    const number = builder.facts.push(fact) - 1;
    own.push(number);
    return number;
  };
  const addRules = (rules: LayoutOption['rules'], format?: string, modifier?: string): NumberedStatement[] =>
    ruleStatements(rules).map((one) => ({ ...one, fact: add(one.field, one.value, format, modifier) }));
  const formatNames = option.formats?.map((support) => support.format);
  const formatsFact = formatNames && add('formats', formatNames);
  const domainFact = option.implicitDomain === undefined ? undefined : add('implicitDomain', option.implicitDomain);
  const rules = addRules(option.rules);
  const counts = countStatements(option.counts).map((one) => ({ ...one, fact: add(one.field, one.value) }));
  const formats = new Map<string, PreparedFormat>();
  for (const support of option.formats ?? []) {
    const modifiers = modifiersOf(support, option);
    const byModifier = Object.keys(support.rulesByModifier ?? {}).sort(byName);
    formats.set(canonicalFormat(support.format), {
      support,
      modifiers,
      modifiersFact: add('modifiers', modifiers, support.format),
      rules: addRules(support.rules, support.format),
      rulesByModifier: new Map(
        byModifier.map((modifier) => [
          modifier,
          addRules(support.rulesByModifier?.[modifier], support.format, modifier),
        ]),
      ),
    });
  }
  return { device, participant, index, option, formatsFact, domainFact, rules, counts, formats, facts: own };
}

interface OptionOfFormat {
  readonly prepared: PreparedOption;
  readonly support: PreparedFormat | undefined;
  readonly compiled: CompiledOption;
  /** The same for modifiers that it does not take and says nothing else about. */
  readonly refused: CompiledOption;
}

/** Demands in the making: those that can clash, and apart from them those that only pad. */
interface Demands {
  readonly killers: number[];
  readonly facts: number[];
  readonly slots: number[];
  readonly values: number[];
  /** Fact, slot and value, one after the other. */
  readonly padding: number[];
}

/** A start: nothing, or what an option demands already. */
function demandsFrom(option?: CompiledOption): Demands {
  if (option === undefined) return { killers: [], facts: [], slots: [], values: [], padding: [] };
  const { killers, facts, slots, values, clashes } = option;
  const padding: number[] = [];
  for (let i = clashes; i < facts.length; i++) padding.push(facts[i], slots[i], values[i]);
  const first = (list: readonly number[]): number[] => list.slice(0, clashes);
  return { killers: [...killers], facts: first(facts), slots: first(slots), values: first(values), padding };
}

function addDemands(to: Demands, statements: readonly NumberedStatement[], format: PixelFormat): void {
  for (const statement of statements) {
    if (isSizeRule(statement.field) || rulesOutFormat(statement, format)) {
      to.killers.push(statement.fact);
      continue;
    }
    for (const [slot, value] of demandsOf(statement, format)) addDemand(to, statement.fact, slot, value);
  }
}

function addDemand(to: Demands, fact: number, slot: number, value: number): void {
  if (!canClash(slot)) {
    to.padding.push(fact, slot, value);
    return;
  }
  to.facts.push(fact);
  to.slots.push(slot);
  to.values.push(value);
}

/** Whether a slot bounds something; the others only pad. */
function canClash(slot: number): boolean {
  return slot <= SLOT.blockWidth || slot >= SLOT.implicitDomain;
}

/** All demands, those first that can clash. */
function ordered({ killers, facts, slots, values, padding }: Demands): Omit<Demands, 'padding'> & { clashes: number } {
  const clashes = facts.length;
  for (let i = 0; i < padding.length; i += 3) {
    facts.push(padding[i]);
    slots.push(padding[i + 1]);
    values.push(padding[i + 2]);
  }
  return { killers, facts, slots, values, clashes };
}

/** What an option demands in a format, whatever the modifier. */
function compileForFormat(prepared: PreparedOption, format: PixelFormat): OptionOfFormat {
  const { option, participant, index, device } = prepared;
  const support = prepared.formats.get(format.name);
  const demands = demandsFrom();
  if (prepared.formatsFact !== undefined && support === undefined) demands.killers.push(prepared.formatsFact);
  addDemands(demands, prepared.rules, format);
  if (support !== undefined) addDemands(demands, support.rules, format);
  for (const { fact, slot, value } of prepared.counts) addDemand(demands, fact, slot, value as number);
  const wish = option.prefers?.strideAlignmentBytes;
  const preferences: CompiledPreference[] = [];
  if (wish !== undefined) {
    const cost = micro(option.prefers?.cost ?? 0.1);
    preferences.push({ device, strideAlignmentBytes: wish, alignmentBytes: alignmentForAll(format, wish), cost });
  }
  const cost = micro(option.cost ?? 0) + micro(support?.support.cost ?? 0);
  const { killers, facts, slots, values, clashes } = ordered(demands);
  const compiled = { participant, index, cost, killers, facts, slots, values, clashes, preferences };
  const refused = support === undefined ? compiled : { ...compiled, killers: [...killers, support.modifiersFact] };
  return { prepared, support, compiled, refused };
}

/** The same, with what the modifier adds. */
function compileForModifier(
  { prepared, support, compiled, refused }: OptionOfFormat,
  format: PixelFormat,
  modifier: string,
  domains: ReadonlyMap<string, number>,
): CompiledOption {
  const rules = support?.rulesByModifier.get(modifier);
  const base = support !== undefined && !takesModifier(support.modifiers, modifier) ? refused : compiled;
  const domainFact = modifier === IMPLICIT_MODIFIER ? prepared.domainFact : undefined;
  const extraCost = micro(support?.support.costByModifier?.[modifier] ?? 0);
  if (rules === undefined && domainFact === undefined && extraCost === 0) return base;
  const demands = demandsFrom(base);
  if (rules !== undefined) addDemands(demands, rules, format);
  if (domainFact !== undefined) {
    const domain = domains.get(prepared.option.implicitDomain ?? '') ?? 0;
    addDemand(demands, domainFact, SLOT.implicitDomain, domain);
  }
  return { ...base, ...ordered(demands), cost: base.cost + extraCost };
}

type Options = CompiledCandidate['options'];

function areSame(a: Options, b: Options): boolean {
  return a.every((options, participant) => options.every((option, index) => option === b[participant][index]));
}

/** Whether all demands together may need 2^53 bytes, at up to twice the width and height. */
function canOverflow(image: ImageRequest, format: PixelFormat, row: LayoutRow, options: Options): boolean {
  const everything = row.slice();
  for (const own of options) {
    for (const { slots, values } of own) {
      for (let i = 0; i < slots.length; i++) mergeSlot(everything, slots[i], values[i]);
    }
  }
  return mayOverflow(everything, format, 2 * image.widthPixels, 2 * image.heightPixels);
}

function micro(cost: number): number {
  return Math.round(cost * COST_UNIT);
}
