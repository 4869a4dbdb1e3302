/** Whether layout constraints make sense: one sentence for each problem, with the field, its value and the rule. */
import { knownFormats, MAX_PLANES, pixelFormatOf } from './formats.js';
import {
  ANY_MODIFIER,
  type BufferCounts,
  type FormatSupport,
  IMPLICIT_MODIFIER,
  type ImageRequest,
  type LayoutConstraints,
  type LayoutOption,
  type LayoutRules,
  type PixelSize,
} from './layout-constraints.js';
import type { LayoutRequest } from './layout-result.js';

/** Largest cost that can be stated, so that sums stay exact. */
export const MAX_COST = 10_000;

/** Most participants of one negotiation. */
export const MAX_PARTICIPANTS = 64;

/**
 * Everything wrong with a request; empty when it can be negotiated.
 *
 * Context: any-thread; pure.
 */
export function checkLayoutRequest(request: LayoutRequest): string[] {
  const { participants, converters = [], sharedPool } = request;
  const problems = checkImageRequest(request.image);
  if (participants.length > MAX_PARTICIPANTS) {
    problems.push(`participants must be at most ${MAX_PARTICIPANTS}, got ${participants.length}`);
  }
  for (const c of participants) problems.push(...checkLayoutConstraints(c).map((problem) => `${c.device}: ${problem}`));
  for (const c of converters) problems.push(...checkLayoutConstraints(c).map((problem) => `${c.device}: ${problem}`));
  const names = [...participants, ...converters].map((c) => c.device);
  if (sharedPool !== undefined) {
    names.push(sharedPool.name ?? 'pool');
    problems.push(...wholeNumber('sharedPool.buffers', sharedPool.buffers, 1));
  }
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) !== index) problems.push(`participants must have different names, got ${name} twice`);
  }
  const named = participants.some((c) => c.options.some((option) => option.formats !== undefined));
  if (request.image.formats === undefined && !named && problems.length === 0) {
    problems.push('image.formats must be given when no participant names a format');
  }
  return problems;
}

/** Everything wrong with the image asked for. */
export function checkImageRequest(image: ImageRequest): string[] {
  const problems = [
    ...wholeNumber('image.widthPixels', image.widthPixels, 1),
    ...wholeNumber('image.heightPixels', image.heightPixels, 1),
  ];
  if (image.widthPixels > 2 ** 24) problems.push(`image.widthPixels must be at most 2^24, got ${image.widthPixels}`);
  if (image.heightPixels > 2 ** 24) problems.push(`image.heightPixels must be at most 2^24, got ${image.heightPixels}`);
  if (image.formats?.length === 0) problems.push('image.formats must name at least one format, or be absent');
  if (image.modifiers?.length === 0) problems.push('image.modifiers must name at least one modifier, or be absent');
  for (const format of image.formats ?? []) problems.push(...knownFormat('image.formats', format));
  return problems;
}

/** Everything wrong with the constraints of one participant. */
export function checkLayoutConstraints(c: LayoutConstraints): string[] {
  const problems: string[] = [];
  if (c.device === '') problems.push('device must not be empty');
  if (c.options.length === 0 && !c.missing) problems.push('options must hold at least one option, got none');
  c.options.forEach((option, index) => {
    problems.push(...checkOption(`options[${index}]`, option));
  });
  c.alternatives?.forEach((option, index) => {
    problems.push(...checkOption(`alternatives[${index}]`, option));
  });
  return problems;
}

function checkOption(path: string, option: LayoutOption): string[] {
  const problems = checkRules(`${path}.rules`, option.rules);
  problems.push(...checkCounts(`${path}.counts`, option.counts), ...cost(`${path}.cost`, option.cost));
  problems.push(...optionalNumber(`${path}.prefers.strideAlignmentBytes`, option.prefers?.strideAlignmentBytes, 1));
  problems.push(...cost(`${path}.prefers.cost`, option.prefers?.cost));
  if (option.formats?.length === 0) {
    problems.push(`${path}.formats must name at least one format, or be absent for any`);
  }
  const seen = new Set<string>();
  option.formats?.forEach((support, index) => {
    const name = pixelFormatOf(support.format)?.name ?? support.format;
    if (seen.has(name)) problems.push(`${path}.formats must name each format once, got ${support.format} twice`);
    seen.add(name);
    problems.push(...checkSupport(`${path}.formats[${index}]`, support, option));
  });
  return problems;
}

function checkSupport(path: string, support: FormatSupport, option: LayoutOption): string[] {
  const { format, modifiers, rules, rulesByModifier, costByModifier } = support;
  const problems = [...knownFormat(`${path}.format`, format), ...cost(`${path}.cost`, support.cost)];
  if (modifiers?.length === 0) {
    problems.push(`${path}.modifiers must name at least one modifier, or be absent for the implicit layout`);
  }
  for (const [modifier, value] of Object.entries(costByModifier ?? {})) {
    problems.push(...cost(`${path}.costByModifier.${modifier}`, value));
  }
  if (rules === undefined && rulesByModifier === undefined) return problems;
  const merged = withRules(option.rules, rules);
  const own = checkRules(`${path}.rules`, rules);
  problems.push(...own);
  if (own.length === 0 && rules !== undefined) problems.push(...contradictions(`${path}.rules`, merged));
  for (const [modifier, more] of Object.entries(rulesByModifier ?? {})) {
    const where = `${path}.rulesByModifier.${modifier}`;
    const isNamed = (modifiers ?? [IMPLICIT_MODIFIER]).some((name) => name === modifier || name === ANY_MODIFIER);
    if (!isNamed && !option.implicitIsLinear) {
      problems.push(`${where} must speak of a modifier that ${path}.modifiers names, got ${modifier}`);
    }
    const further = checkRules(where, more);
    problems.push(...further);
    if (further.length === 0) problems.push(...contradictions(where, withRules(merged, more)));
  }
  return [...new Set(problems)];
}

/** The later rules over the earlier ones, as far as bounds are concerned. */
function withRules(base: LayoutRules | undefined, more: LayoutRules | undefined): LayoutRules {
  const least = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined ? b : b === undefined ? a : Math.min(a, b);
  const most = (a: number | undefined, b: number | undefined): number | undefined =>
    a === undefined ? b : b === undefined ? a : Math.max(a, b);
  return {
    ...base,
    ...more,
    minStrideBytes: most(base?.minStrideBytes, more?.minStrideBytes),
    maxStrideBytes: least(base?.maxStrideBytes, more?.maxStrideBytes),
  };
}

function checkRules(path: string, rules: LayoutRules | undefined): string[] {
  if (rules === undefined) return [];
  const problems: string[] = [];
  const alignments = [
    'strideAlignmentBytes',
    'strideAlignmentPixels',
    'maxStrideBytes',
    'heightAlignment',
    'offsetAlignmentBytes',
    'sizeAlignmentBytes',
    'maxPixels',
  ] as const;
  for (const field of alignments) problems.push(...optionalNumber(`${path}.${field}`, rules[field], 1));
  problems.push(...optionalNumber(`${path}.minStrideBytes`, rules.minStrideBytes, 0));
  for (const field of ['block', 'minSize', 'maxSize', 'sizeStep'] as const) {
    problems.push(...size(`${path}.${field}`, rules[field]));
  }
  const { trailingBytes, sizes, planes } = rules;
  if (typeof trailingBytes === 'object') {
    problems.push(...wholeNumber(`${path}.trailingBytes.atLeastStrideOr`, trailingBytes.atLeastStrideOr, 0));
  } else problems.push(...optionalNumber(`${path}.trailingBytes`, trailingBytes, 0));
  if (sizes?.length === 0) problems.push(`${path}.sizes must hold at least one size, or be absent for any`);
  sizes?.forEach((entry, index) => {
    problems.push(...size(`${path}.sizes[${index}]`, entry));
  });
  if (planes !== undefined && planes.length > MAX_PLANES) {
    problems.push(`${path}.planes must hold at most ${MAX_PLANES} planes, got ${planes.length}`);
  }
  planes?.forEach((plane, index) => {
    for (const field of ['strideAlignmentBytes', 'rowAlignment', 'offsetAlignmentBytes'] as const) {
      problems.push(...optionalNumber(`${path}.planes[${index}].${field}`, plane[field], 1));
    }
    problems.push(...optionalNumber(`${path}.planes[${index}].extraBytes`, plane.extraBytes, 0));
  });
  return problems.length > 0 ? problems : contradictions(path, rules);
}

/** What no buffer can meet, whoever else takes part. */
function contradictions(path: string, rules: LayoutRules): string[] {
  const { minStrideBytes: least = 1, maxStrideBytes: most, strideAlignmentBytes: alignment = 1 } = rules;
  const { minSize = [1, 1], maxSize, sizeStep = [1, 1] } = rules;
  const problems: string[] = [];
  if (most !== undefined && least > most) {
    problems.push(`${path}.minStrideBytes must be at most maxStrideBytes ${most}, got ${least}`);
  } else if (most !== undefined && Math.ceil(Math.max(1, least) / alignment) * alignment > most) {
    const between = `a multiple of strideAlignmentBytes ${alignment} between ${Math.max(1, least)} and itself`;
    problems.push(`${path}.maxStrideBytes must leave ${between}, got ${most}`);
  }
  if (maxSize === undefined) return problems;
  for (const [axis, name] of ['width', 'height'].entries()) {
    if (minSize[axis] > maxSize[axis]) {
      problems.push(`${path}.minSize must be at most maxSize in ${name} (${maxSize[axis]}), got ${minSize[axis]}`);
    } else if (Math.ceil(minSize[axis] / sizeStep[axis]) * sizeStep[axis] > maxSize[axis]) {
      const between = `between ${minSize[axis]} and ${maxSize[axis]}`;
      problems.push(`${path}.sizeStep must have a multiple in ${name} ${between}, got ${sizeStep[axis]}`);
    }
  }
  return problems;
}

function checkCounts(path: string, counts: BufferCounts | undefined): string[] {
  if (counts === undefined) return [];
  const problems: string[] = [];
  for (const field of ['held', 'dedicatedSlack', 'sharedSlack', 'min'] as const) {
    problems.push(...optionalNumber(`${path}.${field}`, counts[field], 0));
  }
  problems.push(...optionalNumber(`${path}.max`, counts.max, 1));
  const { max } = counts;
  const own = Math.max(counts.min ?? 0, counts.held ?? 0);
  if (problems.length === 0 && max !== undefined && own > max) {
    problems.push(`${path}.max must be at least min and held (${own}), got ${max}`);
  }
  return problems;
}

function size(path: string, value: PixelSize | undefined): string[] {
  if (value === undefined) return [];
  if (value.length !== 2) return [`${path} must be a width and a height, got ${JSON.stringify(value)}`];
  return [...wholeNumber(`${path}[0]`, value[0], 1), ...wholeNumber(`${path}[1]`, value[1], 1)];
}

function optionalNumber(path: string, value: number | undefined, least: number): string[] {
  return value === undefined ? [] : wholeNumber(path, value, least);
}

function wholeNumber(path: string, value: number, least: number): string[] {
  return Number.isSafeInteger(value) && value >= least
    ? []
    : [`${path} must be a whole number from ${least}, got ${value}`];
}

function cost(path: string, value: number | undefined): string[] {
  if (value === undefined || (value >= 0 && value <= MAX_COST)) return [];
  return [`${path} must be between 0 and ${MAX_COST}, got ${value}`];
}

function knownFormat(path: string, format: string): string[] {
  if (pixelFormatOf(format) !== undefined) return [];
  const near = knownFormats().filter((name) => name.toLowerCase().startsWith(format.slice(0, 2).toLowerCase()));
  const hint = near.length > 0 ? ` (there are ${near.slice(0, 6).join(', ')})` : '';
  return [`${path} must be a format of the table, got ${format}${hint}`];
}
